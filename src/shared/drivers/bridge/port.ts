import type { BridgeOptions } from '../../config/bridge.ts';
import type { View } from '../../host/host.ts';
import type { Op, Plan } from '../../model/op.ts';
import type { EndpointFacts } from '../driver.ts';
import { hostMac } from './host-mac.ts';
import { networkMtu } from './mtu.ts';
import { portVlans } from './vlan.ts';

/** The veth pair of one endpoint with its host side as a port of the bridge. */
export function planPort(options: BridgeOptions, view: View, facts: EndpointFacts): Plan {
  const { hostIf, ifName, mac } = facts;
  const mtu = networkMtu(options, view);
  const ops: Op[] = [
    {
      op: 'link.create',
      ns: 'host',
      name: hostIf,
      link: { kind: 'veth', peer: { ns: 'sandbox', name: ifName, mac, mtu } },
      mac: hostMac(hostIf),
      mtu,
      master: options.bridge,
      alias: facts.alias,
    },
    // A port has no use for an address. With a thousand of them, each event of any link would walk all their routes.
    { op: 'link.set', ns: 'host', name: hostIf, set: { addrGenMode: 'none' } },
    { op: 'link.set', ns: 'host', name: hostIf, set: { up: true } },
  ];
  if (options.hairpin || options.portIsolation) {
    const set = { ...(options.hairpin ? { hairpin: true } : {}), ...(options.portIsolation ? { isolated: true } : {}) };
    ops.push({ op: 'port.set', ns: 'host', name: hostIf, set });
  }
  ops.push(...portVlans(hostIf, options));
  const undo: Op[] = [{ op: 'link.delete', ns: 'host', name: hostIf, kind: 'veth' }];
  if (options.macspoofchk) {
    for (const [set, element] of spoofElements(hostIf, mac)) {
      ops.push({ op: 'nft.element.add', ns: 'host', table: 'bridge isthmus', set, element });
      undo.push({ op: 'nft.element.delete', ns: 'host', table: 'bridge isthmus', set, element });
    }
  }
  return { ops, undo };
}

/** Elements that let only `mac` send from `hostIf`; the permission comes before the guard. */
function spoofElements(hostIf: string, mac: string): [string, string][] {
  return [
    ['macspoof', `"${hostIf}" . ${mac}`],
    ['guarded', `"${hostIf}"`],
  ];
}
