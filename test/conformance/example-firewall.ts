import { strict as assert } from 'node:assert';
import { binDir } from '../support/e2e.ts';
import { hear } from '../support/image.ts';
import { makeRuntime, type NetworkList } from '../support/runtime.ts';
import type { Expectation } from './example-expectation.ts';
import { cannotHear, hearFrom, type Lab, meet, type Pod, serve } from './example-lab.ts';
import { makeOutside, UPLINK } from './example-outside.ts';

const PORT = { hostPort: 8080, containerPort: 80, protocol: 'tcp' };
const [HOST4, HOST6] = UPLINK.host;
const [OUTSIDE4, OUTSIDE6] = UPLINK.outside;

/** The examples that the packet filter has a part in. */
export const FIREWALL_EXPECTATIONS: Readonly<Record<string, Expectation>> = {
  internal: {
    what: 'pods and host reach each other, and nobody outside',
    run(lab) {
      using outside = makeOutside(lab);
      const [a, b] = [lab.add(), lab.add()];
      meet(a, b);
      a.pings('10.82.0.1');
      outside.pod.run('ip', 'route', 'add', '10.82.0.0/24', 'via', HOST4);
      a.cannotPing(OUTSIDE4);
      outside.pod.cannotPing(a.addresses[0]);
      removeAll(lab, a, b);
    },
  },
  'isolated-networks': {
    what: 'networks that keep to themselves do not reach each other; they reach the outside, and open networks them',
    run(lab) {
      using _outside = makeOutside(lab);
      const [a, b] = [lab.add(), lab.add()];
      meet(a, b);
      a.pings(OUTSIDE4);
      using apart = neighbour(lab, 'apart-too', '10.80.0.0/24', 'same-bridge');
      using open = neighbour(lab, 'open', '10.79.0.0/24', 'open');
      a.cannotPing('10.80.0.2');
      apart.pod.cannotPing(a.addresses[0]);
      open.pod.pings(a.addresses[0] ?? '');
      a.pings('10.79.0.2');
      removeAll(lab, a, b);
    },
  },
  kubernetes: {
    what: "other nodes' pods see the pod's own address, everybody else the node's; its host port works",
    run(lab) {
      using outside = makeOutside(lab);
      outside.isNode('10.244.2.7', '10.244.1.0/24');
      outside.isNode('fd00:244:0:2::7', 'fd00:244:0:1::/64');
      const a = lab.add({ portMappings: [PORT], bandwidth: { IngressRate: 8_000_000, IngressBurst: 800_000 } });
      const b = lab.add();
      assert.deepEqual(
        [...a.addresses, ...b.addresses],
        ['10.244.1.2', 'fd00:244:0:1::2', '10.244.1.3', 'fd00:244:0:1::3'],
      );
      outside.hearsOnly('10.244.2.7', ...a.addresses.slice(0, 1));
      outside.hearsOnly('fd00:244:0:2::7', ...a.addresses.slice(1));
      outside.hearsOnly(OUTSIDE4, HOST4);
      for (const address of ['10.244.2.7', 'fd00:244:0:2::7', OUTSIDE4, OUTSIDE6]) a.pings(address);
      b.cannotPing('10.244.2.7');
      for (const address of [HOST4, HOST6]) {
        serve(a, 80);
        assert.equal(hearFrom(outside.pod, address, 8080), 'hello\n');
      }
      assert.match(lab.host.run('tc', 'qdisc'), /qdisc tbf .* rate 8Mbit burst 100000b/);
      removeAll(lab, a, b);
    },
  },
  'masquerade-and-ports': {
    what: "the outside sees the host's address, published ports lead to the pod from everywhere, and rates are limited",
    run(lab) {
      using outside = makeOutside(lab);
      const bandwidth = { ingressRate: 8_000_000, ingressBurst: 800_000, egressRate: 4_000_000, egressBurst: 800_000 };
      const a = lab.add({ portMappings: [PORT], bandwidth });
      const b = lab.add();
      outside.hearsOnly(OUTSIDE4, HOST4);
      for (const pod of [a, b]) pod.pings(OUTSIDE4);
      const published = (from: () => string): void => {
        serve(a, 80);
        assert.equal(from(), 'hello\n');
      };
      published(() => hearFrom(outside.pod, HOST4, 8080));
      published(() => hearFrom(b, HOST4, 8080));
      published(() => hearFrom(a, '10.84.0.1', 8080));
      for (const address of [HOST4, '127.0.0.1']) published(() => hearOnHost(lab, address));
      const limits = lab.host.run('tc', 'qdisc');
      assert.match(limits, /qdisc tbf .* dev veth\S+ .*rate 8Mbit/);
      assert.match(limits, /qdisc tbf .* dev (?!veth)\S+ .*rate 4Mbit/);
      lab.delete(a);
      cannotHear(outside.pod, HOST4, 8080);
      removeAll(lab, b);
    },
  },
  'podman-default': {
    what: "a list of podman's works unchanged, with a port published, and one that is taken is refused",
    run(lab) {
      using outside = makeOutside(lab);
      const a = lab.add({ portMappings: [PORT] });
      outside.hearsOnly(OUTSIDE4, HOST4);
      a.pings(OUTSIDE4);
      serve(a, 80);
      assert.equal(hearFrom(outside.pod, HOST4, 8080), 'hello\n');
      const second = { id: 'second', netns: lab.emptyPod().container.netns, offers: { portMappings: [PORT] } };
      assert.throws(() => lab.runtime.add(second), /"code": 101,[^}]*8080[^}]*container2/);
      lab.runtime.del(second);
      const b = lab.add();
      meet(a, b);
      removeAll(lab, a, b);
    },
  },
  'published-ports': {
    what: 'a port of the host leads to a pod, by way of the plugin that is chained behind',
    run(lab) {
      const a = lab.add({ portMappings: [PORT] });
      const b = lab.add();
      for (const from of [() => hearFrom(b, '10.98.0.1', 8080), () => hearOnHost(lab, '127.0.0.1')]) {
        serve(a, 80);
        assert.equal(from(), 'hello\n');
      }
    },
  },
};

function hearOnHost(lab: Lab, address: string): string {
  const [, , script = ''] = hear(address, PORT.hostPort);
  return lab.host.run('busybox', 'sh', '-c', script.replaceAll('nc ', 'busybox nc '));
}

/** Runs before the uplink is deleted, so that its deletion hides nothing. */
function removeAll(lab: Lab, ...pods: readonly Pod[]): void {
  for (const pod of pods) lab.delete(pod);
}

/** One pod on another network of the host, which is this one's list with a name, a bridge and a policy of its own. */
function neighbour(lab: Lab, name: string, subnet: string, policy: string): Disposable & { readonly pod: Pod } {
  const { list } = lab.runtime;
  const ipam = { ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] };
  const plugins = list.plugins.map((plugin) => ({ ...plugin, bridge: `br-${name}`, ingressPolicy: policy, ipam }));
  const other: NetworkList = { ...list, name, plugins };
  const runtime = makeRuntime(lab.host, other, [binDir]);
  const pod = lab.emptyPod();
  const container = { ...pod.container, id: name };
  runtime.add(container);
  return { pod, [Symbol.dispose]: () => runtime.del(container) };
}
