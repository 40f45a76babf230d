import type { Cluster } from '../../src/shared/cluster/cluster.ts';
import type { NetworkRequest } from '../../src/shared/cluster/networks.ts';
import { deviceMac } from '../../src/shared/cluster/remote.ts';
import type { Self } from '../../src/shared/cluster/site.ts';
import type { NetworkRecord } from '../../src/shared/cluster/values.ts';
import { completeRange } from '../../src/shared/config/ipam-ranges.ts';
import { encryptedPort } from '../../src/shared/config/overlay.ts';
import type {
  JoinedNetwork,
  OfferedRange,
  OfferRequest,
  OverlayRequest,
} from '../../src/shared/core/cluster-networks.ts';
import { fault } from '../../src/shared/errors/fault.ts';
import type { NetError } from '../../src/shared/errors/net-error.ts';
import { formatSet, type RangeSet } from '../../src/shared/ipam/ranges.ts';
import type { Family } from '../../src/shared/model/addr.ts';
import { given } from '../../src/shared/model/given.ts';
import { formatPrefix, samePrefix } from '../../src/shared/model/prefix.ts';
import { rangeLengths } from './cluster-parts.ts';
import { addressOfSelf } from './cluster-self.ts';

/** The network as this host carries it, with what addresses it has of it. Throws NetError `unavailable`. */
export async function joinedNetwork(
  { addresses }: Pick<Cluster, 'addresses'>,
  { config, bridge, ranges }: OverlayRequest,
  { id, record }: { readonly id: string; readonly record: NetworkRecord },
  { self, port, family }: { readonly self: Self; readonly port: number; readonly family: Family },
): Promise<JoinedNetwork> {
  const { device, mode } = config;
  const sets = mode === 'per-host' ? await addresses.ranges(id, ranges) : record.sets;
  const hostAddresses = record.options.hostAddress ? await addresses.ofHost(id) : undefined;
  const { encrypted } = record.options;
  const pools = record.sets.flat().map(({ subnet }) => subnet);
  return {
    options: {
      ...{ driver: 'overlay', network: id, mode, bridge: { ...bridge, mtu: record.mtu } },
      vxlan: {
        ...{ device, id: record.vni, port: encrypted ? encryptedPort(port) : port },
        ...{ local: addressOfSelf(self, family), mac: deviceMac(self.id, id) },
      },
      ...(encrypted && { encrypted }),
      ...(mode === 'per-host' && { pools: pools.map(formatPrefix) }),
      ...given({ hostAddresses: hostAddresses?.map(formatPrefix) }),
    },
    sets,
    pools,
  };
}

/** As `ClusterNetworks.offer`. */
export async function offerOf(
  { networks, addresses }: Pick<Cluster, 'networks' | 'addresses'>,
  name: string,
  asked: OfferRequest,
): Promise<OfferedRange | undefined> {
  const known = networks.named(name);
  const offered = offeredNetwork(name, asked, known?.[1]);
  if (offered === undefined) return undefined;
  const { request, set } = offered;
  const range = await addresses.offer(request, set, known?.[0]);
  return set[0] && { subnet: set[0].subnet, range };
}

/**
 * The network for which a range of `subnet` is asked, if it is `per-host`. Throws NetError `conflict` if the cluster's
 * network of this name is not what is asked for.
 */
function offeredNetwork(
  name: string,
  { family, mode, subnet }: OfferRequest,
  record: NetworkRecord | undefined,
): { readonly request: NetworkRequest; readonly set: RangeSet } | undefined {
  const sets = record?.sets ?? [subnet === undefined ? [] : [completeRange({ subnet })]];
  const refuse = (what: string, hint: string): NetError => fault.conflict('ipam', `network ${name}`, what, hint);
  if (record !== undefined && record.mode !== 'per-host') {
    if (mode === undefined) return undefined;
    throw refuse(
      `the cluster has it with mode ${record.mode}, not ${mode}`,
      'Leave --ipam-opt mode out, or use another name',
    );
  }
  if (record === undefined && mode === undefined) return undefined;
  const [set, second] = sets.filter(([first]) => first?.subnet.addr.family === family);
  const own = set?.[0]?.subnet;
  if (set === undefined || own === undefined) {
    if (record === undefined)
      throw refuse('each host gets a range of its subnet, which is not given', 'Give --subnet 10.100.0.0/16');
    throw refuse(
      `the cluster has it without addresses of IPv${family}`,
      family === 6 ? 'Leave --ipv6 out' : 'Use another name',
    );
  }
  if (second !== undefined || set.length > 1)
    throw refuse(
      `the cluster has it with several subnets of IPv${family}, and a pool of Docker's has one`,
      'Use another name',
    );
  if (subnet !== undefined && !samePrefix(subnet, own)) {
    const what = `the cluster has it with pools ${sets.map(formatSet).join(' and ')}, not ${formatPrefix(subnet)}`;
    throw refuse(what, 'Leave --subnet out');
  }
  const options = { flood: false, hostAddress: false, internal: false, encrypted: false };
  return { request: record ?? { name, mode: 'per-host', sets, options, ...rangeLengths(sets) }, set };
}
