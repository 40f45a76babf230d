import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import { formatPrefix, networkOf, type Prefix } from '../../model/prefix.ts';
import type { LocalStore, PoolRow } from '../../store/store.ts';
import { dropPool } from './expiry.ts';
import { ANY_POOL, isAnyPool } from './rows.ts';

/** A pool in a CreateNetwork request, which does not contain the pool's id. */
export interface PoolWanted {
  /** The subnet that RequestPool returned. */
  readonly pool: Prefix;
  /** With the prefix length of the subnet. */
  readonly gateway?: Prefix;
  /** The Network whose pool it must be, if the caller knows. */
  readonly network?: string;
}

/**
 * The pool of a Docker network: of the matching pools that no other one uses, the last requested. If dockerd was told
 * "all addresses", the gateway identifies the subnet.
 */
export function poolFor(
  store: LocalStore,
  networkId: string,
  { pool, gateway, network }: PoolWanted,
): PoolRow | undefined {
  const told = isAnyPool(pool) ? gateway : pool;
  const subnet = told === undefined ? undefined : formatPrefix(networkOf(told));
  const fitting = store.pools
    .list()
    .filter((row) => (subnet === undefined || row.subnet === subnet) && (!isAnyPool(pool) || row.anyPool === true));
  const own = fitting.find(({ usedBy }) => usedBy === networkId);
  if (own !== undefined) return own;
  const free = fitting.filter(({ usedBy }) => usedBy === undefined || store.dockerNetworks.get(usedBy) === undefined);
  const named = free.filter((row) => network !== undefined && row.network === network);
  return (named.length > 0 ? named : free).toSorted((a, b) => b.requestedAt - a.requestedAt)[0];
}

/**
 * Assigns these pools to the Docker network, in the transaction of a CreateNetwork. Throws NetError `conflict` if one
 * of them has no matching pool.
 */
export function usePools(store: LocalStore, networkId: string, wanted: readonly PoolWanted[]): PoolRow[] {
  return wanted.map((one) => {
    const row = poolFor(store, networkId, one);
    if (row === undefined) throw noPool(one.pool);
    const used = { ...row, usedBy: networkId };
    store.pools.put(used);
    return used;
  });
}

/**
 * Releases the Docker network's pools, in the transaction of a DeleteNetwork. dockerd has released them by then. If one
 * remains on a Network with several of dockerd's, it has another network's id: only the order of requests told those
 * apart.
 */
export function unusePools(store: LocalStore, networkId: string): void {
  const others = store.dockerNetworks.list().filter(({ id }) => id !== networkId);
  for (const row of store.pools.list().filter(({ usedBy }) => usedBy === networkId)) {
    const left = store.pools.list();
    const has = (id: string): boolean => left.some(({ usedBy, subnet }) => usedBy === id && subnet === row.subnet);
    const heir = others.find(({ id, network }) => network === row.network && !has(id));
    if (heir === undefined) dropPool(store, row);
    else store.pools.put({ ...row, usedBy: heir.id });
  }
}

function noPool(pool: Prefix): NetError {
  const subnet = isAnyPool(pool) ? ANY_POOL : formatPrefix(networkOf(pool));
  return fault.conflict(
    'network',
    `subnet ${subnet}`,
    'no unused pool has this subnet: it was never requested, has expired, or another network uses it',
    'Create the network again: unused pools expire after some minutes',
  );
}
