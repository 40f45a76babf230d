import type { Attachment, SandboxId } from './attachment.ts';
import type { FirewallBackend, FirewallEntry, PublishedEntry, RelayFacts } from './firewall.ts';
import type { InsideFacts, LinkFacts, LoneLinkFacts } from './interface-facts.ts';
import type { LinkChanges, Op } from './op.ts';
import type { SbrFacts, VrfFacts } from './routing-facts.ts';
import type { RateLimit } from './shaping.ts';

/** The sandbox that an endpoint is attached to. */
export interface SandboxRef {
  /** Its path at that time; empty if unknown. */
  readonly path: string;
  /** Empty for a record that was rebuilt from an interface. */
  readonly id: SandboxId | '';
}

/** Published ports; one entry for each family. */
export interface PublishedFacts {
  readonly backend: FirewallBackend;
  readonly entries: readonly PublishedEntry[];
  /** What the daemon relays from IPv6 besides (`proxy6to4`). Default: nothing. */
  readonly relays?: readonly RelayFacts[];
}

/** Packet filter entries about an endpoint's own device, where no network device is in between. */
export interface DeviceRules {
  readonly backend: FirewallBackend;
  readonly entries: readonly FirewallEntry[];
}

/** Rate limits of what a pod receives (`ingress`) and sends (`egress`). */
export interface ShapingFacts {
  /** Host side of the pod's veth. */
  readonly hostIf: string;
  /** Device to which the pod's egress traffic is redirected. */
  readonly ifb: string;
  /** Bytes, of `hostIf`. */
  readonly mtu: number;
  readonly alias?: string;
  readonly ingress?: RateLimit;
  readonly egress?: RateLimit;
}

/**
 * `intent`: a transition is under way, and the kernel may have some of the facts. `ready`: the kernel has all of them.
 */
export type Progress = 'intent' | 'ready';

interface Part {
  readonly attachment: Attachment;
  readonly progress: Progress;
  readonly sandbox: SandboxRef;
  /** Core.stamp of the call that attached it; absent where that call could not be left by its caller. */
  readonly stamp?: string;
  /** Only in an intent: ops that restore prior values that no fact below records. */
  readonly journal?: readonly Op[];
}

interface Interface extends Part {
  readonly role: 'interface';
  /** Scope of the built-in IPAM's leases; absent if it leases none. */
  readonly scope?: string;
}

/** Published ports of a part. */
interface Publisher {
  readonly published?: PublishedFacts;
  /**
   * Ports on standby: another attachment of the container has them in force. They come into force when it is deleted.
   */
  readonly standby?: PublishedFacts;
}

/** A part with entries about the endpoint's own device. */
interface Ruler {
  readonly rules?: DeviceRules;
}

/** An interface that a CNI call made. */
export interface CniEndpoint extends Interface, Publisher, Ruler {
  readonly kind: 'cni';
  readonly link: LinkFacts;
  readonly inside: InsideFacts;
  readonly shaping?: ShapingFacts;
  /** Its names on the network (the `aliases` capability). */
  readonly aliases: readonly string[];
  /** The foreign IPAM plugin that DEL calls, with its configuration as JSON. */
  readonly delegate?: { readonly type: string; readonly config: string };
}

/** An interface that a CNI call made in the sandbox, without a side on the host. It goes with its namespace. */
export interface LoneEndpoint extends Interface {
  readonly kind: 'lone';
  readonly link: LoneLinkFacts;
  readonly inside: InsideFacts;
  readonly aliases: readonly string[];
  /** As in a CniEndpoint. */
  readonly delegate?: CniEndpoint['delegate'];
}

/** An endpoint that dockerd moves into its container and configures there. */
export interface DockerEndpoint extends Interface {
  readonly kind: 'docker';
  /** Absent on a network without interfaces (null driver), and with `lone`. */
  readonly link?: LinkFacts;
  /** The interface on a network of a parent. Its name is that in the host's namespace. */
  readonly lone?: LoneLinkFacts;
  /** With `lone`: the path of the sandbox that dockerd moves it to. */
  readonly netns?: string;
  /** With prefix lengths. */
  readonly addresses: readonly string[];
  /** NetworkID of its Docker network. Several Docker networks may share one Network. */
  readonly dockerNetwork?: string;
  /** The interface's name in the container, if the user gives one. */
  readonly ifName?: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** An endpoint rebuilt from its interface's alias, because its record was lost. */
export interface RecalledEndpoint extends Interface {
  readonly kind: 'recalled';
  readonly hostIf: string;
  /** The alias had no room for the container's id: the attachment has a stand-in, by `hostIf`. */
  readonly isCut?: true;
  /** As in a DockerEndpoint, once dockerd has told them. */
  readonly addresses?: readonly string[];
  readonly dockerNetwork?: string;
  readonly ifName?: string;
  readonly createdAt?: number;
}

/** Ports that a call of its own publishes: portmap's in a chain, or Docker's. */
export interface PortsPart extends Part, Publisher, Ruler {
  readonly kind: 'ports';
  readonly role: 'portmap';
}

/** The pod's addresses in a zone of firewalld. `required`: the configuration asks for firewalld by name. */
export interface ZoneFacts {
  readonly name: string;
  /** What we put into the zone: addresses with /32 or /128. What was there before is not ours. */
  readonly sources: readonly string[];
  readonly required?: true;
}

/** The firewall plugin's part. Its other entries belong to the network. */
export interface FirewallPart extends Part, Ruler {
  readonly kind: 'firewall';
  readonly role: 'firewall';
  readonly zone?: ZoneFacts;
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
  /** The prior values, which DEL restores. */
  readonly before: TunedFacts;
  /** The guarded bridge port that has to carry the MAC in `wanted`. */
  readonly guardedPort?: string;
}

export interface SbrPart extends Part {
  readonly kind: 'sbr';
  readonly role: 'sbr';
  readonly sbr: SbrFacts;
}

export interface VrfPart extends Part {
  readonly kind: 'vrf';
  readonly role: 'vrf';
  readonly vrf: VrfFacts;
}

export interface TunedFacts {
  /** Keys and values, in the order to set them. */
  readonly sysctls: readonly (readonly [string, string])[];
  /** Changes of the interface in the sandbox. */
  readonly link: LinkChanges;
}

/** A part of an attachment that one plugin of a chain owns. */
export type ChainedPart = PortsPart | FirewallPart | BandwidthPart | TuningPart | SbrPart | VrfPart;

/** One role's part of one attachment, as facts. Valid for one boot. */
export type Endpoint = CniEndpoint | LoneEndpoint | DockerEndpoint | RecalledEndpoint | ChainedPart;

/** The host-side interface that the part created, if any. */
export function hostIfOf(endpoint: Endpoint): string | undefined {
  if (endpoint.kind === 'recalled') return endpoint.hostIf;
  return endpoint.kind === 'cni' || endpoint.kind === 'docker' ? endpoint.link?.hostIf : undefined;
}

/** A host side that is no bridge port. */
export type HostSide = Pick<LinkFacts, 'hostIf'> & Required<Pick<LinkFacts, 'host'>>;

/** The part's host side, if it has addresses and routes of its own. */
export function hostSideOf(part: Endpoint): HostSide | undefined {
  if (part.kind !== 'cni' || part.link.host === undefined) return undefined;
  const { hostIf, host } = part.link;
  return { hostIf, host };
}

/** The endpoint's own addresses, without prefix length. */
export function addressesOf(endpoint: CniEndpoint | LoneEndpoint | DockerEndpoint): string[] {
  const texts =
    endpoint.kind === 'docker' ? endpoint.addresses : endpoint.inside.addresses.map(({ address }) => address);
  return texts.map((text) => text.slice(0, text.lastIndexOf('/')));
}

/** The part's ports in force. */
export function publishedOf(endpoint: Endpoint): PublishedFacts | undefined {
  return 'published' in endpoint ? endpoint.published : undefined;
}

/** The part's entries about the endpoint's own device. */
export function rulesOf(endpoint: Endpoint): DeviceRules | undefined {
  return 'rules' in endpoint ? endpoint.rules : undefined;
}

/** The part's ports on standby. */
export function standbyOf(endpoint: Endpoint): PublishedFacts | undefined {
  return 'standby' in endpoint ? endpoint.standby : undefined;
}

/** Scope of the part's leases. */
export function scopeOf(endpoint: Endpoint): string | undefined {
  return endpoint.role === 'interface' ? endpoint.scope : undefined;
}

/** True if the part may claim host ports. */
export function claimsPorts(endpoint: Endpoint): boolean {
  return publishedOf(endpoint) !== undefined || standbyOf(endpoint) !== undefined;
}

/** The facts that dockerd told; none for a CNI endpoint, or for a recalled one until dockerd tells them. */
export function dockerFactsOf(
  endpoint: Endpoint,
): Partial<Pick<DockerEndpoint, 'addresses' | 'dockerNetwork' | 'ifName' | 'createdAt'>> {
  return endpoint.kind === 'docker' || endpoint.kind === 'recalled' ? endpoint : {};
}
