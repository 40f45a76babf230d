import type { BridgeEntry, FirewallBackend, FirewallEntry } from '../model/firewall.ts';
import { given } from '../model/given.ts';
import type { LinkFacts } from '../model/interface-facts.ts';
import { EMPTY_PLAN, type Op, type Plan } from '../model/op.ts';
import { ignoreRouters } from './forwarding.ts';

type PortFacts = Pick<LinkFacts, 'hostIf' | 'hairpin' | 'isolated' | 'byFlag' | 'vlans' | 'leavesDefaultVlan'>;

/** The VLAN that a filtering bridge puts a new port into. */
const DEFAULT_VLAN = 1;

/**
 * Creates the veth pair of an endpoint, with its host side as a bridge port, or with addresses and routes of its own. The
 * undo deletes the pair, wherever the other end is.
 */
export function planLink(link: LinkFacts): Plan {
  const { hostIf: name, ifName, mac, hostMac, mtu, bridge, host, alias } = link;
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
        ...given({ master: bridge }),
        alias,
      },
      ...(bridge === undefined ? [ignoreRouters(name)] : []),
      // A port needs no address. With a thousand of them, each event of any link would walk all their routes.
      ...(bridge === undefined && host === undefined
        ? []
        : [{ op: 'link.set', ns: 'host', name, set: { addrGenMode: 'none' } } as const]),
      { op: 'link.set', ns: 'host', name, set: { up: true } },
      ...(bridge === undefined ? planHostSide(link) : planPort(link)),
    ],
    undo: [{ op: 'link.delete', ns: 'host', name, kind: 'veth' }],
  };
}

/** Gives a host side its addresses and the ways to its endpoint. The kernel drops most of them when it goes down. */
export function planHostSide({ hostIf: dev, host }: Pick<LinkFacts, 'hostIf' | 'host'>): Op[] {
  const { addresses = [], routes = [] } = host ?? {};
  const has6 = addresses.some((text) => text.includes(':'));
  const key = `net/ipv6/conf/${dev}/disable_ipv6`;
  return [
    ...(has6 ? [{ op: 'sysctl.set', ns: 'host', key, value: '0', optional: true } as const] : []),
    ...addresses.map((address): Op => {
      // Usable at once: the pod knows no other way out.
      const noDad = address.includes(':') ? { noDad: true } : {};
      return { op: 'addr.add', ns: 'host', dev, address, ...noDad };
    }),
    // Exclusive: else an endpoint would take the traffic of another one with its address.
    ...routes.map((route): Op => ({ op: 'route.add', ns: 'host', route: { ...route, dev }, exclusive: true })),
  ];
}

/** Makes a host side a port of its bridge. Deleting the bridge loses these settings. */
export function planPort(port: PortFacts): Op[] {
  const { hostIf: name, hairpin, vlans = [], leavesDefaultVlan } = port;
  const set = { ...(hairpin ? { hairpin } : {}), ...(isIsolated(port, 'flag') ? { isolated: true } : {}) };
  return [
    ...(Object.keys(set).length > 0 ? [{ op: 'port.set', ns: 'host', name, set } as const] : []),
    ...(leavesDefaultVlan ? [{ op: 'vlan.delete', ns: 'host', name, vlan: { vid: DEFAULT_VLAN } } as const] : []),
    ...vlans.map((vlan): Op => ({ op: 'vlan.add', ns: 'host', name, vlan })),
  ];
}

/**
 * True if the port is isolated in this way. A bridge with VLANs may flood frames to its own MAC, which the packet filter
 * would take for translated ones.
 */
function isIsolated({ isolated, byFlag, vlans = [] }: PortFacts, way: 'flag' | 'filter'): boolean {
  return isolated === true && (byFlag === true || vlans.length > 0 ? 'flag' : 'filter') === way;
}

/** Binds the host side to its endpoint. The entry may come before the interface: it knows its name only. */
export function planGuard(link: LinkFacts, addresses: readonly string[]): Plan {
  return planEntries('bridge', guardsOf(link, addresses));
}

/** Adds entries to a packet filter; an empty plan without any. */
export function planEntries(backend: FirewallBackend, entries: readonly FirewallEntry[]): Plan {
  if (entries.length === 0) return EMPTY_PLAN;
  const what = { ns: 'host', backend, entries } as const;
  return { ops: [{ op: 'firewall.add', ...what }], undo: [{ op: 'firewall.delete', ...what }] };
}

/** The entries that guard and isolate the host side. Empty for a port with neither. */
export function guardsOf(link: LinkFacts, addresses: readonly string[]): BridgeEntry[] {
  const { guarded, spoofGuard, hostIf: port, mac, partners } = link;
  const entries: BridgeEntry[] = isIsolated(link, 'filter') ? [{ kind: 'isolated', port }] : [];
  if ((!guarded && !spoofGuard) || mac === '') return entries;
  return [...entries, { kind: 'guard', port, mac, ...(spoofGuard ? { addresses, ...given({ partners }) } : {}) }];
}
