import { NetError } from '../errors/net-error.ts';
import { type Addr, formatAddr, sameAddr } from '../model/addr.ts';
import { contains } from '../model/prefix.ts';
import { formatRange, formatSet, gatewaysOf, isNetworkOrBroadcast, type RangeSet, rangeOf } from './ranges.ts';

/**
 * For each set the requested address that it has to give, or undefined.
 * Throws NetError `invalid-config` for an address that no set can give: outside every range, a gateway, the network
 * or broadcast address, or one too many of its set.
 */
export function assignRequests(sets: readonly RangeSet[], requested: readonly Addr[]): (Addr | undefined)[] {
  const gateways = gatewaysOf(sets);
  const assigned: (Addr | undefined)[] = sets.map(() => undefined);
  for (const address of unique(requested)) {
    if (gateways.some((gateway) => sameAddr(gateway, address)))
      throw refused(address, 'it is the gateway of its subnet', 'Ask for another address of the range');
    const holders = sets.flatMap((set, index) => (rangeOf(set, address) === undefined ? [] : [index]));
    const [index] = holders;
    const range = index === undefined ? undefined : rangeOf(sets[index] ?? [], address);
    if (index === undefined || range === undefined) throw outside(sets, address);
    if (isNetworkOrBroadcast(range, address))
      throw refused(address, 'it is the network or broadcast address of its subnet', 'Ask for another one');
    const earlier = assigned[index];
    if (earlier !== undefined)
      throw refused(
        address,
        `range set ${index} (${formatSet(sets[index] ?? [])}) gives one address, and ${formatAddr(earlier)} is asked for too`,
        'Ask for one address of each range set',
      );
    assigned[index] = address;
  }
  return assigned;
}

function unique(addresses: readonly Addr[]): Addr[] {
  return addresses.filter((address, i) => addresses.findIndex((other) => sameAddr(address, other)) === i);
}

function outside(sets: readonly RangeSet[], address: Addr): NetError {
  const near = sets.flat().filter(({ subnet }) => contains(subnet, address));
  const ranges = (near.length > 0 ? near : sets.flat()).map(formatRange).join(', ');
  return refused(address, `it is outside ${ranges}`, 'Ask for an address inside, or add a range that has it');
}

function refused(address: Addr, what: string, hint: string): NetError {
  return new NetError({
    kind: 'invalid-config',
    op: 'ipam',
    subject: `requested address ${formatAddr(address)}`,
    what,
    hint,
  });
}
