import type { Core } from '../core/core.ts';
import { type CampName, campName } from '../model/attachment.ts';
import { type Endpoint, publishedOf } from '../model/endpoint.ts';
import type { PortSpan, Protocol, PublishedEntry, RelayFacts } from '../model/firewall.ts';
import { given } from '../model/given.ts';

/** One published port, or a span of them; a row covers both families. */
export interface PortInfo extends PortSpan {
  readonly protocol: Protocol;
  /** Empty: every address of the host. Absent if `hostPort` is. */
  readonly hostIp?: string;
  /** Absent on a routed network: connections go to the endpoint's own address and port. */
  readonly hostPort?: number;
  /** The endpoint's addresses that the port leads to. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** The daemon relays it from IPv6 (`proxy6to4`). */
  readonly relayed?: true;
}

/** A published port and its endpoint. */
export interface PublishedPort extends PortInfo {
  readonly network: string;
  readonly camp: CampName;
  /** Container id of a CNI endpoint, or Docker's EndpointID. */
  readonly id: string;
}

/** Lists all published ports by host port, protocol and host address; those without a host port come last. */
export function listPorts({ store }: Core): PublishedPort[] {
  const all = store.endpoints.list().flatMap((row) => {
    const { network, camp, containerId: id } = row.attachment;
    return portsOf(row).map((port) => ({ ...port, network, camp: campName(camp), id }));
  });
  return all.sort(comparePorts);
}

/** Lists the ports in force for one part of an endpoint. */
export function portsOf(endpoint: Endpoint): PortInfo[] {
  const ports = new Map<string, PortInfo>();
  const { entries = [], relays = [] } = publishedOf(endpoint) ?? {};
  for (const info of [...entries.map(infoOf), ...relays.map(relayedInfo)]) {
    const { protocol, hostIp, hostPort, port, count } = info;
    const key = JSON.stringify([protocol, hostIp, hostPort, port, count]);
    ports.set(key, { ...info, addresses: [...(ports.get(key)?.addresses ?? []), ...info.addresses] });
  }
  return [...ports.values()].sort(comparePorts);
}

function infoOf(entry: PublishedEntry): PortInfo {
  const { protocol, address, port, count } = entry;
  const host = entry.kind === 'port' ? { hostIp: entry.hostIp ?? '', hostPort: entry.hostPort } : {};
  return { protocol, ...host, addresses: [address], port, ...given({ count }) };
}

function relayedInfo({ address, hostIp = '::', ...relay }: RelayFacts): PortInfo {
  return { ...relay, hostIp, addresses: [address], relayed: true };
}

/** Sorts after every port. */
const NO_PORT = 1 << 16;

function comparePorts(a: PortInfo, b: PortInfo): number {
  return (
    (a.hostPort ?? NO_PORT) - (b.hostPort ?? NO_PORT) ||
    compareText(a.protocol, b.protocol) ||
    compareText(a.hostIp ?? '', b.hostIp ?? '') ||
    a.port - b.port
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
