import { NetError } from '../errors/net-error.ts';
import { choosePool, type PoolCandidate, type Taken } from '../ipam/choose-pool.ts';
import type { Family } from '../model/addr.ts';
import { formatPrefix, networkOf, type Prefix, parsePrefix } from '../model/prefix.ts';
import type { LocalStore, PoolRow } from '../store/store.ts';
import type { Core } from './core.ts';
import { dropPool } from './pool-expiry.ts';
import { type Asked, type PoolRequest, readPoolRequest } from './pool-request.ts';
import { knownPool, OWN_SCOPE, poolId } from './pool-rows.ts';
import { type SharedPool, sharedPool } from './pool-shared.ts';
import { distinct, recordedIn, seenOn } from './pool-taken.ts';

export type { PoolCandidate } from '../ipam/choose-pool.ts';
export { type AddressRequest, claimAddress, releaseAddress, requestAddress } from './pool-addresses.ts';
export { expireRequests } from './pool-expiry.ts';
export type { PoolRequest } from './pool-request.ts';
export { OWN_SCOPE, poolGateway } from './pool-rows.ts';

/** Addresses to leave alone, and whose they are: `Docker network "a"`. */
export interface Avoided {
  readonly subnet: Prefix;
  readonly holder: string;
}

export interface PoolContext {
  /** Where a pool is chosen from, first to last. */
  readonly candidates: readonly PoolCandidate[];
  readonly avoid: readonly Avoided[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** How many holders an error names. */
const NAMED = 5;

/**
 * A pool with an id of its own is on record, synced to disk: the one that is asked for, whoever has it besides, or one
 * that overlaps nothing on this host. `gateway` is set where it is another Network's pool that has one.
 * Throws NetError `exhausted` where nothing is left to choose, naming who has it; `invalid-config` for what cannot be a
 * pool; `conflict` where the Network's pool cannot be had.
 */
export function requestPool(core: Core, request: PoolRequest, context: PoolContext): PoolRow {
  const asked = readPoolRequest(request);
  // Nobody has to wait for the store while the kernel answers.
  const seen = asked.subnet === undefined ? seenOn(core.host) : [];
  return core.store.transaction(
    () => {
      const { subnet, ...pool } = findPool(core, asked, seen, context);
      const text = formatPrefix(subnet);
      const row: PoolRow = {
        id: poolId(text, pool.network),
        ...pool,
        subnet: text,
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

/** The pool is gone with what is reserved in it; addresses of endpoints stay theirs. Absence is success. */
export function releasePool(core: Core, id: string): void {
  core.store.transaction(
    () => {
      const row = core.store.pools.get(id);
      if (row !== undefined) dropPool(core.store, row);
    },
    { durable: true },
  );
}

/** True where a Docker network uses the pool: from now on addresses are asked for endpoints. */
export function isUsed({ store }: Core, pool: string): boolean {
  return knownPool(store, pool).usedBy !== undefined;
}

/**
 * Part of the transaction of a CreateNetwork: for each subnet one pool is the Docker network's, the one that it has
 * already or the one that was asked for last. Throws NetError `conflict` where there is none.
 */
export function usePools(store: LocalStore, networkId: string, subnets: readonly string[]): PoolRow[] {
  return subnets.map((text) => {
    const subnet = parsePrefix(text);
    const wanted = subnet === undefined ? text : formatPrefix(networkOf(subnet));
    const rows = store.pools.list().filter((row) => row.subnet === wanted);
    const own = rows.find(({ usedBy }) => usedBy === networkId);
    if (own !== undefined) return own;
    const free = rows.filter(({ usedBy }) => usedBy === undefined || store.dockerNetworks.get(usedBy) === undefined);
    const [latest] = free.sort((a, b) => b.requestedAt - a.requestedAt);
    if (latest === undefined) throw noPool(text);
    const used = { ...latest, usedBy: networkId };
    store.pools.put(used);
    return used;
  });
}

function noPool(subnet: string): NetError {
  return new NetError({
    kind: 'conflict',
    op: 'CreateNetwork',
    subject: `subnet ${subnet}`,
    what: 'nobody has asked for it as a pool, or another network has that pool',
    hint: 'Create the network again',
  });
}

function findPool(core: Core, asked: Asked, seen: readonly Taken[], context: PoolContext): SharedPool {
  const { family, subnet, network } = asked;
  const choose = (): Prefix => chooseSubnet(core.store, family, seen, context);
  if (network !== undefined) return sharedPool(core, { ...asked, network }, seen, choose);
  return { scope: OWN_SCOPE, subnet: subnet ?? choose() };
}

function chooseSubnet(store: LocalStore, family: Family, seen: readonly Taken[], context: PoolContext): Prefix {
  const candidates = context.candidates.filter(({ base }) => base.addr.family === family);
  // What has a name comes first: a network's own route says less.
  const taken = distinct([...context.avoid, ...recordedIn(store), ...seen]);
  const choice = choosePool(candidates, taken);
  if (choice.subnet !== undefined) return choice.subnet;
  throw nothingLeft(family, candidates, choice.holders);
}

function nothingLeft(family: Family, candidates: readonly PoolCandidate[], holders: readonly string[]): NetError {
  const named = holders.slice(0, NAMED).join(', ');
  const more = holders.length > NAMED ? ` and ${holders.length - NAMED} more` : '';
  const example = family === 4 ? 'base=10.99.0.0/16,size=24' : 'base=fd00:99::/48,size=64';
  return new NetError({
    kind: 'exhausted',
    op: 'ipam',
    subject: `pools of IPv${family} (${candidates.map(formatCandidate).join(', ') || 'none'})`,
    what: holders.length === 0 ? 'there are none to choose from' : `all of them are held: ${named}${more}`,
    hint: `Give --subnet, remove networks that are not needed, or start the daemon with other pools: isthmus serve --address-pool ${example}`,
  });
}

function formatCandidate({ base, size }: PoolCandidate): string {
  return `${formatPrefix(networkOf(base))} in /${size}`;
}
