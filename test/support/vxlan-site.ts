import type { Family } from '../../src/shared/model/addr.ts';
import { makeNetns, type TestNetns } from './netns.ts';
import { canPing } from './ping.ts';
import { type Agent, startAgent } from './traffic.ts';

/** The UDP port of the site's VXLAN devices. */
export const VXLAN_PORT = 4789;
export const SERVED = 80;
/** Of the whole network; host A has 10.100.1.0/24, host B 10.100.2.0/24. */
export const POOL = '10.100.0.0/16';
export const POD = { a: '10.100.1.2', b: '10.100.2.2' } as const;
/** Behind the stranger: what pods reach by their host, and by no other. */
export const ELSEWHERE = '198.51.100.9';

/**
 * Three machines on one link, of which A and B have a routed overlay network made by `ip`, with a pod each. The
 * stranger has a VXLAN device with the same VNI and port, and sends to A.
 */
export interface OverlaySite extends Disposable {
  readonly a: TestNetns;
  readonly b: TestNetns;
  readonly stranger: TestNetns;
  readonly agents: Readonly<Record<'a' | 'podA' | 'podB' | 'stranger', Agent>>;
  /** Underlay addresses. */
  readonly underlay: Readonly<Record<'a' | 'b' | 'stranger', string>>;
  /** Frames that the VXLAN device of A has received. */
  received(): number;
  /** Sends a frame from the stranger's device to that of A. */
  inject(): void;
}

const MACS = { a: '0a:58:0a:64:01:00', b: '0a:58:0a:64:02:00', stranger: '0a:58:0a:64:03:00' } as const;
const NUMBERS = { a: 1, b: 2, stranger: 3 } as const;
const MACHINES = ['a', 'b', 'stranger'] as const;
type Machine = (typeof MACHINES)[number];

/** `family` is that of the underlay. */
export async function makeOverlaySite(family: Family): Promise<OverlaySite> {
  const made: Disposable[] = [];
  const keep = <T extends Disposable>(one: T): T => {
    made.push(one);
    return one;
  };
  const dispose = (): void => {
    for (const one of made.toReversed()) one[Symbol.dispose]();
  };
  try {
    const lan = keep(makeNetns('lan-'));
    lan.ip('link', 'add', 'br0', 'type', 'bridge');
    lan.ip('link', 'set', 'br0', 'up');
    const [a, b, stranger] = MACHINES.map((name) => keep(makeNetns(`${name}-`))) as [TestNetns, TestNetns, TestNetns];
    const machines = { a, b, stranger };
    const underlay = { a: addressOf('a', family), b: addressOf('b', family), stranger: addressOf('stranger', family) };
    for (const name of MACHINES) addMachine(lan, name, machines[name], family);
    const pods = { a: keep(makeNetns('pod-a-')), b: keep(makeNetns('pod-b-')) };
    for (const name of ['a', 'b'] as const) addPod(name, machines[name], pods[name]);
    addDevice('a', a, family, ['b']);
    addDevice('b', b, family, ['a']);
    addDevice('stranger', stranger, family, ['a']);
    a.ip('route', 'add', ELSEWHERE, 'via', '192.0.2.3');
    b.ip('route', 'add', ELSEWHERE, 'via', '10.100.1.0', 'dev', 'vx0', 'onlink');
    stranger.ip('addr', 'add', `${ELSEWHERE}/32`, 'dev', 'lo');
    stranger.ip('route', 'add', '10.100.2.0/24', 'via', '192.0.2.1');
    const agents = {
      a: keep(startAgent('a', a)),
      podA: keep(startAgent('podA', pods.a)),
      podB: keep(startAgent('podB', pods.b)),
      stranger: keep(startAgent('stranger', stranger)),
    };
    for (const name of ['podA', 'podB', 'stranger'] as const) await agents[name].serve('tcp', SERVED);
    return {
      ...{ a, b, stranger, agents, underlay },
      received: () => JSON.parse(a.ip('-s', '-j', 'link', 'show', 'vx0'))[0].stats64.rx.packets,
      inject: () => void canPing(stranger, POD.a),
      [Symbol.dispose]: dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

function addressOf(name: Machine, family: Family): string {
  return `${family === 4 ? '192.0.2.' : '2001:db8::'}${NUMBERS[name]}`;
}

/** Has both families, whatever the underlay. */
function addMachine(lan: TestNetns, name: Machine, ns: TestNetns, family: Family): void {
  ns.run('sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0', 'net.ipv4.ip_forward=1');
  ns.ip('link', 'set', 'lo', 'up');
  lan.ip('link', 'add', `to-${name}`, 'type', 'veth', 'peer', 'name', 'up0', 'netns', ns.name);
  lan.ip('link', 'set', `to-${name}`, 'master', 'br0', 'up');
  ns.ip('addr', 'add', `${addressOf(name, 4)}/24`, 'dev', 'up0');
  if (family === 6) ns.ip('addr', 'add', `${addressOf(name, 6)}/64`, 'dev', 'up0', 'nodad');
  ns.ip('link', 'set', 'up0', 'up');
}

function addPod(name: 'a' | 'b', host: TestNetns, pod: TestNetns): void {
  const range = `10.100.${NUMBERS[name]}`;
  host.ip('link', 'add', 'br0', 'type', 'bridge');
  host.ip('link', 'set', 'br0', 'up');
  host.ip('addr', 'add', `${range}.1/24`, 'dev', 'br0');
  host.ip('link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod.name);
  host.ip('link', 'set', 'veth0', 'master', 'br0', 'up');
  pod.ip('link', 'set', 'lo', 'up');
  pod.ip('addr', 'add', `${range}.2/24`, 'dev', 'eth0');
  pod.ip('link', 'set', 'eth0', 'up');
  pod.ip('route', 'add', 'default', 'via', `${range}.1`);
}

/** The VXLAN device, with the entries of these peers. */
function addDevice(name: Machine, ns: TestNetns, family: Family, peers: readonly Machine[]): void {
  const vxlan = ['id', '7', 'dstport', String(VXLAN_PORT), 'local', addressOf(name, family), 'nolearning'];
  ns.ip('link', 'add', 'vx0', 'address', MACS[name], 'type', 'vxlan', ...vxlan);
  ns.ip('addr', 'add', `10.100.${NUMBERS[name]}.0/32`, 'dev', 'vx0');
  ns.ip('link', 'set', 'vx0', 'up');
  for (const peer of peers) {
    const gateway = `10.100.${NUMBERS[peer]}.0`;
    ns.run('bridge', 'fdb', 'add', MACS[peer], 'dev', 'vx0', 'dst', addressOf(peer, family), 'self', 'permanent');
    ns.ip('neigh', 'add', gateway, 'lladdr', MACS[peer], 'dev', 'vx0', 'nud', 'permanent');
    ns.ip('route', 'add', `${gateway}/24`, 'via', gateway, 'dev', 'vx0', 'onlink');
  }
}
