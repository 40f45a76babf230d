import type { Core } from '../core/core.ts';
import type { Camp } from '../model/attachment.ts';
import type { PortEntry, Protocol } from '../model/firewall.ts';
import type { EndpointRow } from '../store/store.ts';

/** One host port that leads to an endpoint; both families are one. */
export interface PortInfo {
  readonly protocol: Protocol;
  /** Empty: every address of the host. */
  readonly hostIp: string;
  readonly hostPort: number;
  /** The endpoint's addresses that it leads to. */
  readonly addresses: readonly string[];
  readonly port: number;
}

/** A published port with the endpoint that it belongs to. */
export interface PublishedPort extends PortInfo {
  readonly network: string;
  readonly camp: Camp;
  /** Container id of a CNI endpoint, EndpointID of Docker's. */
  readonly id: string;
}

/** Every published port, by host port, protocol and host address. */
export function listPorts({ store }: Core): PublishedPort[] {
  const all = store.endpoints.list().flatMap((row) => {
    const { network, camp, containerId: id } = row.attachment;
    return portsOf(row).map((port) => ({ ...port, network, camp, id }));
  });
  return all.sort(
    (a, b) => a.hostPort - b.hostPort || compareText(a.protocol, b.protocol) || compareText(a.hostIp, b.hostIp),
  );
}

/** The ports that one part of an endpoint has in force. */
export function portsOf({ plan }: EndpointRow): PortInfo[] {
  const entries = plan.undo.flatMap((op) => (op.op === 'firewall.delete' ? op.entries : []));
  const ports = new Map<string, PortInfo>();
  for (const entry of entries) {
    if (entry.kind !== 'port') continue;
    const key = keyOf(entry);
    const known = ports.get(key);
    ports.set(key, { ...infoOf(entry), addresses: [...(known?.addresses ?? []), entry.address] });
  }
  return [...ports.values()];
}

function infoOf({ protocol, hostIp = '', hostPort, port, address }: PortEntry): PortInfo {
  return { protocol, hostIp, hostPort, addresses: [address], port };
}

function keyOf({ protocol, hostIp = '', hostPort, port }: PortEntry): string {
  return [protocol, hostIp, hostPort, port].join(' ');
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
