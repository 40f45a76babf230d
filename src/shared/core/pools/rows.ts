import { fault } from '../../errors/fault.ts';
import type { RangeSet } from '../../ipam/ranges.ts';
import { parseAddr } from '../../model/addr.ts';
import { firstOf, lastOf, type Prefix, parsePrefix } from '../../model/prefix.ts';
import type { Lease, LocalStore, PoolRow } from '../../store/store.ts';

/**
 * Scope of all pools that belong to no other Network. Subnets of networks do not overlap, so one scope is enough for
 * both families, and two references to one subnet never give the same address.
 */
export const OWN_SCOPE = 'docker';

/** Answer for a pool that dockerd must not compare with the host's routes (types.IsIPNetValid of libnetwork). */
export const ANY_POOL = '0.0.0.0/0';

/**
 * Creates a pool id. It names subnet and network, so that dockerd's id still identifies the pool after the state is
 * lost.
 */
export function poolId(subnet: string, network: string | undefined): string {
  return `${subnet}@${network ?? '-'}#${randomHex()}`;
}

/** The pool of this id. If the state was lost since, another pool of the same subnet and network. */
export function poolOf(store: LocalStore, id: string): PoolRow | undefined {
  const row = store.pools.get(id);
  if (row !== undefined) return row;
  const [, subnet, network] = /^([^@#]+)@([^@#]+)#/.exec(id) ?? [];
  const same = store.pools.list().filter((other) => other.subnet === subnet && (other.network ?? '-') === network);
  return same.find(({ usedBy }) => usedBy !== undefined) ?? same[0];
}

/** Like `poolOf`; throws NetError `invalid-config` for an unknown pool. */
export function knownPool(store: LocalStore, id: string): PoolRow {
  const row = poolOf(store, id);
  if (row !== undefined) return row;
  throw fault.invalidConfig(
    'ipam',
    `pool ${id}`,
    'unknown pool: it was released, or expired before a network used it',
    'Remove the Docker network that uses it, and create it again',
  );
}

/** The subnet in the answer to dockerd. */
export function poolAnswer({ subnet, anyPool }: PoolRow): string {
  return anyPool ? ANY_POOL : subnet;
}

export function isAnyPool(pool: Prefix): boolean {
  return pool.length === 0;
}

/** The gateway with the prefix length of its subnet; undefined if the pool has none yet. */
export function poolGateway(row: PoolRow): Prefix | undefined {
  const addr = parseAddr(row.gateway ?? '');
  return addr === undefined ? undefined : { addr, length: subnetOf(row).length };
}

export function subnetOf({ subnet }: PoolRow): Prefix {
  return stored(subnet);
}

/** The range for addresses: the pool's part of its subnet. It has no gateway: reserved addresses are on the row. */
export function rangesOf(row: PoolRow): RangeSet {
  const subnet = subnetOf(row);
  const part = row.range === undefined ? subnet : stored(row.range);
  return [{ subnet, rangeStart: firstOf(part), rangeEnd: lastOf(part), gateway: firstOf(subnet) }];
}

/** Owner of an address between RequestAddress and CreateEndpoint: a new one for each request. */
export function requestOwner(
  { network, scope }: PoolRow,
  requestedAt: number,
): Required<Pick<Lease, 'owner' | 'requestedAt'>> {
  return { owner: { camp: 'cnm', network: network ?? scope, containerId: randomHex(), ifName: '' }, requestedAt };
}

function stored(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(`a pool on record has ${text}, which is no subnet`);
  return prefix;
}

function randomHex(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16);
}
