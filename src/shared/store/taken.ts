import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { type Addr, BITS, type Family, formatAddr } from '../model/addr.ts';
import { type Attachment, networkTitle } from '../model/attachment.ts';
import { type Endpoint, hostIfOf } from '../model/endpoint.ts';
import { sharePorts } from '../model/firewall.ts';
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

/**
 * An address as text that sorts like compareAddr: the digit of its family, and its value in hex, of fixed width in each
 * family. `10.0.0.2` is `40a000002`.
 */
export function addressKey(addr: Addr): string {
  return addr.family + addr.value.toString(16).padStart(BITS[addr.family] / 4, '0');
}

/** The inverse of addressKey. */
export function addressOfKey(key: string): Addr {
  const family: Family = key.startsWith('4') ? 4 : 6;
  return { family, value: BigInt(`0x${key.slice(1)}`) };
}

/** The next address, or the previous one with -1; undefined beyond the family's ends. */
export function neighbour(addr: Addr, step: 1n | -1n): Addr | undefined {
  const value = addr.value + step;
  return value < 0n || value >> BigInt(BITS[addr.family]) !== 0n ? undefined : { family: addr.family, value };
}

/** The host port of a claim, without its owner. */
export type HostPort = Omit<PortClaim, 'owner'>;

/** The claim with the family of its address. */
export function withFamily(claim: PortClaim): PortClaim {
  const family = familyOf(claim);
  return family === undefined ? claim : { ...claim, family };
}

/** The family of the port; undefined for both. */
export function familyOf({ hostIp, family }: Pick<HostPort, 'hostIp' | 'family'>): Family | undefined {
  if (hostIp === undefined) return family;
  return hostIp.includes(':') ? 6 : 4;
}

/** True if both claim the same port on the same address of the host. */
export function overlap(a: HostPort, b: HostPort): boolean {
  if (a.protocol !== b.protocol || !sharePorts(a, b)) return false;
  const [one, other] = [familyOf(a), familyOf(b)];
  if (one !== undefined && other !== undefined && one !== other) return false;
  return a.hostIp === undefined || b.hostIp === undefined || a.hostIp === b.hostIp;
}

/** `10.0.0.1`, `every IPv4 address` or `every address`. */
export function formatPlace({ hostIp, family }: Pick<HostPort, 'hostIp' | 'family'>): string {
  if (hostIp !== undefined) return hostIp;
  return family === undefined ? 'every address' : `every IPv${family} address`;
}
