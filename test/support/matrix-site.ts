import { docker, loadImage, startDocker } from './docker.ts';
import { type Cell, cellsOf, type End, type Matrix, type MeasureOptions, measure, namesOf } from './matrix.ts';
import {
  addBridgeEnd,
  addLibvirtRules,
  BRIDGE,
  type BridgeEnd,
  bridgeOf,
  type DockerEnd,
  removeLibvirtRules,
  runContainers,
  serveBoth,
  startEnd,
} from './matrix-ends.ts';
import { addOurs, type Backend, type Ours, ourContainers, removeContainers } from './matrix-ours.ts';
import { makeTestHost, type TestHost } from './test-host.ts';
import { addUplink, type Uplink } from './uplink.ts';

/** A test host, a neighbour that routes everything to it, and foreign ends. */
export interface ReachSite extends AsyncDisposable {
  readonly host: TestHost;
  /** dockerd runs, with a container of every kind or of some. */
  startDocker(options?: DockerKinds): Promise<void>;
  /** An end on each of so many bridges without filter. */
  addPlainBridges(count: number): Promise<void>;
  /** Two of these, and two that are filtered as libvirt does. */
  addBridges(): Promise<void>;
  /** The rules of the latter two once more, before all others. */
  startLibvirt(): void;
  /** Our daemon runs; pods of ours are there, and containers where dockerd runs. */
  addOurs(backend: Backend): Promise<void>;
  /** Containers of ours on networks of dockerd, which came after our daemon. */
  addOurContainers(): Promise<void>;
  removeOurs(): Promise<void>;
  /** Sets the policy of FORWARD in iptables, both families. */
  forward(policy: ForwardPolicy): void;
  /** Asks for all pairs of ends that `chosen` accepts. */
  measure(chosen: (cell: Cell) => boolean, expected?: MeasureOptions['expected']): Promise<[readonly Cell[], Matrix]>;
}

export type ForwardPolicy = 'ACCEPT' | 'DROP';

export interface DockerKinds {
  /** `--userland-proxy`; on by default. */
  readonly proxy?: boolean;
  /** `--ip6tables`, which needs `--experimental` before 27; on by default. */
  readonly filters6?: boolean;
  /** The containers to run, by name; one of every kind by default. */
  readonly only?: readonly string[];
}

/** Everything in it uses `iptables`: that of nftables, or the old one. */
export async function makeReachSite(iptables: 'nft' | 'legacy' = 'nft'): Promise<ReachSite> {
  const host = await makeTestHost();
  try {
    for (const tool of ['iptables', 'ip6tables'])
      host.run('update-alternatives', '--set', tool, `/usr/sbin/${tool}-${iptables}`);
    return await siteOf(host);
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
}

async function siteOf(host: TestHost): Promise<ReachSite> {
  // Addresses and bridges work at once.
  host.run('sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.all.accept_dad=0');
  host.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  const uplink = addUplink(host);
  const foreign = [...(await outerEnds(host, uplink))];
  let docked: End[] = [];
  let contained: End[] = [];
  let ours: Ours | undefined;
  const dispose = (ends: readonly End[]): void => {
    for (const { agent } of ends) agent[Symbol.dispose]();
  };
  const all = (): End[] => [...foreign, ...docked, ...(ours?.ends ?? []), ...contained];
  const site: ReachSite = {
    host,
    async startDocker(options = {}) {
      await startDocker(host, { args: dockerArgs(options) });
      loadImage(host);
      docked = await dockerEnds(host, options.only);
    },
    async addPlainBridges(count) {
      const numbers = Array.from({ length: count }, (_, index) => index + 1);
      foreign.push(...(await Promise.all(numbers.map((number) => addBridgeEnd(host, plain(number))))));
    },
    async addBridges() {
      await site.addPlainBridges(2);
      foreign.push(...(await Promise.all(LIBVIRT.map((end) => addBridgeEnd(host, end)))));
      site.startLibvirt();
    },
    startLibvirt() {
      removeLibvirtRules(host);
      for (const end of LIBVIRT) addLibvirtRules(host, end, end.kind === 'libvirt-nat' ? 'nat' : 'isolated');
    },
    async addOurs(backend) {
      ours = await addOurs(host, backend);
      if (docked.length > 0) await site.addOurContainers();
    },
    async addOurContainers() {
      contained = await ourContainers(host);
    },
    async removeOurs() {
      if (contained.length > 0) removeContainers(host, contained);
      contained = [];
      await ours?.remove();
      ours = undefined;
    },
    forward(policy) {
      for (const tool of ['iptables', 'ip6tables']) host.run(tool, '-P', 'FORWARD', policy);
    },
    async measure(chosen, expected) {
      const ends = all();
      const cells = cellsOf(ends).filter(chosen);
      const options = { host: uplink.host, names: namesOf(host, ends) };
      return [cells, await measure(cells, { ...options, ...(expected === undefined ? {} : { expected }) })];
    },
    async [Symbol.asyncDispose]() {
      dispose(all());
      ours?.forget();
      uplink.agent[Symbol.dispose]();
      await host[Symbol.asyncDispose]();
    },
  };
  return site;
}

async function outerEnds(host: TestHost, { agent, address, host: own }: Uplink): Promise<readonly End[]> {
  for (const family of [4, 6] as const) {
    host.run('ip', '-n', 'outside', `-${family}`, 'route', 'add', 'default', 'via', own[family]);
    host.run('ip', `-${family}`, 'route', 'add', 'default', 'via', address[family]);
  }
  await serveBoth(agent, address);
  const self = await startEnd(host, { name: 'host', kind: 'host', address: own }, '/run/isth/net');
  host.run('sh', '-c', NODE_SCRIPT);
  const node = { name: 'node', kind: 'node', bridge: 'up1', address: { 4: '10.230.0.9', 6: 'fd00:230::9' } };
  const outside = { name: 'outside', kind: 'outside', bridge: 'up0', address, agent };
  return [self, outside, await startEnd(host, node, '/run/netns/node')];
}

const NODE_SCRIPT = `set -e
  ip netns add node
  ip link add up1 type veth peer name eth0 netns node
  ip addr add 10.230.0.1/24 dev up1
  ip addr add fd00:230::1/64 dev up1 nodad
  ip link set up1 up
  ip -n node addr add 10.230.0.9/24 dev eth0
  ip -n node addr add fd00:230::9/64 dev eth0 nodad
  ip -n node link set lo up
  ip -n node link set eth0 up
  ip -n node route add default via 10.230.0.1
  ip -n node route add default via fd00:230::1`;

const plain = (number: number): BridgeEnd => ({
  ...{ name: `p${number}`, kind: 'plain', bridge: `plain${number}` },
  subnet: { 4: `10.221.${number}.0/24`, 6: `fd00:221:${number}::/64` },
});

const LIBVIRT: readonly BridgeEnd[] = [
  { name: 'vm', kind: 'libvirt-nat', bridge: 'virbr0', subnet: { 4: '192.168.122.0/24', 6: 'fd00:222:1::/64' } },
  {
    name: 'vmiso',
    kind: 'libvirt-isolated',
    bridge: 'virbr1',
    subnet: { 4: '192.168.123.0/24', 6: 'fd00:222:2::/64' },
  },
];

function dockerArgs({ proxy = true, filters6 = true }: DockerKinds): string[] {
  const six = ['--ipv6', '--fixed-cidr-v6', 'fd00:201::/64'];
  return [
    ...six,
    `--userland-proxy=${proxy}`,
    ...(filters6 ? ['--experimental', '--ip6tables'] : ['--ip6tables=false']),
  ];
}

interface DockerKind extends DockerEnd {
  /** Options of `docker network create`, once a network. */
  readonly options?: readonly string[];
  /** The first major version of dockerd that knows the options. */
  readonly since?: number;
}

const inMode = (mode: string): string[] =>
  [4, 6].flatMap((family) => ['-o', `${BRIDGE}.gateway_mode_ipv${family}=${mode}`]);

const DOCKER_KINDS: readonly DockerKind[] = [
  { name: 'd0', kind: 'docker', network: 'bridge', hostPort: 8101 },
  { name: 'u1', kind: 'docker', network: 'user1', hostPort: 8102, options: [] },
  { name: 'u2', kind: 'docker', network: 'user2', hostPort: 8103, options: [] },
  { name: 'int', kind: 'docker-internal', network: 'internal', options: ['--internal'] },
  { name: 'icc1', kind: 'docker', network: 'noicc', hostPort: 8104, options: ['-o', `${BRIDGE}.enable_icc=false`] },
  { name: 'icc2', kind: 'docker', network: 'noicc' },
  {
    ...{ name: 'routed', kind: 'docker-routed', network: 'routed', hostPort: 'own', since: 27 },
    options: inMode('routed'),
  },
  {
    ...{ name: 'unprot', kind: 'docker-unprotected', network: 'unprot', hostPort: 8105, since: 28 },
    options: inMode('nat-unprotected'),
  },
  {
    ...{ name: 'isol', kind: 'docker-isolated', network: 'isolated', since: 28 },
    options: ['--internal', ...inMode('isolated')],
  },
];

/** Networks and containers of every kind that this dockerd knows, or of those kinds `only`. */
function dockerEnds(host: TestHost, only?: readonly string[]): Promise<End[]> {
  const version = Number.parseInt(docker(host, 'version', '--format', '{{.Server.Version}}'), 10);
  const kinds = DOCKER_KINDS.filter(({ name, since = 0 }) => version >= since && only?.includes(name) !== false);
  for (const [index, { network, options }] of kinds.entries()) {
    if (options === undefined) continue;
    const subnets = ['--subnet', `10.203.${index}.0/24`, '--ipv6', '--subnet', `fd00:203:${index}::/64`];
    docker(host, 'network', 'create', ...subnets, '-o', `${BRIDGE}.name=${bridgeOf(network)}`, ...options, network);
  }
  return runContainers(host, kinds);
}
