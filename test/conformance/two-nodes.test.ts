import { strict as assert } from 'node:assert';
import { type Cluster, makeCluster, type Node, POD_RANGES } from '../support/cluster.ts';
import { type CniAnswer, type PluginDir, pluginDir, referenceDir } from '../support/cni.ts';
import { assertSame } from '../support/snapshot.ts';
import { type Agent, assertTraffic, type Expectation, startAgent } from '../support/traffic.ts';

/** Port of each node that leads to its first pod. */
const HOST_PORT = 30_080;

interface Pod {
  readonly name: string;
  readonly agent: Agent;
  readonly address: Readonly<Record<4 | 6, string>>;
}

type Conf = Readonly<Record<string, unknown>>;

/** A plugin, and how it is configured on a node. */
interface Setup {
  readonly dir: string;
  readonly name: string;
  conf(node: Node): Conf;
}

describe('two nodes with routes to each other’s pods', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());

  const ours = (type: 'isthmus' | 'bridge', more: Conf = {}): Setup => ({
    dir: bin.path,
    name: type,
    conf: (node) => gatewayConf(type, node, more),
  });

  it('nonMasqueradeCIDRs: pods see each other’s own addresses, the outside sees the node’s', async () => {
    await onCluster(ours('isthmus', { ipMasq: true, nonMasqueradeCIDRs: POD_RANGES }), (cluster, pods) =>
      both((family) => [
        ...meet(pods, family),
        ...outwards(cluster, pods, family),
        ...kubelet(cluster, pods, family),
        ...throughHostPorts(cluster, pods, family),
      ]),
    );
  });

  it('nonMasqueradeCIDRs of the other node’s range only', async () => {
    const except = { a: ['10.72.2.0/24', 'fd72:0:0:2::/64'], b: ['10.72.1.0/24', 'fd72:0:0:1::/64'] };
    const setup: Setup = {
      ...ours('isthmus'),
      conf: (node) => gatewayConf('isthmus', node, { ipMasq: true, nonMasqueradeCIDRs: except[node.name] }),
    };
    await onCluster(setup, (cluster, pods) =>
      both((family) => [...meet(pods, family), ...outwards(cluster, pods, family)]),
    );
  });

  it('outboundAddr4 and outboundAddr6: the outside sees those, other pods the pod’s own', async () => {
    const fixed = { 4: '192.0.2.77', 6: '2001:db8::77' } as const;
    const outbound = { outboundAddr4: fixed[4], outboundAddr6: fixed[6] };
    const setup = ours('isthmus', { ipMasq: true, nonMasqueradeCIDRs: POD_RANGES, ...outbound });
    await onCluster(setup, ({ nodes: [a], outsideAddress }, pods) => {
      // One node only: the other's pods would be answered here.
      a.host.ns.ip('addr', 'add', `${fixed[4]}/32`, 'dev', 'up0');
      a.host.ns.ip('addr', 'add', `${fixed[6]}/128`, 'dev', 'up0', 'nodad', 'preferred_lft', '0');
      const [[own], [other]] = pods;
      return both((family): Expectation[] => [
        [own.agent, { address: outsideAddress[family], port: 80 }, `outside saw ${fixed[family]}`],
        [own.agent, { address: other.address[family], port: 80 }, `${other.name} saw ${own.address[family]}`],
      ]);
    });
  });

  it('without ipMasq the outside does not know how to answer, pods of other nodes do', async () => {
    await onCluster(ours('isthmus'), (cluster, pods) =>
      both((family): Expectation[] => [
        ...meet(pods, family),
        [pods[0][0].agent, { address: cluster.outsideAddress[family], port: 80 }, 'blocked'],
        ...kubelet(cluster, pods, family),
      ]),
    );
  });

  for (const whose of ['reference', 'drop-in'] as const) {
    it(`ipMasq of bridge hides pods from other nodes’ pods too (${whose})`, async () => {
      const setup = ours('bridge', { ipMasq: true });
      await onCluster(whose === 'drop-in' ? setup : { ...setup, dir: referenceDir }, (cluster, pods) =>
        both((family): Expectation[] => {
          const [[one, two], [other]] = pods;
          const [a] = cluster.nodes;
          return [
            [one.agent, { address: other.address[family], port: 80 }, `${other.name} saw ${a.address[family]}`],
            [one.agent, { address: two.address[family], port: 80 }, `${two.name} saw ${one.address[family]}`],
            ...outwards(cluster, pods, family),
            ...kubelet(cluster, pods, family),
          ];
        }),
      );
    });
  }
});

type Pods = readonly [readonly [Pod, Pod], readonly [Pod, Pod]];

/** Two pods on each node; `expect` says what is to come of which probes. Then the nodes are as they were before. */
async function onCluster(
  setup: Setup,
  expect: (cluster: Cluster, pods: Pods) => readonly Expectation[],
): Promise<void> {
  using cluster = await makeCluster(2);
  const [a, b] = cluster.nodes;
  const before = [a, b].map(({ host }) => host.snapshot());
  {
    using agents = new DisposableStack();
    const pods: Pods = [await addPods(setup, a, agents), await addPods(setup, b, agents)];
    await assertTraffic(expect(cluster, pods));
  }
  if (setup.dir === referenceDir) return;
  for (const { host } of [a, b])
    host.ns.run('sh', '-c', 'ip addr del 192.0.2.77/32 dev up0 2>&-; ip addr del 2001:db8::77/128 dev up0 2>&-; true');
  for (const node of [a, b]) {
    for (const pod of [0, 1]) node.host.ok({ ...call(setup, node, pod), command: 'DEL', pod });
  }
  for (const [i, { host, name }] of [a, b].entries()) assertSame(host.snapshot(), before[i] ?? '', `node ${name}`);
}

async function addPods(setup: Setup, node: Node, agents: DisposableStack): Promise<readonly [Pod, Pod]> {
  const add = async (index: number): Promise<Pod> => {
    const answer = node.host.ok({ ...call(setup, node, index), command: 'ADD', pod: index });
    const name = `pod-${node.name}${index}`;
    const agent = agents.use(startAgent(name, node.host.pod(index)));
    await agent.serve('tcp', 80);
    return { name, agent, address: { 4: addressOf(answer, 4), 6: addressOf(answer, 6) } };
  };
  return [await add(0), await add(1)];
}

function call(setup: Setup, node: Node, pod: number): { dir: string; name: string; config: Conf } {
  const { dir, name } = setup;
  const ports = [{ hostPort: HOST_PORT, containerPort: 80, protocol: 'tcp' }];
  const runtimeConfig = name === 'isthmus' && pod === 0 ? { runtimeConfig: { portMappings: ports } } : {};
  return { dir, name, config: { ...setup.conf(node), ...runtimeConfig } };
}

function gatewayConf(type: 'isthmus' | 'bridge', { range, host }: Node, more: Conf): Conf {
  const ranges = [[{ subnet: range[4] }], [{ subnet: range[6] }]];
  const routes = [{ dst: '0.0.0.0/0' }, { dst: '::/0' }];
  const ipam = { ...(type === 'bridge' ? { type: 'host-local' } : {}), dataDir: host.dataDir, ranges, routes };
  const capabilities = type === 'isthmus' ? { capabilities: { portMappings: true } } : {};
  return { cniVersion: '1.0.0', name: 'pods', type, bridge: 'pods0', isGateway: true, ...capabilities, ipam, ...more };
}

function addressOf({ ips = [] }: CniAnswer, family: 4 | 6): string {
  const found = ips.find(({ address }) => address.includes(':') === (family === 6))?.address.split('/')[0];
  assert.ok(found, `no IPv${family} address`);
  return found;
}

function both(expectations: (family: 4 | 6) => readonly Expectation[]): Expectation[] {
  return [...expectations(4), ...expectations(6)];
}

/** Pods of one node and of the other, each in both directions, with their own addresses. */
function meet(pods: Pods, family: 4 | 6): Expectation[] {
  const [[one, two], [other]] = pods;
  const pairs = [
    [one, other],
    [other, one],
    [two, other],
    [one, two],
  ] as const;
  return pairs.map(([from, to]) => [
    from.agent,
    { address: to.address[family], port: 80 },
    `${to.name} saw ${from.address[family]}`,
  ]);
}

/** The outside sees the node, and so does the other node. */
function outwards({ nodes, outsideAddress }: Cluster, pods: Pods, family: 4 | 6): Expectation[] {
  const [a, b] = nodes;
  const [[one], [other]] = pods;
  const neighbour = outsideAddress[family];
  return [
    [one.agent, { address: neighbour, port: 80 }, `outside saw ${a.address[family]}`],
    [other.agent, { address: neighbour, port: 80 }, `outside saw ${b.address[family]}`],
    [one.agent, { address: b.address[family], port: 80 }, `node-b saw ${a.address[family]}`],
  ];
}

/** A node's own processes reach its pods and the other node's, as probes of the kubelet and the API server do. */
function kubelet({ nodes: [a] }: Cluster, pods: Pods, family: 4 | 6): Expectation[] {
  const [[one], [other]] = pods;
  return [
    [a.agent, { address: one.address[family], port: 80 }, `${one.name} saw ${a.gateway[family]}`],
    [a.agent, { address: other.address[family], port: 80 }, `${other.name} saw ${a.address[family]}`],
    [one.agent, { address: a.address[family], port: 80 }, `node-a saw ${one.address[family]}`],
  ];
}

/** A host port is reached from the outside, from the other node and its pods, and from the pods behind it. */
function throughHostPorts({ nodes, outside, outsideAddress }: Cluster, pods: Pods, family: 4 | 6): Expectation[] {
  const [a, b] = nodes;
  const [[one, two], [other]] = pods;
  const at = (node: Node): { address: string; port: number } => ({ address: node.address[family], port: HOST_PORT });
  return [
    [outside, at(a), `${one.name} saw ${outsideAddress[family]}`],
    [b.agent, at(a), one.name],
    [a.agent, at(a), one.name],
    [one.agent, at(b), `${other.name} saw ${a.address[family]}`],
    [other.agent, at(a), one.name],
    [two.agent, at(a), one.name],
    [one.agent, at(a), one.name],
  ];
}
