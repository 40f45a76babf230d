import type { Family } from '../../src/shared/model/addr.ts';
import { docker } from './docker.ts';
import { OURS, startDockerPlugin } from './docker-plugin.ts';
import { makePods, type Pods } from './docker-pods.ts';
import type { End } from './matrix.ts';
import { BRIDGE, bridgeOf, type DockerEnd, runContainers, startEnd } from './matrix-ends.ts';
import type { NetworkList } from './runtime.ts';
import type { TestHost } from './test-host.ts';

/** The packet filter of our CNI networks. */
export type Backend = 'nftables' | 'iptables';

/** The network of o1 and o2. */
export const OUR_SUBNET = '10.211.0.0/24';

/** Pods of another node, which the network of w1 names. */
const NODE_PODS = ['10.230.0.0/24', 'fd00:230::/64'];

/** Our daemon and pods. */
export interface Ours {
  readonly ends: readonly End[];
  remove(): Promise<void>;
  /** The test host ends, and they with it. */
  forget(): void;
}

/** Pods o1 and o2 on one network, w1 and e1 on one each. */
export async function addOurs(host: TestHost, backend: Backend): Promise<Ours> {
  const daemon = await startDockerPlugin(host);
  const networks = OUR_NETWORKS.map(({ list, pods }) => ({ made: makePods(host, 'daemon', list(backend)), pods }));
  const ends = await Promise.all(networks.flatMap(({ made, pods }) => addPods(host, made, pods)));
  return {
    ends,
    forget() {
      for (const { made } of networks) made.forget();
    },
    async remove() {
      for (const { agent } of ends) agent[Symbol.dispose]();
      for (const { made } of networks) made[Symbol.dispose]();
      await daemon.stop();
    },
  };
}

interface OurPod {
  readonly name: string;
  readonly kind: string;
  readonly hostPort?: number;
}

function addPods(host: TestHost, made: Pods, names: readonly OurPod[]): Promise<End>[] {
  return names.map(({ name, kind, ...port }) => {
    const bridge = `isth-${made.runtime.list.name}`;
    const { hostPort } = port;
    const offers = (['tcp', 'udp'] as const).map((protocol) => ({ hostPort, containerPort: 81, protocol }));
    const addresses = made.add(name, hostPort === undefined ? undefined : { portMappings: offers });
    const of = (family: Family): string => addresses.find((one) => one.includes(':') === (family === 6)) ?? '';
    return startEnd(host, { name, kind, bridge, address: { 4: of(4), 6: of(6) }, ...port }, `/run/netns/${name}`);
  });
}

const listOf =
  (name: string, number: number, more: Readonly<Record<string, unknown>> = {}) =>
  (backend: Backend): NetworkList => ({
    name,
    cniVersion: '1.1.0',
    disableCheck: false,
    plugins: [
      {
        firewall: { backend },
        ...{ type: 'isthmus', bridge: `isth-${name}`, isGateway: true, ipMasq: true, hairpinMode: true },
        capabilities: { portMappings: true },
        ipam: {
          ranges: [[{ subnet: `10.${number}.0.0/24` }], [{ subnet: `fd00:${number}::/64` }]],
          routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
        },
        ...more,
      },
    ],
  });

const OUR_NETWORKS = [
  {
    list: listOf('plain', 211),
    pods: [
      { name: 'o1', kind: 'pod' },
      { name: 'o2', kind: 'pod', hostPort: 8111 },
    ],
  },
  {
    list: listOf('nodes', 212, { nonMasqueradeCIDRs: NODE_PODS }),
    pods: [{ name: 'w1', kind: 'pod-node', hostPort: 8112 }],
  },
  { list: listOf('open', 213, { ingressPolicy: 'open' }), pods: [{ name: 'e1', kind: 'pod-explicit' }] },
];

const OUR_CONTAINERS: readonly DockerEnd[] = [
  { name: 'm1', kind: 'container', network: 'ours1', hostPort: 8113 },
  { name: 'm2', kind: 'container', network: 'ours2', hostPort: 8114 },
];

/** Containers m1 and m2 on a network of ours each. */
export function ourContainers(host: TestHost): Promise<End[]> {
  for (const [index, { network }] of OUR_CONTAINERS.entries()) {
    const subnets = ['--subnet', `10.204.${index}.0/24`, '--ipv6', '--subnet', `fd00:204:${index}::/64`];
    docker(
      host,
      'network',
      'create',
      '-d',
      'isthmus',
      ...OURS,
      ...subnets,
      '-o',
      `${BRIDGE}.name=${bridgeOf(network)}`,
      network,
    );
  }
  return runContainers(host, OUR_CONTAINERS);
}

export function removeContainers(host: TestHost, ends: readonly End[]): void {
  for (const { agent } of ends) agent[Symbol.dispose]();
  docker(host, 'rm', '-f', ...ends.map(({ name }) => name));
  docker(host, 'network', 'rm', ...OUR_CONTAINERS.map(({ network }) => network));
}
