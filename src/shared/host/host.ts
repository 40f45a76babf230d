import type { NetError } from '../errors/net-error.ts';
import type { Family } from '../model/addr.ts';
import type { HostId, SandboxId } from '../model/attachment.ts';
import type { PortSpan, Protocol } from '../model/firewall.ts';
import type { AddressState, ForwardingState, LinkState, NeighbourState, RouteState } from '../model/link.ts';
import type { Op } from '../model/op.ts';
import type { RuleState } from '../model/rule.ts';
import type { ShapingState } from '../model/shaping.ts';
import type { XfrmPolicy, XfrmStateInfo } from '../model/xfrm.ts';

/** The identity of this machine (or nested host) and its boot time. */
export interface HostIdentity {
  /** `ISTHMUS_HOST_ID`; else `root` in PID 1's network namespace; else boot id and namespace cookie. */
  readonly hostId: HostId;
  /** /proc/sys/kernel/random/boot_id. */
  readonly bootId: string;
  /** When this boot began, in milliseconds since the epoch. */
  readonly bootedAt: number;
}

/** An open network namespace. Close it with `using`. */
export interface Namespace extends Disposable {
  /** Boot id and SO_NETNS_COOKIE: never used again, where inode numbers recur within minutes. */
  readonly id: SandboxId;
  /** The path it was opened by; empty for the host's own namespace. */
  readonly path: string;
}

/** The namespaces that the NsRefs of an Op refer to. `revert` skips Ops of an absent sandbox. */
export interface Namespaces {
  readonly host: Namespace;
  readonly sandbox?: Namespace;
}

/** What to read. `all` reads everything; a list reads the items that exist; an absent key reads nothing. */
export interface ViewQuery {
  readonly links?: 'all' | readonly string[];
  /** Names of the devices whose addresses to read. */
  readonly addresses?: 'all' | readonly string[];
  /** True reads the unicast routes of every table except `local`. */
  readonly routes?: boolean;
  /** True reads the policy routing rules that name a table. */
  readonly rules?: boolean;
  /** Names of the devices whose permanent neighbours to read. */
  readonly neighbours?: readonly string[];
  /** Names of the devices whose static FDB entries to read: their own, and those of the bridge behind them. */
  readonly forwarding?: readonly string[];
  /** Keys below /proc/sys, with slashes or dots: `net/ipv4/ip_forward`. */
  readonly sysctls?: readonly string[];
  /** Names of the links of which to tell whether they are up with a carrier that the kernel has noticed (IFF_RUNNING). */
  readonly running?: readonly string[];
  /** Names of the devices whose token buckets and redirections to read. */
  readonly shaping?: readonly string[];
  /** Ports to check for listeners; without an address, on any. In the caller's own namespace only. */
  readonly listeners?: readonly PortQuery[];
  /** Inodes of sockets whose processes to find. Scans all processes of the host: for errors only, in no transaction. */
  readonly holders?: readonly number[];
  /** True reads the associations and policies of ESP. */
  readonly transforms?: boolean;
  /** Executable of the processes to scan for `holders`; absent: all. Reads one link of each other process. */
  readonly program?: string;
}

export interface PortQuery extends PortSpan {
  readonly protocol: Protocol;
  readonly port: number;
  readonly address?: string;
  /** Default: both. */
  readonly family?: Family;
  /** True also finds TCP sockets that are bound and do not listen, where the kernel tells them (Linux 6.9). */
  readonly idle?: boolean;
}

/** A port that a socket of the host is bound to. */
export interface Listener extends PortQuery {
  /** Of the socket: `holders` names its process. */
  readonly inode: number;
}

/** A process that has a socket open. */
export interface Holder {
  /** `nginx (pid 812)`. */
  readonly process: string;
  /** The name of its executable, which, unlike its own name, a process cannot choose. */
  readonly program: string;
  /** Its command line. */
  readonly words: readonly string[];
  /** True where it runs as the same user as this process. */
  readonly isOwnUser: boolean;
}

/** The observed state as plain values: planners plan from it and CHECK compares with it. */
export interface View {
  readonly links: ReadonlyMap<string, LinkState>;
  readonly addresses: readonly AddressState[];
  readonly routes: readonly RouteState[];
  /** IPv4 first, in the order in which the kernel tries them. */
  readonly rules: readonly RuleState[];
  /** In no order, without those that the kernel has found by itself. */
  readonly neighbours: readonly NeighbourState[];
  /** In no order, without learned ones and the addresses of the ports themselves. */
  readonly forwarding: readonly ForwardingState[];
  /** Trimmed; absent if the kernel has no such key. */
  readonly sysctls: ReadonlyMap<string, string>;
  /** By device; absent if the device does not exist. */
  readonly shaping: ReadonlyMap<string, ShapingState>;
  /** Those that are. */
  readonly running: ReadonlySet<string>;
  /** The requested ports that are taken. */
  readonly listeners: readonly Listener[];
  /** By the inode of the socket; absent if no process was found. */
  readonly holders: ReadonlyMap<number, Holder>;
  /** Associations of ESP, in no order. */
  readonly states: readonly XfrmStateInfo[];
  /** Policies of the form that XfrmPolicy describes, in no order. */
  readonly policies: readonly XfrmPolicy[];
}

/** The port to the kernel: LinuxHost uses the real one, FakeHost keeps the same state in memory. */
export interface Host {
  readonly identity: HostIdentity;
  /** The namespace that the caller runs in. */
  readonly own: Namespace;
  /**
   * Opens the network namespace at `path`. Throws NetError `invalid-namespace` if nothing is there, or something else
   * (a plain file).
   */
  open(path: string): Namespace;
  observe(ns: Namespace, query: ViewQuery): View;
  /**
   * Runs the Ops in order, several in one message to the kernel where possible.
   * Throws NetError for the first that fails, with the kernel's text; later ones may have run (the caller reverses the
   * whole plan). `addr.add` and `route.add` fail for an existing address or route; `sysctl.set` with `optional` never.
   */
  apply(ops: readonly Op[], namespaces: Namespaces): void;
  /** Resolves once the neighbours have been sent what `apply` announces. Absent where that is before `apply` returns. */
  announced?(): Promise<void>;
  /** Runs the Ops in order and treats absence as success; continues after a failure and returns all failures. */
  revert(ops: readonly Op[], namespaces: Namespaces): NetError[];
}
