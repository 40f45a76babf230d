import { formatAddr } from '../../../src/shared/model/addr.ts';
import { type Attachment, attachmentDigest } from '../../../src/shared/model/attachment.ts';
import { attachmentOf, NAMES, type Name, NETWORK, SCOPE } from './parties.ts';
import type { World } from './world.ts';

/** The records as lines: the only file of the suite that reads rows. */
export function printRecords(world: World): string[] {
  const { networks, endpoints, leases, ports } = world.openStore();
  return [
    ...networks.list().map(({ name, device, holders = [] }) => `network ${name} on ${device} ${holders.join()}`),
    ...endpoints.list().map(({ attachment, role, progress }) => `endpoint ${nameOf(attachment)} ${role} ${progress}`),
    ...leases.list(SCOPE).map(({ address, owner }) => `lease ${formatAddr(address)} of ${nameOf(owner)}`),
    ...ports.list().map(({ protocol, hostPort, owner }) => `port ${protocol} ${hostPort} of ${nameOf(owner)}`),
  ];
}

function nameOf(owner: Attachment): string {
  const name = NAMES.find((one) => attachmentDigest(attachmentOf(one)) === attachmentDigest(owner));
  return name ?? `${owner.camp} ${owner.containerId} ${owner.ifName}`;
}

/** Whether the records show the attachment as complete, half created, or unknown. */
export function stateOf(world: World, name: Name): 'present' | 'broken' | 'absent' {
  const { endpoints } = world.openStore();
  const rows = (['interface', 'portmap'] as const).flatMap((role) => endpoints.get(attachmentOf(name), role) ?? []);
  if (rows.length === 0) return 'absent';
  const isWhole = rows[0]?.role === 'interface' && rows.every(({ progress }) => progress === 'ready');
  return isWhole ? 'present' : 'broken';
}

/** Whether the records show the host port of Docker's endpoint as published. */
export function isPublished(world: World): boolean {
  return world.openStore().endpoints.get(attachmentOf('d1'), 'portmap') !== undefined;
}

export function isNetworkHeld(world: World): boolean {
  return (world.openStore().networks.get(NETWORK)?.holders?.length ?? 0) > 0;
}
