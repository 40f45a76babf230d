import type { Core } from '../core/core.ts';
import { formatAddr } from '../model/addr.ts';
import type { Attachment, Camp } from '../model/attachment.ts';
import type { Op } from '../model/op.ts';
import type { EndpointRow } from '../store/store.ts';
import { type PortInfo, portsOf } from './ports.ts';

/** One endpoint as operators see it. */
export interface EndpointInfo {
  readonly network: string;
  readonly camp: Camp;
  /** Container id of a CNI endpoint, EndpointID of Docker's. */
  readonly id: string;
  /** CNI_IFNAME; of Docker's endpoints the name that the interface has outside of the container. */
  readonly interface: string;
  readonly hostInterface?: string;
  readonly mac?: string;
  /** With prefix lengths where they are known. */
  readonly addresses: readonly string[];
  readonly aliases: readonly string[];
  readonly ports: readonly PortInfo[];
  /** Path of the sandbox when it was attached. */
  readonly sandbox?: string;
  /** NetworkID of its Docker network. */
  readonly dockerNetwork?: string;
  /** False while it is being made or taken away, and after a crash in the middle of either. */
  readonly ready: boolean;
}

/** Endpoints on record: all of them, or those of a network; by network, camp, id and interface. */
export function listEndpoints({ store }: Core, network?: string): EndpointInfo[] {
  const parts = new Map<string, [EndpointRow, ...EndpointRow[]]>();
  for (const row of store.endpoints.list(network)) {
    const key = keyOf(row.attachment);
    const known = parts.get(key);
    if (known === undefined) parts.set(key, [row]);
    else known.push(row);
  }
  return [...parts.values()].map((rows) => describe(store.leases, rows));
}

/** `rows` are the parts of one attachment. */
function describe(leases: Core['store']['leases'], rows: readonly [EndpointRow, ...EndpointRow[]]): EndpointInfo {
  const main = rows.find(({ role }) => role === 'interface') ?? rows[0];
  const { attachment, aliases = [], dockerNetwork, plan, sandbox } = main;
  const { network, camp, containerId, ifName } = attachment;
  const mac = plan.ops.flatMap(macOf)[0];
  const hostIf = rows.find((row) => row.hostIf !== '')?.hostIf;
  const planned = plan.ops.flatMap((op) => (op.op === 'addr.add' && op.ns === 'sandbox' ? [op.address] : []));
  return {
    network,
    camp,
    id: containerId,
    interface: ifName,
    ...(hostIf === undefined ? {} : { hostInterface: hostIf }),
    ...(mac === undefined ? {} : { mac }),
    addresses: main.addresses ?? (planned.length > 0 ? planned : leasedBy(leases, rows)),
    aliases,
    ports: rows.flatMap(portsOf),
    ...(sandbox.path === '' ? {} : { sandbox: sandbox.path }),
    ...(dockerNetwork === undefined ? {} : { dockerNetwork }),
    ready: rows.every(({ progress }) => progress === 'ready'),
  };
}

function leasedBy(leases: Core['store']['leases'], rows: readonly EndpointRow[]): string[] {
  return rows.flatMap(({ scope, attachment }) =>
    scope === undefined ? [] : leases.list(scope, attachment).map(({ address }) => formatAddr(address)),
  );
}

/** MAC of the end that is in the container. */
function macOf(op: Op): string[] {
  return op.op === 'link.create' && op.link.kind === 'veth' && op.link.peer.mac !== undefined ? [op.link.peer.mac] : [];
}

function keyOf({ network, camp, containerId, ifName }: Attachment): string {
  return [network, camp, containerId, ifName].join('\0');
}
