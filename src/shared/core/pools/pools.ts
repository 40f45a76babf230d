import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import { choosePool, type PoolCandidate, type Taken } from '../../ipam/choose-pool.ts';
import type { Family } from '../../model/addr.ts';
import { formatPrefix, networkOf, overlaps, type Prefix, parsePrefix } from '../../model/prefix.ts';
import type { LocalStore, PoolRow } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { dropPool } from './expiry.ts';
import { type Asked, checkPoolRequest, type PoolRequest } from './request.ts';
import { knownPool, OWN_SCOPE, poolId } from './rows.ts';
import { type SharedPool, sharedPool } from './shared.ts';
import { distinct, isBoundary, recordedIn, seenOn } from './taken.ts';

export type { PoolCandidate } from '../../ipam/choose-pool.ts';
export { type AddressRequest, claimAddress, releaseAddress, requestAddress } from './addresses.ts';
export { requestClusterAddress } from './cluster-addresses.ts';
export { expireRequests } from './expiry.ts';
export { ownRange } from './own-range.ts';
export type { PoolRequest } from './request.ts';
export { OWN_SCOPE, poolAnswer, poolGateway } from './rows.ts';
export { type PoolWanted, poolFor, unusePools, usePools } from './use.ts';

/** Addresses to avoid, and their holder: `Docker network "a"`. */
export interface Avoided {
  readonly subnet: Prefix;
  readonly holder: string;
}

export interface PoolContext {
  /** Candidates in order of preference. */
  readonly candidates: readonly PoolCandidate[];
  readonly avoid: readonly Avoided[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** How many holders an error names. */
const NAMED = 5;

/**
 * Records a pool under a new id, synced to disk: the requested one, even if others have it too, or one that overlaps
 * nothing on this host. Sets `gateway` for the pool of a Network that has one, `anyPool` if dockerd would refuse the
 * subnet. Throws NetError `exhausted`, naming the holders, if no candidate is free; `invalid-config` for a malformed
 * pool; `conflict` if the Network's pool is not available.
 */
export function requestPool(core: Core, request: PoolRequest, context: PoolContext): PoolRow {
  const asked = checkPoolRequest(request);
  // Reads the kernel before the transaction, so that no one waits for the store meanwhile.
  const seen = asked.subnet === undefined ? seenOn(core.host) : [];
  return core.store.transaction(
    () => {
      const { subnet, ...pool } = findPool(core, asked, seen, context);
      const text = formatPrefix(subnet);
      // dockerd refuses an automatic IPv4 subnet that overlaps a route, and would ask forever. It does not check
      // subnets that it named itself, nor IPv6.
      const isRefused = asked.family === 4 && seen.some((taken) => overlaps(taken.subnet, subnet));
      const row: PoolRow = {
        id: poolId(text, pool.network),
        ...pool,
        subnet: text,
        ...(isRefused ? { anyPool: true } : {}),
        ...(asked.range === undefined ? {} : { range: formatPrefix(asked.range) }),
        reserved: [],
        requestedAt: context.now,
      };
      core.store.pools.put(row);
      return row;
    },
    { durable: true },
  );
}

/** Deletes the pool with its reserved addresses; endpoints keep theirs. Accepts absence. */
export function releasePool(core: Core, id: string): void {
  core.store.transaction(
    () => {
      const row = core.store.pools.get(id);
      if (row !== undefined) dropPool(core.store, row);
    },
    { durable: true },
  );
}

/** True if a Docker network uses the pool: later requests for addresses are for endpoints. */
export function isUsed({ store }: Core, pool: string): boolean {
  return knownPool(store, pool).usedBy !== undefined;
}

function findPool(core: Core, asked: Asked, seen: readonly Taken[], context: PoolContext): SharedPool {
  const { family, subnet, network } = asked;
  const choose = (): Prefix => chooseSubnet(core.store, family, seen, context);
  if (network !== undefined) return sharedPool(core, { ...asked, network }, choose);
  return { scope: OWN_SCOPE, subnet: subnet ?? choose() };
}

function chooseSubnet(store: LocalStore, family: Family, seen: readonly Taken[], context: PoolContext): Prefix {
  const candidates = context.candidates.filter(({ base }) => base.addr.family === family);
  // Named holders come first: a network's route tells less.
  const taken = distinct([...context.avoid, ...recordedIn(store), ...seen.filter(isBoundary)]);
  const choice = choosePool(candidates, taken);
  if (choice.subnet !== undefined) return choice.subnet;
  throw nothingLeft(family, candidates, choice.holders, taken);
}

/** Pools for a hint: the first that nothing on this host overlaps is the one to name. */
const EXAMPLES: Readonly<Record<Family, readonly PoolCandidate[]>> = {
  4: ['10.99.0.0/16', '172.30.0.0/16', '192.168.192.0/18', '100.99.0.0/16', '198.18.0.0/16'].flatMap(exampleOf(24)),
  6: ['fd00:99::/48', 'fd99:99::/48'].flatMap(exampleOf(64)),
};

function exampleOf(size: number): (text: string) => PoolCandidate[] {
  return (text) => [parsePrefix(text)].flatMap((base) => (base === undefined ? [] : { base, size }));
}

function nothingLeft(
  family: Family,
  candidates: readonly PoolCandidate[],
  holders: readonly string[],
  taken: readonly Taken[],
): NetError {
  const named = holders.slice(0, NAMED).join(', ');
  const more = holders.length > NAMED ? ` and ${holders.length - NAMED} more` : '';
  const free = EXAMPLES[family].find(({ base }) => !taken.some(({ subnet }) => overlaps(subnet, base)));
  const other =
    free === undefined
      ? 'other pools: isthmus serve --address-pool'
      : `other pools: isthmus serve --address-pool base=${formatPrefix(free.base)},size=${free.size}`;
  return fault.exhausted(
    'ipam',
    `pools of IPv${family} (${candidates.map(formatCandidate).join(', ') || 'none'})`,
    holders.length === 0 ? 'there are none to choose from' : `all of them are held: ${named}${more}`,
    `Give --subnet, remove networks that are not needed, or start the daemon with ${other}`,
  );
}

function formatCandidate({ base, size }: PoolCandidate): string {
  return `${formatPrefix(networkOf(base))} in /${size}`;
}
