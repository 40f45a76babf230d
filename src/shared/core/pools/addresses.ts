import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import { nextFree, reservedTaken, type Search } from '../../ipam/allocate.ts';
import { importDirectory } from '../../ipam/directory.ts';
import { neverGiven, reservedIn, usage } from '../../ipam/free.ts';
import { formatSet, isNetworkOrBroadcast, type RangeSet, usable, within } from '../../ipam/ranges.ts';
import { cursorKey } from '../../ipam/scope-notes.ts';
import { type Addr, formatAddr, parseAddr, sameAddr } from '../../model/addr.ts';
import { type Attachment, sameAttachment } from '../../model/attachment.ts';
import { contains, formatPrefix, type Prefix } from '../../model/prefix.ts';
import type { LocalStore, PoolRow } from '../../store/store.ts';
import { leaseTaken } from '../../store/taken.ts';
import type { Core } from '../core.ts';
import { catchUp } from '../reconcile.ts';
import { giveBack } from './cluster-keys.ts';
import { refused } from './request.ts';
import { knownPool, poolOf, rangesOf, requestOwner, subnetOf } from './rows.ts';
import { sharedRanges } from './shared.ts';

export interface AddressRequest {
  /** Id of the pool. */
  readonly pool: string;
  /** Absent: chosen automatically. */
  readonly address?: Addr;
  /**
   * `auxiliary`: for a device outside Docker, never chosen automatically; dockerd requests these before it creates the
   * network.
   */
  readonly use: 'gateway' | 'endpoint' | 'auxiliary';
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Reserves or leases an address, and returns it with the prefix length of its subnet. A gateway or auxiliary address is
 * reserved in its pool, synced to disk, until it or the pool is released. An endpoint's address is leased until it is
 * released, claimed by an endpoint, or expires. A reserved or unclaimed address can be requested again. Throws NetError
 * `invalid-config` if the pool is unknown or cannot have the address, `conflict` if an endpoint has it or it is
 * reserved, `exhausted` with counts if none is free.
 */
export function requestAddress(core: Core, request: AddressRequest): Prefix {
  const { store, host } = core;
  catchUp(core);
  const ask = (): Prefix => {
    const row = knownPool(store, request.pool);
    if (row.network !== undefined) importDirectory(store, row.scope, host.identity);
    const addr = isLeased(request) ? lease(core, row, request) : reserve(core, row, request);
    return { addr, length: subnetOf(row).length };
  };
  return store.transaction(ask, { durable: !isLeased(request) });
}

/** True for a request that leases. An auxiliary request always names its address; without one, it is an endpoint's. */
export function isLeased({ use, address }: AddressRequest): boolean {
  return use === 'endpoint' || (use === 'auxiliary' && address === undefined);
}

/** Releases the address, unless an endpoint has it. Accepts absence. */
export function releaseAddress({ store }: Core, pool: string, addr: Addr): void {
  const text = formatAddr(addr);
  const isReserved = poolOf(store, pool)?.reserved.includes(text) ?? false;
  const work = (): void => {
    const row = poolOf(store, pool);
    if (row === undefined) return;
    const { gateway, ...rest } = row;
    if (row.reserved.includes(text)) {
      const kept = gateway === undefined || gateway === text ? {} : { gateway };
      store.pools.put({ ...rest, ...kept, reserved: row.reserved.filter((other) => other !== text) });
      return;
    }
    const holder = store.leases.at(row.scope, addr);
    if (holder !== undefined && holder.requestedAt !== undefined) giveBack(store, row.scope, addr);
  };
  store.transaction(work, { durable: isReserved });
}

/**
 * Claims the address for the endpoint, in the transaction of a CreateEndpoint. Takes over a requested address, leases
 * one that was not requested, and keeps one that the endpoint already has. Throws NetError `conflict` if another
 * endpoint has it or it is reserved.
 */
export function claimAddress(store: LocalStore, scope: string, address: Addr, owner: Attachment): void {
  const holder = store.leases.at(scope, address);
  if (holder === undefined) {
    assertNotReserved(store, scope, address);
    store.leases.take({ scope, address, owner, source: 'store' });
  } else if (holder.requestedAt !== undefined) store.leases.reassign(scope, address, holder.owner, { owner });
  else if (!sameAttachment(holder.owner, owner)) throw leaseTaken({ address }, holder);
}

function reserve(core: Core, row: PoolRow, { address, use, now }: AddressRequest): Addr {
  const { store } = core;
  const addr = address === undefined ? defaultGateway(core, row) : insideOf(row, address);
  const text = formatAddr(addr);
  if (use === 'gateway' && row.gateway !== undefined && row.gateway !== text)
    throw fault.conflict(
      'ipam',
      `gateway ${text}`,
      `${row.network === undefined ? `pool ${row.subnet}` : `network ${row.network}`} has gateway ${row.gateway}`,
      'Leave --gateway out',
    );
  const holder = store.leases.at(row.scope, addr);
  if (holder !== undefined && holder.requestedAt === undefined) throw leaseTaken({ address: addr }, holder);
  store.leases.release(row.scope, addr);
  const reserved = row.reserved.includes(text) ? row.reserved : [...row.reserved, text];
  store.pools.put({ ...row, reserved, requestedAt: now, ...(use === 'gateway' ? { gateway: text } : {}) });
  return addr;
}

/** The gateway of the Network or of its pending pool, else the first address of the subnet that no endpoint has. */
function defaultGateway({ store }: Core, row: PoolRow): Addr {
  const pending = row.network === undefined ? [] : store.pools.list(row.scope);
  const same = [row, ...pending].find(({ subnet: other, gateway }) => other === row.subnet && gateway !== undefined);
  const agreed = parseAddr(same?.gateway ?? '');
  if (agreed !== undefined) return agreed;
  const { range, ...whole } = row;
  for (const { first, last } of rangesOf(whole).map(usable))
    for (let { value } = first; value <= last.value; value += 1n) {
      const addr = { family: first.family, value };
      const run = store.leases.runAt(row.scope, addr);
      if (run === undefined) return addr;
      ({ value } = run.last);
    }
  throw exhausted(store, row, rangesOf(whole), []);
}

function lease(core: Core, row: PoolRow, { address, now }: AddressRequest): Addr {
  const { store } = core;
  const { scope } = row;
  const asker = requestOwner(row, now);
  if (row.usedBy === undefined) store.pools.put({ ...row, requestedAt: now });
  if (address === undefined) {
    const search = searchOf(core, row);
    const addr = nextFree(store, search);
    if (addr === undefined) throw exhausted(store, row, search.set, search.never);
    store.leases.take({ scope, address: addr, ...asker, source: 'store' });
    return addr;
  }
  const addr = insideOf(row, address);
  assertNotReserved(store, scope, addr);
  const holder = store.leases.at(scope, addr);
  if (holder === undefined) store.leases.take({ scope, address: addr, ...asker, source: 'store' });
  else if (holder.requestedAt === undefined) throw leaseTaken({ address: addr }, holder);
  else store.leases.reassign(scope, addr, holder.owner, asker);
  return addr;
}

/** Search parameters of a pool. Both camps share a Network's cursor. */
function searchOf(core: Core, row: PoolRow): Search {
  const { scope } = row;
  const subnet = subnetOf(row);
  const shared = sharedRanges(core, row);
  const set = shared?.sets[shared.index];
  if (shared === undefined || set === undefined) {
    const never = reservedIn(core.store, scope).filter((addr) => contains(subnet, addr));
    return { scope, set: rangesOf(row), cursor: cursorKey(scope, row.subnet), never };
  }
  const never = neverGiven(core.store, scope, shared.sets);
  return { scope, set: clip(set, row), cursor: cursorKey(scope, shared.index), never };
}

/** The part of each range that is inside the pool's. */
function clip(set: RangeSet, row: PoolRow): RangeSet {
  const [part] = rangesOf(row);
  if (part === undefined || row.range === undefined) return set;
  const inside = { first: part.rangeStart, last: part.rangeEnd };
  return set.flatMap((range) => {
    const { rangeStart, rangeEnd } = range;
    const first = rangeStart.value > inside.first.value ? rangeStart : inside.first;
    const last = rangeEnd.value < inside.last.value ? rangeEnd : inside.last;
    return within(inside, first) && first.value <= last.value ? [{ ...range, rangeStart: first, rangeEnd: last }] : [];
  });
}

/** Asserts that an address is one of the subnet's. --ip, --gateway and --aux-address may be outside --ip-range, as in Docker. */
export function insideOf(row: PoolRow, addr: Addr): Addr {
  const subnet = subnetOf(row);
  const [range] = rangesOf(row);
  if (!contains(subnet, addr))
    throw refused(`address ${formatAddr(addr)}`, `it is outside ${formatPrefix(subnet)}`, 'Ask for one inside');
  if (range !== undefined && isNetworkOrBroadcast(range, addr))
    throw refused(
      `address ${formatAddr(addr)}`,
      `it is the network or broadcast address of ${formatPrefix(subnet)}`,
      'Ask for another one',
    );
  return addr;
}

export function assertNotReserved(store: LocalStore, scope: string, address: Addr): void {
  if (reservedIn(store, scope).some((other) => sameAddr(other, address))) throw reservedTaken(address);
}

function exhausted(store: LocalStore, { scope, network }: PoolRow, set: RangeSet, never: readonly Addr[]): NetError {
  const { total, leased } = usage(store.leases, scope, set, never);
  return fault.exhausted(
    'ipam',
    network === undefined ? formatSet(set) : `${formatSet(set)} of network ${network}`,
    `${leased} of ${total} addresses are leased`,
    'Remove containers that are not needed, or make a network with a larger --subnet or --ip-range',
  );
}
