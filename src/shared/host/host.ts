import type { NetError } from '../errors/net-error.ts';
import type { Family } from '../model/addr.ts';
import type { Protocol } from '../model/firewall.ts';
import type { AddressState, LinkState, RouteState } from '../model/link.ts';
import type { NftTable, Op } from '../model/op.ts';
import type { ShapingState } from '../model/shaping.ts';

/** Who this machine (or nested host) is, and since when. */
export interface HostIdentity {
  /** `ISTHMUS_HOST_ID`; else `root` in PID 1's network namespace; else boot id and namespace cookie. */
  readonly hostId: string;
  /** /proc/sys/kernel/random/boot_id. */
  readonly bootId: string;
  /** When this boot began, in milliseconds since the epoch. */
  readonly bootedAt: number;
}

/** An open network namespace. Close it with `using`. */
export interface Namespace extends Disposable {
  /** Boot id and SO_NETNS_COOKIE: never used again, where inode numbers recur within minutes. */
  readonly id: string;
  /** The path it was opened by; empty for the host's own. */
  readonly path: string;
}

/** The namespaces that the NsRefs of an Op stand for. Ops of an absent sandbox are skipped by `revert`. */
export interface Namespaces {
  readonly host: Namespace;
  readonly sandbox?: Namespace;
}

/** What to read. `all` reads every one; a list reads those that exist; absent reads none. */
export interface ViewQuery {
  readonly links?: 'all' | readonly string[];
  /** Names of the devices whose addresses are wanted. */
  readonly addresses?: 'all' | readonly string[];
  readonly routes?: boolean;
  /** Keys below /proc/sys, slashes or dots: `net/ipv4/ip_forward`. */
  readonly sysctls?: readonly string[];
  readonly nftSets?: readonly { readonly table: NftTable; readonly set: string }[];
  /** Names of the devices whose token buckets and redirections are wanted. */
  readonly shaping?: readonly string[];
  /** Ports that somebody may be listening on; without an address, on any. Of the caller's own namespace only. */
  readonly listeners?: readonly PortQuery[];
  /** Inodes of sockets whose processes are wanted. Looks at all processes of the host: for errors only. */
  readonly holders?: readonly number[];
}

export interface PortQuery {
  readonly protocol: Protocol;
  readonly port: number;
  readonly address?: string;
  /** Both, unless given. */
  readonly family?: Family;
}

/** A port that a socket of the host is bound to. */
export interface Listener extends PortQuery {
  /** Of the socket: `holders` tells whose it is. */
  readonly inode: number;
}

/** A process that has a socket open. */
export interface Holder {
  /** `nginx (pid 812)`. */
  readonly process: string;
  /** The name of its executable, which the process cannot choose as it can its own name. */
  readonly program: string;
  /** Its command line. */
  readonly words: readonly string[];
  /** True where it runs as the same user as this process. */
  readonly isOwnUser: boolean;
}

/** What was read, as plain values: the view that planners plan from and that CHECK compares with. */
export interface View {
  readonly links: ReadonlyMap<string, LinkState>;
  readonly addresses: readonly AddressState[];
  readonly routes: readonly RouteState[];
  /** Trimmed; absent where the kernel has no such key. */
  readonly sysctls: ReadonlyMap<string, string>;
  /** Elements in nft's syntax by `<table> <set>`; absent where there is no such set. */
  readonly nftSets: ReadonlyMap<string, readonly string[]>;
  /** By device; absent where there is no such device. */
  readonly shaping: ReadonlyMap<string, ShapingState>;
  /** Those of the ports asked for that are taken. */
  readonly listeners: readonly Listener[];
  /** By the inode of the socket; absent where no process was found. */
  readonly holders: ReadonlyMap<number, Holder>;
}

/** The kernel as a port: LinuxHost is the real one, FakeHost keeps the same state in memory. */
export interface Host {
  readonly identity: HostIdentity;
  /** The namespace that the caller runs in. */
  readonly own: Namespace;
  /**
   * The network namespace at `path`, open.
   * Throws NetError `invalid-namespace` where there is none, or something else (a plain file).
   */
  open(path: string): Namespace;
  observe(ns: Namespace, query: ViewQuery): View;
  /**
   * Runs the Ops in order, several in one message to the kernel where they allow it.
   * Throws NetError for the first that fails, with the kernel's words; later ones may have run (the caller reverses
   * the whole plan). `addr.add`, `route.add` of what exists already fail; `sysctl.set` with `optional` does not.
   */
  apply(ops: readonly Op[], namespaces: Namespaces): void;
  /** Runs the Ops in order, taking absence for success; goes on after a failure and returns all failures. */
  revert(ops: readonly Op[], namespaces: Namespaces): NetError[];
}
