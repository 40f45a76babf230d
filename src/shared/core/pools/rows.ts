import { fault } from '../../errors/fault.ts';
import type { RangeSet } from '../../ipam/ranges.ts';
import { parseAddr } from '../../model/addr.ts';
import type { Attachment } from '../../model/attachment.ts';
import { firstOf, lastOf, type Prefix, parsePrefix } from '../../model/prefix.ts';
import type { Lease, LocalStore, PoolRow } from '../../store/store.ts';

/**
 * Where all pools lease that are no other Network's: subnets of networks do not overlap, so that one place is enough
 * for both families of a network, and two references to one subnet never give the same address.
 */
export const OWN_SCOPE = 'docker';

/** What dockerd takes for a pool that it need not compare with the host's routes (types.IsIPNetValid of libnetwork). */
export const ANY_POOL = '0.0.0.0/0';

const REQUESTED = 'requested-';

/** Ids say what they are a pool of, so that a pool can be told by the id that dockerd has kept when the state is lost. */
export function poolId(subnet: string, network: string | undefined): string {
  return `${subnet}@${network ?? '-'}#${randomHex()}`;
}

/** The pool of this id, or, where the state was lost since it was given, another one of the same subnet and network. */
export function poolOf(store: LocalStore, id: string): PoolRow | undefined {
  const row = store.pools.get(id);
  if (row !== undefined) return row;
  const [, subnet, network] = /^([^@#]+)@([^@#]+)#/.exec(id) ?? [];
  const same = store.pools.list().filter((other) => other.subnet === subnet && (other.network ?? '-') === network);
  return same.find(({ usedBy }) => usedBy !== undefined) ?? same[0];
}

/** Throws NetError `invalid-config` where there is none. */
export function knownPool(store: LocalStore, id: string): PoolRow {
  const row = poolOf(store, id);
  if (row !== undefined) return row;
  throw fault.invalidConfig(
    'ipam',
    `pool ${id}`,
    'it is not known: it was released, or nobody made a network of it in time',
    'Remove the Docker network that uses it, and create it again',
  );
}

/** What dockerd is told that the pool is. */
export function poolAnswer({ subnet, anyPool }: PoolRow): string {
  return anyPool ? ANY_POOL : subnet;
}

export function isAnyPool(pool: Prefix): boolean {
  return pool.length === 0;
}

/** The gateway with the length of its subnet; undefined where the pool has none yet. */
export function poolGateway(row: PoolRow): Prefix | undefined {
  const addr = parseAddr(row.gateway ?? '');
  return addr === undefined ? undefined : { addr, length: subnetOf(row).length };
}

export function subnetOf({ subnet }: PoolRow): Prefix {
  return stored(subnet);
}

/** What addresses are chosen from: the pool's part of its subnet. No gateway: what is not to be given is reserved. */
export function rangesOf(row: PoolRow): RangeSet {
  const subnet = subnetOf(row);
  const part = row.range === undefined ? subnet : stored(row.range);
  return [{ subnet, rangeStart: firstOf(part), rangeEnd: lastOf(part), gateway: firstOf(subnet) }];
}

/** Who has an address between RequestAddress and CreateEndpoint. */
export function requestOwner({ network, scope }: PoolRow, now: number): Attachment {
  return { camp: 'cnm', network: network ?? scope, containerId: `${REQUESTED}${randomHex()}`, ifName: String(now) };
}

/** When the address was asked for, in milliseconds since the epoch; undefined where an endpoint has it. */
export function requestTime({ owner }: Lease): number | undefined {
  return owner.camp === 'cnm' && owner.containerId.startsWith(REQUESTED) ? Number(owner.ifName) : undefined;
}

function stored(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(`a pool on record has ${text}, which is no subnet`);
  return prefix;
}

function randomHex(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16);
}
