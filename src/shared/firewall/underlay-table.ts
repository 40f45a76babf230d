import { UNDERLAY_TABLE, underlayElements } from '../host/underlay-elements.ts';
import { RTN_UNICAST } from '../netlink/constants.ts';
import {
  NF_DROP,
  NF_INET_LOCAL_OUT,
  NF_INET_PRE_ROUTING,
  NFPROTO_INET,
  NFPROTO_IPV4,
  NFPROTO_IPV6,
  NFT_FIB_RESULT_ADDRTYPE,
  NFT_META_L4PROTO,
  NFT_META_NFPROTO,
  NFTA_FIB_F_DADDR,
} from '../netlink/netfilter.ts';
import type { NewSet } from '../netlink/nft-batch.ts';
import type { Expression } from '../netlink/nft-rules.ts';
import type { TableKind } from './fixed-table.ts';
import {
  countsOf,
  type Field,
  goto,
  is,
  isNot,
  meta,
  network,
  outside,
  type TableContent,
  tableRequests,
  transport,
  verdict,
  within,
} from './table-rules.ts';

/** nftables, include/datatype.h: what nft prints keys by. A concatenation has six bits for each field. */
const [IPADDR, IP6ADDR, INET_SERVICE] = [7, 8, 13] as const;

/** Sets of ports, by family. */
export const PORTS: readonly NewSet[] = [
  { name: 'ports4', keyType: INET_SERVICE, keyBytes: 2 },
  { name: 'ports6', keyType: INET_SERVICE, keyBytes: 2 },
];

/** `ports` has those of our VXLAN devices, `peers` the hosts that may send to them. */
const SETS: readonly NewSet[] = [
  ...PORTS,
  { name: 'peers4', keyType: (IPADDR << 6) | INET_SERVICE, keyBytes: 8 },
  { name: 'peers6', keyType: (IP6ADDR << 6) | INET_SERVICE, keyBytes: 20 },
];

/** In host order: nfproto and l4proto are one byte, an address type is four. */
const UDP = [...is(meta(NFT_META_L4PROTO), '11')];
export const IPV4 = [...is(meta(NFT_META_NFPROTO), byte(NFPROTO_IPV4)), ...UDP];
export const IPV6 = [...is(meta(NFT_META_NFPROTO), byte(NFPROTO_IPV6)), ...UDP];
export const DPORT = transport(2, 2);
const IP_SADDR = network(12, 4);
const IP_DADDR = network(16, 4);
const IP6_SADDR = network(8, 16);
const IP6_DADDR = network(24, 16);
const DADDR_TYPE: Field = (dreg) => ({
  name: 'fib',
  fib: { dreg, result: NFT_FIB_RESULT_ADDRTYPE, flags: NFTA_FIB_F_DADDR },
});
const UNICAST = Buffer.from(Uint32Array.of(RTN_UNICAST).buffer).toString('hex');
const NOTRACK: Expression = { name: 'notrack' };

function byte(value: number): string {
  return value.toString(16).padStart(2, '0');
}

/**
 * A datagram to another host is not ours: a pod may have a VXLAN of its own on this port. Goes to chain `arrived` with the
 * others.
 */
export const arrives = (...port: readonly Expression[]): Expression[] => [
  ...port,
  // A local address, or a group or a broadcast, which the socket of a VXLAN device receives too.
  ...isNot(DADDR_TYPE, UNICAST),
  goto('arrived'),
];

/** Priority raw: before conntrack. */
export const HOOKS = {
  arriving: { number: NF_INET_PRE_ROUTING, priority: -300 },
  leaving: { number: NF_INET_LOCAL_OUT, priority: -300 },
} as const;

const CONTENT: TableContent = {
  sets: SETS,
  chains: {
    arrived: [
      [...IPV4, ...outside('peers4', IP_SADDR, DPORT), verdict(NF_DROP)],
      [...IPV6, ...outside('peers6', IP6_SADDR, DPORT), verdict(NF_DROP)],
      [NOTRACK],
    ],
    arriving: [arrives(...IPV4, ...within('ports4', DPORT)), arrives(...IPV6, ...within('ports6', DPORT))],
    leaving: [
      [...IPV4, ...within('peers4', IP_DADDR, DPORT), NOTRACK],
      [...IPV6, ...within('peers6', IP6_DADDR, DPORT), NOTRACK],
    ],
  },
  hooks: HOOKS,
};

const COUNTS = countsOf(CONTENT);

/** The table of the underlay's entries. A host without overlay networks has none. */
export const UNDERLAY: TableKind = {
  id: { family: NFPROTO_INET, table: 'isthmus-underlay' },
  name: UNDERLAY_TABLE,
  sets: SETS.map(({ name }) => name),
  rules: () => COUNTS,
  requests: () => tableRequests(UNDERLAY.id, CONTENT),
  elements: underlayElements,
  lacking: {
    what: 'the kernel has no nf_tables, which admits peers only',
    hint: 'Set the firewall backend to iptables',
  },
};
