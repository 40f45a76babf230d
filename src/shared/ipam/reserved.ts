import { type Addr, parseAddr, sameAddr } from '../model/addr.ts';
import type { LocalStore } from '../store/store.ts';
import { gatewaysOf, type RangeSet } from './ranges.ts';

/** Addresses of a scope that dockerd has for something else than an endpoint: gateways and auxiliary addresses. */
export function reservedIn(store: LocalStore, scope: string): Addr[] {
  return store.pools.list(scope).flatMap(({ reserved, gateway }) => {
    const texts = gateway === undefined ? reserved : [gateway, ...reserved];
    return texts.flatMap((text) => parseAddr(text) ?? []);
  });
}

/** What endpoints never get, each once: the gateways of all sets, and what is reserved in their scope. */
export function neverGiven(store: LocalStore, scope: string, sets: readonly RangeSet[]): Addr[] {
  const gateways = gatewaysOf(sets);
  const reserved = reservedIn(store, scope);
  if (reserved.length === 0) return gateways;
  const all = [...gateways, ...reserved];
  return all.filter((address, i) => all.findIndex((other) => sameAddr(address, other)) === i);
}
