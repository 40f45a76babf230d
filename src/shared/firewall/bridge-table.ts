import {
  NF_BR_FORWARD,
  NF_BR_PRE_ROUTING,
  NF_DROP,
  NFPROTO_BRIDGE,
  NFT_META_IIFNAME,
  NFT_META_L4PROTO,
  NFT_META_OIFNAME,
  NFT_META_PKTTYPE,
  NFT_META_PROTOCOL,
} from '../netlink/netfilter.ts';
import type { NewSet } from '../netlink/nft-batch.ts';
import type { ChainHook, Expression } from '../netlink/nft-rules.ts';
import type { Request } from '../netlink/socket.ts';
import {
  countsOf,
  goto,
  is,
  isNot,
  link,
  meta,
  network,
  outside,
  type TableContent,
  tableRequests,
  transport,
  verdict,
  within,
} from './table-rules.ts';

export const BRIDGE_TABLE_ID = { family: NFPROTO_BRIDGE, table: 'isthmus' } as const;

/** nftables, include/datatype.h: what nft prints keys by. A concatenation has six bits for each field. */
const [INTEGER, IPADDR, IP6ADDR, ETHERADDR, IFNAME] = [4, 7, 8, 9, 41] as const;
const after = (type: number): number => (IFNAME << 6) | type;

/** libnftnl, udata.h: NFTNL_UDATA_SET_KEYBYTEORDER, host order. Without it nft prints a name as an empty one. */
const HOST_ORDER = Uint8Array.of(0, 4, 1, 0, 0, 0);

/**
 * What nft writes for `typeof iifname . @nh,384,128` and for `typeof @nh,384,128`. The target of neighbour discovery is
 * read by its place behind the IPv6 header: nft 1.1 has a word for it by its place in ICMPv6, with another type than nft
 * 1.0.6 has, so that no set would load with both.
 */
const TARGET = '26000407000000011e000400000000010400000000020402000000030480010000040480000000';
const TYPEOF_NAME_AND_TARGET = Buffer.from(
  `000400000000034000040d0000000138000e000409000000010600040600000001${TARGET}`,
  'hex',
);
const TYPEOF_TARGET = Buffer.from(`00040200000003${TARGET}`, 'hex');

/**
 * Every set. `networks` has the bridges, `guarded` the ports whose MAC is bound, `bound` those whose addresses are
 * bound too. `leased` has the addresses in use; its comments name the port or bridge that has them. `target` is for what
 * neighbour discovery claims. `isolated` has ports that exchange no frames.
 */
const SETS: readonly NewSet[] = [
  { name: 'networks', keyType: IFNAME, keyBytes: 16, userdata: HOST_ORDER },
  { name: 'guarded', keyType: IFNAME, keyBytes: 16, userdata: HOST_ORDER },
  { name: 'macspoof', keyType: after(ETHERADDR), keyBytes: 24 },
  { name: 'bound', keyType: IFNAME, keyBytes: 16, userdata: HOST_ORDER },
  { name: 'allowed4', keyType: after(IPADDR), keyBytes: 20 },
  { name: 'allowed6', keyType: after(IP6ADDR), keyBytes: 32 },
  { name: 'leased4', keyType: IPADDR, keyBytes: 4 },
  { name: 'leased6', keyType: IP6ADDR, keyBytes: 16 },
  { name: 'allowed_target', keyType: after(INTEGER), keyBytes: 32, userdata: TYPEOF_NAME_AND_TARGET },
  { name: 'leased_target', keyType: INTEGER, keyBytes: 16, userdata: TYPEOF_TARGET },
  { name: 'isolated', keyType: IFNAME, keyBytes: 16, userdata: HOST_ORDER },
];

export const BRIDGE_SETS: readonly string[] = SETS.map(({ name }) => name);

const IIFNAME = meta(NFT_META_IIFNAME);
const OIFNAME = meta(NFT_META_OIFNAME);
const PKTTYPE = meta(NFT_META_PKTTYPE);
const PROTOCOL = meta(NFT_META_PROTOCOL);
const L4PROTO = meta(NFT_META_L4PROTO);
const ETHER_SADDR = link(6, 6);
const IP_SADDR = network(12, 4);
const IP6_SADDR = network(8, 16);
const ARP_HTYPE = network(0, 2);
const ARP_SADDR_ETHER = network(8, 6);
const ARP_SADDR_IP = network(14, 4);
const DPORT = transport(2, 2);
const ICMPV6_TYPE = transport(0, 1);
/** The target of a neighbour solicitation or advertisement that follows the IPv6 header. */
const ND_TARGET = network(48, 16);
const IP6_NEXTHDR = network(6, 1);

/** Drops what a port sends whose addresses are bound. */
const DROP = [...within('bound', IIFNAME), verdict(NF_DROP)];

const [ICMPV6, UDP] = ['3a', '11'] as const;
const [RS_ANSWER, NS, NA, REDIRECT] = ['86', '87', '88', '89'] as const;
const [DHCP_CLIENT, DHCPV6_CLIENT] = ['0044', '0222'] as const;
const UNSPECIFIED = '00'.repeat(16);
/** linux/if_packet.h: addressed to the bridge itself, by its MAC. */
const PACKET_HOST = '00';

/** nft names the fields of a packet, in what it lists, only behind its protocol; it cannot load the rules else. */
const IPV4 = is(PROTOCOL, '0800');
const IPV6 = is(PROTOCOL, '86dd');
const ARP = is(PROTOCOL, '0806');
const discovers = (type: string): Expression[] => [...IPV6, ...is(L4PROTO, ICMPV6), ...is(ICMPV6_TYPE, type)];
const isBehind = (type: string): Expression[] => [
  ...IPV6,
  ...isNot(IP6_NEXTHDR, ICMPV6),
  ...is(L4PROTO, ICMPV6),
  ...is(ICMPV6_TYPE, type),
];
const claimsTarget = [...outside('allowed_target', IIFNAME, ND_TARGET), ...within('leased_target', ND_TARGET)];

/**
 * The rules of each chain; targets of `goto` come first. Usual traffic costs two look-ups: that a port has the MAC, and
 * the address, which a packet bears. Everything else is looked up only for what is to be dropped.
 */
const CHAINS: Readonly<Record<string, readonly (readonly Expression[])[]>> = {
  packets4: [
    [...IPV4, ...outside('allowed4', IIFNAME, IP_SADDR), ...within('leased4', IP_SADDR), ...DROP],
    // Only a DHCP server sends to a client's port.
    [...IPV4, ...is(L4PROTO, UDP), ...is(DPORT, DHCP_CLIENT), ...DROP],
  ],
  discovery: [
    [...discovers(RS_ANSWER), ...DROP],
    [...discovers(REDIRECT), ...DROP],
    // With an extension header, the target is at another place. Neighbour discovery has none in practice.
    [...isBehind(NA), ...DROP],
    [...isBehind(NS), ...DROP],
    [...discovers(NA), ...claimsTarget, ...DROP],
    // A solicitation from nowhere says that the sender is about to take the address.
    [...discovers(NS), ...is(IP6_SADDR, UNSPECIFIED), ...claimsTarget, ...DROP],
  ],
  packets6: [
    [...IPV6, ...outside('allowed6', IIFNAME, IP6_SADDR), ...within('leased6', IP6_SADDR), ...DROP],
    [...IPV6, ...is(L4PROTO, ICMPV6), goto('discovery')],
    [...IPV6, ...is(L4PROTO, UDP), ...is(DPORT, DHCPV6_CLIENT), ...DROP],
  ],
  claims4: [
    // Linux accepts ARP of IEEE 802 from Ethernet (arp_process), and no program sends it.
    [...ARP, ...isNot(ARP_HTYPE, '0001'), ...DROP],
    [...ARP, ...outside('macspoof', IIFNAME, ARP_SADDR_ETHER), ...DROP],
    [...ARP, ...outside('allowed4', IIFNAME, ARP_SADDR_IP), ...within('leased4', ARP_SADDR_IP), ...DROP],
  ],
  claims: [
    [...is(PROTOCOL, '0800'), goto('packets4')],
    [...is(PROTOCOL, '86dd'), goto('packets6')],
    [...is(PROTOCOL, '0806'), goto('claims4')],
    // The bridge has taken a frame's VLAN tag off. Linux takes off a second one of VLAN 0, and would believe the rest.
    [...is(PROTOCOL, '8100'), ...DROP],
    [...is(PROTOCOL, '88a8'), ...DROP],
  ],
  spoof: [
    [...within('macspoof', IIFNAME, ETHER_SADDR), goto('claims')],
    [...within('guarded', IIFNAME), verdict(NF_DROP)],
  ],
  /**
   * Drops frames from one isolated port to another, except those to the bridge's own MAC (PACKET_HOST). br_netfilter
   * translates such a frame to a published port and bridges it to the pod's port; the kernel's flag (`isolated on`) would
   * drop it there. Chain `forward` of table `inet isthmus`, or its counterpart in iptables, drops those without DNAT.
   */
  isolation: [
    [...within('isolated', IIFNAME), ...within('isolated', OIFNAME), ...isNot(PKTTYPE, PACKET_HOST), verdict(NF_DROP)],
  ],
};

/** Before br_netfilter, and before everything that others do by default. */
const HOOKS: Readonly<Record<string, ChainHook>> = {
  spoof: { number: NF_BR_PRE_ROUTING, priority: -300 },
  isolation: { number: NF_BR_FORWARD, priority: -300 },
};

const CONTENT: TableContent = { sets: SETS, chains: CHAINS, hooks: HOOKS };
const COUNTS = countsOf(CONTENT);

/** Number of rules in each chain. */
export function bridgeRuleCounts(): ReadonlyMap<string, number> {
  return COUNTS;
}

/** The messages that create the table, with its sets empty. It must not exist. */
export function bridgeTableRequests(): Request[] {
  return tableRequests(BRIDGE_TABLE_ID, CONTENT);
}
