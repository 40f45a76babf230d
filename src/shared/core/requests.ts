import type { Bandwidth } from '../config/bandwidth.ts';
import type { NetworkSpec } from '../config/network-spec.ts';
import type { Assigned, Driver, InterfaceReport } from '../drivers/driver.ts';
import type { Rules } from '../drivers/rules.ts';
import type { Attachment, Role } from '../model/attachment.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { RouteSpec } from '../model/link.ts';
import type { AddressSource, Dns } from './core.ts';

/** One attachment to make or to check. */
export interface EndpointRequest {
  readonly attachment: Attachment;
  readonly role: Role;
  /** Path of the sandbox's namespace. */
  readonly netns: string;
  /** True lets the sandbox be the host's own namespace (CNI_NETNS_OVERRIDE). */
  readonly ownNamespace: boolean;
  readonly driver: Driver;
  readonly driverName: string;
  readonly source?: AddressSource;
  /** Asked for by the caller; absent: derived from the first address. */
  readonly mac?: string;
  readonly aliases: readonly string[];
  /** Limits of what goes in and out; absent: none. */
  readonly rates?: Bandwidth;
  /** What the packet filter does for it; absent: nothing. */
  readonly rules?: Rules;
  /** What its Network is made by; absent: what is on record stays. */
  readonly spec?: NetworkSpec;
}

/** One attachment to take away: identity, and what helps where no record is left. */
export interface RemovalRequest {
  readonly attachment: Attachment;
  readonly role: Role;
  /** May be empty, missing, or something else by now. */
  readonly netns: string;
  readonly source?: AddressSource;
  /**
   * What to look for where no record is left: `own` the interface that this attachment's name gives, `any` also one
   * that another plugin made in the sandbox under that name (a node taken over from the reference plugins).
   */
  readonly orphans: 'none' | 'own' | 'any';
  /** True where MAC spoof guards may be among what is left. */
  readonly guarded: boolean;
  /** Asked under the lock, with the record that is there then; where it says false, nothing is removed. */
  readonly when?: (row: Endpoint | undefined) => boolean;
}

/** What an endpoint turned out to be. */
export interface EndpointReport {
  readonly interfaces: readonly InterfaceReport[];
  readonly addresses: readonly Assigned[];
  readonly routes: readonly RouteSpec[];
  readonly dns: Dns;
}

/** What the caller believes to be there (prevResult). */
export interface Expectation {
  readonly interfaces: readonly { readonly name: string; readonly mac?: string; readonly mtu?: number }[];
  /** Addresses of the interface in the sandbox. */
  readonly addresses: readonly Assigned[];
  readonly routes: readonly RouteSpec[];
}
