import { isNetworkOrBroadcast, type RangeSet, usable, within } from '../ipam/ranges.ts';
import { type Addr, sameAddr } from '../model/addr.ts';

/** The part of each range set where a host looks first: number `index` of `count`. */
export interface Slice {
  readonly index: number;
  readonly count: number;
}

/** The slice of a host among the known ones, in the order of their ids. A host that is not known yet gets the last. */
export function sliceOf(host: string, hosts: Iterable<string>): Slice {
  const others = new Set(hosts);
  others.delete(host);
  let index = 0;
  for (const id of others) if (id < host) index++;
  return { index, count: others.size + 1 };
}

/**
 * The first free address of a set; undefined if none is free. Starts after `after` if that is in the host's own slice,
 * else at the slice's start, and wraps around. So hosts that look at the same time seldom choose the same address.
 */
export function chooseAddress(
  set: RangeSet,
  slice: Slice,
  isTaken: (addr: Addr) => boolean,
  after?: Addr,
): Addr | undefined {
  const intervals = set.map(usable).filter(({ first, last }) => first.value <= last.value);
  const size = intervals.reduce((sum, { first, last }) => sum + last.value - first.value + 1n, 0n);
  if (size === 0n) return undefined;
  const [low, high] = [slice.index, slice.index + 1].map((edge) => (size * BigInt(edge)) / BigInt(slice.count));
  if (low === undefined || high === undefined) return undefined;
  const place = after === undefined ? undefined : placeOf(intervals, after);
  const start = place !== undefined && place + 1n >= low && place + 1n < high ? place + 1n : low;
  // The own slice with wrap-around, then what is above it, then what is below.
  const parts = [
    [start, high],
    [low, start],
    [high, size],
    [0n, low],
  ] as const;
  for (const [from, to] of parts)
    for (let at = from; at < to; at++) {
      const addr = addressAt(intervals, at);
      const isGiven =
        addr === undefined || set.some((range) => sameAddr(range.gateway, addr) || isNetworkOrBroadcast(range, addr));
      if (!isGiven && !isTaken(addr)) return addr;
    }
  return undefined;
}

type Intervals = readonly { readonly first: Addr; readonly last: Addr }[];

function addressAt(intervals: Intervals, place: bigint): Addr | undefined {
  let left = place;
  for (const { first, last } of intervals) {
    const size = last.value - first.value + 1n;
    if (left < size) return { family: first.family, value: first.value + left };
    left -= size;
  }
  return undefined;
}

function placeOf(intervals: Intervals, addr: Addr): bigint | undefined {
  let before = 0n;
  for (const interval of intervals) {
    if (within(interval, addr)) return before + addr.value - interval.first.value;
    before += interval.last.value - interval.first.value + 1n;
  }
  return undefined;
}
