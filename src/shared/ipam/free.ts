import type { Addr } from '../model/addr.ts';
import type { LeaseTable, LocalStore } from '../store/store.ts';
import { capacity, gatewaysOf, type RangeSet, usable, within } from './ranges.ts';

/** How full a range set is. A /64 has more addresses than a double counts, so `total` is a bigint. */
export interface Usage {
  readonly total: bigint;
  readonly leased: number;
}

/** How many addresses each set can give, and how many of them are leased. */
export function free(store: LocalStore, scope: string, sets: readonly RangeSet[]): Usage[] {
  const gateways = gatewaysOf(sets);
  return sets.map((set) => usage(store.leases, scope, set, gateways));
}

/** The same of one set. Gateways count on neither side. */
export function usage(leases: LeaseTable, scope: string, set: RangeSet, gateways: readonly Addr[]): Usage {
  let leased = 0;
  for (const interval of set.map(usable)) {
    const { first, last } = interval;
    if (last.value < first.value) continue;
    const inside = gateways.filter((gateway) => within(interval, gateway));
    leased += leases.count(scope, first, last);
    leased -= inside.filter((gateway) => leases.runAt(scope, gateway) !== undefined).length;
  }
  return { total: capacity(set, gateways), leased };
}
