import type { Element } from '../support/chain.ts';
import { environmentOf, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import type { Daemon, Programs } from './daemon-site.ts';
import type { SpawnCall, Step } from './spawner.ts';

/** One way to connect pods: a chain of plugins on its own host. */
export interface Route {
  readonly host: CniHost;
  readonly elements: readonly Element[];
  /** Its interface in every pod. */
  readonly ifName: string;
  readonly env: NodeJS.ProcessEnv;
}

/** The pod to connect. */
export interface Endpoint {
  readonly id: string;
  readonly netns: string;
  /** Defaults to the route's own. */
  readonly ifName?: string;
  /** Only for networks that publish ports. */
  readonly hostPort?: number;
}

/** The result of the ADD: the number of its call in the same run, or its text. */
export type Result = number | string;

const LIST = { cniVersion: '1.1.0', name: 'bench' };
/** The newest version that the reference of Debian 12 supports. */
const REFERENCE_LIST = { ...LIST, cniVersion: '1.0.0' };
const BRIDGE = { bridge: 'isth0', isGateway: true };
const MASQUERADE = { ...BRIDGE, ipMasq: true, hairpinMode: true };
const PORTS = { capabilities: { portMappings: true } };

/**
 * Network number `subnet` through the daemon: bridge and addresses; with masquerade and ports, or without. `suffix` tells
 * networks of one kind on one host apart.
 */
export function daemonRoute(
  { host, runDir }: Pick<Daemon, 'host' | 'runDir'>,
  { dir }: Pick<Programs, 'dir'>,
  subnet: number,
  ports: boolean,
  suffix = '',
): Route {
  const name = `${ports ? 'ports' : 'plain'}${suffix}`;
  const network = ports ? { ...MASQUERADE, ...PORTS } : BRIDGE;
  const conf = { type: 'isthmus', driver: 'bridge', ...network, bridge: `isth-${name}`, ipam: pool(host, subnet) };
  const env = { ISTHMUS_STATE_DIR: host.stateDir, ISTHMUS_RUN_DIR: runDir };
  return { host, elements: [{ dir, conf: { ...LIST, name, ...conf } }], ifName: `eth${subnet}`, env };
}

/** The same by Debian's plugins: bridge with host-local; and portmap and firewall, with their iptables backends. */
export function referenceRoute(host: CniHost, subnet: number, ports: boolean): Route {
  const name = ports ? 'ports' : 'plain';
  const ipam = { type: 'host-local', ...pool(host, subnet) };
  const network = ports ? MASQUERADE : BRIDGE;
  const list = { ...REFERENCE_LIST, name };
  const chained = [
    { dir: referenceDir, conf: { ...list, type: 'portmap', backend: 'iptables', ...PORTS } },
    { dir: referenceDir, conf: { ...list, type: 'firewall', backend: 'iptables' } },
  ];
  const bridge = { dir: referenceDir, conf: { ...list, type: 'bridge', ...network, bridge: `isth-${name}`, ipam } };
  return { host, elements: ports ? [bridge, ...chained] : [bridge], ifName: `eth${subnet}`, env: {} };
}

/** A host for the reference. */
export function makeReferenceHost(): CniHost {
  return makeHost(0);
}

/** Runs the list's plugins in order, each with the result of the previous one, as libcni does. */
export function addCall(route: Route, endpoint: Endpoint): SpawnCall {
  return {
    steps: route.elements.map((element, i) => {
      const from = i === 0 ? undefined : ('previous' as const);
      return stepOf(route, element, 'ADD', endpoint, from === undefined ? undefined : '<', from);
    }),
  };
}

/** Runs the plugins from last to first, each with the result of the whole chain. */
export function delCall(route: Route, endpoint: Endpoint, result: Result): SpawnCall {
  return {
    steps: route.elements.toReversed().map((element) => {
      const from = typeof result === 'number' ? result : undefined;
      return stepOf(route, element, 'DEL', endpoint, from === undefined ? `${result}` : '<', from);
    }),
  };
}

export function statusCall(route: Route): SpawnCall {
  return { steps: route.elements.map((element) => stepOf(route, element, 'STATUS')) };
}

/** Lets the kernel itself delete the host interface that the ADD created. */
export function kernelDeletion({ host }: Route, added: string): SpawnCall {
  const { interfaces = [] }: { interfaces?: { name: string; sandbox?: string }[] } = JSON.parse(added);
  const port = interfaces.findLast(({ sandbox }) => sandbox === undefined);
  if (port === undefined) throw new Error(`no interface on the host: ${added}`);
  return { steps: [{ netns: host.ns.path, file: '', env: {}, input: port.name }] };
}

function stepOf(
  { host, ifName, env }: Route,
  { dir, conf }: Element,
  command: 'ADD' | 'DEL' | 'STATUS',
  endpoint?: Endpoint,
  prevResult?: string,
  from?: Step['from'],
): Step {
  const { id, netns, hostPort = 80 } = endpoint ?? { id: '', netns: '' };
  const attachment = endpoint === undefined ? {} : { containerId: id, netns, ifName: endpoint.ifName ?? ifName };
  const mapping = { hostPort, containerPort: 80, protocol: 'tcp' };
  const runtime = conf.capabilities === undefined ? {} : { runtimeConfig: { portMappings: [mapping] } };
  const text = JSON.stringify({ ...conf, ...runtime });
  const name = conf.type;
  return {
    netns: host.ns.path,
    file: `${dir}/${name}`,
    env: { ...environmentOf({ dir, name, command, ...attachment }), ...env },
    input: prevResult === undefined ? text : `${text.slice(0, -1)},"prevResult":${prevResult}}`,
    ...(from === undefined ? {} : { from }),
  };
}

function pool({ dataDir }: CniHost, subnet: number): Readonly<Record<string, unknown>> {
  return { dataDir, ranges: [[{ subnet: `10.${100 + subnet}.0.0/16` }]], routes: [] };
}
