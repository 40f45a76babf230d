import { strict as assert } from 'node:assert';
import { importImage, SOCKET, startContainerd } from '../support/containerd.ts';
import { type Kubelet, openCri, type PodRequest } from '../support/cri.ts';
import { confDir, reference, useTestHost } from '../support/e2e.ts';
import { removeNetworks } from '../support/networks.ts';
import { rules } from '../support/rules.ts';
import { assertSame } from '../support/snapshot.ts';
import type { TestHost } from '../support/test-host.ts';
import { type Agent, assertTraffic, startAgent } from '../support/traffic.ts';
import { addUplink, type Uplink } from '../support/uplink.ts';

const BRIDGE = { bridge: 'isth-pods', isGateway: true, ipMasq: true, hairpinMode: true };
const IPAM = {
  ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};

const LISTS = {
  'one element': [
    { type: 'isthmus', driver: 'bridge', ...BRIDGE, capabilities: { portMappings: true, bandwidth: true }, ipam: IPAM },
  ],
  "a chain of the reference's names": [
    { type: 'bridge', ...BRIDGE, ipam: { type: 'host-local', ...IPAM } },
    { type: 'portmap', capabilities: { portMappings: true } },
    { type: 'bandwidth', capabilities: { bandwidth: true } },
    { type: 'firewall' },
  ],
};

for (const [title, plugins] of Object.entries(LISTS).slice(reference ? 1 : 0)) {
  describe('host ports, limits and masquerading of pods through the CRI', function () {
    this.timeout(60_000);
    describePods(title, plugins, useTestHost());
  });
}

/** In a separate block: its objects must be deleted before the test host is checked. */
function describePods(title: string, plugins: readonly object[], running: () => TestHost): void {
  describe(`by ${title}`, () => {
    let host: TestHost;
    let kubelet: Kubelet;
    let uplink: Uplink;
    let hostAgent: Agent;
    let without = '';
    const stack = new DisposableStack();
    const agents: Agent[] = [];
    const pods: string[] = [];

    const pod = (name: string, more: Partial<PodRequest> = {}): PodRequest => ({
      name,
      cgroupParent: `/${host.name}`,
      ...more,
    });
    const sandboxes = (): string[] =>
      host
        .run('ls', '/run/netns')
        .split('\n')
        .filter((name) => name.startsWith('cni-'));
    /** The pod runs, and an agent in it serves TCP on 80 and UDP on 53. */
    const run = async (request: PodRequest): Promise<{ id: string; ip: string; agent: Agent }> => {
      const before = sandboxes();
      const id = await kubelet.runPod(request);
      pods.push(id);
      const [sandbox] = sandboxes().filter((name) => !before.includes(name));
      const agent = startAgent(request.name, { path: host.outside(`/run/netns/${sandbox}`) });
      agents.push(agent);
      const { ip } = await kubelet.podStatus(id);
      await Promise.all([agent.serve('tcp', 80), agent.serve('udp', 53, ip)]);
      return { id, ip, agent };
    };
    const qdiscs = (): string => host.run('tc', 'qdisc', 'show');

    before('containerd and a neighbour of the host', async () => {
      host = running();
      uplink = stack.use(addUplink(host));
      hostAgent = stack.use(startAgent('host', { path: host.outside('/run/isth/net') }));
      await uplink.agent.serve('tcp', 80);
      removeNetworks(host);
      host.write(`${confDir}/10-pods.conflist`, JSON.stringify({ cniVersion: '1.0.0', name: 'pods', plugins }));
      await startContainerd(host);
      kubelet = stack.use(openCri(host.outside(SOCKET)));
      importImage(host, 'k8s.io');
      without = rules(host) + qdiscs();
    });

    afterEach('no pod, no rule, no limit', async function () {
      for (const agent of agents.splice(0)) agent[Symbol.dispose]();
      for (const id of pods.splice(0)) {
        await kubelet.stopPod(id);
        await kubelet.removePod(id);
      }
      // The reference leaves its chains.
      if (this.currentTest?.state === 'passed' && !reference)
        assertSame(rules(host) + qdiscs(), without, 'pods that came and went');
    });

    after(() => stack.dispose());

    it('forwards host ports to the pod: both families, TCP and UDP, every address of the host or one', async () => {
      const ports = [
        { hostPort: 8080, containerPort: 80 },
        { hostPort: 8081, containerPort: 80, hostIp: uplink.host[4] },
        { hostPort: 8082, containerPort: 80, hostIp: '127.0.0.1' },
        { hostPort: 5353, containerPort: 53, protocol: 'UDP' },
      ] as const;
      const one = await run(pod('one', { ports }));
      const two = await run(pod('two'));
      const at = (address: string, port: number): { address: string; port: number } => ({ address, port });
      await assertTraffic([
        [uplink.agent, at(uplink.host[4], 8080), `one saw ${uplink.address[4]}`],
        [uplink.agent, at(uplink.host[6], 8080), `one saw ${uplink.address[6]}`],
        [uplink.agent, at(uplink.host[4], 8081), 'one'],
        [uplink.agent, at(uplink.host[6], 8081), 'refused'],
        [uplink.agent, at(uplink.host[4], 8082), 'refused'],
        [uplink.agent, { protocol: 'udp', address: uplink.host[4], port: 5353 }, 'one'],
        [uplink.agent, at(uplink.host[4], 5353), 'refused'],
        [hostAgent, at(uplink.host[4], 8080), 'one'],
        [hostAgent, at('127.0.0.1', 8080), 'one'],
        [hostAgent, at('127.0.0.1', 8082), 'one'],
        [hostAgent, at(uplink.host[4], 8082), 'refused'],
        [two.agent, at(uplink.host[4], 8080), 'one'],
        [two.agent, at(uplink.host[6], 8080), 'one'],
        [one.agent, at(uplink.host[4], 8080), 'one'],
        [one.agent, at(uplink.host[6], 8080), 'one'],
      ]);
      // A pod that comes back with the host port finds nothing of its predecessor in the way.
      await kubelet.stopPod(one.id);
      await assertTraffic([[uplink.agent, at(uplink.host[4], 8080), 'refused']]);
      await run(pod('again', { ports }));
      await assertTraffic([
        [uplink.agent, at(uplink.host[4], 8080), 'again'],
        [uplink.agent, { protocol: 'udp', address: uplink.host[4], port: 5353 }, 'again'],
      ]);
    });

    it('masquerades pods on the way out of the host, and nowhere else', async () => {
      const [one, two] = [await run(pod('one')), await run(pod('two'))];
      await assertTraffic([
        [one.agent, { address: uplink.address[4], port: 80 }, `outside saw ${uplink.host[4]}`],
        [one.agent, { address: uplink.address[6], port: 80 }, `outside saw ${uplink.host[6]}`],
        [one.agent, { address: two.ip, port: 80 }, `two saw ${one.ip}`],
        [hostAgent, { address: one.ip, port: 80 }, 'one saw 10.88.0.1'],
      ]);
    });

    it('applies the limits in annotations', async () => {
      const annotations = { 'kubernetes.io/ingress-bandwidth': '10M', 'kubernetes.io/egress-bandwidth': '20M' };
      await run(pod('one', { annotations }));
      const [ingress = '', ...more] = qdiscs()
        .split('\n')
        .filter((line) => / tbf .* rate 10Mbit /.test(line));
      assert.match(ingress, / dev veth/);
      assert.deepEqual(more, []);
      assert.match(qdiscs(), / tbf .* dev (ifb|bwp)\S+ .* rate 20Mbit /, 'egress by a device of its own');
      await run(pod('two'));
      assert.equal(qdiscs().match(/ tbf /g)?.length, 2, 'of the other pod nothing is limited');
      await assertTraffic([[uplink.agent, { address: uplink.host[4], port: 8080 }, 'refused']]);
    });

    it('refuses a host port of another pod, names that pod, and runs the pod once it is gone', async function () {
      if (reference) this.skip();
      const ports = [{ hostPort: 8080, containerPort: 80 }];
      const one = await run(pod('one', { ports }));
      const before = rules(host) + qdiscs();
      await assert.rejects(kubelet.runPod(pod('two', { ports })), (error: Error) => {
        assert.match(error.message, /host port 8080\/tcp/);
        assert.match(error.message, new RegExp(one.id));
        return true;
      });
      assertSame(rules(host) + qdiscs(), before, 'a pod that was refused');
      await assertTraffic([[uplink.agent, { address: uplink.host[4], port: 8080 }, 'one']]);
      await kubelet.stopPod(one.id);
      await run(pod('two', { ports }));
      await assertTraffic([[uplink.agent, { address: uplink.host[4], port: 8080 }, 'two']]);
    });

    it('deletes everything by a DEL without namespace and prevResult', async function () {
      if (reference) this.skip();
      const ports = [{ hostPort: 8080, containerPort: 80 }];
      const annotations = { 'kubernetes.io/egress-bandwidth': '20M' };
      const { id } = await run(pod('one', { ports, annotations }));
      const [sandbox = ''] = sandboxes();
      // The namespace is deleted before the runtime knows.
      for (const agent of agents.splice(0)) agent[Symbol.dispose]();
      host.run('umount', '-l', `/run/netns/${sandbox}`);
      host.run('rm', `/run/netns/${sandbox}`);
      await kubelet.stopPod(id);
      await kubelet.stopPod(id);
      assertSame(rules(host) + qdiscs(), without, 'a pod that was stopped twice');
    });
  });
}
