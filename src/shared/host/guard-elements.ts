import { addrToBytes, parseAddr } from '../model/addr.ts';
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
    const gateways = entry.addresses.flatMap((address) => inUse(address, entry.device));
    return [{ set: 'networks', key: [device] }, ...gateways];
  }
  const port = deviceOf({ kind: entry.kind, device: entry.port });
  if (entry.kind === 'isolated') return [{ set: 'isolated', key: [port] }];
  const { mac } = entry;
  const may: Element = { set: 'macspoof', key: [port, macOf(mac)] };
  if (entry.kind === 'mac') return [may];
  const { addresses, partners = [] } = entry;
  const ofMac: Element[] = [may, { set: 'guarded', key: [port] }];
  if (addresses === undefined) return ofMac;
  const own = [...addresses, linkLocalOf(mac)];
  return [
    ...ofMac,
    { set: 'bound', key: [port] },
    ...own.flatMap((address) => [...allowed(port, address), ...inUse(address, entry.port)]),
    ...partners.flatMap((partner) => [
      ...partner.addresses.flatMap((address) => allowed(port, address)),
      ...addresses.flatMap((address) => allowed(deviceOf({ kind: entry.kind, device: partner.port }), address)),
    ]),
  ];
}

function allowed(port: Field, address: string): Element[] {
  const { family, field, target } = fieldsOf(address);
  const packets: Element = { set: `allowed${family}`, key: [port, field] };
  return target === undefined ? [packets] : [packets, { set: 'allowed_target', key: [port, target] }];
}

function inUse(address: string, owner: string): Element[] {
  const { family, field, target } = fieldsOf(address);
  const packets: Element = { set: `leased${family}`, key: [field], comment: owner };
  return target === undefined ? [packets] : [packets, { set: 'leased_target', key: [target], comment: owner }];
}

/** `target` is the address as the target of neighbour discovery, which nft compares as a number. */
function fieldsOf(address: string): { readonly family: 4 | 6; readonly field: Field; readonly target?: Field } {
  const family = familyOf('address', address);
  const field = addrOf('address', address, family);
  const addr = parseAddr(address);
  if (addr?.family !== 6) return { family, field };
  return { family, field, target: { type: 'bytes', value: `0x${Buffer.from(addrToBytes(addr)).toString('hex')}` } };
}
