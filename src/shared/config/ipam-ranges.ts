import { capacity, formatRange, gatewaysOf, type RangeSet, type RangeSpec } from '../ipam/ranges.ts';
import { type Addr, BITS, compareAddr, formatAddr, parseAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { textField } from '../model/json.ts';
import { contains, firstHost, formatPrefix, lastOf, type Prefix } from '../model/prefix.ts';
import { invalid } from './invalid.ts';
import { assertAssignable, readSubnet } from './ipam-values.ts';
import { LIMITS, tooLarge } from './limits.ts';

/** RFC 4291, section 2.5.6. */
const LINK_LOCAL: Prefix = { addr: { family: 6, value: 0xfe80n << 112n }, length: 10 };

/** A range as it is configured, without defaults. */
export interface RangeConfig {
  /** Without host bits. */
  readonly subnet: Prefix;
  readonly rangeStart?: Addr;
  readonly rangeEnd?: Addr;
  readonly gateway?: Addr;
}

/** A range set and its path in the configuration. */
export interface PlacedSet {
  readonly path: string;
  readonly set: RangeSet;
  /** The ranges of the set without their defaults. */
  readonly written: readonly RangeConfig[];
}

/** Parses the sets of a list of valid shape. Throws NetError `invalid-config`, as do the functions below. */
export function readSets(value: unknown, path: string): PlacedSet[] {
  if (!Array.isArray(value)) return [];
  return value.map((item: unknown, i) => readSet(item, `${path}[${i}]`));
}

function readSet(value: unknown, path: string): PlacedSet {
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  const ranges = items.map((item, i) => readRange(item, `${path}[${i}]`));
  const set = ranges.map(({ range }) => range);
  const [first] = set;
  for (const [i, range] of set.entries()) {
    const where = `${path}[${i}].subnet`;
    const { subnet } = range;
    if (first !== undefined && subnet.addr.family !== first.subnet.addr.family)
      throw invalid(
        where,
        formatPrefix(subnet),
        `it is IPv${subnet.addr.family}, and its range set begins with IPv${first.subnet.addr.family}`,
        'Give each family a range set of its own: [[{…}], [{…}]]',
      );
  }
  const clash = firstOverlap(set.map((range, i) => ({ range, i })));
  if (clash !== undefined)
    throw invalid(
      `${path}[${clash.later.i}].subnet`,
      formatPrefix(clash.later.range.subnet),
      `it overlaps ${formatRange(clash.earlier.range)} of its own set`,
      'Remove one of them',
    );
  return { path, set, written: ranges.map(({ written }) => written) };
}

/** The range with its defaults. */
export function completeRange(written: RangeConfig): RangeSpec {
  const { subnet } = written;
  const { family } = subnet.addr;
  const one = firstHost(subnet);
  const end: Addr = { family, value: lastOf(subnet).value - (family === 4 ? 1n : 0n) };
  return { rangeStart: one, rangeEnd: end, gateway: one, ...written };
}

/**
 * Parses one range: as written, and with its defaults: gateway and start .1 (allocation skips the gateway), end the last
 * address, or for IPv4 the one below the broadcast address.
 */
export function readRange(value: unknown, path: string): { readonly range: RangeSpec; readonly written: RangeConfig } {
  const at = `${path}.subnet`;
  const subnet = readSubnet(textField(value, 'subnet') ?? '', at);
  assertAssignable(subnet, at);
  const { family } = subnet.addr;
  const longest = BITS[family] - 2;
  if (subnet.length > longest)
    throw invalid(
      at,
      formatPrefix(subnet),
      'it has no room for a gateway and an address',
      `Use a prefix length of ${longest} or less`,
    );
  const [rangeStart, rangeEnd, gateway] = (['rangeStart', 'rangeEnd', 'gateway'] as const).map((key) =>
    readInside(value, key, path, subnet),
  );
  const written = { subnet, ...given({ rangeStart, rangeEnd, gateway }) };
  const range = completeRange(written);
  if (compareAddr(range.rangeStart, range.rangeEnd) > 0)
    throw invalid(
      `${path}.rangeStart`,
      formatAddr(range.rangeStart),
      `it is above rangeEnd ${formatAddr(range.rangeEnd)}`,
      'Swap them',
    );
  return { range, written };
}

function readInside(holder: unknown, key: string, path: string, subnet: Prefix): Addr | undefined {
  const text = textField(holder, key);
  if (text === undefined) return undefined;
  const addr = parseAddr(text);
  const hint = `Give an address of ${formatPrefix(subnet)}, or leave it out`;
  if (addr === undefined) throw invalid(`${path}.${key}`, text, 'it is not an IP address', hint);
  // Routers announce such an address, and it is on the link of every subnet.
  if (key === 'gateway' && subnet.addr.family === 6 && contains(LINK_LOCAL, addr)) return addr;
  if (!contains(subnet, addr))
    throw invalid(`${path}.${key}`, text, `it is outside subnet ${formatPrefix(subnet)}`, hint);
  return addr;
}

/** Throws for a link-local gateway: the bridge's address is the host's only route to the subnet. */
export function assertGatewaysInside(ranges: readonly (readonly RangeConfig[])[]): void {
  for (const { subnet, gateway } of ranges.flat()) {
    if (gateway === undefined || contains(subnet, gateway)) continue;
    const what = `it is outside subnet ${formatPrefix(subnet)}, and the host would have no route to the containers`;
    throw invalid('.ipam.gateway', formatAddr(gateway), what, 'Give an address of the subnet, or leave it out');
  }
}

/** Sets must not share an address, and only results of CNI 0.3.0 and later can hold several sets of one family. */
export function assertDisjoint(sets: readonly PlacedSet[], multiFamily: boolean): void {
  assertFew(sets);
  const clash = firstOverlap(sets.flatMap(({ path, set }, i) => set.map((range) => ({ range, i, path }))));
  if (clash !== undefined) {
    const { later, earlier } = clash;
    const hint = 'An address belongs to one range set only';
    throw invalid(later.path, formatRange(later.range), `it overlaps ${earlier.path}`, hint);
  }
  const families = new Set<number | undefined>();
  for (const { path, set } of sets) {
    const family = familyOf(set);
    if (!multiFamily && families.has(family))
      throw invalid(
        path,
        set.map(formatRange).join(', '),
        `it is the second range set of IPv${family}, and before CNI 0.3.0 a result has one address of each family`,
        'Set cniVersion to 0.3.0 or later, or remove it',
      );
    families.add(family);
  }
}

/** The runtime's sets, the single range and `ranges` come from three places, each limited by itself. */
function assertFew(sets: readonly PlacedSet[]): void {
  const ranges = sets.reduce((sum, { set }) => sum + set.length, 0);
  if (sets.length > LIMITS.rangeSets)
    throw tooLarge({ path: '.ipam', what: `has ${sets.length} range sets, ${LIMITS.rangeSets} are the limit` });
  if (ranges > LIMITS.ranges)
    throw tooLarge({ path: '.ipam', what: `has ${ranges} ranges, ${LIMITS.ranges} are the limit` });
}

/** Each set must have an allocatable address; otherwise every ADD would find it exhausted. */
export function assertUsable(sets: readonly PlacedSet[]): void {
  const gateways = gatewaysOf(sets.map(({ set }) => set));
  for (const { path, set } of sets) {
    if (capacity(set, gateways) > 0n) continue;
    const hint = 'Widen rangeStart and rangeEnd, or choose another gateway';
    throw invalid(path, set.map(formatRange).join(', '), 'it has no address to give beside the gateway', hint);
  }
}

function familyOf(set: RangeSet): number | undefined {
  return set[0]?.subnet.addr.family;
}

/** A range and its number in the configuration. */
interface Numbered {
  readonly range: RangeSpec;
  readonly i: number;
}

/**
 * Returns two ranges that share an address, by their numbers; undefined if there are none. Compares start to end, since
 * two ranges may be parts of one subnet. O(n log n).
 */
function firstOverlap<T extends Numbered>(
  ranges: readonly T[],
): { readonly earlier: T; readonly later: T } | undefined {
  const sorted = ranges.toSorted((a, b) => compareAddr(a.range.rangeStart, b.range.rangeStart));
  let widest: T | undefined;
  for (const one of sorted) {
    if (widest !== undefined && compareAddr(one.range.rangeStart, widest.range.rangeEnd) <= 0)
      return one.i < widest.i ? { earlier: one, later: widest } : { earlier: widest, later: one };
    widest = one;
  }
  return undefined;
}
