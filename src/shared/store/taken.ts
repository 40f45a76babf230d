import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { type Addr, formatAddr } from '../model/addr.ts';
import { type Attachment, networkTitle } from '../model/attachment.ts';
import { type Endpoint, hostIfOf } from '../model/endpoint.ts';
import { formatPlace, type HostPort } from './port-claim.ts';
import type { Lease, PortClaim } from './store.ts';

/** The error for an address that `holder` has. */
export function leaseTaken(wanted: Pick<Lease, 'address'>, holder: Lease): NetError {
  const where = holder.source === 'file' ? ` (file in ${holder.scope})` : '';
  return fault.conflict(
    'ipam',
    `address ${formatAddr(wanted.address)}`,
    `address already in use: ${leaseHolder(holder)} has it${where}`,
    'Ask for another address, or remove that container first',
  );
}

/** The error for an address whose lease the expected owner has lost. */
export function leaseLost(scope: string, address: Addr, holder: Lease | undefined): NetError {
  if (holder !== undefined) return leaseTaken({ address }, holder);
  return fault.conflict(
    'ipam',
    `address ${formatAddr(address)}`,
    `is no longer leased in ${scope}`,
    'Request it again',
  );
}

/** The error for two endpoints with the same host-side interface. */
export function interfaceTaken(row: Endpoint, cause?: unknown): NetError {
  return fault.conflict(
    'store.endpoint',
    `interface ${hostIfOf(row)}`,
    'another endpoint has it',
    'Delete that endpoint first',
    { cause },
  );
}

/** The error for a host port that `holder` has. */
export function portTaken(wanted: HostPort, holder: PortClaim): NetError {
  const { protocol, hostIp } = wanted;
  const hostPort = Math.max(wanted.hostPort, holder.hostPort);
  return fault.conflict(
    'ports',
    `host port ${hostIp === undefined ? '' : `${hostIp} `}${hostPort}/${protocol}`,
    `port is already allocated: ${holderText(holder.owner)} has it on ${formatPlace(holder)}`,
    'Choose another host port, or remove that container first',
  );
}

/** Names the holder of a lease. A requested address has no endpoint yet. */
function leaseHolder({ owner, requestedAt }: Lease): string {
  return requestedAt === undefined ? holderText(owner) : `dockerd's request for ${networkTitle(owner.network)}`;
}

/**
 * Names the holder. Docker's ids are endpoint ids, which people know by their first digits; the daemon replaces them by
 * the container's name.
 */
function holderText({ camp, network, containerId, ifName }: Attachment): string {
  const docker = networkTitle(network);
  if (camp === 'cnm' && /^[0-9a-f]{64}$/.test(containerId))
    return `Docker endpoint ${containerId.slice(0, 12)} of ${docker}`;
  return `container ${containerId}${ifName && ` interface ${ifName}`} of ${camp} network ${network}`;
}
