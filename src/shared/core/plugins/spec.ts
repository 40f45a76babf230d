import type { LocalIpam } from '../../config/local-ipam.ts';
import type { NetworkOptions } from '../../config/network-spec.ts';
import type { RemoteOptions, RemotePools } from '../../config/remote.ts';
import { type Family, parseAddr } from '../../model/addr.ts';
import { given } from '../../model/given.ts';
import { formatPrefix, networkOf, type Prefix, parsePrefix } from '../../model/prefix.ts';
import type { NetworkSpec } from '../../remote/network.ts';
import type { PoolFacts, PoolSpec } from '../../remote/pools.ts';
import type { PluggedNetwork } from './network.ts';

/** Docker's name for addresses that its plugins do not give. */
const ADDRESS_SPACE = 'isthmus';

/** The network on record as its plugins know it; undefined for another driver. */
export function pluggedNetwork(name: string, options: NetworkOptions): PluggedNetwork | undefined {
  return options.driver === 'remote' ? networkOfDriver(name, options, options.ipam) : undefined;
}

/** A network of driver `remote`. `ipam`: pools of a plugin, or ours. */
export function networkOfDriver(
  name: string,
  { plugin, options, internal }: RemoteOptions,
  ipam: RemotePools | LocalIpam | undefined,
): PluggedNetwork {
  const pools = ipam !== undefined && 'plugin' in ipam ? ipam : undefined;
  const given = ipam !== undefined && !('plugin' in ipam) ? givenPools(ipam) : [];
  const families: Family[] = [...(pools?.pools ?? []), ...given].map(({ family }) => family);
  const spec: NetworkSpec = {
    ...{ name, options, ipv6: families.includes(6) },
    ...(internal ? { internal } : {}),
    ...(pools === undefined ? {} : { ipam: { options: pools.options, pools: pools.pools.map(poolSpec) } }),
    ...(given.length === 0 ? {} : { given }),
  };
  return { plugins: { driver: plugin, ...(pools === undefined ? {} : { ipam: pools.plugin }) }, spec };
}

/** A network of another driver whose addresses a plugin gives. */
export function networkOfPools(name: string, { plugin, options, pools }: RemotePools): PluggedNetwork {
  const ipv6 = pools.some(({ family }) => family === 6);
  return {
    plugins: { ipam: plugin },
    spec: { name, options: {}, ipv6, ipam: { options, pools: pools.map(poolSpec) } },
  };
}

function poolSpec({ family, subnet, ipRange, gateway }: RemotePools['pools'][number]): PoolSpec {
  const prefix = (text: string | undefined): Prefix | undefined => parsePrefix(text ?? '');
  return { family, ...given({ subnet: prefix(subnet), range: prefix(ipRange), gateway: parseAddr(gateway ?? '') }) };
}

/** Pools that our own IPAM has, as a driver is told of them. */
function givenPools(ipam: LocalIpam): PoolFacts[] {
  const found =
    ipam.kind === 'pool'
      ? ipam.sets.flatMap(([range]) => (range === undefined ? [] : [{ address: range.subnet, gateway: range.gateway }]))
      : ipam.addresses;
  return found.map(({ address, gateway }): PoolFacts => {
    const held = gateway === undefined ? undefined : formatPrefix({ addr: gateway, length: address.length });
    return {
      ...{ family: address.addr.family, addressSpace: ADDRESS_SPACE, pool: formatPrefix(networkOf(address)) },
      ...given({ gateway: held }),
      ...{ aux: {}, requested: [], asked: [] },
    };
  });
}
