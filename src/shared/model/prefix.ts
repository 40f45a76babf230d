import { type Addr, BITS, type Family, formatAddr, parseAddr, sameAddr } from './addr.ts';

/** An address with a prefix length: `10.1.2.3/16`. Host bits may be set; `networkOf` clears them. */
export interface Prefix {
  readonly addr: Addr;
  readonly length: number;
}

/** Parses `addr/length` and keeps host bits; undefined if `text` is malformed. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.lastIndexOf('/');
  if (slash < 0) return undefined;
  const addr = parseAddr(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (addr === undefined || !/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  const length = Number(digits);
  return length > BITS[addr.family] ? undefined : { addr, length };
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddr(prefix.addr)}/${prefix.length}`;
}

/** The same prefix without host bits. */
export function networkOf(prefix: Prefix): Prefix {
  return { addr: firstOf(prefix), length: prefix.length };
}

/** The lowest address: the network address. */
export function firstOf(prefix: Prefix): Addr {
  const host = hostBits(prefix);
  return { family: prefix.addr.family, value: (prefix.addr.value >> host) << host };
}

/** The highest address: for IPv4 the broadcast address. */
export function lastOf(prefix: Prefix): Addr {
  const host = hostBits(prefix);
  return { family: prefix.addr.family, value: ((prefix.addr.value >> host) << host) | ((1n << host) - 1n) };
}

/** True if `addr` is of the prefix's family and inside it. */
export function contains(prefix: Prefix, addr: Addr): boolean {
  const host = hostBits(prefix);
  return addr.family === prefix.addr.family && addr.value >> host === prefix.addr.value >> host;
}

/** The first host address of a subnet: the reference's default gateway. */
export function firstHost(subnet: Prefix): Addr {
  const first = firstOf(subnet);
  return { ...first, value: first.value + 1n };
}

export function samePrefix(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && sameAddr(a.addr, b.addr);
}

/** True if the two prefixes share an address. Prefixes of different families never do. */
export function overlaps(a: Prefix, b: Prefix): boolean {
  return a.length <= b.length ? contains(a, b.addr) : contains(b, a.addr);
}

/** The span of a prefix, as text: network address and highest address. `size` counts both. */
export interface PrefixSpan {
  readonly first: Addr;
  readonly last: Addr;
  readonly size: bigint;
}

/**
 * The span of a prefix, of either family. Loads ip-cidr at its first call (4 ms), so use it for messages and reports.
 * Use `firstOf` and `lastOf` on the path of a call.
 */
export async function describePrefix(prefix: Prefix): Promise<PrefixSpan> {
  const { default: IPCIDR } = await import('ip-cidr');
  const { family } = prefix.addr;
  const range = new IPCIDR(`${undottedText(prefix.addr)}/${prefix.length}`);
  const [first, last] = range.toRange<bigint>({ type: 'bigInteger' });
  return { first: { family, value: first }, last: { family, value: last }, size: last - first + 1n };
}

/** `0.0.0.0/0` or `::/0`. */
export function defaultRoute(family: Family): Prefix {
  return { addr: { family, value: 0n }, length: 0 };
}

/** Writes all groups in hex: ip-cidr reads IPv6 that ends in a dotted quad (`64:ff9b::192.0.2.1`) as IPv4, or fails. */
function undottedText(addr: Addr): string {
  if (addr.family === 4) return formatAddr(addr);
  return (addr.value.toString(16).padStart(32, '0').match(/.{4}/g) ?? []).join(':');
}

function hostBits(prefix: Prefix): bigint {
  return BigInt(BITS[prefix.addr.family] - prefix.length);
}
