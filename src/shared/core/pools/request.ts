import { readSubnet } from '../../config/ipam-values.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import { BITS, type Family } from '../../model/addr.ts';
import { given } from '../../model/given.ts';
import { contains, formatPrefix, networkOf, type Prefix, parsePrefix } from '../../model/prefix.ts';

export interface PoolRequest {
  /** `10.1.0.0/16` (--subnet); absent: chosen automatically. */
  readonly subnet?: string;
  /** The part of the subnet that addresses are chosen from (--ip-range). */
  readonly range?: string;
  /** The Network whose pool is requested (--ipam-opt network=). */
  readonly network?: string;
  readonly v6: boolean;
}

/** The parsed request. */
export interface Asked {
  readonly family: Family;
  readonly subnet?: Prefix;
  readonly range?: Prefix;
  readonly network?: string;
}

/**
 * Parses the request. Throws NetError `invalid-config` with option, value and rule. Ignores host bits of a subnet, as
 * Docker does.
 */
export function readPoolRequest({ subnet, range, network, v6 }: PoolRequest): Asked {
  const family: Family = v6 ? 6 : 4;
  if (network !== undefined && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(network))
    throw refused(
      `--ipam-opt network=${network}`,
      'it is not a name of a network',
      'Use letters, digits, "_", "." and "-", and begin with a letter or digit',
    );
  const whole = subnet === undefined ? undefined : readPool('--subnet', subnet, family);
  const part = range === undefined ? undefined : readPool('--ip-range', range, family);
  if (whole !== undefined) assertRoom(whole);
  if (part !== undefined && whole === undefined)
    throw refused(`--ip-range ${range}`, 'it is part of no subnet', 'Give --subnet too');
  if (part !== undefined && whole !== undefined && !(part.length >= whole.length && contains(whole, part.addr)))
    throw refused(
      `--ip-range ${range}`,
      `it is not inside --subnet ${formatPrefix(whole)}`,
      'Give a part of the subnet, or leave it out',
    );
  return {
    family,
    ...given({ subnet: whole, range: part, network }),
  };
}

function readPool(option: string, text: string, family: Family): Prefix {
  const prefix = parsePrefix(text) ?? readSubnet(text, option);
  if (prefix.addr.family === family) return networkOf(prefix);
  throw refused(
    `${option} ${text}`,
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
}

export function refused(subject: string, what: string, hint: string): NetError {
  return fault.invalidConfig('ipam', subject, what, hint);
}
