import { type FirewallEntry, isBridgeEntry } from '../model/firewall.ts';
import { linkLocalOf } from '../model/mac.ts';
import { type Element, keyOf } from './firewall-elements.ts';
import { addrOf, deviceOf, type Field, familyOf, macOf } from './firewall-fields.ts';

/** The table that holds the guards of bridge ports. */
export const BRIDGE_TABLE = 'bridge isthmus';

/**
 * Maps the guards among the entries to elements of the bridge table, each element once. The comment of an address in
 * use names the port or bridge that has it: the last one of two. Throws NetError `invalid-config` for an invalid entry.
 */
export function guardElements(entries: readonly FirewallEntry[]): Element[] {
  const elements = new Map<string, Element>();
  for (const element of entries.flatMap(elementsOf)) elements.set(keyOf(element), element);
  return [...elements.values()];
}

function elementsOf(entry: FirewallEntry): Element[] {
  if (!isBridgeEntry(entry)) return [];
  if (entry.kind === 'gateways') {
    const device = deviceOf(entry);
    const gateways = entry.addresses.map((address) => inUse(address, entry.device));
    return [{ set: 'networks', key: [device] }, ...gateways];
  }
  const { kind, mac } = entry;
  const port = deviceOf({ kind, device: entry.port });
  const may: Element = { set: 'macspoof', key: [port, macOf(mac)] };
  if (entry.kind === 'mac') return [may];
  const { addresses, partners = [] } = entry;
  const ofMac: Element[] = [may, { set: 'guarded', key: [port] }];
  if (addresses === undefined) return ofMac;
  const own = [...addresses, linkLocalOf(mac)];
  return [
    ...ofMac,
    { set: 'bound', key: [port] },
    ...own.flatMap((address) => [allowed(port, address), inUse(address, entry.port)]),
    ...partners.flatMap((partner) => [
      ...partner.addresses.map((address) => allowed(port, address)),
      ...addresses.map((address) => allowed(deviceOf({ kind, device: partner.port }), address)),
    ]),
  ];
}

function allowed(port: Field, address: string): Element {
  const family = familyOf('address', address);
  return { set: `allowed${family}`, key: [port, addrOf('address', address, family)] };
}

function inUse(address: string, owner: string): Element {
  const family = familyOf('address', address);
  return { set: `leased${family}`, key: [addrOf('address', address, family)], comment: owner };
}
