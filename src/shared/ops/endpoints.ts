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
  const rows = store.endpoints.list(network);
  const attachments = new Map(rows.map(({ attachment }) => [keyOf(attachment), attachment]));
  return [...attachments.values()].map((attachment) => {
    const parts = rows.filter((row) => keyOf(row.attachment) === keyOf(attachment));
    return describe(store.leases, attachment, parts);
  });
}

function describe(leases: Core['store']['leases'], attachment: Attachment, rows: readonly EndpointRow[]): EndpointInfo {
  const { network, camp, containerId, ifName } = attachment;
  const main = rows.find(({ role }) => role === 'interface') ?? rows[0];
  const ops = main?.plan.ops ?? [];
  const mac = ops.flatMap(macOf)[0];
  const hostIf = rows.find((row) => row.hostIf !== '')?.hostIf;
  const planned = ops.flatMap((op) => (op.op === 'addr.add' && op.ns === 'sandbox' ? [op.address] : []));
  const leased = rows.flatMap(({ scope }) =>
    scope === undefined ? [] : leases.list(scope, attachment).map(({ address }) => formatAddr(address)),
  );
  const addresses = main?.addresses ?? (planned.length > 0 ? planned : leased);
  return {
    network,
    camp,
    id: containerId,
    interface: ifName,
    ...(hostIf === undefined ? {} : { hostInterface: hostIf }),
    ...(mac === undefined ? {} : { mac }),
    addresses,
    aliases: main?.aliases ?? [],
    ports: rows.flatMap(portsOf),
    ...(main?.sandbox.path ? { sandbox: main.sandbox.path } : {}),
    ...(main?.dockerNetwork === undefined ? {} : { dockerNetwork: main.dockerNetwork }),
    ready: rows.every(({ progress }) => progress === 'ready'),
  };
}

/** MAC of the end that is in the container. */
function macOf(op: Op): string[] {
  return op.op === 'link.create' && op.link.kind === 'veth' && op.link.peer.mac !== undefined ? [op.link.peer.mac] : [];
}

function keyOf({ network, camp, containerId, ifName }: Attachment): string {
  return [network, camp, containerId, ifName].join('\0');
}
