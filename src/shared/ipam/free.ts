import { basename } from 'node:path';
import { type Addr, parseAddr } from '../model/addr.ts';
import type { LeaseTable, LocalStore } from '../store/store.ts';
import { capacity, distinctAddrs, gatewaysOf, type RangeSet, usable, within } from './ranges.ts';

/** How full a range set is. A /64 has more addresses than a double counts, so `total` is a bigint. */
export interface Usage {
  readonly total: bigint;
  readonly leased: number;
}

/** Counts the addresses that each set can give, and how many of them are leased. */
export function free(
  store: LocalStore,
  scope: string,
  sets: readonly RangeSet[],
  reserved: readonly Addr[] = [],
): Usage[] {
  const never = neverGiven(store, scope, sets, reserved);
  return sets.map((set) => usage(store.leases, scope, set, never));
}

/** Counts one set, without the addresses that are never given. */
export function usage(leases: LeaseTable, scope: string, set: RangeSet, never: readonly Addr[]): Usage {
  let leased = 0;
  for (const interval of set.map(usable)) {
    const { first, last } = interval;
    if (last.value < first.value) continue;
    const inside = never.filter((address) => within(interval, address));
    leased += leases.count(scope, first, last);
    leased -= inside.filter((address) => leases.runAt(scope, address) !== undefined).length;
  }
  return { total: capacity(set, never), leased };
}

/**
 * The addresses of a scope that are not for endpoints, each once: the gateways and auxiliary addresses that dockerd has
 * reserved, and those that the host has on its network.
 */
export function reservedIn(store: LocalStore, scope: string): Addr[] {
  const texts = store.pools.list(scope).flatMap(({ reserved, gateway = [] }) => [...reserved, gateway].flat());
  return [...new Set([...texts, ...hostAddressesIn(store, scope)])].flatMap((text) => parseAddr(text) ?? []);
}

/**
 * The addresses that endpoints never get, each once: the gateways of all sets, the reserved ones of their scope, and
 * `reserved`.
 */
export function neverGiven(
  store: LocalStore,
  scope: string,
  sets: readonly RangeSet[],
  reserved: readonly Addr[] = [],
): Addr[] {
  return distinctAddrs([...gatewaysOf(sets), ...reservedIn(store, scope), ...reserved]);
}

/** The addresses that the host has on the network of a scope. A CNI scope is `<dataDir>/<network>`. */
function hostAddressesIn({ networks }: LocalStore, scope: string): readonly string[] {
  const spec = networks.get(basename(scope))?.spec;
  if (spec?.scope !== scope || (spec.options.driver !== 'macvlan' && spec.options.driver !== 'ipvlan')) return [];
  return spec.options.hostAccess?.addresses ?? [];
}
