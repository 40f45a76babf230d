import { type Addr, parseAddr, sameAddr } from '../model/addr.ts';
import type { LocalStore } from '../store/store.ts';
import { gatewaysOf, type RangeSet } from './ranges.ts';

/** The addresses of a scope that dockerd has reserved, gateways and auxiliary ones, each once. */
export function reservedIn(store: LocalStore, scope: string): Addr[] {
  const texts = store.pools.list(scope).flatMap(({ reserved, gateway = [] }) => [...reserved, gateway].flat());
  return [...new Set(texts)].flatMap((text) => parseAddr(text) ?? []);
}

/**
 * The addresses that endpoints never get, each once: the gateways of all sets, and the reserved ones of their scope.
 */
export function neverGiven(store: LocalStore, scope: string, sets: readonly RangeSet[]): Addr[] {
  const gateways = gatewaysOf(sets);
  const reserved = reservedIn(store, scope);
  return [...gateways, ...reserved.filter((address) => !gateways.some((gateway) => sameAddr(gateway, address)))];
}
