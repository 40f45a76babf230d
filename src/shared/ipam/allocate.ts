import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { type Addr, formatAddr, parseAddr, sameAddr } from '../model/addr.ts';
import type { Attachment } from '../model/attachment.ts';
import type { Prefix } from '../model/prefix.ts';
import type { LeaseTable, LocalStore } from '../store/store.ts';
import { usage } from './free.ts';
import { leasesFor } from './leases.ts';
import { formatSet, type Interval, type RangeSet, rangeOf, usable, within } from './ranges.ts';
import { assignRequests } from './requests.ts';
import { neverGiven } from './reserved.ts';
import { cursorKey } from './scope-notes.ts';

export interface AllocationRequest {
  /** The pool: `<dataDir>/<network>`. */
  readonly scope: string;
  readonly sets: readonly RangeSet[];
  /** Addresses that must be among those given; each set takes the first that is in one of its ranges. */
  readonly requested: readonly Addr[];
  readonly owner: Attachment;
}

export interface Allocation {
  /** The address, with the length of its subnet. */
  readonly address: Prefix;
  readonly gateway: Addr;
  /** Index of the range set. */
  readonly set: number;
}

/** Where to look for the next address of a set. */
export interface Search {
  readonly scope: string;
  readonly set: RangeSet;
  /** The note of the last address that was given. */
  readonly cursor: string;
  /** Addresses that are passed over. */
  readonly never: readonly Addr[];
}

/**
 * The owner has one lease more in each set, all of them or none. Addresses go round: the one after the last that was
 * given, the lowest again after the highest; so that a released one rests as long as possible. Never a gateway, the
 * network address, IPv4's broadcast or what dockerd has reserved. O(log n) in the number of leases.
 * Throws NetError `exhausted` with counts; `conflict` where a requested address is leased or reserved, or the owner has
 * an address of the set already; `invalid-config` where a requested address is none that can be given.
 */
export function allocate(store: LocalStore, request: AllocationRequest): Allocation[] {
  const { scope, sets, requested, owner } = request;
  const wanted = assignRequests(sets, requested);
  return store.transaction(() => {
    refuseSecond(store, request);
    const never = neverGiven(store, scope, sets);
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

/** An owner that comes again without a DEL: a lease that nobody would release hides behind it. */
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

/** Its gateways have been refused before: what is left is what a pool of dockerd's keeps for itself. */
function refuseReserved(address: Addr, never: readonly Addr[]): void {
  if (never.some((other) => sameAddr(other, address))) throw reservedTaken(address);
}

/** The refusal of an address that a Docker network has for something else than an endpoint. */
export function reservedTaken(address: Addr): NetError {
  return fault.conflict(
    'ipam',
    `address ${formatAddr(address)}`,
    'a Docker network has it as gateway or auxiliary address',
    'Ask for another address',
  );
}

/** The address that a set gives next, which the cursor then stands at; undefined where none is left. Leases nothing. */
export function nextFree(store: LocalStore, { scope, set, cursor, never }: Search): Addr | undefined {
  for (const interval of round(set, parseAddr(store.notes.get(cursor) ?? ''))) {
    const address = firstFree(store.leases, scope, interval, never);
    if (address === undefined) continue;
    store.notes.put(cursor, formatAddr(address));
    return address;
  }
  return undefined;
}

/** The set's intervals in the order of a round that begins after `cursor`: its range's upper part first, lower last. */
function round(set: RangeSet, cursor: Addr | undefined): Interval[] {
  const intervals = set.map(usable);
  const at = cursor === undefined ? -1 : intervals.findIndex((interval) => within(interval, cursor));
  const current = intervals[at];
  if (current === undefined || cursor === undefined) return intervals;
  const upper = { first: { family: cursor.family, value: cursor.value + 1n }, last: current.last };
  const lower = { first: current.first, last: cursor };
  return [upper, ...intervals.slice(at + 1), ...intervals.slice(0, at), lower];
}

/** Runs are maximal: what follows one is free or never given, so there are few steps more than addresses of that kind. */
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
