import type { Family } from './addr.ts';

/**
 * The UDP port of VXLAN devices of ours, in one family of the underlay. Datagrams to this port of the host are dropped
 * unless a `peer` entry of the port has their source. They have no entry in conntrack, and chain INPUT of iptables-nft
 * and iptables-legacy accepts them where it would drop them. Datagrams that the host forwards are others'.
 */
export interface UnderlayEntry {
  readonly kind: 'underlay';
  readonly family: Family;
  readonly port: number;
}

/** Another host, which may send to the port of an `underlay` entry. What this host sends there is not in conntrack. */
export interface PeerEntry {
  readonly kind: 'peer';
  readonly port: number;
  /** Its underlay address. */
  readonly address: string;
}

/**
 * The UDP port of encrypted networks, in one family of the underlay. Datagrams to it that have arrived at this host in
 * clear text are dropped, and those that would leave it so. ESP is accepted where chain INPUT would drop it.
 */
export interface SealedEntry {
  readonly kind: 'sealed';
  readonly family: Family;
  readonly port: number;
}

/** An entry of the underlay of overlay networks. Networks with the same port share them. */
export type OverlayEntry = UnderlayEntry | PeerEntry | SealedEntry;

export function isOverlayEntry<T extends { readonly kind: string }>(entry: T): entry is Extract<T, OverlayEntry> {
  return entry.kind === 'underlay' || entry.kind === 'peer' || entry.kind === 'sealed';
}
