import type { NetworkSpec } from '../../../src/shared/config/network-spec.ts';
import type { Core } from '../../../src/shared/core/core.ts';
import { knownNetwork } from '../../../src/shared/core/networks/record.ts';
import { type PoolWanted, poolFor, usePools } from '../../../src/shared/core/pools/pools.ts';
import { subnetOf } from '../../../src/shared/core/pools/rows.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import { chosenBackend } from '../../../src/shared/firewall/open.ts';
import { type Addr, type Family, formatAddr } from '../../../src/shared/model/addr.ts';
import type { ListFacts } from '../../../src/shared/model/chain.ts';
import { given } from '../../../src/shared/model/given.ts';
import { formatPrefix, networkOf } from '../../../src/shared/model/prefix.ts';
import type { DockerNetworkRow, LocalStore, PoolRow } from '../../../src/shared/store/store.ts';
import { containersGateway, modeOf, type Subnets, shortId, specOfDocker, subnetsOf } from './network-options.ts';
import { assertFamilies, type DockerOptions, parseOptions } from './options.ts';
import { joinOverlay } from './overlay-network.ts';
import { hasRouter } from './parent-options.ts';
import { assertAgrees, assertSamePool, foreignAllocator, gatewayOf, traitsOf, unshared } from './shared-network.ts';
import type { CreateNetworkRequest, IpamData, TextMap } from './wire/messages.ts';

/** Address spaces of our own IPAM: for networks on this host, and for Docker's global ones. */
export const ADDRESS_SPACES = { local: 'isthmus', global: 'isthmus-global' } as const;

const FAMILIES: readonly Family[] = [4, 6];

/** What CreateNetwork will create. */
export interface NetworkPlan {
  readonly name: string;
  readonly spec: NetworkSpec;
  readonly row: Omit<DockerNetworkRow, 'request'>;
  /**
   * Claims the network's pools in the transaction that creates it. Throws NetError `conflict` if they no longer exist.
   */
  readonly takePools: (store: LocalStore) => void;
}

/**
 * Plans the network from the request and, if it joins an existing Network, from that. An overlay network must already be
 * in the cluster, and stays there until `during` is disposed of. Throws NetError for invalid requests.
 */
export async function planNetwork(
  core: Core,
  request: CreateNetworkRequest,
  now: number,
  during: DisposableStack,
): Promise<NetworkPlan> {
  const options = withKnownDriver(core, parseOptions(request.generic), request.generic);
  assertFamilies(request, options);
  const pools = poolsOf(core.store, request, options);
  const subnets = subnetsOf(withSubnets(request, pools));
  const joined = options.list === undefined ? joinedNetwork(options, pools) : undefined;
  const listed = options.list && (await listedNetwork(core, request, options.list, subnets));
  const name = joined ?? ownName(request.networkId);
  const scope = [...pools.values()][0]?.scope;
  const known = joined === undefined ? undefined : knownNetwork(core, joined);
  if (joined !== undefined) assertShareable(core, joined, known, { request, options, subnets, pools });
  const asked = (): NetworkSpec => {
    if (listed !== undefined) return listed.spec(scope);
    return specOfDocker({
      ...{ request, options, subnets },
      backend: options.driver === 'null' || options.parented ? 'none' : chosenBackend('auto'),
      range: (family) => pools.get(family)?.range,
      ...given({ scope, shared: joined }),
    });
  };
  const { overlay } = options;
  const spec =
    overlay === undefined
      ? (known ?? asked())
      : await joinOverlay(core, name, { request, options, overlay, pools, known, spec: known ?? asked() }, during);
  const traits =
    known === undefined
      ? { internal: isInternal(request, options), mode4: modeOf(options, 4), mode6: modeOf(options, 6) }
      : traitsOf(known);
  const gateway = (family: Family): Addr | undefined => {
    const data = subnets[family];
    if (data === undefined) return undefined;
    if (known !== undefined) return gatewayOf(known, family);
    const leading = containersGateway(data);
    const leads = !request.internal && options.driver !== 'null' && hasRouter(options.parented);
    return leads ? leading?.addr : undefined;
  };
  const [gateway4, gateway6] = ([4, 6] as const).map(gateway).map((addr) => addr && formatAddr(addr));
  const binding = options.hostBinding;
  return {
    name,
    spec,
    // If several pools are alike, another call may have claimed this one meanwhile; take the next one.
    takePools: (store) => void usePools(store, request.networkId, wantedPools(request, options)),
    row: {
      id: request.networkId,
      network: name,
      driver: options.driver,
      ...traits,
      ...given({ gateway4, gateway6, scope, list: listed?.facts }),
      ...(binding === undefined || binding.value === 0n ? {} : { hostBinding: formatAddr(binding) }),
      ifPrefix: options.ifPrefix ?? 'eth',
      createdAt: now,
    },
  };
}

/** What a CNI list makes of the network. */
async function listedNetwork(
  core: Core,
  request: CreateNetworkRequest,
  choice: NonNullable<DockerOptions['list']>,
  subnets: Subnets,
): Promise<{ readonly facts: ListFacts; readonly spec: (scope: string | undefined) => NetworkSpec }> {
  const { planList, specOfList } = await import('./lists/list-network.ts');
  return { facts: await planList(core, request, choice, subnets), spec: specOfList };
}

/** Without `-o driver`, a request that names an existing overlay network of this host has driver `overlay`. */
function withKnownDriver({ store }: Core, options: DockerOptions, { driver = '' }: TextMap): DockerOptions {
  const known = store.networks.get(options.network ?? '')?.spec?.options.driver;
  return driver === '' && known === 'overlay' ? { ...options, driver: known, overlay: {} } : options;
}

/** A network without a parent leads nowhere. */
function isInternal({ internal }: CreateNetworkRequest, { parented }: DockerOptions): boolean {
  return internal || (parented !== undefined && parented.parent === undefined);
}

type Pools = ReadonlyMap<Family, PoolRow>;

/** Identifies our own pools: CreateNetwork repeats only what our IPAM told dockerd about them. */
function wantedPools({ ipv4, ipv6 }: CreateNetworkRequest, { network }: DockerOptions): PoolWanted[] {
  return [...ipv4, ...ipv6].filter(isOurs).map(({ pool, gateway }) => ({
    pool,
    ...given({ gateway, network }),
  }));
}

function poolsOf(store: LocalStore, request: CreateNetworkRequest, options: DockerOptions): Pools {
  return new Map(
    wantedPools(request, options).map((wanted) => {
      const pool = poolFor(store, request.networkId, wanted);
      if (pool === undefined) throw withoutPool(formatPrefix(networkOf(wanted.pool)));
      return [wanted.pool.addr.family, pool];
    }),
  );
}

/** Replaces pools announced to dockerd as "all addresses" with the true subnets. */
function withSubnets(request: CreateNetworkRequest, pools: Pools): CreateNetworkRequest {
  const named = (data: IpamData): IpamData => {
    const known = isOurs(data) ? pools.get(data.pool.addr.family) : undefined;
    return known === undefined || data.pool.length > 0 ? data : { ...data, pool: subnetOf(known) };
  };
  return { ...request, ipv4: request.ipv4.map(named), ipv6: request.ipv6.map(named) };
}

function isOurs({ addressSpace }: IpamData): boolean {
  return Object.values<string>(ADDRESS_SPACES).includes(addressSpace);
}

/** The Network to share, from either of the options that name it. */
function joinedNetwork({ network, driver, parented }: DockerOptions, pools: Pools): string | undefined {
  const named = [...pools.values()].flatMap((pool) => pool.network ?? []);
  const other = named.find((name) => name !== (network ?? named[0]));
  if (other !== undefined) {
    const what = `its pool was asked for with --ipam-opt network=${other}`;
    throw fault.conflict('network', `-o network=${network ?? named[0]}`, what, 'Name one network in both options');
  }
  const joined = network ?? named[0];
  if (joined === undefined || (driver !== 'null' && parented === undefined)) return joined;
  if (parented !== undefined) {
    const hint = 'Leave the network out, and give both sides addresses of their own with --ip-range and rangeStart';
    throw fault.invalidConfig(
      'network',
      `-o network=${joined}`,
      `networks of driver ${driver} share their parent`,
      hint,
    );
  }
  const what = 'a network without interfaces has nothing to share';
  const hint = 'Leave -o driver=null out, or the network';
  throw fault.invalidConfig('network', `-o network=${joined}`, what, hint);
}

interface Joining {
  readonly request: CreateNetworkRequest;
  readonly options: DockerOptions;
  readonly subnets: Subnets;
  readonly pools: Pools;
}

function assertShareable(
  core: Core,
  name: string,
  known: NetworkSpec | undefined,
  { request, options, subnets, pools }: Joining,
): void {
  if (known?.allocator !== undefined) throw foreignAllocator(core, name, known.allocator);
  for (const family of FAMILIES) {
    const data = subnets[family];
    if (data === undefined) continue;
    const pool = pools.get(family);
    const subnet = formatPrefix(networkOf(data.pool));
    if (pool === undefined) {
      const by = data.addressSpace === '' ? 'another IPAM' : `the IPAM of "${data.addressSpace}"`;
      throw unshared(
        core,
        name,
        known,
        `${by} would hand out its addresses from ${subnet} too, unaware of the other side`,
      );
    }
    if (pool.network === undefined) {
      throw unshared(core, name, known, `the pool ${subnet} was asked for without --ipam-opt network=${name}`);
    }
    if (known !== undefined) assertSamePool(name, known, family, data);
  }
  if (known !== undefined) assertAgrees(name, known, options, request.internal);
}

function withoutPool(subnet: string): NetError {
  return fault.conflict(
    'network',
    `subnet ${subnet}`,
    'no unused pool with this subnet was requested',
    'Create the network again: unused pools expire after some minutes',
  );
}

/** The Network of a Docker network that shares none. */
export function ownName(networkId: string): string {
  return `docker-${shortId(networkId)}`;
}
