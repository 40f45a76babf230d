import type { Family } from '../../src/shared/model/addr.ts';
import { makeNetns, type TestNetns } from './netns.ts';
import { type Agent, startAgent } from './traffic.ts';

/** The site's machines: pods a1 and a2 on bridge br-a, b1 on br-b, and three neighbours of the host. */
export type Peer = 'a1' | 'a2' | 'b1' | 'outside' | 'stranger' | 'node';

/**
 * A host with two networks of pods, both families, and neighbours on a link each:
 * - `outside` sends everything through the host: it can answer a pod's own address.
 * - `stranger` knows the way to the other neighbours only, not to the pods.
 * - `node` is another host of the cluster, with a pod range of its own that the host has a route to.
 *
 * Every peer but the host may send to 127.0.0.1 and does so through the host, as an attacker would. Every peer serves
 * TCP on SERVICE and OTHER, and UDP on SERVICE.
 */
export interface PodSite extends Disposable {
  readonly host: TestNetns;
  readonly hostAgent: Agent;
  readonly peers: Readonly<Record<Peer, TestNetns>>;
  readonly agents: Readonly<Record<Peer, Agent>>;
  /** Sets whether frames between the ports of a bridge pass iptables and nftables; on in a new namespace. */
  bridgeFilter(on: boolean): void;
}

export const SERVICE = 80;
export const OTHER = 81;

/** Addresses of the pods and neighbours, and of the host towards each of them. */
export const ADDRESSES: Readonly<Record<Family, Readonly<Record<Peer, string>>>> = {
  4: {
    a1: '10.81.0.2',
    a2: '10.81.0.3',
    b1: '10.82.0.2',
    outside: '192.0.2.9',
    stranger: '198.51.100.9',
    node: '203.0.113.9',
  },
  6: {
    a1: 'fd81::2',
    a2: 'fd81::3',
    b1: 'fd82::2',
    outside: '2001:db8:1::9',
    stranger: '2001:db8:2::9',
    node: '2001:db8:3::9',
  },
};

export const HOST: Readonly<Record<Family, Readonly<Record<Peer, string>>>> = {
  4: towards('10.81.0.1', '10.82.0.1', '192.0.2.1', '198.51.100.1', '203.0.113.1'),
  6: towards('fd81::1', 'fd82::1', '2001:db8:1::1', '2001:db8:2::1', '2001:db8:3::1'),
};

/** A further address of the host on its link to `outside`. */
export const SECOND: Readonly<Record<Family, string>> = { 4: '192.0.2.77', 6: '2001:db8:1::77' };
/** Of the pods on br-a and on br-b, and of those on `node`, one of which has address NODE_POD. */
export const SUBNET_A: Readonly<Record<Family, string>> = { 4: '10.81.0.0/24', 6: 'fd81::/64' };
export const SUBNET_B: Readonly<Record<Family, string>> = { 4: '10.82.0.0/24', 6: 'fd82::/64' };
export const NODE_RANGE: Readonly<Record<Family, string>> = { 4: '10.83.0.0/24', 6: 'fd83::/64' };
export const NODE_POD: Readonly<Record<Family, string>> = { 4: '10.83.0.2', 6: 'fd83::2' };

const PODS = { a1: 'br-a', a2: 'br-a', b1: 'br-b' } as const;
const NEIGHBOURS = { outside: 'up0', stranger: 'up1', node: 'up2' } as const;
const PREFIX: Readonly<Record<Family, number>> = { 4: 24, 6: 64 };
const FAMILIES = [4, 6] as const;
const PEERS = ['a1', 'a2', 'b1', 'outside', 'stranger', 'node'] as const;

/** The whole site; `dispose` deletes all of it. */
export async function makePodSite(): Promise<PodSite> {
  const made: Disposable[] = [];
  const keep = <T extends Disposable>(one: T): T => {
    made.push(one);
    return one;
  };
  const dispose = (): void => {
    for (const one of made.toReversed()) one[Symbol.dispose]();
  };
  try {
    const host = keep(makeNetns('site-'));
    prepare(host);
    host.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
    for (const bridge of ['br-a', 'br-b'] as const) addBridge(host, bridge);
    const peers = mapPeers((peer) => addPeer(host, peer, keep(makeNetns(`${peer}-`))));
    addRoutes(host, peers);
    const hostAgent = keep(startAgent('host', host));
    const agents = mapPeers((peer) => keep(startAgent(peer, peers[peer])));
    await Promise.all(PEERS.flatMap((peer) => serveAll(agents[peer], peer)));
    let filtered: boolean | undefined;
    const bridgeFilter = (on: boolean): void => {
      if (on === filtered) return;
      filtered = on;
      const keys = ['iptables', 'ip6tables'].map((name) => `net.bridge.bridge-nf-call-${name}=${on ? 1 : 0}`);
      host.run('sysctl', '-qw', ...keys);
    };
    return { host, hostAgent, peers, agents, bridgeFilter, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The address at which the peer's packets reach the host. */
function towards(a: string, b: string, outside: string, stranger: string, node: string): Record<Peer, string> {
  return { a1: a, a2: a, b1: b, outside, stranger, node };
}

function mapPeers<T>(make: (peer: Peer) => T): Record<Peer, T> {
  const of = (peer: Peer): T => make(peer);
  return {
    a1: of('a1'),
    a2: of('a2'),
    b1: of('b1'),
    outside: of('outside'),
    stranger: of('stranger'),
    node: of('node'),
  };
}

/** Without duplicate address detection every address can be used at once. */
function prepare(ns: TestNetns): void {
  ns.run('sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.all.accept_dad=0');
  // Without the rate limit, every refused datagram gets an error.
  ns.run('sysctl', '-qw', 'net.ipv4.icmp_ratelimit=0', 'net.ipv6.icmp.ratelimit=0');
  ns.ip('link', 'set', 'lo', 'up');
}

function addBridge(host: TestNetns, name: 'br-a' | 'br-b'): void {
  host.ip('link', 'add', name, 'type', 'bridge', 'mcast_snooping', '0');
  const peer = name === 'br-a' ? 'a1' : 'b1';
  for (const family of FAMILIES) addAddress(host, name, HOST[family][peer], family);
  host.ip('link', 'set', name, 'up');
  host.run('sysctl', '-qw', `net.ipv4.conf.${name}.route_localnet=1`);
}

function addPeer(host: TestNetns, peer: Peer, ns: TestNetns): TestNetns {
  const isPod = peer in PODS;
  const device = isPod ? `veth-${peer}` : NEIGHBOURS[peer as keyof typeof NEIGHBOURS];
  prepare(ns);
  host.ip('link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', ns.name);
  if (isPod) {
    host.ip('link', 'set', device, 'master', PODS[peer as keyof typeof PODS]);
    host.ip('link', 'set', device, 'type', 'bridge_slave', 'hairpin', 'on');
  }
  host.ip('link', 'set', device, 'up');
  ns.ip('link', 'set', 'eth0', 'up');
  for (const family of FAMILIES) {
    if (!isPod) addAddress(host, device, HOST[family][peer], family);
    addAddress(ns, 'eth0', ADDRESSES[family][peer], family);
    if (peer !== 'stranger') route(ns, family, 'default', HOST[family][peer]);
  }
  attack(ns, HOST[4][peer]);
  return ns;
}

/** 127.0.0.0/8 is elsewhere, and packets from there are taken. */
function attack(ns: TestNetns, gateway: string): void {
  ns.run('sysctl', '-qw', 'net.ipv4.conf.eth0.route_localnet=1');
  ns.ip('addr', 'flush', 'dev', 'lo');
  route(ns, 4, '127.0.0.0/8', gateway);
}

function addRoutes(host: TestNetns, peers: Record<Peer, TestNetns>): void {
  for (const family of FAMILIES) {
    for (const other of ['outside', 'node'] as const) {
      route(peers.stranger, family, `${ADDRESSES[family][other]}`, HOST[family].stranger);
    }
    // Deprecated: the kernel chooses the first for what it sends itself.
    addAddress(host, 'up0', SECOND[family], family, 'preferred_lft', '0');
    route(host, family, NODE_RANGE[family], ADDRESSES[family].node);
    addAddress(peers.node, 'lo', NODE_POD[family], family);
  }
}

function addAddress(ns: TestNetns, device: string, address: string, family: Family, ...more: string[]): void {
  const nodad = family === 6 ? ['nodad'] : [];
  ns.ip('addr', 'add', `${address}/${PREFIX[family]}`, 'dev', device, ...nodad, ...more);
}

function route(ns: TestNetns, family: Family, to: string, via: string): void {
  ns.ip(`-${family}`, 'route', 'add', to, 'via', via);
}

/** A datagram's answer has to come from the address that was asked: a socket each. */
function serveAll(agent: Agent, peer: Peer): Promise<void>[] {
  const own = FAMILIES.map((family) => ADDRESSES[family][peer]);
  const udp = peer === 'node' ? [...own, ...FAMILIES.map((family) => NODE_POD[family])] : own;
  const tcp = [agent.serve('tcp', SERVICE), agent.serve('tcp', OTHER)];
  return [...tcp, ...udp.map((address) => agent.serve('udp', SERVICE, address))];
}
