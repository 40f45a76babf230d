import type { BridgeOptions } from '../../config/bridge.ts';
import type { View } from '../../host/host.ts';
import { digest } from '../../model/attachment.ts';
import type { Op, Plan } from '../../model/op.ts';
import type { EndpointFacts } from '../driver.ts';
import { networkMtu } from './network.ts';
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
      up: true,
    },
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

/**
 * MAC of the host side: `fe` and 40 bits of its name's digest. The highest first byte, because a bridge without a MAC
 * of its own takes the lowest of its ports'.
 */
export function hostMac(hostIf: string): string {
  const tail = digest('host-mac', hostIf).slice(0, 10).match(/../g) ?? [];
  return ['fe', ...tail].join(':');
}

/** Elements that let only `mac` send from `hostIf`; the permission comes before the guard. */
function spoofElements(hostIf: string, mac: string): [string, string][] {
  return [
    ['macspoof', `"${hostIf}" . ${mac}`],
    ['guarded', `"${hostIf}"`],
  ];
}
