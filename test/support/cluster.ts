import type { Family } from '../../src/shared/model/addr.ts';
import { type CniHost, makeHost } from './cni-host.ts';
import { makeNetns, type TestNetns } from './netns.ts';
import { waitFor } from './test-host.ts';
import { type Agent, startAgent } from './traffic.ts';

/** One of the two nodes of a cluster: a host with private state, its pods' ranges, and its address on the underlay. */
export interface Node {
  readonly name: 'a' | 'b';
  readonly host: CniHost;
  readonly agent: Agent;
  readonly address: Readonly<Record<Family, string>>;
  readonly range: Readonly<Record<Family, string>>;
  /** The gateway of the node's pods. */
  readonly gateway: Readonly<Record<Family, string>>;
}

/**
 * Two nodes on an underlay, with routes to each other's pod ranges, and a neighbour `outside`, which knows the nodes
 * and no pods. `dispose` deletes all of it.
 */
export interface Cluster extends Disposable {
  readonly nodes: readonly [Node, Node];
  readonly outside: Agent;
  /** Serves TCP on 80. */
  readonly outsideAddress: Readonly<Record<Family, string>>;
}

const FAMILIES = [4, 6] as const;
const PREFIX: Readonly<Record<Family, number>> = { 4: 24, 6: 64 };
const OUTSIDE = { 4: '192.0.2.9', 6: '2001:db8::9' } as const;
const NODES = {
  a: {
    address: { 4: '192.0.2.1', 6: '2001:db8::1' },
    range: { 4: '10.72.1.0/24', 6: 'fd72:0:0:1::/64' },
    gateway: { 4: '10.72.1.1', 6: 'fd72:0:0:1::1' },
  },
  b: {
    address: { 4: '192.0.2.2', 6: '2001:db8::2' },
    range: { 4: '10.72.2.0/24', 6: 'fd72:0:0:2::/64' },
    gateway: { 4: '10.72.2.1', 6: 'fd72:0:0:2::1' },
  },
} as const;

/** All pods of all nodes, as `nonMasqueradeCIDRs` has them in a cluster. */
export const POD_RANGES: readonly string[] = ['10.72.0.0/16', 'fd72::/48'];

/** Nodes with so many pods each. */
export async function makeCluster(pods: number): Promise<Cluster> {
  using made = new DisposableStack();
  const underlay = made.use(makeNetns('underlay-'));
  quick(underlay);
  underlay.ip('link', 'add', 'wire', 'type', 'bridge', 'mcast_snooping', '0');
  for (const family of FAMILIES) addAddress(underlay, 'wire', OUTSIDE[family], family);
  underlay.ip('link', 'set', 'wire', 'up');
  const node = (name: Node['name']): Node => {
    const host = made.use(makeHost(pods));
    for (const ns of [host.ns, ...host.pods]) quick(ns);
    connect(host.ns, underlay, name);
    return { name, host, agent: made.use(startAgent(`node-${name}`, host.ns)), ...NODES[name] };
  };
  const nodes = [node('a'), node('b')] as const;
  for (const family of FAMILIES) {
    nodes[0].host.ns.ip(`-${family}`, 'route', 'add', NODES.b.range[family], 'via', NODES.b.address[family]);
    nodes[1].host.ns.ip(`-${family}`, 'route', 'add', NODES.a.range[family], 'via', NODES.a.address[family]);
  }
  for (const { host, address } of nodes) await inUse(host.ns, address[6]);
  await inUse(underlay, OUTSIDE[6]);
  const outside = made.use(startAgent('outside', underlay));
  await Promise.all([outside, nodes[0].agent, nodes[1].agent].map((agent) => agent.serve('tcp', 80)));
  const kept = made.move();
  return { nodes, outside, outsideAddress: OUTSIDE, [Symbol.dispose]: () => kept.dispose() };
}

/** The kernel leaves an IPv6 address to a queue that all namespaces share, and that may be seconds behind. */
function inUse(ns: TestNetns, address: string): Promise<void> {
  const local = (): boolean => ns.ip('-6', 'route', 'show', 'table', 'local').includes(`local ${address} `);
  return waitFor(`${address} is in use`, local, 30_000);
}

/** No duplicate address detection: every address can be used at once. */
function quick(ns: TestNetns): void {
  ns.run('sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.all.accept_dad=0');
}

function connect(ns: TestNetns, underlay: TestNetns, name: Node['name']): void {
  ns.ip('link', 'add', 'up0', 'type', 'veth', 'peer', 'name', `to-${name}`, 'netns', underlay.name);
  underlay.ip('link', 'set', `to-${name}`, 'up', 'master', 'wire');
  for (const family of FAMILIES) addAddress(ns, 'up0', NODES[name].address[family], family);
  ns.ip('link', 'set', 'up0', 'up');
}

function addAddress(ns: TestNetns, device: string, address: string, family: Family): void {
  ns.ip('addr', 'add', `${address}/${PREFIX[family]}`, 'dev', device, ...(family === 6 ? ['nodad'] : []));
}
