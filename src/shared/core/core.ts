import type { NetworkSpec } from '../config/network-spec.ts';
import type { Addressing } from '../drivers/driver.ts';
import type { NetError } from '../errors/net-error.ts';
import type { Firewaller } from '../firewall/firewaller.ts';
import type { Host } from '../host/host.ts';
import type { Logger } from '../log/log.ts';
import type { Attachment } from '../model/attachment.ts';
import type { FirewallBackend } from '../model/firewall.ts';
import type { ChangeCount } from '../store/changes.ts';
import type { LocalStore } from '../store/store.ts';

/** What every call works with. */
export interface Core {
  readonly host: Host;
  readonly store: LocalStore;
  /** Kept beside the state, to tell a state that lags behind. */
  readonly changes: ChangeCount;
  readonly log: Logger;
  /** The packet filter of the host's namespace, opened when it is first used. */
  firewall(backend: FirewallBackend): Firewaller;
  /** Held by one call at a time, until disposed or until the process dies. Rejects with NetError `busy`. */
  lock(key: string): Promise<Disposable>;
  /**
   * Deletes a link of the host's namespace while other calls go on; absence is success. Where there is none, links are
   * deleted as everything else.
   */
  readonly removeLink?: (link: LinkName) => Promise<NetError | undefined>;
  /** The network that a CNI configuration file of this name describes, whether anybody uses it yet or not. */
  readonly configured?: (network: string) => NetworkSpec | undefined;
  /** What dockerd calls our drivers, for the commands that errors tell. Default: `isthmus`. */
  readonly dockerName?: string;
  /**
   * Written on the endpoints that the call attaches, so that it can tell them from later ones of the same name. Absent
   * where the call ends with its caller.
   */
  readonly stamp?: string;
  /** The time since the last mark, or since the call began, went into this phase. */
  readonly mark?: (phase: string) => void;
  /** The foreign IPAM plugin an earlier call recorded, for its clean-up. */
  delegate(type: string, config: string, attachment: Attachment, netns: string): DelegateSource;
}

/** What goes behind `-d` and `--ipam-driver` of `docker network create`. */
export function nameInDocker({ dockerName = 'isthmus' }: Pick<Core, 'dockerName'>): string {
  return dockerName;
}

/** A link by name; with a kind, no other of this name. */
export interface LinkName {
  readonly name: string;
  readonly kind?: string;
}

/** resolv.conf(5) as a CNI result has it. */
export interface Dns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

/** What IPAM decided. */
export interface IpamResult extends Addressing {
  readonly dns: Dns;
}

export const NO_ADDRESSES: IpamResult = { addresses: [], routes: [], dns: {} };

/** IPAM in this process: allocation joins the caller's transaction. */
export interface LocalSource {
  readonly kind: 'local';
  /** Where the addresses are leased; absent where none are kept (static). */
  readonly scope?: string;
  acquire(store: LocalStore): IpamResult;
  release(store: LocalStore): void;
  /** Throws NetError `drift` where an address of `held` is no lease of this attachment. */
  check(store: LocalStore, held: readonly string[]): void;
  /** Throws NetError `unavailable` where no address is left. */
  status(store: LocalStore): void;
  /** Frees what is held for attachments that are not in `keep`. */
  collect(store: LocalStore, keep: readonly Attachment[]): void;
}

/** A foreign IPAM plugin, executed. It may need the link to exist (dhcp). */
export interface DelegateSource {
  readonly kind: 'delegate';
  readonly type: string;
  /** The configuration it is called with, as JSON. */
  readonly config: string;
  acquire(): Promise<IpamResult>;
  release(): Promise<void>;
  check(): Promise<void>;
  status(): Promise<void>;
  collect(): Promise<void>;
}

/** Where an endpoint's addresses come from; absent for L2 only. */
export type AddressSource = LocalSource | DelegateSource;
