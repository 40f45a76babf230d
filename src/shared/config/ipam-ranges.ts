import { capacity, formatRange, gatewaysOf, type RangeSet, type RangeSpec, rangeOf } from '../ipam/ranges.ts';
import { type Addr, BITS, compareAddr, formatAddr, parseAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { textField } from '../model/json.ts';
import { contains, firstHost, formatPrefix, lastOf, type Prefix } from '../model/prefix.ts';
import { invalid } from './invalid.ts';
import { readSubnet } from './ipam-values.ts';

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
    const clash = set.slice(0, i).find((other) => overlap(range, other));
    if (clash !== undefined)
      throw invalid(
        where,
        formatPrefix(subnet),
        `it overlaps ${formatRange(clash)} of its own set`,
        'Remove one of them',
      );
  }
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
  if (!contains(subnet, addr))
    throw invalid(`${path}.${key}`, text, `it is outside subnet ${formatPrefix(subnet)}`, hint);
  return addr;
}

/** Sets must not share an address, and only results of CNI 0.3.0 and later can hold several sets of one family. */
export function assertDisjoint(sets: readonly PlacedSet[], multiFamily: boolean): void {
  for (const [i, { path, set }] of sets.entries()) {
    const earlier = sets.slice(0, i);
    for (const other of earlier) {
      const range = set.find((one) => other.set.some((two) => overlap(one, two)));
      if (range !== undefined)
        throw invalid(
          path,
          formatRange(range),
          `it overlaps ${other.path}`,
          'An address belongs to one range set only',
        );
    }
    const family = familyOf(set);
    if (!multiFamily && earlier.some((other) => familyOf(other.set) === family))
      throw invalid(
        path,
        set.map(formatRange).join(', '),
        `it is the second range set of IPv${family}, and before CNI 0.3.0 a result has one address of each family`,
        'Set cniVersion to 0.3.0 or later, or remove it',
      );
  }
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

/** Compares start to end: two ranges may be parts of one subnet. */
function overlap(a: RangeSpec, b: RangeSpec): boolean {
  return (
    [b.rangeStart, b.rangeEnd].some((addr) => rangeOf([a], addr)) ||
    [a.rangeStart, a.rangeEnd].some((addr) => rangeOf([b], addr))
  );
}
