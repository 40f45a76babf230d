import type { DhcpOptions } from '../config/dhcp.ts';
import type { Dns } from '../config/dns.ts';
import type { NetworkSpec } from '../config/network-spec.ts';
import type { Addressing } from '../drivers/driver.ts';
import type { NetError } from '../errors/net-error.ts';
import type { Firewaller } from '../firewall/firewaller.ts';
import type { Host, Namespace } from '../host/host.ts';
import type { Logger } from '../log/log.ts';
import type { Addr } from '../model/addr.ts';
import type { Attachment } from '../model/attachment.ts';
import type { ProcessRef } from '../model/chain.ts';
import type { FirewallBackend } from '../model/firewall.ts';
import type { RemotePlugin } from '../remote/plugin.ts';
import type { ChangeCount } from '../store/changes.ts';
import type { LocalStore } from '../store/store.ts';
import type { ClusterNetworks } from './cluster-networks.ts';
import type { PortHolder } from './ports/holds.ts';

/** The dependencies of every call. */
export interface Core {
  readonly host: Host;
  readonly store: LocalStore;
  /** A counter beside the database. It shows whether the database lost recent changes. */
  readonly changes: ChangeCount;
  readonly log: Logger;
  /** The packet filter of the host's namespace, opened at first use. */
  firewall(backend: FirewallBackend): Firewaller;
  /**
   * A lock that one call holds at a time, until it disposes of it or the process ends. Rejects with NetError `busy`.
   */
  lock(key: string): Promise<Disposable>;
  /**
   * Deletes a link without blocking other calls, in the sandbox if one is given. Accepts absence. If undefined, `reverse`
   * deletes links like everything else.
   */
  readonly removeLink?: (link: LinkName, sandbox?: Namespace) => Promise<NetError | undefined>;
  /** Lets other calls of this thread go on. Absent in a process that serves one call. */
  readonly rest?: () => Promise<unknown>;
  /**
   * True if the bridge has a port that is no container's; undefined if that is not known. Absent in a process that does
   * not watch the host.
   */
  readonly hasUplink?: (bridge: string) => boolean | undefined;
  /** Absent in a process that is no member of a cluster. */
  readonly cluster?: ClusterNetworks;
  /** Holds published host ports. Absent in a process that ends with its call. */
  readonly held?: PortHolder;
  /** Leases addresses from DHCP servers. Absent in a process that ends with its call. */
  readonly dhcp?: DhcpLeases;
  /** Executes the plugins of CNI lists. Absent in a process that ends with its call. */
  readonly plugins?: () => Promise<PluginHost>;
  /** Replaces the IPAM plugins of other programs in a dry run, which executes nothing. */
  readonly foreignIpam?: (type: string) => DelegateSource;
  /** The network that a CNI configuration file defines under this name, used or not. */
  readonly configured?: (network: string) => NetworkSpec | undefined;
  /** The name of our drivers in Docker, for commands in error hints. Default: `isthmus`. */
  readonly dockerName?: string;
  /**
   * Written on the endpoints that the call attaches, so that it can tell them from later ones of the same name. Absent
   * where the call ends with its caller.
   */
  readonly stamp?: string;
  /** Attributes the time since the last mark, or since the start of the call, to this phase. */
  readonly mark?: (phase: string) => void;
  /** The client of the Docker plugin of this name, which need not exist. */
  plugin(name: string): Promise<RemotePlugin>;
  /** Aborted when the caller leaves. Absent where the call ends with its caller. */
  readonly gone?: () => AbortSignal;
  /** The foreign IPAM plugin that an earlier call recorded, to release its addresses. */
  delegate(type: string, config: string, attachment: Attachment, netns: string): DelegateSource;
}

/** More ports than this take some milliseconds in each step of a call. */
const MANY_PORTS = 128;

/** Lets other calls of this thread run between two steps that handle more than `MANY_PORTS`. */
export async function restBetween({ rest }: Pick<Core, 'rest'>, ports: number): Promise<void> {
  if (ports > MANY_PORTS) await rest?.();
}

/** The value of `-d` and `--ipam-driver` in `docker network create`. */
export function nameInDocker({ dockerName = 'isthmus' }: Pick<Core, 'dockerName'>): string {
  return dockerName;
}

/** A link by name. With a kind, only a link of that kind. */
export interface LinkName {
  readonly name: string;
  readonly kind?: string;
}

/** The result of an IPAM request. */
export interface IpamResult extends Addressing {
  readonly dns: Dns;
  /** Bytes, of the interface. Default: its own. */
  readonly mtu?: number;
}

export const NO_ADDRESSES: IpamResult = { addresses: [], routes: [], dns: {} };

/** IPAM in this process. Allocation runs in the caller's transaction. */
export interface LocalSource {
  readonly kind: 'local';
  /** Scope of the leases; absent if the source keeps none (static). */
  readonly scope?: string;
  acquire(store: LocalStore): IpamResult;
  /** Called after `acquire` is committed: writes what other programs are to read. Throws NetError `io`. */
  record?(store: LocalStore): void;
  release(store: LocalStore): void;
  /** Throws NetError `drift` if this attachment has no lease for an address in `held`. */
  check(store: LocalStore, held: readonly Addr[]): void;
  /** Throws NetError `unavailable` if no address is free. */
  status(store: LocalStore): void;
  /** Releases the leases of attachments that are not in `keep`. */
  collect(store: LocalStore, keep: readonly Attachment[]): void;
}

/** One attachment that gets its address from a DHCP server. */
export interface DhcpRequest {
  readonly attachment: Attachment;
  readonly options: DhcpOptions;
  /** Path of the namespace. */
  readonly netns: string;
  /** The interface is another plugin's: no endpoint is on record. */
  readonly isAlone?: true;
  /** Aborted when the caller leaves. */
  readonly gone?: AbortSignal;
}

/** The leases of a DHCP client that stays. */
export interface DhcpLeases {
  /** Leases an address for the interface, sets it up for that, and keeps the lease. Throws NetError `no-lease`. */
  acquire(request: DhcpRequest, sandbox: Namespace): Promise<IpamResult>;
  /** Tells the server that the address is free, as far as that is possible, and forgets the lease. Accepts absence. */
  release(attachment: Attachment): Promise<void>;
  /**
   * Releases the leases whose attachment or namespace is gone, and those on the network of `alive` without a record that
   * `keep` does not list.
   */
  collect(alive?: { readonly network: string; readonly keep: readonly Attachment[] }): Promise<void>;
}

/** One call of one CNI plugin. */
export interface PluginCall {
  readonly type: string;
  /** Directories to search for it, and for the plugins that it calls. */
  readonly path: readonly string[];
  readonly command: 'ADD' | 'DEL' | 'GC' | 'VERSION';
  /** Its configuration, as JSON. */
  readonly config: string;
  /** Milliseconds until it is killed. */
  readonly limitMs: number;
  readonly containerId?: string;
  /** Path of the namespace; empty if there is none any more. */
  readonly netns?: string;
  readonly ifName?: string;
  /** CNI_ARGS. */
  readonly args?: string;
  /** Called once the plugin runs. */
  readonly started?: (process: ProcessRef) => void;
}

/** The CNI plugins of this host, and the namespaces that they work in. */
export interface PluginHost {
  /**
   * The text of a list: `conf` is the text itself, an absolute path, or the name of a network in the directory of CNI
   * configurations. Throws NetError `invalid-config`.
   */
  listText(conf: string): string;
  /** True if a file in the directory of CNI configurations defines this network, so that others may use it. */
  isConfigured(network: string): boolean;
  /** Throws NetError `invalid-config` if no directory has an executable of this name. */
  assertThere(type: string, path: readonly string[]): void;
  /** Resolves with what the plugin printed. Rejects with NetError `delegate`, with the plugin's own code. */
  run(call: PluginCall): Promise<string>;
  /** Kills a plugin that a dead daemon started, with its children. Accepts that it has ended. */
  end(process: ProcessRef): Promise<void>;
  /** The same for all plugins of these types that work in this namespace, also those that are not on record. */
  endIn(netns: string, types: readonly string[]): Promise<void>;
  /** Creates a network namespace at this path. Throws NetError `exists` if something is there. */
  makeNamespace(path: string): Promise<void>;
  /** Accepts absence. */
  deleteNamespace(path: string): Promise<void>;
}

/** A foreign IPAM plugin, run as a process, or the DHCP client. It may need the link to exist. */
export interface DelegateSource {
  readonly kind: 'delegate';
  readonly type: string;
  /** Its configuration, as JSON. */
  readonly config: string;
  acquire(): Promise<IpamResult>;
  release(): Promise<void>;
  check(): Promise<void>;
  status(): Promise<void>;
  collect(): Promise<void>;
}

/** The source of an endpoint's addresses; absent for L2-only networks. */
export type AddressSource = LocalSource | DelegateSource;
