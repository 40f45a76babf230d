import type { Core } from '../core/core.ts';
import type { LinkState } from '../model/link.ts';
import type { EndpointInfo } from './endpoints.ts';
import { formatSize, type NetworkInfo, type SubnetInfo } from './networks.ts';
import type { PortInfo } from './ports.ts';

/** One network of a host, with what is wrong with it and with each of its endpoints. */
export interface TopologyNetwork<E extends EndpointInfo = EndpointInfo> {
  readonly name: string;
  readonly driver: string;
  readonly device?: string;
  /** `10.88.0.0/24, 3 of 253 in use`. */
  readonly subnets: readonly string[];
  /** Of an overlay: VNI and device. */
  readonly overlay?: string;
  readonly problem?: string;
  readonly endpoints: readonly TopologyEndpoint<E>[];
}

export interface TopologyEndpoint<E extends EndpointInfo = EndpointInfo> {
  readonly info: E;
  /** `8080/tcp → 80`. */
  readonly ports: readonly string[];
  readonly problem?: string;
}

type Links = ReadonlyMap<string, LinkState>;

/** What is in the kernel of the host: all of its links. */
export function readLinks({ host }: Core): Links {
  return host.observe(host.own, { links: 'all' }).links;
}

/**
 * Describes networks and their endpoints as a tree. A problem is what one sees in the links of the host: a device that
 * is missing or down, an endpoint's interface that is missing, down or not a port of its device, a record that is
 * half done. Leaves out predefined networks, which have no endpoints.
 */
export function describeTopology<E extends EndpointInfo>(
  networks: readonly NetworkInfo[],
  links: Links,
  named: (endpoint: EndpointInfo) => E,
): TopologyNetwork<E>[] {
  return networks
    .filter(({ predefined }) => !predefined)
    .map((network) => {
      const { name, driver, device, overlay, subnets, endpoints } = network;
      const problem = networkProblem(network, links);
      return {
        ...{ name, driver, subnets: subnets.map(formatSubnet) },
        ...(device !== undefined && { device }),
        ...(overlay !== undefined && { overlay: `VNI ${overlay.vni}, ${overlay.vxlan}` }),
        ...(problem !== undefined && { problem }),
        endpoints: endpoints.map((endpoint) => {
          const wrong = endpointProblem(endpoint, network, links);
          const ports = endpoint.ports.map(formatPort);
          return { info: named(endpoint), ports, ...(wrong !== undefined && { problem: wrong }) };
        }),
      };
    });
}

function formatSubnet({ subnet, leased, size }: SubnetInfo): string {
  return leased === undefined ? subnet : `${subnet}, ${leased} of ${formatSize(size)} in use`;
}

/** The way of a published port; `count` ports are a span. */
export function formatPort({ protocol, hostIp = '', hostPort, port, count = 1 }: PortInfo): string {
  const span = (first: number): string => (count > 1 ? `${first}-${first + count - 1}` : String(first));
  const inside = `${span(port)}/${protocol}`;
  if (hostPort === undefined) return inside;
  const address = hostIp === '' ? '' : hostIp.includes(':') ? `[${hostIp}]:` : `${hostIp}:`;
  return `${address}${span(hostPort)} → ${inside}`;
}

function networkProblem({ device, present, overlay }: NetworkInfo, links: Links): string | undefined {
  if (device !== undefined && !present) return `device ${device} is missing`;
  if (device !== undefined && links.get(device)?.up === false) return `device ${device} is down`;
  if (overlay !== undefined && !links.has(overlay.vxlan)) return `device ${overlay.vxlan} is missing`;
  return undefined;
}

/** What is wrong with an endpoint, as far as the links of the host tell it; undefined if nothing is. */
export function endpointProblem(
  endpoint: EndpointInfo,
  { device }: Pick<NetworkInfo, 'device'>,
  links: Links,
): string | undefined {
  const { ready, hostInterface } = endpoint;
  if (!ready) return 'half done: a call is under way, or ended early';
  if (hostInterface === undefined) return undefined;
  const link = links.get(hostInterface);
  if (link === undefined) return `${hostInterface} is missing`;
  if (!link.up) return `${hostInterface} is down`;
  const isPort = device !== undefined && links.get(device)?.kind === 'bridge';
  if (isPort && link.master !== device) return `${hostInterface} is not a port of ${device}`;
  return undefined;
}

/** Bytes that the host's side of a link has received and sent: from the container, and to it. */
export interface Counters {
  readonly received: number;
  readonly sent: number;
}

/** Parses /proc/net/dev (kernel: net/core/net-procfs.c). */
export function parseCounters(text: string): ReadonlyMap<string, Counters> {
  const found = new Map<string, Counters>();
  for (const line of text.split('\n').slice(2)) {
    const [, name, rest] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || rest === undefined) continue;
    const numbers = rest.split(/\s+/).map(Number);
    found.set(name, { received: numbers[0] ?? 0, sent: numbers[8] ?? 0 });
  }
  return found;
}
