import type { Family } from '../model/addr.ts';
import { sharePorts } from '../model/firewall.ts';
import type { PortClaim } from './store.ts';

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
