import { attr, body, nested } from './attrs.ts';
import { be32, string } from './codec.ts';
import {
  NF_DROP,
  NFT_MSG_GETCHAIN,
  NFTA_CHAIN_HOOK,
  NFTA_CHAIN_NAME,
  NFTA_CHAIN_POLICY,
  NFTA_CHAIN_TABLE,
  NFTA_CHAIN_TYPE,
  NFTA_HOOK_HOOKNUM,
  NFTA_HOOK_PRIORITY,
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

/** Returns the base chains of every table of nftables, in the order in which the kernel calls those of one hook. */
export function readBaseChains(socket: NetlinkSocket): BaseChain[] {
  const request = { type: nftType(NFT_MSG_GETCHAIN), payload: chain.encode({ header: {}, attrs: {} }) };
  const found = socket.dump(request).flatMap((message): BaseChain[] => {
    const { header, attrs } = chain.decode(message.payload, true) ?? {};
    const { table, name, hook, type = '', policy } = attrs ?? {};
    if (header === undefined || table === undefined || name === undefined || hook?.number === undefined) return [];
    const priority = (hook.priority ?? 0) | 0;
    const id = { family: header.family, table, chain: name };
    return [{ ...id, hook: hook.number, priority, type, policy: policy === NF_DROP ? 'drop' : 'accept' }];
  });
  return found.sort((a, b) => a.priority - b.priority);
}
