import type { Family } from './addr.ts';

/** What packet filters a host has. `none` changes nothing. */
export type FirewallBackend = 'nftables' | 'iptables' | 'none';

export type Protocol = 'tcp' | 'udp' | 'sctp';

/**
 * How a network takes connections that others open to it (an answer to its own connections always comes in):
 * - `open`: from everywhere, by routing. The default of CNI networks.
 * - `same-bridge`: not from other networks that are `same-bridge` or `isolated` (the reference's ingressPolicy).
 * - `isolated`: as `same-bridge`, and not from its own network either.
 * - `closed`: from its own network and by published ports only, besides what `direct` and `exposure` entries let in.
 *   Docker's networks.
 * - `internal`: from its own network only, and none of its own leave it.
 */
export type IngressPolicy = 'open' | 'same-bridge' | 'isolated' | 'closed' | 'internal';

/** Traffic of `subnet` that leaves the host gets the address of the interface it leaves by, or `to`. */
export interface MasqueradeEntry {
  readonly kind: 'masquerade';
  /** Pool of the network, without host bits. Never masqueraded towards itself, nor to multicast. */
  readonly subnet: string;
  /** Destinations that see the true source: pod ranges of other nodes, without host bits. */
  readonly except: readonly string[];
  readonly to?: string;
}

/**
 * Published ports of the pods behind `device` are reachable from their own subnet and from the host's loopback: such a
 * connection gets a source that the pod can answer. Guards 127.0.0.0/8 against outsiders, because route_localnet
 * opens it.
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
}

/**
 * Traffic from and to `device` is accepted in the chains of others that drop what they do not know: in DOCKER-USER,
 * else at the head of FORWARD, of iptables-nft and of iptables-legacy, both families, as far as they exist and drop.
 */
export interface AdmitEntry {
  readonly kind: 'admit';
  readonly device: string;
}

/** One published port of one endpoint, of one family. */
export interface PortEntry {
  readonly kind: 'port';
  readonly protocol: Protocol;
  /** An address of the host; absent: every address of the host of that family. */
  readonly hostIp?: string;
  readonly hostPort: number;
  /** The pod. */
  readonly address: string;
  readonly port: number;
  /** False: connections from the pod's own subnet and from loopback are left as they are (portmap's `snat`). */
  readonly snat: boolean;
  /** Every connection is masqueraded (portmap's `masqAll`). */
  readonly masqAll: boolean;
  /** Extra matches in the backend's own syntax (portmap's `conditionsV4`, `conditionsV6`); all have to hold. */
  readonly conditions: readonly string[];
  /** iptables only: packets to masquerade are marked with this bit, or by this chain, instead of directly. */
  readonly mark?: { readonly bit: number } | { readonly chain: string };
}

/**
 * Connections from anywhere to this address and port behind `device` are let in, although its network is `closed`: a
 * published port of a network that is routed, not translated.
 */
export interface DirectEntry {
  readonly kind: 'direct';
  readonly device: string;
  readonly protocol: Protocol;
  /** The endpoint. */
  readonly address: string;
  readonly port: number;
}

/** One family of a `closed` network is open to others: to their ICMP (pings), or to all they send. */
export interface ExposureEntry {
  readonly kind: 'exposure';
  readonly device: string;
  readonly family: Family;
  readonly what: 'icmp' | 'all';
}

/** What publishes one port of one endpoint, in one family. */
export type PublishedEntry = PortEntry | DirectEntry;

export type FirewallEntry = MasqueradeEntry | HairpinEntry | PolicyEntry | AdmitEntry | ExposureEntry | PublishedEntry;

/** The same text for the same entry, whatever the order of its keys. */
export function entryKey(entry: FirewallEntry): string {
  return JSON.stringify(entry, Object.keys(entry).concat('bit', 'chain').sort());
}

/** What a match of nft is written with. */
const CONDITION = /^[\w .:,/!=<>&|^(){}"@*+%-]+$/;

/** False for a condition that cannot be a match of nft, whatever nft would make of it. */
export function isNftMatch(condition: string): boolean {
  const bare = condition.replace(/\{[^{}]*\}/g, '').replace(/"[^"]*"/g, '');
  // What ends a statement would make the rest another one.
  return condition.trim() !== '' && CONDITION.test(condition) && !/[{}"]/.test(bare);
}
