import type { Attachment } from './attachment.ts';
import type { FirewallBackend, PublishedEntry } from './firewall.ts';
import type { RouteSpec } from './link.ts';
import type { LinkChanges, Op, VlanRange } from './op.ts';
import type { RateLimit } from './shaping.ts';

/** The sandbox that an endpoint was attached in. */
export interface SandboxRef {
  /** Its path at that time; empty where nobody told. */
  readonly path: string;
  /** Namespace.id; empty for a record that was rebuilt from an interface. */
  readonly id: string;
}

/** The veth pair of an endpoint, and how its host side is a port. */
export interface LinkFacts {
  /** Host-side interface. */
  readonly hostIf: string;
  /** Interface in the sandbox. */
  readonly ifName: string;
  /** MAC of the interface in the sandbox. */
  readonly mac: string;
  readonly hostMac: string;
  /** Bytes, of both ends. */
  readonly mtu: number;
  /** Bridge that the host side is a port of. */
  readonly bridge: string;
  /** IFLA_IFALIAS of the host side. */
  readonly alias: string;
  readonly hairpin?: true;
  readonly isolated?: true;
  /** Only `mac` may send from the port. */
  readonly guarded?: true;
  /** VLANs of the port, besides the bridge's default one. */
  readonly vlans?: readonly VlanRange[];
  /** The port is not in the bridge's default VLAN. */
  readonly leavesDefaultVlan?: true;
}

/** One address of an endpoint, as text. */
export interface AddressFacts {
  /** With the prefix length of its subnet. */
  readonly address: string;
  /** Address by which it leaves the subnet. */
  readonly gateway?: string;
}

/** What an endpoint's interface has in its sandbox. */
export interface InsideFacts {
  readonly addresses: readonly AddressFacts[];
  /** With the gateways that they go through. */
  readonly routes: readonly RouteSpec[];
  readonly up: boolean;
  /** True keeps IPv6 duplicate address detection. */
  readonly detectDuplicates: boolean;
}

/** Published ports, each family by itself. */
export interface PublishedFacts {
  readonly backend: FirewallBackend;
  readonly entries: readonly PublishedEntry[];
}

/** Limits of what a pod receives (`ingress`) and sends (`egress`). */
export interface ShapingFacts {
  /** Host side of the pod's veth. */
  readonly hostIf: string;
  /** Device that what the pod sends is led to. */
  readonly ifb: string;
  /** Bytes, of `hostIf`. */
  readonly mtu: number;
  readonly alias?: string;
  readonly ingress?: RateLimit;
  readonly egress?: RateLimit;
}

/** `intent`: a transition is under way, the kernel may have some of it. `ready`: the kernel has all of it. */
export type Progress = 'intent' | 'ready';

interface Part {
  readonly attachment: Attachment;
  readonly progress: Progress;
  readonly sandbox: SandboxRef;
  /** Core.stamp of the call that attached it; absent where that call could not be left by its caller. */
  readonly stamp?: string;
  /** Of an intent only: puts back the prior values of what no fact below tells of. */
  readonly journal?: readonly Op[];
}

interface Interface extends Part {
  readonly role: 'interface';
  /** Where the built-in IPAM leases its addresses; absent where it leases none. */
  readonly scope?: string;
}

/** Published ports of a part. */
interface Publisher {
  readonly published?: PublishedFacts;
  /** Ports that another attachment of the container has in force; they come into force when it goes. */
  readonly standby?: PublishedFacts;
}

/** An interface that a CNI call made. */
export interface CniEndpoint extends Interface, Publisher {
  readonly kind: 'cni';
  readonly link: LinkFacts;
  readonly inside: InsideFacts;
  readonly shaping?: ShapingFacts;
  /** Names under which it wants to be found on its network (the `aliases` capability). */
  readonly aliases: readonly string[];
  /** The foreign IPAM plugin to call at DEL, with its configuration as JSON. */
  readonly delegate?: { readonly type: string; readonly config: string };
}

/** An endpoint that dockerd moves into its container and configures there. */
export interface DockerEndpoint extends Interface {
  readonly kind: 'docker';
  /** Absent on a network without interfaces. */
  readonly link?: LinkFacts;
  /** With prefix lengths. */
  readonly addresses: readonly string[];
  /** NetworkID of the Docker network whose endpoint it is; several may share one Network. */
  readonly dockerNetwork?: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** An endpoint whose record was lost: what its interface's alias tells. */
export interface RecalledEndpoint extends Interface {
  readonly kind: 'recalled';
  readonly hostIf: string;
  /** As of a DockerEndpoint, once dockerd has told. */
  readonly addresses?: readonly string[];
  readonly dockerNetwork?: string;
  readonly createdAt?: number;
}

/** Published ports by a call of their own: portmap's in a chain, or Docker's. */
export interface PortsPart extends Part, Publisher {
  readonly kind: 'ports';
  readonly role: 'portmap';
}

/** The firewall plugin's part: what it needs is its network's. */
export interface FirewallPart extends Part {
  readonly kind: 'firewall';
  readonly role: 'firewall';
}

export interface BandwidthPart extends Part {
  readonly kind: 'bandwidth';
  readonly role: 'bandwidth';
  readonly shaping: ShapingFacts;
}

export interface TuningPart extends Part {
  readonly kind: 'tuning';
  readonly role: 'tuning';
  readonly wanted: TunedFacts;
  /** The values before, which DEL puts back. */
  readonly before: TunedFacts;
}

export interface TunedFacts {
  /** Key and value, in the order to set them. */
  readonly sysctls: readonly (readonly [string, string])[];
  /** Of the interface in the sandbox. */
  readonly link: LinkChanges;
}

/** A part of an attachment that one plugin of a chain owns. */
export type ChainedPart = PortsPart | FirewallPart | BandwidthPart | TuningPart;

/** One role's part of one attachment, as facts. Belongs to a boot. */
export type Endpoint = CniEndpoint | DockerEndpoint | RecalledEndpoint | ChainedPart;

/** Host-side interface that the part made, if any. */
export function hostIfOf(endpoint: Endpoint): string | undefined {
  if (endpoint.kind === 'recalled') return endpoint.hostIf;
  return endpoint.kind === 'cni' || endpoint.kind === 'docker' ? endpoint.link?.hostIf : undefined;
}

/** Published ports that the part has in force. */
export function publishedOf(endpoint: Endpoint): PublishedFacts | undefined {
  return 'published' in endpoint ? endpoint.published : undefined;
}

/** Published ports of the part that wait for another attachment. */
export function standbyOf(endpoint: Endpoint): PublishedFacts | undefined {
  return 'standby' in endpoint ? endpoint.standby : undefined;
}

/** Where the built-in IPAM leases the part's addresses. */
export function scopeOf(endpoint: Endpoint): string | undefined {
  return endpoint.role === 'interface' ? endpoint.scope : undefined;
}

/** True where the part may hold host ports. */
export function claimsPorts(endpoint: Endpoint): boolean {
  return publishedOf(endpoint) !== undefined || standbyOf(endpoint) !== undefined;
}

/** What dockerd told of an endpoint; nothing where it is none of Docker's, or was rebuilt and dockerd has not told yet. */
export function dockerFactsOf(
  endpoint: Endpoint,
): Partial<Pick<DockerEndpoint, 'addresses' | 'dockerNetwork' | 'createdAt'>> {
  return endpoint.kind === 'docker' || endpoint.kind === 'recalled' ? endpoint : {};
}
