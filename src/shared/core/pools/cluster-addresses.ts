import { fault } from '../../errors/fault.ts';
import type { Addr } from '../../model/addr.ts';
import { contains, type Prefix } from '../../model/prefix.ts';
import type { Lease, LocalStore, PoolRow } from '../../store/store.ts';
import { leaseTaken } from '../../store/taken.ts';
import type { Core } from '../core.ts';
import { clusterOf, onNetwork } from '../overlay-source.ts';
import { catchUp } from '../reconcile.ts';
import { type AddressRequest, assertNotReserved, insideOf, isLeased } from './addresses.ts';
import { type SharedOverlay, sharedOverlay } from './cluster-keys.ts';
import { knownPool, requestOwner, subnetOf } from './rows.ts';

/**
 * Leases an address of an overlay network's pool, as `requestAddress` does, and claims it in the cluster first.
 * Undefined if the cluster does not assign this address. Throws NetError `unavailable` without the cluster's store,
 * `conflict` with its holder and host if another endpoint has the address, `exhausted`.
 */
export async function requestClusterAddress(core: Core, request: AddressRequest): Promise<Prefix | undefined> {
  const row = knownPool(core.store, request.pool);
  const { addr: base, length } = subnetOf(row);
  const overlay = isLeased(request) ? sharedOverlay(core.store, row.scope, base) : undefined;
  if (overlay === undefined) return undefined;
  catchUp(core);
  const { address } = request;
  if (address === undefined || !isAskedAgain(core, row, address))
    return { addr: await claim(core, row, overlay, request), length };
  core.store.transaction(() => {
    const holder = core.store.leases.at(row.scope, address);
    if (holder !== undefined)
      core.store.leases.reassign(row.scope, address, holder.owner, requestOwner(row, request.now));
  });
  return { addr: address, length };
}

/** True for an address that was requested before and that no endpoint has claimed. */
function isAskedAgain({ store }: Core, row: PoolRow, address: Addr): boolean {
  insideOf(row, address);
  assertNotReserved(store, row.scope, address);
  const holder = store.leases.at(row.scope, address);
  if (holder !== undefined && holder.requestedAt === undefined) throw leaseTaken({ address }, holder);
  return holder !== undefined;
}

/**
 * Claims an address for a request, since the endpoint is not known yet. dockerd asks for one family after the other, so
 * the first request claims an address of each family in one transaction, and the second gets the spare one.
 */
async function claim(
  core: Core,
  row: PoolRow,
  { name, options }: SharedOverlay,
  request: AddressRequest,
): Promise<Addr> {
  const { store } = core;
  const { family } = subnetOf(row).addr;
  const asker = requestOwner(row, request.now);
  const other = otherPool(store, row);
  const isSpareFit = other !== undefined && request.address === undefined;
  const spare = isSpareFit ? takeSpare(store, row, asker) : undefined;
  if (spare !== undefined) return spare;
  const cluster = clusterOf(core, name);
  const requested = request.address === undefined ? [] : [request.address];
  const alone = other === undefined || sparesIn(store, other).length > 0 ? { family } : {};
  const made = await onNetwork(name, cluster.claim(options.network, { requested, owner: asker.owner, ...alone }));
  try {
    store.transaction(() => {
      cluster.settle(made);
      for (const { address } of made.addresses) {
        const { addr } = address;
        const holder = store.leases.at(row.scope, addr);
        if (holder !== undefined) throw leaseTaken({ address: addr }, holder);
        const owner = addr.family === family ? asker.owner : { ...asker.owner, ifName: SPARE };
        store.leases.take({ ...asker, scope: row.scope, address: addr, owner, source: 'store' });
      }
    });
  } catch (error) {
    cluster.abandon(made);
    throw error;
  }
  const own = made.addresses.find(({ address }) => address.addr.family === family);
  if (own === undefined) throw fault.internal('ipam', `pool ${row.subnet}`, 'the cluster gave no address of it');
  return own.address.addr;
}

/** Marks the lease of an address that no endpoint uses yet. */
const SPARE = 'spare';

/** The pool of the Docker network's other family. */
function otherPool(store: LocalStore, row: PoolRow): PoolRow | undefined {
  return store.pools.list(row.scope).find(({ usedBy, subnet }) => usedBy === row.usedBy && subnet !== row.subnet);
}

/** Assigns a spare address of the pool to the asker, and returns it. */
function takeSpare(store: LocalStore, row: PoolRow, asker: ReturnType<typeof requestOwner>): Addr | undefined {
  return store.transaction(() => {
    const [first] = sparesIn(store, row);
    if (first !== undefined) store.leases.reassign(row.scope, first.address, first.owner, asker);
    return first?.address;
  });
}

function sparesIn(store: LocalStore, row: PoolRow): Lease[] {
  const subnet = subnetOf(row);
  return store.leases
    .list(row.scope)
    .filter(
      ({ owner, requestedAt, address }) =>
        requestedAt !== undefined && owner.ifName === SPARE && contains(subnet, address),
    );
}
