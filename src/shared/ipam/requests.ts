import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { type Addr, formatAddr, sameAddr } from '../model/addr.ts';
import { contains, firstOf, formatPrefix } from '../model/prefix.ts';
import {
  distinctAddrs,
  formatSet,
  gatewaysOf,
  isNetworkOrBroadcast,
  type RangeSet,
  type RangeSpec,
  rangeOf,
} from './ranges.ts';

/**
 * The requested address for each set, or undefined. Throws NetError `invalid-config` for an address that no set can
 * give: outside every range, a gateway, the network or broadcast address, or a second one for the same set. `subjectOf`
 * returns the error's text for an address.
 */
export function assignRequests(
  sets: readonly RangeSet[],
  requested: readonly Addr[],
  subjectOf = (address: Addr): string => `requested address ${formatAddr(address)}`,
): (Addr | undefined)[] {
  const refused = (address: Addr, what: string, hint: string): NetError =>
    fault.invalidConfig('ipam', subjectOf(address), what, hint);
  const gateways = gatewaysOf(sets);
  const assigned: (Addr | undefined)[] = sets.map(() => undefined);
  for (const address of distinctAddrs(requested)) {
    if (gateways.some((gateway) => sameAddr(gateway, address)))
      throw refused(address, 'it is the gateway of its subnet', 'Ask for another address of the range');
    const index = sets.findIndex((set) => rangeOf(set, address) !== undefined);
    const special = (sets[index] ?? sets.flat()).find((range) => isNetworkOrBroadcast(range, address));
    if (special !== undefined) throw refused(address, `it is ${specialOf(special, address)}`, 'Ask for another one');
    if (index < 0)
      throw refused(
        address,
        `it is outside ${nearRanges(sets, address)}`,
        'Ask for one inside, or add a range with it',
      );
    const earlier = assigned[index];
    if (earlier !== undefined)
      throw refused(
        address,
        `range set ${index} (${formatSet(sets[index] ?? [])}) gives one address, and ${formatAddr(earlier)} is requested too`,
        'Ask for one address of each range set',
      );
    assigned[index] = address;
  }
  return assigned;
}

function specialOf({ subnet }: RangeSpec, address: Addr): string {
  const which = sameAddr(address, firstOf(subnet)) ? 'network' : 'broadcast';
  return `the ${which} address of ${formatPrefix(subnet)}`;
}

/** The ranges of the address's own subnet, else all ranges. */
function nearRanges(sets: readonly RangeSet[], address: Addr): string {
  const near = sets.flat().filter(({ subnet }) => contains(subnet, address));
  return formatSet(near.length > 0 ? near : sets.flat());
}
