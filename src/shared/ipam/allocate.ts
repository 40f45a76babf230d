import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { type Addr, formatAddr, parseAddr, sameAddr } from '../model/addr.ts';
import type { Attachment } from '../model/attachment.ts';
import type { Prefix } from '../model/prefix.ts';
import type { LeaseTable, LocalStore } from '../store/store.ts';
import { neverGiven, usage } from './free.ts';
import { leasesFor } from './leases.ts';
import { formatSet, type Interval, type RangeSet, rangeOf, usable, within } from './ranges.ts';
import { assignRequests } from './requests.ts';
import { cursorKey } from './scope-notes.ts';

export interface AllocationRequest {
  /** The pool: `<dataDir>/<network>`. */
  readonly scope: string;
  readonly sets: readonly RangeSet[];
  /** Addresses that the result must contain. Each set takes the first one that is in one of its ranges. */
  readonly requested: readonly Addr[];
  /** Addresses that are never given, besides those on record. */
  readonly reserved?: readonly Addr[];
  readonly owner: Attachment;
}

export interface Allocation {
  /** The address, with the length of its subnet. */
  readonly address: Prefix;
  readonly gateway: Addr;
  /** Index of the range set. */
  readonly set: number;
}

/** Where to search for the next address of a set. */
export interface Search {
  readonly scope: string;
  readonly set: RangeSet;
  /** Key of the note with the last address given. */
  readonly cursor: string;
  /** Addresses to skip. */
  readonly never: readonly Addr[];
}

/**
 * Leases one address from each set to the owner, all or nothing. Allocates round robin: the address after the last one
 * given, and the lowest after the highest, so that a released one rests as long as possible. Never gives a gateway, the
 * network address, IPv4's broadcast or an address that dockerd has reserved. O(log n) in the number of leases. Throws
 * NetError `exhausted` with counts; `conflict` if a requested address is leased or reserved, or if the owner already
 * has an address of the set; `invalid-config` if no set can give a requested address.
 */
export function allocate(store: LocalStore, request: AllocationRequest): Allocation[] {
  const { scope, sets, requested, reserved, owner } = request;
  const wanted = assignRequests(sets, requested);
  return store.transaction(() => {
    refuseSecond(store, request);
    const never = neverGiven(store, scope, sets, reserved);
    for (const address of wanted) if (address !== undefined) refuseReserved(address, never);
    return sets.map((set, index) => {
      const search = { scope, set, cursor: cursorKey(scope, index), never };
      const address = wanted[index] ?? nextFree(store, search);
      if (address === undefined) throw exhausted(store, search);
      const range = rangeOf(set, address);
      if (range === undefined) throw new Error(`${formatAddr(address)} is in no range of ${formatSet(set)}`);
      store.leases.take({ scope, address, owner, source: 'store' });
      return { address: { addr: address, length: range.subnet.length }, gateway: range.gateway, set: index };
    });
  });
}

/** Refuses an owner that already has an address: no call would release a second lease. */
function refuseSecond(store: LocalStore, { scope, sets, owner }: AllocationRequest): void {
  const taken = leasesFor(store, scope, owner).find(({ address }) => sets.some((set) => rangeOf(set, address)));
  if (taken === undefined) return;
  throw fault.conflict(
    'ipam',
    `container ${owner.containerId} interface ${owner.ifName}`,
    `it already has ${formatAddr(taken.address)} of network ${owner.network}`,
    'Run DEL for it first, then ADD again',
  );
}

/** Refuses an address that a pool of dockerd has reserved. Gateways of the sets were refused before. */
function refuseReserved(address: Addr, never: readonly Addr[]): void {
  if (never.some((other) => sameAddr(other, address))) throw reservedTaken(address);
}

/** The error for an address that a network has reserved. */
export function reservedTaken(address: Addr): NetError {
  return fault.conflict(
    'ipam',
    `address ${formatAddr(address)}`,
    'a network has reserved it, as gateway, as auxiliary address or for the host itself',
    'Ask for another address',
  );
}

/** Returns the next address of a set and moves the cursor to it; undefined if none is free. Leases nothing. */
export function nextFree(store: LocalStore, { scope, set, cursor, never }: Search): Addr | undefined {
  for (const interval of round(set, parseAddr(store.notes.get(cursor) ?? ''))) {
    const address = firstFree(store.leases, scope, interval, never);
    if (address === undefined) continue;
    store.notes.put(cursor, formatAddr(address));
    return address;
  }
  return undefined;
}

/**
 * The set's intervals in the order of a round that begins after `cursor`: the upper part of its range comes first, the
 * lower part last.
 */
function round(set: RangeSet, cursor: Addr | undefined): Interval[] {
  const intervals = set.map(usable);
  const at = cursor === undefined ? -1 : intervals.findIndex((interval) => within(interval, cursor));
  const current = intervals[at];
  if (current === undefined || cursor === undefined) return intervals;
  const upper = { first: { family: cursor.family, value: cursor.value + 1n }, last: current.last };
  const lower = { first: current.first, last: cursor };
  return [upper, ...intervals.slice(at + 1), ...intervals.slice(0, at), lower];
}

/**
 * Steps from run to run. Runs are maximal, so the address after one is free or never given, and there are at most as
 * many extra steps as addresses that are never given.
 */
function firstFree(
  leases: LeaseTable,
  scope: string,
  { first, last }: Interval,
  never: readonly Addr[],
): Addr | undefined {
  let { value } = first;
  while (value <= last.value) {
    const address: Addr = { family: first.family, value };
    const run = leases.runAt(scope, address);
    if (run !== undefined) value = run.last.value + 1n;
    else if (never.some((other) => sameAddr(other, address))) value += 1n;
    else return address;
  }
  return undefined;
}

function exhausted(store: LocalStore, { scope, set, never }: Search): NetError {
  const { total, leased } = usage(store.leases, scope, set, never);
  return fault.exhausted(
    'ipam',
    formatSet(set),
    `${leased} of ${total} addresses are leased`,
    `Delete what is no longer used (CNI GC finds it), or give network ${scope.slice(scope.lastIndexOf('/') + 1)} a larger range`,
  );
}
