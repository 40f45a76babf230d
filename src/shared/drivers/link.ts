import type { LinkFacts } from '../model/endpoint.ts';
import type { Op, Plan } from '../model/op.ts';

const TABLE = 'bridge isthmus';

type PortFacts = Pick<LinkFacts, 'hostIf' | 'hairpin' | 'isolated' | 'vlans' | 'leavesDefaultVlan'>;

/** The VLAN that a filtering bridge puts a new port into. */
const DEFAULT_VLAN = 1;

/**
 * Creates the veth pair of an endpoint, with its host side as a bridge port. The undo deletes the pair, wherever the
 * other end is.
 */
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
      // A port needs no address. With a thousand of them, each event of any link would walk all their routes.
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

/** Makes a host side a port of its bridge. Deleting the bridge loses these settings. */
export function planPort({ hostIf: name, hairpin, isolated, vlans = [], leavesDefaultVlan }: PortFacts): Op[] {
  const set = { ...(hairpin ? { hairpin } : {}), ...(isolated ? { isolated } : {}) };
  return [
    ...(Object.keys(set).length > 0 ? [{ op: 'port.set', ns: 'host', name, set } as const] : []),
    ...(leavesDefaultVlan ? [{ op: 'vlan.delete', ns: 'host', name, vlan: { vid: DEFAULT_VLAN } } as const] : []),
    ...vlans.map((vlan): Op => ({ op: 'vlan.add', ns: 'host', name, vlan })),
  ];
}

/** Elements that let only `mac` send from `hostIf`. The permission comes before the guard. */
function guardsOf({ guarded, hostIf, mac }: LinkFacts): [set: string, element: string][] {
  if (!guarded) return [];
  return [
    ['macspoof', `"${hostIf}" . ${mac}`],
    ['guarded', `"${hostIf}"`],
  ];
}
