import { cursorKey, deleteUnusedScopeNotes } from '../../ipam/scope-notes.ts';
import { contains, overlaps } from '../../model/prefix.ts';
import type { Lease, LocalStore, PoolRow } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { giveBack } from './cluster-keys.ts';
import { subnetOf } from './rows.ts';

/**
 * Deletes the pool. If no other pool overlaps its subnet, also releases the addresses requested in it and deletes its
 * cursor.
 */
export function dropPool(store: LocalStore, row: PoolRow): void {
  store.pools.delete(row.id);
  const subnet = subnetOf(row);
  if (store.pools.list(row.scope).some((other) => overlaps(subnetOf(other), subnet))) return;
  for (const lease of requestsIn(store, row.scope))
    if (contains(subnet, lease.address)) giveBack(store, row.scope, lease.address);
  store.notes.delete(cursorKey(row.scope, row.subnet));
  deleteUnusedScopeNotes(store, row.scope);
}

/**
 * Deletes pools without a Docker network and addresses without an endpoint that were last requested before that time.
 * Returns how many.
 */
export function expireRequests({ store }: Core, before: number): number {
  const isStale = (lease: Lease): boolean => (lease.requestedAt ?? before) < before;
  const stale = (): { pools: PoolRow[]; leases: Lease[] } => ({
    pools: unusedPools(store).filter(({ requestedAt }) => requestedAt < before),
    leases: scopesOf(store).flatMap((scope) => requestsIn(store, scope).filter(isStale)),
  });
  const first = stale();
  if (first.pools.length + first.leases.length === 0) return 0;
  return store.transaction(
    () => {
      const { pools, leases } = stale();
      for (const { scope, address } of leases) giveBack(store, scope, address);
      for (const row of pools) dropPool(store, row);
      return pools.length + leases.length;
    },
    { durable: true },
  );
}

/**
 * Pools that no Docker network uses. All pools of a shared Network count as used while one of its Docker networks
 * exists: nothing tells which has which.
 */
function unusedPools(store: LocalStore): PoolRow[] {
  const networks = store.dockerNetworks.list();
  const ids = new Set(networks.map(({ id }) => id));
  const shared = new Set(networks.map(({ network }) => network));
  return store.pools.list().filter(({ usedBy, network }) => {
    if (usedBy === undefined) return true;
    return !ids.has(usedBy) && !(network !== undefined && shared.has(network));
  });
}

function scopesOf(store: LocalStore): string[] {
  return [...new Set(store.pools.list().map(({ scope }) => scope))];
}

function requestsIn(store: LocalStore, scope: string): Lease[] {
  return store.leases.list(scope).filter((lease) => lease.requestedAt !== undefined);
}
