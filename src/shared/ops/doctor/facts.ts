import type { PartLack } from '../../core/endpoints/mend-endpoints.ts';
import type { NetworkLack } from '../../core/networks/mend-networks.ts';
import type { LeftInPlugins } from '../../core/plugins/left.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { HostIdentity, View } from '../../host/host.ts';
import type { Family } from '../../model/addr.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import type { StateInspection } from '../../store/inspect.ts';
import type { DockerNetworkRow, EndpointKey, Lease, NetworkRow } from '../../store/store.ts';
import type { ControlAnswer } from '../control.ts';
import type { SubnetInfo } from '../networks.ts';

/** All that the rules look at, read once. Plain data: a rule never reads the host itself. */
export interface Facts {
  /** Of this program. */
  readonly version: string;
  readonly uid: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly identity: HostIdentity;
  readonly state: StateFacts;
  /** Absent without a state that can be read. */
  readonly records?: RecordFacts;
  readonly networks: readonly NetworkFacts[];
  /** Parts that lack something on the host's side. */
  readonly lacks: readonly PartLack[];
  readonly sandboxes: readonly SandboxFacts[];
  /** All links, addresses and routes of the host, and the settings that rules ask for. */
  readonly view: View;
  readonly drops: readonly DropFacts[];
  readonly kernel: KernelFacts;
  readonly paths: readonly PathFacts[];
  readonly cni: CniFacts;
  readonly daemon: DaemonFacts;
  /** Absent if no dockerd answers. */
  readonly docker?: readonly DockerFacts[];
  /** Absent unless probes were asked for. */
  readonly probes?: ProbeFacts;
}

export interface StateFacts extends StateInspection {
  readonly dir: string;
  /** Why it cannot be opened or written, although it is whole. */
  readonly unusable?: string;
  /** True if the records do not agree with this boot yet. */
  readonly behind: boolean;
  /** Milliseconds since the epoch: the latest time that the records have. */
  readonly latest: number;
}

export interface RecordFacts {
  readonly networks: readonly NetworkRow[];
  readonly endpoints: readonly Endpoint[];
  readonly leases: readonly Lease[];
  readonly dockerNetworks: readonly DockerNetworkRow[];
  readonly brokenNetworks: readonly string[];
  readonly brokenEndpoints: readonly EndpointKey[];
  /** Parts whose call ended without a result: a second look shows the same. */
  readonly unfinished: readonly Endpoint[];
  /** What Docker plugins have, and nothing here uses: a second look shows the same. */
  readonly left: readonly LeftInPlugins[];
}

/** A network that is in use. */
export interface NetworkFacts {
  readonly row: NetworkRow;
  readonly lack: NetworkLack;
  readonly subnets: readonly SubnetInfo[];
  /** Why it cannot be planned: its device is another one's. */
  readonly obstacle?: NetError;
}

/** What the namespace of an interface has. */
export interface SandboxFacts {
  readonly part: Endpoint;
  /** `gone`: the path leads to no namespace, or to another one. `unknown`: its path is not on record. */
  readonly namespace: 'there' | 'gone' | 'unknown';
  readonly interface?: 'missing' | 'down';
  /** Addresses on record that the interface lacks. */
  readonly lacking: readonly string[];
}

/** A packet filter of another program that drops what a network needs. */
export interface DropFacts {
  readonly network: string;
  readonly device: string;
  /** Whose it is, by its names. */
  readonly owner: 'firewalld' | 'ufw' | 'Docker' | 'another program';
  /** `table inet filter, chain forward`, `zone public of firewalld`. */
  readonly place: string;
  /** Which packets it drops: `new connections from the network`. */
  readonly packets: string;
  /** A command that accepts them. */
  readonly cure: string;
  /** True if `reload` accepts them, by our own rules in that chain. */
  readonly reloads: boolean;
}

export interface KernelFacts {
  readonly conntrack?: { readonly count: number; readonly max: number };
  readonly neighbours: readonly NeighbourTable[];
  /** Modules that the records need, and that are neither loaded nor built in; empty if that cannot be told. */
  readonly missingModules: readonly string[];
}

/** The table of neighbours of one family, which all namespaces share. */
export interface NeighbourTable {
  readonly family: Family;
  readonly count: number;
  /** gc_thresh2: above it, unused entries go after five seconds. */
  readonly soft: number;
  /** gc_thresh3: the table has no more. */
  readonly hard: number;
}

/** A file, directory or socket of ours. */
export interface PathFacts {
  readonly path: string;
  readonly is: 'directory' | 'file' | 'socket' | 'link' | 'other';
  readonly wanted: 'directory' | 'file' | 'socket';
  /** Permission bits. */
  readonly mode: number;
  /** Most bits that it may have. */
  readonly most: number;
  readonly uid: number;
}

export interface CniFacts {
  readonly dir: string;
  /** In the order in which runtimes read them. */
  readonly files: readonly ConfigFile[];
  readonly pluginDirs: readonly string[];
  /** Names of the plugins in these directories. */
  readonly plugins: ReadonlySet<string>;
  /** Version of the plugin that the launcher is for; absent if it was not found or does not answer. */
  readonly installed?: { readonly path: string; readonly version: string };
}

/** A file that a runtime would read as a configuration. */
export interface ConfigFile {
  readonly path: string;
  readonly network?: string;
  /** True if a plugin of it is ours. */
  readonly own: boolean;
  /** Why a runtime, or our plugin, refuses it. */
  readonly problem?: string;
}

export interface DaemonFacts {
  readonly runDir: string;
  readonly control: ControlAnswer;
  /** Sockets named `cni.sock` on which processes of this namespace listen. */
  readonly listening: readonly string[];
  /** True if the run directory has a socket `cni.sock`. */
  readonly hasSocket: boolean;
}

/** A network of dockerd. */
export interface DockerFacts {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
}

export interface ProbeFacts {
  readonly paths: readonly PathProbe[];
  readonly twice: readonly TwiceProbe[];
}

/** How large packets may be on the way to an address. */
export interface PathProbe {
  /** `the host`, or a container's title. */
  readonly from: string;
  readonly network: string;
  readonly to: string;
  /** Of the interface, bytes. */
  readonly mtu: number;
  /** The largest that arrived; absent if none did, or nothing answers there. */
  readonly arrives?: number;
}

/** An address that another MAC answers for. */
export interface TwiceProbe {
  readonly network: string;
  readonly container?: string;
  readonly address: string;
  readonly own: string;
  readonly other: string;
}
