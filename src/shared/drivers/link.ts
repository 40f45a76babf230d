import type { LinkFacts } from '../model/endpoint.ts';
import type { Op, Plan } from '../model/op.ts';

const TABLE = 'bridge isthmus';

type PortFacts = Pick<LinkFacts, 'hostIf' | 'hairpin' | 'isolated' | 'vlans' | 'leavesDefaultVlan'>;

/** The VLAN that a new port of a filtering bridge is in by itself. */
const DEFAULT_VLAN = 1;

/** The veth pair of an endpoint, with its host side as a port. The undo deletes it, wherever its other end is. */
export function planLink(link: LinkFacts): Plan {
  const { hostIf: name, ifName, mac, hostMac, mtu, bridge, alias } = link;
  const peer = { ns: 'sandbox', name: ifName, mac, mtu } as const;
  return {
    ops: [
      {
        op: 'link.create',
        ns: 'host',
        name,
        link: { kind: 'veth', peer },
        mac: hostMac,
        mtu,
        master: bridge,
        alias,
      },
      // A port has no use for an address. With a thousand of them, each event of any link would walk all their routes.
      { op: 'link.set', ns: 'host', name, set: { addrGenMode: 'none' } },
      { op: 'link.set', ns: 'host', name, set: { up: true } },
      ...planPort(link),
      ...guardsOf(link).map(
        ([set, element]): Op => ({ op: 'nft.element.add', ns: 'host', table: TABLE, set, element }),
      ),
    ],
    undo: [
      { op: 'link.delete', ns: 'host', name, kind: 'veth' },
      ...guardsOf(link).map(
        ([set, element]): Op => ({ op: 'nft.element.delete', ns: 'host', table: TABLE, set, element }),
      ),
    ],
  };
}

/** What a host side is as a port of its bridge. It is lost when the bridge is deleted. */
export function planPort({ hostIf: name, hairpin, isolated, vlans = [], leavesDefaultVlan }: PortFacts): Op[] {
  const set = { ...(hairpin ? { hairpin } : {}), ...(isolated ? { isolated } : {}) };
  return [
    ...(Object.keys(set).length > 0 ? [{ op: 'port.set', ns: 'host', name, set } as const] : []),
    ...(leavesDefaultVlan ? [{ op: 'vlan.delete', ns: 'host', name, vlan: { vid: DEFAULT_VLAN } } as const] : []),
    ...vlans.map((vlan): Op => ({ op: 'vlan.add', ns: 'host', name, vlan })),
  ];
}

/** Elements that let only `mac` send from `hostIf`; the permission comes before the guard. */
function guardsOf({ guarded, hostIf, mac }: LinkFacts): [set: string, element: string][] {
  if (!guarded) return [];
  return [
    ['macspoof', `"${hostIf}" . ${mac}`],
    ['guarded', `"${hostIf}"`],
  ];
}
