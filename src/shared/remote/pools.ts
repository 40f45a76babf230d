import { fault } from '../errors/fault.ts';
import { type Addr, type Family, formatAddr, parseAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { contains, formatPrefix, overlaps, type Prefix, parsePrefix } from '../model/prefix.ts';
import { exactly } from './ask-address.ts';
import {
  FOR_GATEWAY,
  type GrantedPool,
  type PoolRequest,
  releaseAddress,
  releasePool,
  requestPool,
} from './ipam-driver.ts';
import type { IpamData } from './network-driver.ts';
import type { CallOptions, RemotePlugin } from './plugin.ts';
import type { Steps } from './steps.ts';

/** Requests for a pool that overlaps nothing. dockerd 28.5.2 has no limit: a plugin made it ask 8.7 million times. */
const MOST_REQUESTS = 8;

/** A pool to request. */
export interface PoolSpec {
  readonly family: Family;
  /** Absent: the plugin chooses. */
  readonly subnet?: Prefix;
  readonly range?: Prefix;
  readonly gateway?: Addr;
  /** Addresses that no endpoint gets, by name. */
  readonly aux?: Readonly<Record<string, Addr>>;
}

/** A pool that IPAM holds for a network, as text. */
export interface PoolFacts {
  readonly family: Family;
  readonly addressSpace: string;
  /** Absent: another IPAM holds the pool, and nothing is to release. */
  readonly poolId?: string;
  /** `10.88.7.0/24`. */
  readonly pool: string;
  /** With prefix length. */
  readonly gateway?: string;
  readonly aux: Readonly<Record<string, string>>;
  /** Addresses without prefix length that were requested for the gateway and for `aux`, in order. */
  readonly requested: readonly string[];
  /** The same, before the answer: a call may have got them. */
  readonly asked: readonly string[];
}

/** What a call records of pools. */
export interface PoolsFacts {
  readonly pools: readonly PoolFacts[];
}

export interface PoolsRequest {
  readonly addressSpace: string;
  readonly options: Readonly<Record<string, string>>;
  readonly pools: readonly PoolSpec[];
  /** Prefixes in use on this host. A pool that the plugin chooses must overlap none of them. */
  readonly taken: readonly Prefix[];
}

/**
 * Holds a pool for each of `request.pools`, with the addresses of its gateway and `aux`. The facts of `steps` begin with
 * the pools that an earlier call held; a pool that it left incomplete is completed.
 */
export async function holdPools<Facts extends PoolsFacts>(
  ipam: RemotePlugin,
  request: PoolsRequest,
  steps: Steps<Facts>,
  options: CallOptions,
): Promise<void> {
  for (const [i, spec] of request.pools.entries()) {
    if (steps.facts.pools[i] === undefined) await holdPool(ipam, request, spec, steps, options);
    await holdAddresses(ipam, i, spec, steps, options);
  }
}

/** Releases addresses and pools, the last one first, and goes on after failures: each deletion is `run` alone. */
export function releases(ipam: RemotePlugin, pools: readonly PoolFacts[], options: CallOptions) {
  return pools.toReversed().flatMap(({ poolId, requested }) => {
    if (poolId === undefined) return [];
    const addresses = requested.flatMap((text) => parseAddr(text) ?? []);
    return [
      ...addresses.map((address) => () => releaseAddress(ipam, poolId, address, options)),
      () => releasePool(ipam, poolId, options),
    ];
  });
}

/** The pools of a family as the driver gets them. */
export function ipamData(pools: readonly PoolFacts[], family: Family): IpamData[] {
  return pools
    .filter((pool) => pool.family === family)
    .map(({ addressSpace, pool, gateway, aux }) => ({
      AddressSpace: addressSpace,
      Pool: pool,
      ...(gateway === undefined ? {} : { Gateway: gateway }),
      AuxAddresses: aux,
    }));
}

async function holdPool<Facts extends PoolsFacts>(
  ipam: RemotePlugin,
  { addressSpace, options: poolOptions, taken }: PoolsRequest,
  { family, subnet, range }: PoolSpec,
  steps: Steps<Facts>,
  options: CallOptions,
): Promise<void> {
  const request = { family, addressSpace, options: poolOptions, ...given({ pool: subnet, subPool: range }) };
  const others = steps.facts.pools.flatMap(({ pool }) => parsePrefix(pool) ?? []);
  const { poolId, pool, gateway } =
    subnet === undefined
      ? await choosePool(ipam, request, [...taken, ...others], options)
      : await requestPool(ipam, request, options);
  const facts = { family, addressSpace, poolId, pool: formatPrefix(pool), aux: {}, requested: [], asked: [] };
  const at = steps.facts.pools.length;
  steps.push(
    (undo) => releasePool(ipam, poolId, undo),
    (rest) => ({ ...rest, pools: rest.pools.toSpliced(at, 1) }),
  );
  const held = gateway === undefined ? facts : { ...facts, gateway: formatPrefix(gateway) };
  steps.set({ ...steps.facts, pools: [...steps.facts.pools, held] });
}

/**
 * A pool that the plugin chooses and that overlaps none of `taken`. Keeps what overlaps until the end, so that the
 * plugin chooses another one; gives up when it does not.
 */
async function choosePool(
  ipam: RemotePlugin,
  request: PoolRequest,
  taken: readonly Prefix[],
  options: CallOptions,
): Promise<GrantedPool> {
  const refusedPools = new Map<string, GrantedPool>();
  try {
    for (let i = 0; i < MOST_REQUESTS; i++) {
      const found = await requestPool(ipam, request, options);
      // 0.0.0.0/0 stands for no subnet at all (Calico).
      if (found.pool.length === 0 || !taken.some((prefix) => overlaps(prefix, found.pool))) return found;
      if (refusedPools.has(found.poolId)) break;
      refusedPools.set(found.poolId, found);
    }
  } finally {
    for (const poolId of refusedPools.keys()) await releasePool(ipam, poolId, { retry: false }).catch(() => undefined);
  }
  const list = Array.from(refusedPools.values(), ({ pool }) => formatPrefix(pool)).join(', ');
  throw fault.exhausted(
    'IpamDriver.RequestPool',
    `plugin ${ipam.name}`,
    `offers only ${list}, which overlaps networks of this host`,
    'Give the network a subnet, or configure other pools in the plugin',
  );
}

async function holdAddresses<Facts extends PoolsFacts>(
  ipam: RemotePlugin,
  at: number,
  spec: PoolSpec,
  steps: Steps<Facts>,
  options: CallOptions,
): Promise<void> {
  const now = (): PoolFacts | undefined => steps.facts.pools[at];
  const change = (facts: Facts, update: (pool: PoolFacts) => PoolFacts): Facts => {
    return { ...facts, pools: facts.pools.map((pool, i) => (i === at ? update(pool) : pool)) };
  };
  const hold = async (
    address: Addr | undefined,
    forGateway: boolean,
    record: (granted: Prefix) => Partial<PoolFacts>,
  ) => {
    const held = now();
    if (held?.poolId === undefined) return;
    const { poolId, pool } = held;
    const asked = {
      now: held.asked,
      note: (now: readonly string[]) => steps.set(change(steps.facts, (facts) => ({ ...facts, asked: now }))),
    };
    const addressOptions = forGateway ? FOR_GATEWAY : {};
    const request = { family: spec.family, poolId, pool, options: addressOptions, ...given({ address }) };
    const granted = await exactly(ipam, request, asked, options);
    const text = formatAddr(granted.addr);
    steps.push(
      (undo) => releaseAddress(ipam, poolId, granted.addr, undo),
      (facts) => change(facts, (pool) => ({ ...pool, requested: pool.requested.filter((other) => other !== text) })),
    );
    steps.set(
      change(steps.facts, (facts) => {
        const left = facts.asked.filter((other) => other !== text);
        return { ...facts, ...record(granted), requested: [...facts.requested, text], asked: left };
      }),
    );
  };
  const wanted = spec.gateway === undefined ? undefined : formatAddr(spec.gateway);
  const isHeld = wanted === undefined ? now()?.gateway !== undefined : now()?.requested.includes(wanted) === true;
  if (!isHeld) await hold(spec.gateway, true, (granted) => ({ gateway: formatPrefix(granted) }));
  const pool = parsePrefix(now()?.pool ?? '');
  for (const [name, address] of Object.entries(spec.aux ?? {})) {
    if (now()?.aux[name] !== undefined || pool === undefined) continue;
    if (!contains(pool, address))
      throw fault.invalidConfig(
        'ipam',
        `aux ${name}=${formatAddr(address)}`,
        `is outside the pool ${formatPrefix(pool)}`,
        'Give an address of the pool',
      );
    await hold(address, false, (granted) => ({ aux: { ...now()?.aux, [name]: formatPrefix(granted) } }));
  }
}
