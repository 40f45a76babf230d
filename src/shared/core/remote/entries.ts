import type { View } from '../../host/host.ts';
import { formatAddr, parseAddr } from '../../model/addr.ts';
import type { ForwardingState, NeighbourState, RouteSpec } from '../../model/link.ts';
import type { Op } from '../../model/op.ts';
import { contains, firstOf, parsePrefix } from '../../model/prefix.ts';
import type { PerHostNetwork, RemoteNetwork, SharedNetwork } from './remote.ts';

/** One entry of a table of the kernel. */
export interface Entry {
  /** What the kernel has one entry for. */
  readonly key: string;
  /** What differs between two entries of one key. */
  readonly value: string;
  /** Creates the entry, or gives an existing one this value. */
  readonly put: Op;
  readonly drop: Op;
}

/** Entries by key. */
export type Entries = ReadonlyMap<string, Entry>;

/** All-zero: frames to unknown addresses, broadcast and multicast. */
const FLOOD = '00:00:00:00:00:00';
/** RT_TABLE_MAIN and RTPROT_KERNEL, linux/rtnetlink.h. */
const MAIN = 254;
const KERNEL = 2;

/**
 * The entries that the kernel should have. Leaves out an endpoint with a MAC of this host's own devices: its entry would
 * take the place of theirs, which cuts every endpoint off from its gateway.
 */
export function desired(network: RemoteNetwork, view: View): Entries {
  const entries = network.mode === 'shared' ? desiredShared(network, view) : desiredPerHost(network);
  return new Map(entries.map((entry) => [entry.key, entry]));
}

/** The entries that the kernel has, of those that are ours. */
export function observed(network: RemoteNetwork, view: View): Entries {
  const entries = [
    ...view.forwarding.filter(({ dev }) => dev === network.vxlan).map(forwarding),
    ...view.neighbours.filter(ownNeighbours(network)).map(neighbour),
    ...(network.mode === 'per-host' ? view.routes.filter(isRouteOf(network)).map(route) : []),
  ];
  return new Map(entries.map((entry) => [entry.key, entry]));
}

function desiredShared({ vxlan, bridge, endpoints, flood }: SharedNetwork, { links }: View): Entry[] {
  const own = new Set([vxlan, bridge].map((name) => links.get(name)?.mac));
  const others = endpoints.filter(({ mac }) => !own.has(mac));
  const hosts = flood ? [...new Set(others.map(({ host }) => host))] : [];
  return [
    ...others.flatMap(({ addresses, mac, host: dst }) => [
      forwarding({ dev: vxlan, mac, dst, flags: 'self' }),
      forwarding({ dev: vxlan, mac, flags: 'master' }),
      ...addresses.map((address) => neighbour({ dev: bridge, address, mac })),
    ]),
    ...hosts.map((dst) => forwarding({ dev: vxlan, mac: FLOOD, dst, flags: 'self' })),
  ];
}

function desiredPerHost({ vxlan: dev, hosts }: PerHostNetwork): Entry[] {
  return hosts.flatMap(({ ranges, mac, host: dst }) => [
    forwarding({ dev, mac, dst, flags: 'self' }),
    ...ranges.flatMap((range) => {
      const prefix = parsePrefix(range);
      if (prefix === undefined) return [];
      const gateway = formatAddr(firstOf(prefix));
      return [neighbour({ dev, address: gateway, mac }), route({ dst: range, gateway, dev, onlink: true })];
    }),
  ]);
}

/** The VXLAN device of a routed network is ours, the bridge of a bridged one has neighbours of others. */
function ownNeighbours(network: RemoteNetwork): (neighbour: NeighbourState) => boolean {
  if (network.mode === 'per-host') return ({ dev }) => dev === network.vxlan;
  const pools = network.pools.flatMap((pool) => parsePrefix(pool) ?? []);
  return ({ dev, address }) => {
    const addr = dev === network.bridge ? parseAddr(address) : undefined;
    return addr !== undefined && pools.some((pool) => contains(pool, addr));
  };
}

function isRouteOf({ vxlan }: PerHostNetwork): (route: View['routes'][number]) => boolean {
  return ({ dev, table, protocol }) => dev === vxlan && table === MAIN && protocol !== KERNEL;
}

function forwarding({ dev, mac, flags, dst }: ForwardingState): Entry {
  const isFlood = mac === FLOOD;
  const entry = { ns: 'host', dev, mac, ...(dst !== undefined && { dst }), flags } as const;
  return {
    key: `fdb ${flags} ${mac}${isFlood ? ` ${dst}` : ''}`,
    value: dst ?? '',
    put: { op: isFlood ? 'fdb.add' : 'fdb.replace', ...entry },
    drop: { op: 'fdb.delete', ...entry },
  };
}

function neighbour({ dev, address, mac }: NeighbourState): Entry {
  const entry = { ns: 'host', dev, address, mac } as const;
  return {
    key: `neighbour ${address}`,
    value: mac,
    put: { op: 'neigh.replace', ...entry },
    drop: { op: 'neigh.delete', ...entry },
  };
}

/** The kernel has several routes to one destination: a wrong one is deleted, not replaced. */
function route({ dst, gateway, dev, onlink, priority = dst.includes(':') ? METRIC_V6 : 0 }: RouteSpec): Entry {
  const plain = { dst, ...(gateway !== undefined && { gateway }), ...(dev !== undefined && { dev }) };
  const metric = priority === (dst.includes(':') ? METRIC_V6 : 0) ? {} : { priority };
  return {
    key: `route ${dst} ${gateway} ${priority}`,
    value: '',
    put: { op: 'route.add', ns: 'host', route: { ...plain, ...metric, ...(onlink && { onlink }) } },
    drop: { op: 'route.delete', ns: 'host', route: { ...plain, ...metric } },
  };
}

/** IP6_RT_PRIO_USER, net/ip6_route.h: the metric of an IPv6 route without one. */
const METRIC_V6 = 1024;
