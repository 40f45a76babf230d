import type { CampName } from '../model/attachment.ts';
import type { FirewallBackend } from '../model/firewall.ts';
import type { ControlAnswer, DaemonStatus, LastError } from './control.ts';

/** How this host is, on one screen. */
export interface StatusInfo {
  /** False if `problems` has any. */
  readonly ok: boolean;
  readonly version: string;
  readonly daemon: DaemonInfo;
  readonly state: { readonly dir: string; readonly exists: boolean };
  readonly filters: readonly FilterInfo[];
  readonly networks: readonly NetworkStatus[];
  readonly endpoints: readonly EndpointCount[];
  /** Parts of endpoints that a call is creating or deleting, or that a dead call left. */
  readonly unfinished: readonly UnfinishedInfo[];
  /** The last failed calls, the newest first. */
  readonly lastErrors: readonly LastError[];
  /** One line each; `isthmus doctor` tells more. */
  readonly problems: readonly string[];
}

export interface DaemonInfo extends Partial<Omit<DaemonStatus, 'lastErrors'>> {
  readonly state: ControlAnswer['state'];
  /** Why it does not answer. */
  readonly why?: string;
}

/** One packet filter that has entries of ours. */
export interface FilterInfo {
  readonly backend: FirewallBackend;
  readonly entries: number;
  /** Entries that were looked at: those of networks, and of endpoints up to a limit; `isthmus doctor` looks at all. */
  readonly checked: number;
  readonly missing: number;
}

export interface NetworkStatus {
  readonly name: string;
  readonly driver: string;
  readonly device?: string;
  readonly present: boolean;
  /** False if the device is there and down. */
  readonly up: boolean;
  readonly endpoints: number;
  readonly subnets: readonly SubnetStatus[];
}

export interface SubnetStatus {
  readonly subnet: string;
  readonly size: number;
  /** Absent if another program assigns the addresses. */
  readonly used?: number;
  readonly free?: number;
}

export interface EndpointCount {
  readonly camp: CampName;
  readonly ready: number;
  readonly unfinished: number;
}

export interface UnfinishedInfo {
  readonly network: string;
  readonly camp: CampName;
  readonly id: string;
  readonly role: string;
}
