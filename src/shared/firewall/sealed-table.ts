import { SEALED_TABLE, sealedElements } from '../host/underlay-elements.ts';
import { NF_DROP, NFPROTO_INET, NFT_META_SECPATH, NFT_RT_XFRM } from '../netlink/netfilter.ts';
import type { TableKind } from './fixed-table.ts';
import { countsOf, type Field, is, meta, type TableContent, tableRequests, verdict, within } from './table-rules.ts';
import { arrives, DPORT, HOOKS, IPV4, IPV6, PORTS } from './underlay-table.ts';

/** One byte: 1 for a packet that has been in ESP, or that a policy makes leave in ESP. */
const HAS_BEEN_SEALED = meta(NFT_META_SECPATH);
const WILL_BE_SEALED: Field = (dreg) => ({ name: 'rt', rt: { dreg, key: NFT_RT_XFRM } });
const NO = '00';

/** The policies of the kernel drop the same; this also holds while another program has flushed them. */
const CONTENT: TableContent = {
  sets: PORTS,
  chains: {
    arrived: [[...is(HAS_BEEN_SEALED, NO), verdict(NF_DROP)]],
    arriving: [arrives(...IPV4, ...within('ports4', DPORT)), arrives(...IPV6, ...within('ports6', DPORT))],
    leaving: [
      [...IPV4, ...within('ports4', DPORT), ...is(WILL_BE_SEALED, NO), verdict(NF_DROP)],
      [...IPV6, ...within('ports6', DPORT), ...is(WILL_BE_SEALED, NO), verdict(NF_DROP)],
    ],
  },
  hooks: HOOKS,
};

const COUNTS = countsOf(CONTENT);

/** The table of encrypted networks. A host without them has none. */
export const SEALED: TableKind = {
  id: { family: NFPROTO_INET, table: 'isthmus-sealed' },
  name: SEALED_TABLE,
  sets: PORTS.map(({ name }) => name),
  rules: () => COUNTS,
  requests: () => tableRequests(SEALED.id, CONTENT),
  elements: sealedElements,
  lacking: {
    what: 'the kernel has no nf_tables with CONFIG_XFRM, which drops clear text',
    hint: 'Set the firewall backend to iptables',
  },
};
