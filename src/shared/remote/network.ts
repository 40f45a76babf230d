import { fault } from '../errors/fault.ts';
import { combineErrors, type NetError } from '../errors/net-error.ts';
import { formatPrefix, type Prefix } from '../model/prefix.ts';
import { isPresent, isRefusal } from './failures.ts';
import { networkIdOf } from './ids.ts';
import { addressSpaces, ipamCapabilities } from './ipam-driver.ts';
import { createNetwork, deleteNetwork } from './network-driver.ts';
import { networkOptions } from './options.ts';
import type { CallOptions, RemotePlugin } from './plugin.ts';
import { holdPools, ipamData, type PoolFacts, type PoolSpec, type PoolsFacts, releases } from './pools.ts';
import { failureOf, type Note, Steps } from './steps.ts';

/** The plugins of a network. Without `ipam`, its addresses come from elsewhere. */
export interface NetworkPlugins {
  readonly driver: RemotePlugin;
  readonly ipam?: RemotePlugin;
}

export interface NetworkSpec {
  readonly name: string;
  /** For the driver. */
  readonly options: Readonly<Record<string, string>>;
  readonly internal?: boolean;
  readonly ipv6: boolean;
  readonly enableIpv4?: boolean;
  readonly ipam?: {
    /** Absent: the plugin's local one. */
    readonly addressSpace?: string;
    readonly options: Readonly<Record<string, string>>;
    readonly pools: readonly PoolSpec[];
  };
  /** Pools that another IPAM holds. Without them and `ipam`, the driver is told of a pool without addresses. */
  readonly given?: readonly PoolFacts[];
}

/** What a host records of a network. */
export interface NetworkFacts extends PoolsFacts {
  /** 64 hex digits. */
  readonly networkId: string;
  /** RequestAddress needs the MAC of the endpoint. */
  readonly requiresMac: boolean;
  /** `asked`: a call of CreateNetwork may have succeeded. */
  readonly created: 'no' | 'asked' | 'yes';
}

/** Docker's null IPAM. */
const NO_POOL: PoolFacts = { family: 4, addressSpace: 'null', pool: '0.0.0.0/0', aux: {}, requested: [], asked: [] };

/** The id under which `ensureNetwork` creates the network. */
export function networkIdFor(plugins: NetworkPlugins, { name, options, ipam, given }: NetworkSpec): string {
  const texts = (ipam?.pools ?? []).map(({ family, subnet, range }) =>
    [family, subnet, range].map((part) => (typeof part === 'object' ? formatPrefix(part) : (part ?? ''))).join(' '),
  );
  const pools = [...texts, ...(given ?? []).map(({ pool }) => pool)];
  const names = { driver: plugins.driver.name, ipam: plugins.ipam?.name };
  return networkIdOf({ name, ...names, options, ipamOptions: ipam?.options ?? {}, pools });
}

/**
 * The network exists: holds its pools and creates it, unless `known` says that this is done. Continues what an earlier
 * call left undone, where `known` is what it noted. Undoes everything if a step fails. `taken`: prefixes in use on this
 * host. Throws what the plugins' calls throw, `conflict` if `known` is of other options. Hold the network's lock.
 */
export async function ensureNetwork(
  plugins: NetworkPlugins,
  spec: NetworkSpec,
  known: NetworkFacts | undefined,
  note: Note<NetworkFacts>,
  taken: readonly Prefix[],
  options: CallOptions = {},
): Promise<NetworkFacts> {
  const { driver, ipam } = plugins;
  const networkId = networkIdFor(plugins, spec);
  if (known !== undefined && known.networkId !== networkId) throw changed(spec.name);
  if (known?.created === 'yes') return known;
  const steps = new Steps(known ?? { networkId, requiresMac: false, created: 'no', pools: [] }, note);
  if (known !== undefined && ipam !== undefined) for (const undo of undoKnown(ipam, known)) steps.push(...undo);
  try {
    if (ipam !== undefined && spec.ipam !== undefined) {
      const { requiresMac } = await ipamCapabilities(ipam, options);
      const addressSpace = spec.ipam.addressSpace ?? (await addressSpaces(ipam, options)).local;
      steps.set({ ...steps.facts, requiresMac });
      await holdPools(ipam, { ...spec.ipam, addressSpace, taken }, steps, options);
    } else steps.set({ ...steps.facts, pools: spec.given ?? [NO_POOL] });
    await create(driver, spec, steps, options);
    return steps.facts;
  } catch (thrown) {
    throw await steps.revert(thrown, 'network.create');
  }
}

/**
 * The network is gone: in dockerd's order, pools first. Goes on after failures and throws them at the end; what exists
 * no longer is no failure. Hold the network's lock, and delete its endpoints first.
 */
export async function removeNetwork(
  { driver, ipam }: NetworkPlugins,
  facts: NetworkFacts,
  options: CallOptions = {},
): Promise<void> {
  const deletions = ipam === undefined ? [] : releases(ipam, facts.pools, options);
  if (facts.created !== 'no') deletions.push(() => deleteNetwork(driver, facts.networkId, options));
  const failures: NetError[] = [];
  for (const deletion of deletions) {
    const failure = await failureOf(deletion(), 'network.delete');
    if (failure !== undefined) failures.push(failure);
  }
  const error = combineErrors(failures, 'network.delete');
  if (error !== undefined) throw error;
}

async function create(
  driver: RemotePlugin,
  spec: NetworkSpec,
  steps: Steps<NetworkFacts>,
  options: CallOptions,
): Promise<void> {
  const { networkId, pools, created } = steps.facts;
  steps.set({ ...steps.facts, created: 'asked' });
  const body = {
    NetworkID: networkId,
    Options: networkOptions(spec),
    IPv4Data: ipamData(pools, 4),
    IPv6Data: ipamData(pools, 6),
  };
  try {
    await createNetwork(driver, body, options);
  } catch (thrown) {
    // Something else may exist: a bridge, a pool.
    const isOurs = isPresent(thrown) && (created === 'asked' || thrown.reason.includes(networkId.slice(0, 12)));
    if (!isOurs) {
      const notCreated = (facts: NetworkFacts): NetworkFacts => ({ ...facts, created: 'no' });
      if (isRefusal(thrown)) steps.set(notCreated(steps.facts));
      else steps.push((undo) => deleteNetwork(driver, networkId, undo), notCreated);
      throw thrown;
    }
  }
  steps.set({ ...steps.facts, created: 'yes' });
}

function changed(name: string): NetError {
  const hint = 'Delete its endpoints and the network first';
  return fault.conflict('network.create', `network ${name}`, 'exists with other plugins, options or pools', hint);
}

/** How to undo the pools of an earlier call. */
function undoKnown(ipam: RemotePlugin, { pools }: NetworkFacts) {
  return pools.map((pool) => {
    const undo = async (options: CallOptions): Promise<void> => {
      for (const release of releases(ipam, [pool], options)) {
        const failure = await failureOf(release(), 'network.delete');
        if (failure !== undefined) throw failure;
      }
    };
    const without = (facts: NetworkFacts): NetworkFacts => ({
      ...facts,
      pools: facts.pools.filter(({ poolId }) => poolId !== pool.poolId),
    });
    return [undo, without] as const;
  });
}
