import type { Family } from './addr.ts';
import type { OverlayEntry } from './overlay-entries.ts';

/**
 * The packet filters. `none` changes nothing. Beside any of them, `bridge` guards the ports of bridges, in a table of
 * nftables, and `firewalld` has the zones of addresses.
 */
export type FirewallBackend = (typeof FIREWALL_BACKENDS)[number];
export const FIREWALL_BACKENDS = ['nftables', 'iptables', 'none', 'bridge', 'firewalld'] as const;

export type Protocol = 'tcp' | 'udp' | 'sctp';

/**
 * Which connections from outside a network accepts. It always accepts replies to its own connections and connections to
 * published ports. A network of Docker's own drivers is closed to ours, and so is every policy but `reachable` to it.
 * - `open`: by routing, from our other networks, and from wherever the host's own packet filter lets them. The default
 *   of CNI networks.
 * - `reachable`: by routing, from everywhere, also where the host's own packet filter would drop them.
 * - `same-bridge`: not from other networks that are `same-bridge` or `isolated` (the reference's ingressPolicy).
 * - `isolated`: like `same-bridge`, and not from its own network either.
 * - `closed`: only from its own network, to published ports, and as `direct` and `exposure` entries allow. Docker's
 *   networks.
 * - `internal`: only from its own network. It also cannot open connections to the outside.
 */
export type IngressPolicy = 'open' | 'reachable' | 'same-bridge' | 'isolated' | 'closed' | 'internal';

/** Traffic from `subnet` that leaves the host gets the source address of the outgoing interface, or `to`. */
export interface MasqueradeEntry {
  readonly kind: 'masquerade';
  /** Pool of the network, without host bits. Traffic to the pool itself or to multicast is never masqueraded. */
  readonly subnet: string;
  /** Destinations that see the original source: pod ranges of other nodes, without host bits. */
  readonly except: readonly string[];
  readonly to?: string;
}

/**
 * Makes published ports of the pods behind `device` reachable from their own subnet and from the host's loopback, by
 * giving such a connection a source that the pod can answer. Guards 127.0.0.0/8 against outsiders, because
 * route_localnet opens it.
 */
export interface HairpinEntry {
  readonly kind: 'hairpin';
  readonly device: string;
  readonly subnet: string;
}

export interface PolicyEntry {
  readonly kind: 'policy';
  readonly device: string;
  readonly policy: IngressPolicy;
  /**
   * VXLAN device of a network that is routed between hosts: behind it are the network's endpoints on other hosts. The
   * policy decides about them as about those behind `device`.
   */
  readonly vxlan?: string;
}

/**
 * The bridge separates its ports (`icc`, `portIsolation`): the host does not route from one to another either, except to
 * published ports.
 */
export interface SeparateEntry {
  readonly kind: 'separate';
  readonly device: string;
}

/**
 * Accepts traffic of `device` in chain FORWARD of iptables-nft and iptables-legacy, for both families, where the chain
 * exists: replies, connections to published ports, and connections from the device. Stands behind all rules of others, and before a rule or policy that decides about every packet.
 */
export interface AdmitEntry {
  readonly kind: 'admit';
  readonly device: string;
  /** Prefixes whose connections to the device are accepted too: pods of other nodes. */
  readonly from?: readonly string[];
  /** Interfaces of the host by which connections to the device are accepted too. */
  readonly through?: readonly string[];
  /** True: accepts connections from everywhere. */
  readonly reachable?: true;
  /** A chain of the administrator that comes first, if it exists. */
  readonly admin?: string;
}

/** Consecutive ports that lead to consecutive ports. */
export interface PortSpan {
  /** How many they are; absent: one. */
  readonly count?: number;
}

/** `8080`, or `8000-8010` for a span. */
export function formatPorts(first: number, { count = 1 }: PortSpan, between = '-'): string {
  return count === 1 ? String(first) : `${first}${between}${first + count - 1}`;
}

interface HostPorts extends PortSpan {
  readonly hostPort: number;
}

/** Returns true if both have a port in common. */
export function sharePorts(a: HostPorts, b: HostPorts): boolean {
  return a.hostPort < b.hostPort + (b.count ?? 1) && b.hostPort < a.hostPort + (a.count ?? 1);
}

/** One published port of one endpoint, for one family, or a span of them. */
export interface PortEntry extends PortSpan {
  readonly kind: 'port';
  readonly protocol: Protocol;
  /** An address of the host; absent: every address of this family. */
  readonly hostIp?: string;
  readonly hostPort: number;
  /** The pod's address. */
  readonly address: string;
  readonly port: number;
  /** False: connections from the pod's own subnet and from loopback keep their source (portmap's `snat`). */
  readonly snat: boolean;
  /** True: masquerades every connection (portmap's `masqAll`). */
  readonly masqAll: boolean;
  /** Extra matches in the backend's own syntax (portmap's `conditionsV4`, `conditionsV6`); all must hold. */
  readonly conditions: readonly string[];
  /** iptables only: marks packets to masquerade with this bit, or through this chain, instead of masquerading them. */
  readonly mark?: { readonly bit: number } | { readonly chain: string };
}

/**
 * Accepts connections to this address and port behind `device`, although its network is `closed`: a published port of a
 * network that is routed, not translated, or that trusts an interface of the host.
 */
export interface DirectEntry extends PortSpan {
  readonly kind: 'direct';
  readonly device: string;
  readonly protocol: Protocol;
  /** The endpoint's address. */
  readonly address: string;
  readonly port: number;
  /** Only connections that arrive by this interface of the host; absent: from anywhere. */
  readonly through?: string;
}

/**
 * Published ports of a container without an IPv6 address, which a daemon relays from IPv6: the packet filter cannot lead
 * one family to the other.
 */
export interface RelayFacts extends PortSpan {
  readonly protocol: 'tcp' | 'udp';
  /** An IPv6 address of the host; absent: every one. */
  readonly hostIp?: string;
  readonly hostPort: number;
  /** The container's IPv4 address. */
  readonly address: string;
  readonly port: number;
}

/** Opens one family of a `closed` network: to ICMP (pings), or to all traffic. */
export interface ExposureEntry {
  readonly kind: 'exposure';
  readonly device: string;
  readonly family: Family;
  readonly what: 'icmp' | 'all';
}

/**
 * Binds a bridge port to its endpoint: the port carries only frames from `mac`. With `addresses`, nor does it carry what
 * only another has the right to send: a packet from an address in use, ARP or neighbour discovery that claims one, a
 * router's advertisement, a DHCP server's answer. In use are the addresses of all guarded ports of the host, and of
 * their gateways.
 */
export interface GuardEntry {
  readonly kind: 'guard';
  /** Host-side interface. */
  readonly port: string;
  readonly mac: string;
  /** The endpoint's own addresses, without prefix length; absent: only the MAC is bound. */
  readonly addresses?: readonly string[];
  /** Other ports of the same container: each may bear the addresses of all. */
  readonly partners?: readonly { readonly port: string; readonly addresses: readonly string[] }[];
}

/** A guarded port also carries frames from this MAC, which its endpoint has now. */
export interface MacEntry {
  readonly kind: 'mac';
  readonly port: string;
  readonly mac: string;
}

/** A bridge with guarded ports: no guarded port may bear the addresses of its gateways. */
export interface GatewaysEntry {
  readonly kind: 'gateways';
  readonly device: string;
  readonly addresses: readonly string[];
}

/** An address of a pod is in a zone of firewalld: backend `firewalld`. */
export interface SourceEntry {
  readonly kind: 'source';
  readonly zone: string;
  /** The address with /32 or /128. */
  readonly source: string;
  /** True: adding it fails if firewalld does not answer. */
  readonly required?: true;
}

/** An entry that publishes one port of one endpoint, for one family. */
export type PublishedEntry = PortEntry | DirectEntry;

/**
 * Ports with this entry exchange no frames. Frames to the bridge's own MAC are left to `separate`: br_netfilter passes
 * those to published ports from one port to another.
 */
export interface IsolatedEntry {
  readonly kind: 'isolated';
  /** Host-side interface. */
  readonly port: string;
}

/** An entry of backend `bridge`. */
export type BridgeEntry = GuardEntry | MacEntry | GatewaysEntry | IsolatedEntry;

export type FirewallEntry =
  | MasqueradeEntry
  | HairpinEntry
  | PolicyEntry
  | SeparateEntry
  | AdmitEntry
  | ExposureEntry
  | PublishedEntry
  | BridgeEntry
  | SourceEntry
  | OverlayEntry;

const BRIDGE_KINDS: readonly BridgeEntry['kind'][] = ['guard', 'mac', 'gateways', 'isolated'];

export function isPublished(entry: FirewallEntry): entry is PublishedEntry {
  return entry.kind === 'port' || entry.kind === 'direct';
}

export function isBridgeEntry(entry: FirewallEntry): entry is BridgeEntry {
  return BRIDGE_KINDS.some((kind) => kind === entry.kind);
}

/** A key for an entry: equal for equal entries, whatever the order of their keys. */
export function entryKey(entry: FirewallEntry): string {
  return JSON.stringify(entry, Object.keys(entry).concat('bit', 'chain').sort());
}

/**
 * The connection label (bit number) of connections that a published port translated: other programs translate too, and
 * what they translate is theirs to masquerade.
 */
export const PORT_LABEL = 97;
