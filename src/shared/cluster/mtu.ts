import { fault } from '../errors/fault.ts';
import type { Family } from '../model/addr.ts';
import { roomOf, underlayFor } from '../model/overlay-room.ts';
import type { NetworkRecord } from './values.ts';

/** Throws NetError `conflict` with both numbers if this host's underlay has less room than the network needs. */
export function assertRoom(
  host: { readonly name: string; readonly mtu: number },
  underlay: Family,
  network: NetworkRecord,
): void {
  const { encrypted } = network.options;
  const room = roomOf(host.mtu, underlay, encrypted);
  if (room >= network.mtu) return;
  const needed = underlayFor(network.mtu, underlay, encrypted);
  throw fault.conflict(
    'cluster.use',
    `network ${network.name}`,
    `its MTU is ${network.mtu}, and the underlay of host ${host.name} leaves ${room}`,
    `Raise the underlay's MTU to ${needed}, or create the network with --mtu ${room}`,
  );
}
