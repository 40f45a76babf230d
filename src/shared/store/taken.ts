import { NetError } from '../errors/net-error.ts';
import { formatAddr } from '../model/addr.ts';
import type { EndpointRow, Lease } from './store.ts';

/** The refusal of an address that `holder` has. */
export function leaseTaken(wanted: Pick<Lease, 'address'>, holder: Lease): NetError {
  const { camp, network, containerId, ifName } = holder.owner;
  const where = holder.source === 'file' ? ` (file in ${holder.scope})` : '';
  return new NetError({
    kind: 'conflict',
    op: 'ipam',
    subject: `address ${formatAddr(wanted.address)}`,
    what: `container ${containerId}${ifName && ` interface ${ifName}`} of ${camp} network ${network} has it${where}`,
    hint: 'Ask for another address, or delete that attachment first',
  });
}

/** The refusal of two endpoints with one interface on the host's side. */
export function interfaceTaken(row: EndpointRow, cause?: unknown): NetError {
  return new NetError({
    kind: 'conflict',
    op: 'store.endpoint',
    subject: `interface ${row.hostIf}`,
    what: 'another endpoint has it',
    hint: 'Delete that endpoint first',
    cause,
  });
}
