import type { FirewallEntry } from '../model/firewall.ts';
import { isOverlayEntry, type OverlayEntry } from '../model/overlay-entries.ts';
import { type Element, keyOf } from './firewall-elements.ts';
import { addrOf, familyOf, portOf } from './firewall-fields.ts';

/** The table that guards the ports of VXLAN devices. */
export const UNDERLAY_TABLE = 'inet isthmus-underlay';
/** The table that drops clear text of encrypted networks. */
export const SEALED_TABLE = 'inet isthmus-sealed';

/**
 * Maps the entries of an overlay's underlay to elements of their table, each element once; others have none. Throws
 * NetError `invalid-config` for an invalid entry.
 */
export function underlayElements(entries: readonly FirewallEntry[]): Element[] {
  return once(entries.filter(isOverlayEntry).filter((entry) => entry.kind !== 'sealed'));
}

/** The same for the entries of encrypted networks. */
export function sealedElements(entries: readonly FirewallEntry[]): Element[] {
  return once(entries.filter((entry) => entry.kind === 'sealed'));
}

function once(entries: readonly OverlayEntry[]): Element[] {
  return [...new Map(entries.map(elementOf).map((element) => [keyOf(element), element])).values()];
}

function elementOf(entry: OverlayEntry): Element {
  const port = portOf('port', entry.port);
  if (entry.kind !== 'peer') return { set: `ports${entry.family}`, key: [port] };
  const family = familyOf('address', entry.address);
  return { set: `peers${family}`, key: [addrOf('address', entry.address, family), port] };
}
