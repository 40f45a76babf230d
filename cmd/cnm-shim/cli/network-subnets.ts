import { invalid } from '../../../src/shared/config/invalid.ts';
import type { RangeConfig } from '../../../src/shared/config/ipam-ranges.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import { type Addr, formatAddr, parseAddr, sameAddr } from '../../../src/shared/model/addr.ts';
import {
  contains,
  firstOf,
  formatPrefix,
  lastOf,
  networkOf,
  overlaps,
  type Prefix,
  parsePrefix,
} from '../../../src/shared/model/prefix.ts';

export interface SubnetOptions {
  readonly subnet?: readonly string[];
  readonly gateway?: readonly string[];
  readonly ipRange?: readonly string[];
}

/**
 * Combines --subnet, --gateway and --ip-range: a gateway or range belongs to the subnet that contains it.
 * Throws NetError `invalid-config` that names option, value and rule.
 */
export function readSubnets({ subnet: given = [], gateway = [], ipRange = [] }: SubnetOptions): RangeConfig[] {
  const subnets = given.map(readSubnet);
  for (const [i, subnet] of subnets.entries()) {
    const { family } = subnet.addr;
    if (subnets.slice(0, i).some((other) => other.addr.family === family))
      throw invalid(
        '--subnet',
        formatPrefix(subnet),
        `it is the second one of IPv${family}`,
        'Give one of each family',
      );
  }
  const gateways = gateway.map(readAddress);
  const parts = ipRange.map((text) => readPrefix('--ip-range', text));
  const strayGateway = gateways.find((addr) => !subnets.some((subnet) => contains(subnet, addr)));
  if (strayGateway !== undefined) throw stray('--gateway', formatAddr(strayGateway));
  const strayPart = parts.find((part) => !subnets.some((subnet) => isInside(part, subnet)));
  if (strayPart !== undefined) throw stray('--ip-range', formatPrefix(strayPart));
  return subnets.map((subnet) => {
    const [own, otherGateway] = gateways.filter((addr) => contains(subnet, addr));
    if (otherGateway !== undefined) throw second('--gateway', formatAddr(otherGateway), subnet);
    const [part, otherPart] = parts.filter((prefix) => isInside(prefix, subnet));
    if (otherPart !== undefined) throw second('--ip-range', formatPrefix(otherPart), subnet);
    if (own !== undefined) assertHost(own, subnet);
    return {
      subnet,
      ...(part === undefined ? {} : partOf(part, subnet)),
      ...(own === undefined ? {} : { gateway: own }),
    };
  });
}

/** The subnet without its network and broadcast addresses. */
function partOf(part: Prefix, subnet: Prefix): Pick<RangeConfig, 'rangeStart' | 'rangeEnd'> {
  const [first, last] = [firstOf(part), lastOf(part)];
  const isFirst = sameAddr(first, firstOf(subnet));
  const isLast = subnet.addr.family === 4 && sameAddr(last, lastOf(subnet));
  return {
    rangeStart: isFirst ? { ...first, value: first.value + 1n } : first,
    rangeEnd: isLast ? { ...last, value: last.value - 1n } : last,
  };
}

function isInside(part: Prefix, subnet: Prefix): boolean {
  return overlaps(part, subnet) && part.length >= subnet.length;
}

function readSubnet(text: string): Prefix {
  const subnet = readPrefix('--subnet', text);
  const { family } = subnet.addr;
  const shortest = family === 4 ? 30 : 126;
  if (subnet.length > shortest)
    throw invalid('--subnet', text, 'it has no room for a gateway and an address', `Use /${shortest} or less`);
  const reserved = UNUSABLE.map(({ range, what }) => ({ range: parsePrefix(range), what })).find(
    ({ range }) => range !== undefined && overlaps(range, subnet),
  );
  if (reserved !== undefined)
    throw invalid('--subnet', text, `it has ${reserved.what} addresses, which no container can have`, WRITE);
  return subnet;
}

/** Addresses with a special meaning everywhere. */
const UNUSABLE = [
  { range: '0.0.0.0/8', what: 'unspecified' },
  { range: '127.0.0.0/8', what: 'loopback' },
  { range: '224.0.0.0/4', what: 'multicast' },
  { range: '::/64', what: 'loopback' },
  { range: 'fe80::/10', what: 'link-local' },
  { range: 'ff00::/8', what: 'multicast' },
];

const WRITE = 'Write one like 10.88.0.0/16 or fd00:88::/64';

function readPrefix(option: string, text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw invalid(option, text, 'it is not a subnet', WRITE);
  const whole = networkOf(prefix);
  if (sameAddr(whole.addr, prefix.addr)) return prefix;
  throw invalid(option, text, 'it has host bits', `Write ${formatPrefix(whole)}`);
}

function readAddress(text: string): Addr {
  const addr = parseAddr(text);
  if (addr !== undefined) return addr;
  throw invalid('--gateway', text, 'it is not an address', 'Write one like 10.88.0.1 or fd00:88::1');
}

/** Throws for addresses of a subnet that no host can have. */
function assertHost(gateway: Addr, subnet: Prefix): void {
  const isBroadcast = gateway.family === 4 && sameAddr(gateway, lastOf(subnet));
  if (!isBroadcast && !sameAddr(gateway, firstOf(subnet))) return;
  const what = `it is the ${isBroadcast ? 'broadcast' : 'network'} address of ${formatPrefix(subnet)}`;
  throw invalid('--gateway', formatAddr(gateway), what, 'Give another address of the subnet, or leave it out');
}

function stray(option: string, text: string): NetError {
  return invalid(option, text, 'it is in none of the subnets', 'Give its --subnet too, or change it');
}

function second(option: string, text: string, subnet: Prefix): NetError {
  return invalid(option, text, `it is the second one in ${formatPrefix(subnet)}`, 'Give one');
}
