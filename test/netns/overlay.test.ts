import { strict as assert } from 'node:assert';
import type { RemoteEndpoint, RemoteHost, RemoteNetwork } from '../../src/shared/core/remote/remote.ts';
import { observeNetwork } from '../../src/shared/core/view.ts';
import type { Addressing, Driver } from '../../src/shared/drivers/driver.ts';
import { insideQuery, planInside } from '../../src/shared/drivers/inside.ts';
import { planLink } from '../../src/shared/drivers/link.ts';
import type { Namespace } from '../../src/shared/host/host.ts';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { addrOf } from '../support/addresses.ts';
import { addressingOf } from '../support/bridge-plan.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { overlayOf } from '../support/overlay-plan.ts';
import { equalise, lackOf, PER_HOST, SHARED } from '../support/remote.ts';
import { skipIf } from '../support/skip.ts';

type Mode = 'shared' | 'per-host';
type Underlay = 4 | 6;

const NAMES = ['a', 'b', 'c'] as const;
const UNDERLAY = {
  4: (i: number): string => `192.0.2.${i + 1}`,
  6: (i: number): string => `2001:db8::${i + 1}`,
} as const;

interface Pod {
  readonly netns: TestNetns;
  readonly ns: Namespace;
  readonly addresses: readonly string[];
  readonly mac: string;
}

/** A host on the underlay with the overlay network `web`. */
interface Node {
  readonly netns: TestNetns;
  readonly ns: Namespace;
  readonly index: number;
  readonly driver: Driver;
  /** Its underlay address. */
  readonly host: string;
}

/** Hosts on one underlay; what they are made of goes with it. */
class Lab implements Disposable {
  readonly host: LinuxHost = openLinuxHost();
  readonly nodes: readonly Node[];
  readonly mode: Mode;
  readonly #made = new DisposableStack();
  #pods = 0;

  constructor(mode: Mode, underlay: Underlay) {
    this.mode = mode;
    this.#made.use(this.host);
    const wire = this.#netns('wire-');
    wire.ip('link', 'add', 'wire', 'type', 'bridge', 'mcast_snooping', '0');
    wire.ip('link', 'set', 'wire', 'up');
    this.nodes = NAMES.map((name, index) => {
      const netns = this.#netns(`node-${name}-`);
      netns.ip('link', 'add', 'up0', 'type', 'veth', 'peer', 'name', `to-${name}`, 'netns', wire.name);
      wire.ip('link', 'set', `to-${name}`, 'up', 'master', 'wire');
      netns.ip('addr', 'add', `${UNDERLAY[4](index)}/24`, 'dev', 'up0');
      netns.ip('addr', 'add', `${UNDERLAY[6](index)}/64`, 'dev', 'up0', 'nodad');
      netns.ip('link', 'set', 'up0', 'up');
      const host = UNDERLAY[underlay](index);
      const conf = { isDefaultGateway: true };
      const vxlan = { local: host };
      const driver = overlayOf({ mode, host: `host-${name}`, conf, vxlan });
      return { netns, ns: this.#made.use(this.host.open(netns.path)), index, driver, host };
    });
  }

  /** Attaches a pod; it is number `n` of the network, wherever it is. */
  attach(node: Node, n: number): Pod {
    const netns = this.#netns('pod-');
    const ns = this.#made.use(this.host.open(netns.path));
    this.#pods += 1;
    const { driver } = node;
    const addressing = this.addressing(node, n);
    const view = observeNetwork(this.host, node.ns, driver, addressing);
    const mac = `0a:58:0a:58:00:${n.toString(16).padStart(2, '0')}`;
    const facts = driver.describeLink(view, { hostIf: `pod${this.#pods}`, ifName: 'eth0', mac, alias: '' });
    const inside = driver.describeInside(addressing, true);
    const sandbox = this.host.observe(ns, insideQuery(inside));
    const plans = [driver.planNetwork(view, addressing), planLink(facts), planInside(sandbox, facts, inside)];
    this.host.apply(
      plans.flatMap(({ ops }) => ops),
      { host: node.ns, sandbox: ns },
    );
    return { netns, ns, mac, addresses: addressing.addresses.map((_, i) => this.address(node, n, i === 0 ? 4 : 6)) };
  }

  detach(node: Node, pod: Pod): void {
    const { links } = this.host.observe(pod.ns, { links: ['eth0'] });
    assert.ok(links.has('eth0'));
    this.host.apply([{ op: 'link.delete', ns: 'sandbox', name: 'eth0', kind: 'veth' }], {
      host: node.ns,
      sandbox: pod.ns,
    });
  }

  address({ index }: Node, n: number, family: 4 | 6): string {
    const range = this.mode === 'shared' ? 0 : index + 1;
    return family === 4 ? `10.88.${range}.${n}` : formatAddr(addrOf(`fd00:88:0:${range}::${n.toString(16)}`));
  }

  addressing(node: Node, n: number): Addressing {
    const plain = addressingOf({
      addresses: [`${this.address(node, n, 4)}/24`, `${this.address(node, n, 6)}/64`],
    });
    return node.driver.complete(plain);
  }

  /** What each host is to know of the pods on the others. */
  network(node: Node, pods: ReadonlyMap<Pod, Node>): RemoteNetwork {
    const away = [...pods].filter(([, at]) => at !== node);
    if (this.mode === 'shared') {
      const endpoints = away.map(([{ addresses, mac }, { host }]): RemoteEndpoint => ({ addresses, mac, host }));
      return { ...SHARED, pools: ['10.88.0.0/24', 'fd00:88::/64'], endpoints };
    }
    const others = [...new Set(away.map(([, at]) => at))];
    const hosts = others.map((at): RemoteHost => {
      const device = this.host.observe(at.ns, { links: ['vx0'] }).links.get('vx0');
      const range = at.index + 1;
      const ranges = [`10.88.${range}.0/24`, `fd00:88:0:${range}::/64`];
      return { ranges, mac: device?.mac ?? '', host: at.host };
    });
    return { ...PER_HOST, hosts };
  }

  /** Makes the tables of all hosts equal to the pods. */
  spread(pods: ReadonlyMap<Pod, Node>): void {
    for (const node of new Set(pods.values())) {
      const network = this.network(node, pods);
      assert.deepEqual(equalise(network, this.host, node.ns), []);
      assert.deepEqual(lackOf(network, this.host, node.ns), []);
    }
  }

  #netns(label: string): TestNetns {
    const netns = this.#made.use(makeNetns(label));
    netns.run('sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.all.accept_dad=0');
    netns.ip('link', 'set', 'lo', 'up');
    return netns;
  }

  [Symbol.dispose](): void {
    this.#made.dispose();
  }
}

/** True if an echo request with so many bytes of data is answered. */
function reaches({ netns }: { netns: TestNetns }, address: string, size = 56): boolean {
  try {
    netns.run('busybox', 'ping', '-c1', '-W2', '-s', String(size), address);
    return true;
  } catch {
    return false;
  }
}

/** Packets that the host has cut into fragments. */
function cut({ netns }: Node): string[] {
  const counters = netns.run('cat', '/proc/net/snmp', '/proc/net/snmp6');
  const [names = [], values = []] = counters
    .split('\n')
    .flatMap((line) => (/^Ip: /.test(line) ? [line.split(' ')] : []));
  return [values[names.indexOf('FragCreates')] ?? '', /Ip6FragCreates\s+(\d+)/.exec(counters)?.[1] ?? ''];
}

/** Frames of the overlay that the host has sent. */
function sent({ netns }: Node): number {
  return Number(netns.run('cat', '/sys/class/net/vx0/statistics/tx_packets'));
}

for (const mode of ['shared', 'per-host'] as const) {
  for (const underlay of [4, 6] as const) {
    describe(`an overlay network in mode ${mode} over IPv${underlay}`, function () {
      this.timeout(120_000);
      let lab: Lab;
      let pods: Map<Pod, Node>;
      let first: Pod;
      let second: Pod;
      let third: Pod;

      before(function () {
        skipIf(this, netnsMissing());
        lab = new Lab(mode, underlay);
        const [a, b, c] = lab.nodes;
        assert.ok(a && b && c);
        [first, second, third] = [lab.attach(a, 2), lab.attach(b, 3), lab.attach(c, 4)];
        pods = new Map([
          [first, a],
          [second, b],
          [third, c],
        ]);
        lab.spread(pods);
      });
      after(() => lab?.[Symbol.dispose]());

      it('carries IPv4 and IPv6 between the pods of all hosts, in packets of the full MTU', () => {
        const headers = { 4: 28, 6: 48 };
        const mtu = 1500 - (underlay === 4 ? 50 : 70);
        for (const from of pods.keys()) {
          for (const to of [...pods.keys()].filter((pod) => pod !== from)) {
            for (const address of to.addresses) {
              const size = mtu - headers[address.includes(':') ? 6 : 4];
              assert.ok(reaches(from, address, size), `${from.addresses[0]} → ${address}`);
            }
          }
        }
        for (const node of lab.nodes) assert.deepEqual(cut(node), ['0', '0']);
      });

      it('needs no second plan', () => {
        for (const [pod, node] of pods) {
          const n = Number.parseInt(pod.mac.slice(-2), 16);
          const addressing = lab.addressing(node, n);
          const view = observeNetwork(lab.host, node.ns, node.driver, addressing);
          assert.deepEqual(node.driver.planNetwork(view, addressing).ops, []);
        }
      });

      it('restores whichever entry is removed by hand', () => {
        const [node] = lab.nodes;
        assert.ok(node);
        const network = lab.network(node, pods);
        const view = lab.host.observe(node.ns, { forwarding: ['vx0'], neighbours: ['vx0', 'isth0'] });
        const entries: Op[] = [
          ...view.forwarding.map((entry): Op => ({ op: 'fdb.delete', ns: 'host', ...entry })),
          ...view.neighbours.map((entry): Op => ({ op: 'neigh.delete', ns: 'host', ...entry })),
        ];
        assert.ok(entries.length > 0);
        for (const entry of entries) {
          lab.host.apply([entry], { host: node.ns });
          assert.equal(lackOf(network, lab.host, node.ns).length, 1, JSON.stringify(entry));
          assert.deepEqual(equalise(network, lab.host, node.ns), []);
          assert.deepEqual(lackOf(network, lab.host, node.ns), []);
        }
        for (const address of second.addresses) assert.ok(reaches(first, address), address);
      });

      it('restores all of it after the devices were down', () => {
        const [node] = lab.nodes;
        assert.ok(node);
        for (const device of ['vx0', 'isth0']) {
          node.netns.ip('link', 'set', device, 'down');
          node.netns.ip('link', 'set', device, 'up');
        }
        const addressing = lab.addressing(node, 2);
        const plan = node.driver.planNetwork(observeNetwork(lab.host, node.ns, node.driver, addressing), addressing);
        lab.host.apply(plan.ops, { host: node.ns });
        assert.notDeepEqual(lackOf(lab.network(node, pods), lab.host, node.ns), []);
        lab.spread(pods);
        for (const address of third.addresses) assert.ok(reaches(first, address), address);
      });

      if (mode === 'per-host') {
        it('carries traffic between a host and the pods of others', () => {
          const [node] = lab.nodes;
          assert.ok(node);
          for (const address of third.addresses) assert.ok(reaches(node, address), address);
        });
        return;
      }

      it('sends nothing for an address that no endpoint has', () => {
        const [node] = lab.nodes;
        assert.ok(node);
        const before = sent(node);
        for (const address of ['10.88.0.99', 'fd00:88::99']) assert.equal(reaches(first, address), false);
        assert.equal(sent(node), before);
      });

      it('follows an endpoint that moves', () => {
        const [, b, c] = lab.nodes;
        assert.ok(b && c);
        lab.detach(b, second);
        pods.delete(second);
        const moved = lab.attach(c, 3);
        pods.set(moved, c);
        lab.spread(pods);
        for (const address of moved.addresses) {
          assert.ok(reaches(first, address), address);
          assert.ok(reaches(third, address), address);
        }
      });

      it('follows a host to another underlay address', () => {
        const [, , c] = lab.nodes;
        assert.ok(c);
        const host = UNDERLAY[underlay](8);
        const length = underlay === 4 ? 24 : 64;
        c.netns.ip('addr', 'del', `${c.host}/${length}`, 'dev', 'up0');
        c.netns.ip('addr', 'add', `${host}/${length}`, 'dev', 'up0', ...(underlay === 6 ? ['nodad'] : []));
        const driver = overlayOf({ mode, host: 'host-c', conf: { isDefaultGateway: true }, vxlan: { local: host } });
        const addressing = lab.addressing(c, 4);
        const { ops } = driver.planNetwork(observeNetwork(lab.host, c.ns, driver, addressing), addressing);
        assert.deepEqual(
          ops.map(({ op }) => op),
          ['link.set'],
        );
        lab.host.apply(ops, { host: c.ns });
        const renumbered = { ...c, host };
        lab.spread(new Map([...pods].map(([pod, node]) => [pod, node === c ? renumbered : node])));
        for (const address of third.addresses) assert.ok(reaches(first, address), address);
      });
    });
  }
}
