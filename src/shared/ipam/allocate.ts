import { NetError } from '../errors/net-error.ts';
import { type Addr, formatAddr, parseAddr, sameAddr } from '../model/addr.ts';
import type { Attachment } from '../model/attachment.ts';
import type { Prefix } from '../model/prefix.ts';
import type { LeaseTable, LocalStore } from '../store/store.ts';
import { usage } from './free.ts';
import { leasesFor } from './leases.ts';
import { formatSet, gatewaysOf, type Interval, type RangeSet, rangeOf, usable, within } from './ranges.ts';
import { assignRequests } from './requests.ts';

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

/**
 * The owner has one lease more in each set, all of them or none. Addresses go round: the one after the last that was
 * given, the lowest again after the highest; so that a released one rests as long as possible. Never a gateway, the
 * network address or IPv4's broadcast. O(log n) in the number of leases.
 * Throws NetError `exhausted` with counts; `conflict` where a requested address is leased or the owner has an address
 * of the set already; `invalid-config` where a requested address is none that can be given.
 */
export function allocate(store: LocalStore, request: AllocationRequest): Allocation[] {
  const { scope, sets, requested, owner } = request;
  const wanted = assignRequests(sets, requested);
  const gateways = gatewaysOf(sets);
  return store.transaction(() => {
    refuseSecond(store, request);
    return sets.map((set, index) => {
      const address = wanted[index] ?? next(store, scope, set, index, gateways);
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
  throw new NetError({
    kind: 'conflict',
    op: 'ipam',
    subject: `container ${owner.containerId} interface ${owner.ifName}`,
    what: `it already has ${formatAddr(taken.address)} of network ${owner.network}`,
    hint: 'Run DEL for it first, then ADD again',
  });
}

function next(store: LocalStore, scope: string, set: RangeSet, index: number, gateways: readonly Addr[]): Addr {
  const key = `cursor ${scope} ${index}`;
  const cursor = parseAddr(store.notes.get(key) ?? '');
  for (const interval of round(set, cursor)) {
    const address = firstFree(store.leases, scope, interval, gateways);
    if (address === undefined) continue;
    store.notes.put(key, formatAddr(address));
    return address;
  }
  throw exhausted(store, scope, set, gateways);
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

/** Runs are maximal: what follows one is free or a gateway, so this ends after as many steps as there are gateways. */
function firstFree(
  leases: LeaseTable,
  scope: string,
  { first, last }: Interval,
  gateways: readonly Addr[],
): Addr | undefined {
  let { value } = first;
  while (value <= last.value) {
    const address: Addr = { family: first.family, value };
    const run = leases.runAt(scope, address);
    if (run !== undefined) value = run.last.value + 1n;
    else if (gateways.some((gateway) => sameAddr(gateway, address))) value += 1n;
    else return address;
  }
  return undefined;
}

function exhausted(store: LocalStore, scope: string, set: RangeSet, gateways: readonly Addr[]): NetError {
  const { total, leased } = usage(store.leases, scope, set, gateways);
  return new NetError({
    kind: 'exhausted',
    op: 'ipam',
    subject: formatSet(set),
    what: `${leased} of ${total} addresses are leased`,
    hint: `Delete what is no longer used (CNI GC finds it), or give network ${scope.slice(scope.lastIndexOf('/') + 1)} a larger range`,
  });
}
