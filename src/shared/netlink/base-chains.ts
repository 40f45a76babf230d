import { attr, body, nested } from './attrs.ts';
import { be32, string } from './codec.ts';
import {
  NF_DROP,
  NFT_MSG_GETCHAIN,
  NFT_MSG_GETTABLE,
  NFT_TABLE_F_DORMANT,
  NFTA_CHAIN_HOOK,
  NFTA_CHAIN_NAME,
  NFTA_CHAIN_POLICY,
  NFTA_CHAIN_TABLE,
  NFTA_CHAIN_TYPE,
  NFTA_HOOK_HOOKNUM,
  NFTA_HOOK_PRIORITY,
  NFTA_TABLE_FLAGS,
  NFTA_TABLE_NAME,
} from './netfilter.ts';
import { NFGENMSG, nftType } from './nfnetlink.ts';
import type { ChainId } from './nft-rules.ts';
import type { NetlinkSocket } from './socket.ts';

/** A chain that the kernel calls by itself. */
export interface BaseChain extends ChainId {
  /** NF_INET_*; of a bridge's chains NF_BR_*. */
  readonly hook: number;
  readonly priority: number;
  /** `filter`, `nat`, `route`. */
  readonly type: string;
  readonly policy: 'accept' | 'drop';
}

const chain = body(NFGENMSG, {
  table: attr(NFTA_CHAIN_TABLE, string),
  name: attr(NFTA_CHAIN_NAME, string),
  policy: attr(NFTA_CHAIN_POLICY, be32),
  hook: attr(
    NFTA_CHAIN_HOOK,
    nested({ number: attr(NFTA_HOOK_HOOKNUM, be32), priority: attr(NFTA_HOOK_PRIORITY, be32) }),
  ),
  type: attr(NFTA_CHAIN_TYPE, string),
});

const table = body(NFGENMSG, { name: attr(NFTA_TABLE_NAME, string), flags: attr(NFTA_TABLE_FLAGS, be32) });

/**
 * Returns the base chains of every table of nftables, in the order in which the kernel calls those of one hook. Leaves
 * out those of dormant tables, which it does not call.
 */
export function readBaseChains(socket: NetlinkSocket): BaseChain[] {
  const dormant = dormantTables(socket);
  const request = { type: nftType(NFT_MSG_GETCHAIN), payload: chain.encode({ header: {}, attrs: {} }) };
  const found = socket.dump(request).flatMap((message): BaseChain[] => {
    const { header, attrs } = chain.decode(message.payload, true) ?? {};
    const { table: of, name, hook, type = '', policy } = attrs ?? {};
    if (header === undefined || of === undefined || name === undefined || hook?.number === undefined) return [];
    if (dormant.has(`${header.family} ${of}`)) return [];
    const priority = (hook.priority ?? 0) | 0;
    const id = { family: header.family, table: of, chain: name };
    return [{ ...id, hook: hook.number, priority, type, policy: policy === NF_DROP ? 'drop' : 'accept' }];
  });
  return found.sort((a, b) => a.priority - b.priority);
}

/** `2 filter`: family and name of the tables that are switched off. */
function dormantTables(socket: NetlinkSocket): ReadonlySet<string> {
  const request = { type: nftType(NFT_MSG_GETTABLE), payload: table.encode({ header: {}, attrs: {} }) };
  const found = socket.dump(request).flatMap((message): string[] => {
    const { header, attrs } = table.decode(message.payload, true) ?? {};
    const isDormant = ((attrs?.flags ?? 0) & NFT_TABLE_F_DORMANT) !== 0;
    return header !== undefined && isDormant ? [`${header.family} ${attrs?.name}`] : [];
  });
  return new Set(found);
}
