import { unassignable } from '../../config/ipam-values.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import { BITS, type Family } from '../../model/addr.ts';
import { given } from '../../model/given.ts';
import { contains, formatPrefix, networkOf, type Prefix } from '../../model/prefix.ts';
import type { OfferedRange } from '../cluster-networks.ts';

export interface PoolRequest {
  /** `10.1.0.0/16` (--subnet); absent: chosen automatically. */
  readonly subnet?: Prefix;
  /** The part of the subnet that addresses are chosen from (--ip-range). */
  readonly range?: Prefix;
  /** The Network whose pool is requested (--ipam-opt network=). */
  readonly network?: string;
  /** This host's range of the Network, if each host has one. */
  readonly own?: OfferedRange;
  readonly v6: boolean;
}

/** A request that has been checked. */
export interface Asked {
  readonly family: Family;
  readonly subnet?: Prefix;
  readonly range?: Prefix;
  readonly network?: string;
  readonly own?: OfferedRange;
}

/**
 * Checks the request. Throws NetError `invalid-config` with option, value and rule. Ignores host bits of a subnet, as
 * Docker does.
 */
export function checkPoolRequest({ subnet, range, network, own, v6 }: PoolRequest): Asked {
  const family: Family = v6 ? 6 : 4;
  if (network !== undefined && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(network))
    throw refused(
      `--ipam-opt network=${network}`,
      'it is not a name of a network',
      'Use letters, digits, "_", "." and "-", and begin with a letter or digit',
    );
  const whole = subnet === undefined ? undefined : inFamily('--subnet', subnet, family);
  const part = range === undefined ? undefined : inFamily('--ip-range', range, family);
  if (whole !== undefined) assertRoom(whole);
  if (part !== undefined && whole === undefined)
    throw refused(`--ip-range ${formatPrefix(part)}`, 'it is part of no subnet', 'Give --subnet too');
  if (part !== undefined && whole !== undefined && !(part.length >= whole.length && contains(whole, part.addr)))
    throw refused(
      `--ip-range ${formatPrefix(part)}`,
      `it is not inside --subnet ${formatPrefix(whole)}`,
      'Give a part of the subnet, or leave it out',
    );
  return {
    family,
    ...given({ subnet: whole, range: part, network, own }),
  };
}

function inFamily(option: string, prefix: Prefix, family: Family): Prefix {
  if (prefix.addr.family === family) return networkOf(prefix);
  throw refused(
    `${option} ${formatPrefix(prefix)}`,
    `it is IPv${prefix.addr.family}, but the request is for IPv${family}`,
    `Give an IPv${family} prefix`,
  );
}

/** A subnet of one IPv4 address has room for a gateway, or for a container without one; as in Docker since 23. */
function assertRoom(subnet: Prefix): void {
  if (subnet.length === BITS[6])
    throw refused(
      `--subnet ${formatPrefix(subnet)}`,
      'its only address is the anycast address of its routers (RFC 4291), which no interface can have',
      'Use a prefix length of 126 or less',
    );
  if (subnet.length === 0)
    throw refused(`--subnet ${formatPrefix(subnet)}`, 'it is every address there is', 'Give a part of it');
  const what = unassignable(subnet);
  if (what !== undefined) throw refused(`--subnet ${formatPrefix(subnet)}`, what, 'Give addresses of hosts');
}

export function refused(subject: string, what: string, hint: string): NetError {
  return fault.invalidConfig('ipam', subject, what, hint);
}
