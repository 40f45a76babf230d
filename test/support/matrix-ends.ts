import type { Family } from '../../src/shared/model/addr.ts';
import { docker } from './docker.ts';
import { IMAGE } from './image.ts';
import { type End, PUBLISHED, UNPUBLISHED } from './matrix.ts';
import type { TestHost } from './test-host.ts';
import { type Agent, startAgent } from './traffic.ts';

/** An agent in a namespace serves both ports, over TCP and UDP, at these addresses. */
export async function startEnd(host: TestHost, end: Omit<End, 'agent'>, netns: string): Promise<End> {
  const agent = startAgent(end.name, { path: host.outside(netns) });
  await serveBoth(agent, end.address);
  return { ...end, agent };
}

/** A datagram's answer has to come from the address that was asked: a socket each. */
export async function serveBoth(agent: Agent, address: End['address']): Promise<void> {
  const ports = [UNPUBLISHED, PUBLISHED];
  const udp = ports.flatMap((port) => Object.values(address).map((one) => agent.serve('udp', port, one)));
  await Promise.all([...udp, ...ports.map((port) => agent.serve('tcp', port))]);
}

/** A container of Docker's own drivers. */
export interface DockerEnd {
  readonly name: string;
  readonly kind: string;
  readonly network: string;
  readonly hostPort?: number | 'own';
}

/** Of the options of `docker network create`. */
export const BRIDGE = 'com.docker.network.bridge';

export const bridgeOf = (network: string): string => (network === 'bridge' ? 'docker0' : `br-${network}`);

/** Containers of these names run; they are started at once. */
export async function runContainers(host: TestHost, wanted: readonly DockerEnd[]): Promise<End[]> {
  const publish = (port?: number | 'own'): string => {
    const at = port === 'own' ? '' : `${port}:`;
    return port === undefined ? '' : `-p ${at}${PUBLISHED}/tcp -p ${at}${PUBLISHED}/udp`;
  };
  const commands = wanted.map(
    ({ name, network, hostPort }) =>
      `/usr/bin/docker run -d --name ${name} --network ${network} ${publish(hostPort)} ${IMAGE} >/dev/null & `,
  );
  host.run('sh', '-c', `${commands.join('')} wait`);
  const inspected: readonly Inspected[] = JSON.parse(docker(host, 'inspect', ...wanted.map(({ name }) => name)));
  return Promise.all(
    wanted.map(({ network, ...end }, index) => {
      const { SandboxKey = '', Networks = {} } = inspected[index]?.NetworkSettings ?? {};
      const { IPAddress, GlobalIPv6Address } = Networks[network] ?? {};
      const address = addressOf(IPAddress, GlobalIPv6Address);
      if (address[4] === undefined) throw new Error(`${end.name} has no address on ${network}`);
      // /var/run is a link, which would lead out of the test host.
      const netns = SandboxKey.replace(/^\/var\/run\//, '/run/');
      defaultRoutes(host, netns, address);
      return startEnd(host, { ...end, address, bridge: bridgeOf(network) }, netns);
    }),
  );
}

interface Inspected {
  readonly NetworkSettings: {
    readonly SandboxKey: string;
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string; readonly GlobalIPv6Address: string }>>;
  };
}

export function addressOf(four = '', six = ''): End['address'] {
  return { ...(four === '' ? {} : { 4: four }), ...(six === '' ? {} : { 6: six }) };
}

/**
 * One who was given no default route takes the first address of its subnet: filters have to keep it inside, not its own
 * routes. It has that address itself where its network has no gateway, and asks everybody then.
 */
function defaultRoutes(host: TestHost, netns: string, address: End['address']): void {
  const routes = Object.entries(address).map(([family, own]) => {
    const gateway = own.replace(/[0-9a-f]+$/, '1');
    const way = gateway === own ? 'dev eth0' : `via ${gateway}`;
    return `[ -n "$(ip -${family} route show default)" ] || ip -${family} route add default ${way}`;
  });
  host.run('nsenter', `--net=${netns}`, 'sh', '-c', routes.join('; '));
}

/** A namespace on a bridge of its own, neither of which anybody manages. */
export interface BridgeEnd {
  readonly name: string;
  readonly kind: string;
  readonly bridge: string;
  /** The bridge has `.1` and `::1`, the namespace `.2` and `::2`. */
  readonly subnet: Readonly<Record<Family, string>>;
}

const hostPart = (subnet: string, number: number): string => subnet.replace(/0?\/.*$/, String(number));

export function addBridgeEnd(host: TestHost, { bridge, subnet, ...end }: BridgeEnd): Promise<End> {
  const address = { 4: hostPart(subnet[4], 2), 6: hostPart(subnet[6], 2) };
  const gateway = { 4: hostPart(subnet[4], 1), 6: hostPart(subnet[6], 1) };
  host.run(
    'sh',
    '-c',
    `set -e
    ip link add ${bridge} type bridge
    ip addr add ${gateway[4]}/24 dev ${bridge}
    ip addr add ${gateway[6]}/64 dev ${bridge} nodad
    ip link set ${bridge} up
    ip netns add ${end.name}
    ip link add v-${end.name} master ${bridge} up type veth peer name eth0 netns ${end.name}
    ip -n ${end.name} link set lo up
    ip -n ${end.name} addr add ${address[4]}/24 dev eth0
    ip -n ${end.name} addr add ${address[6]}/64 dev eth0 nodad
    ip -n ${end.name} link set eth0 up
    ip -n ${end.name} route add default via ${gateway[4]}
    ip -n ${end.name} route add default via ${gateway[6]}`,
  );
  return startEnd(host, { ...end, address, bridge }, `/run/netns/${end.name}`);
}

/** Filters a bridge as libvirt does for a network with `<forward mode='nat'>` (IPv6 too), or without `<forward>`. */
export function addLibvirtRules(host: TestHost, { bridge, subnet }: BridgeEnd, mode: 'nat' | 'isolated'): void {
  const families = [['iptables', subnet[4]] as const, ['ip6tables', subnet[6]] as const];
  const script = families.map(([tool, net]) => [
    ...CHAINS.map(
      ([table, hook, chain]) =>
        `${tool} -t ${table} -N ${chain} 2>/dev/null && ${tool} -t ${table} -I ${hook} -j ${chain}`,
    ),
    ...libvirtRules(bridge, net, mode).map((rule) => `${tool} -w ${rule} || exit 1`),
  ]);
  host.run('sh', '-c', script.flat().join('\n'));
}

/** Nothing that `addLibvirtRules` has added is there. */
export function removeLibvirtRules(host: TestHost): void {
  const lines = ['iptables', 'ip6tables'].flatMap((tool) =>
    CHAINS.map(
      ([table, hook, chain]) =>
        `${tool} -w -t ${table} -D ${hook} -j ${chain} 2>/dev/null && ${tool} -t ${table} -F ${chain} && ${tool} -t ${table} -X ${chain}`,
    ),
  );
  host.run('sh', '-c', `${lines.join('\n')}\ntrue`);
}

/** In the order of libvirt, each at the head: FORWARD jumps to LIBVIRT_FWX first. */
const CHAINS = [
  ['filter', 'INPUT', 'LIBVIRT_INP'],
  ['filter', 'FORWARD', 'LIBVIRT_FWO'],
  ['filter', 'FORWARD', 'LIBVIRT_FWI'],
  ['filter', 'FORWARD', 'LIBVIRT_FWX'],
  ['filter', 'OUTPUT', 'LIBVIRT_OUT'],
  ['nat', 'POSTROUTING', 'LIBVIRT_PRT'],
] as const;

function libvirtRules(bridge: string, net: string, mode: 'nat' | 'isolated'): string[] {
  const dns = ['udp', 'tcp'].map((protocol) => `-I LIBVIRT_INP -i ${bridge} -p ${protocol} --dport 53 -j ACCEPT`);
  const shut = ['-A LIBVIRT_FWI -o', '-A LIBVIRT_FWO -i'].map((rule) => `${rule} ${bridge} -j REJECT`);
  const common = [...dns, ...shut, `-A LIBVIRT_FWX -i ${bridge} -o ${bridge} -j ACCEPT`];
  if (mode === 'isolated') return common;
  const away = `-t nat -I LIBVIRT_PRT -s ${net} ! -d ${net}`;
  return [
    ...common,
    `-I LIBVIRT_FWI -d ${net} -o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    `-I LIBVIRT_FWO -s ${net} -i ${bridge} -j ACCEPT`,
    `${away} -j MASQUERADE`,
    ...['udp', 'tcp'].map((protocol) => `${away} -p ${protocol} -j MASQUERADE --to-ports 1024-65535`),
  ];
}
