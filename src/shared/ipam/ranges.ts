import { type Addr, compareAddr, formatAddr, sameAddr } from '../model/addr.ts';
import { contains, firstOf, formatPrefix, lastOf, type Prefix } from '../model/prefix.ts';

/** Addresses to allocate: from `rangeStart` to `rangeEnd`, both inside `subnet`. */
export interface RangeSpec {
  /** Without host bits. */
  readonly subnet: Prefix;
  readonly rangeStart: Addr;
  readonly rangeEnd: Addr;
  /** Inside the subnet; never allocated. */
  readonly gateway: Addr;
}

/** Ranges of one family that do not overlap. An attachment gets one address of each set. */
export type RangeSet = readonly RangeSpec[];

/** An interval that includes both ends. */
export interface Interval {
  readonly first: Addr;
  readonly last: Addr;
}

/**
 * The addresses that a range can give, gateways included: neither the subnet's first address (the network, or the
 * subnet-router anycast of RFC 4291 §2.6.1) nor IPv4's last (the broadcast). An IPv4 subnet of two addresses or one has
 * neither (RFC 3021). Empty if `first` is above `last`.
 */
export function usable({ subnet, rangeStart, rangeEnd }: RangeSpec): Interval {
  const [network, broadcast] = edgesOf(subnet);
  const low = { family: rangeStart.family, value: firstOf(subnet).value + network };
  const high = { family: rangeEnd.family, value: lastOf(subnet).value - broadcast };
  return {
    first: compareAddr(rangeStart, low) < 0 ? low : rangeStart,
    last: compareAddr(rangeEnd, high) > 0 ? high : rangeEnd,
  };
}

/** The range of the set that contains `addr` between its start and its end. */
export function rangeOf(set: RangeSet, addr: Addr): RangeSpec | undefined {
  return set.find(({ rangeStart, rangeEnd }) => within({ first: rangeStart, last: rangeEnd }, addr));
}

export function within({ first, last }: Interval, addr: Addr): boolean {
  return addr.family === first.family && compareAddr(first, addr) <= 0 && compareAddr(addr, last) <= 0;
}

/** The same addresses, each once. */
export function distinctAddrs(addresses: readonly Addr[]): Addr[] {
  return [...new Map(addresses.map((addr) => [`${addr.family} ${addr.value}`, addr])).values()];
}

/** The gateways of all sets, each once. */
export function gatewaysOf(sets: readonly RangeSet[]): Addr[] {
  return distinctAddrs(sets.flatMap((set) => set.map(({ gateway }) => gateway)));
}

/** How many addresses a set can give: without gateways, network and broadcast addresses. */
export function capacity(set: RangeSet, gateways: readonly Addr[]): bigint {
  return set.map(usable).reduce((sum, interval) => {
    const { first, last } = interval;
    const inside = gateways.filter((gateway) => within(interval, gateway)).length;
    return last.value < first.value ? sum : sum + last.value - first.value + 1n - BigInt(inside);
  }, 0n);
}

/** True for the first address of a subnet, and for IPv4's last, if the subnet has more than two. */
export function isNetworkOrBroadcast({ subnet }: RangeSpec, addr: Addr): boolean {
  const [network, broadcast] = edgesOf(subnet);
  const isEdge = (edge: Addr, has: bigint): boolean => has > 0n && sameAddr(addr, edge);
  return contains(subnet, addr) && (isEdge(firstOf(subnet), network) || isEdge(lastOf(subnet), broadcast));
}

/** How many addresses at each end of a subnet no interface can have. */
function edgesOf({ addr: { family }, length }: Prefix): readonly [network: bigint, broadcast: bigint] {
  if (family === 6) return [1n, 0n];
  return length > 30 ? [0n, 0n] : [1n, 1n];
}

/** `10.88.0.0/24`, with the ends if they are not the subnet's own: `10.88.0.0/24 (10.88.0.10-10.88.0.20)`. */
export function formatRange(range: RangeSpec): string {
  const { subnet, rangeStart, rangeEnd } = range;
  const { first, last } = usable({ ...range, rangeStart: firstOf(subnet), rangeEnd: lastOf(subnet) });
  const whole = compareAddr(rangeStart, first) <= 0 && compareAddr(rangeEnd, last) >= 0;
  return whole ? formatPrefix(subnet) : `${formatPrefix(subnet)} (${formatAddr(rangeStart)}-${formatAddr(rangeEnd)})`;
}

export function formatSet(set: RangeSet): string {
  return set.map(formatRange).join(', ');
}
