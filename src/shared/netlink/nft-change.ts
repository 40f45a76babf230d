import { attr, body } from './attrs.ts';
import { be32, string } from './codec.ts';
import { AF_UNSPEC, ERESTART, NLM_F_APPEND, NLM_F_CREATE } from './constants.ts';
import {
  NF_DROP,
  NFNL_BATCH_GENID,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
  NFT_MSG_DELCHAIN,
  NFT_MSG_DELRULE,
  NFT_MSG_DELTABLE,
  NFT_MSG_GETCHAIN,
  NFT_MSG_NEWCHAIN,
  NFT_MSG_NEWRULE,
  NFTA_TABLE_NAME,
} from './netfilter.ts';
import { rulesetGeneration } from './nfnetlink.ts';
import {
  type ChainId,
  chainMessage,
  type NewRule,
  NFGENMSG,
  nftType,
  type RuleChange,
  readRules,
  ruleMessage,
} from './nft-rules.ts';
import type { NetlinkSocket, Request } from './socket.ts';

const tableMessage = body(NFGENMSG, { name: attr(NFTA_TABLE_NAME, string) });
const batch = body(NFGENMSG, { generation: attr(NFNL_BATCH_GENID, be32) });

const MAX_ATTEMPTS = 32;

export const NO_CHANGE: RuleChange = { createChains: [], insert: [], remove: [], deleteChains: [] };

/**
 * Applies the whole change if the ruleset still has generation `at`; otherwise applies nothing and returns `changed`.
 * Returns the kernel's errno and text for the first refused step, 0 for success.
 */
export function changeRulesAt(
  socket: NetlinkSocket,
  { createChains, insert, remove, deleteChains }: RuleChange,
  at: number,
): 'changed' | { readonly errno: number; readonly text: string } {
  return commit(
    socket,
    // Insert before deleting: a new rule's position may refer to a rule that is deleted.
    [
      ...createChains.map((chain) => chainRequest(NFT_MSG_NEWCHAIN, chain, NLM_F_CREATE)),
      ...insert.map(insertRequest),
      ...remove.map(({ chain, handle }) => removeRequest(chain, handle)),
      ...deleteChains.map((chain) => chainRequest(NFT_MSG_DELCHAIN, chain)),
    ],
    at,
  );
}

/**
 * Deletes the table's chains without rules and with policy accept, and the table if it has no other chain. Keeps chains
 * that are referred to.
 */
export function deleteUnused(socket: NetlinkSocket, family: number, table: string, chains: readonly string[]): void {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const at = rulesetGeneration(socket);
    const present = chainsOf(socket, family, table);
    const unused = present.filter(({ name, policy }) => {
      return (
        chains.includes(name) && policy !== NF_DROP && readRules(socket, { family, table, chain: name }).length === 0
      );
    });
    if (unused.length === 0) return;
    const requests = unused.map(({ name }) => chainRequest(NFT_MSG_DELCHAIN, { family, table, chain: name }));
    const last = unused.length === present.length;
    if (last)
      requests.push({
        type: nftType(NFT_MSG_DELTABLE),
        payload: tableMessage.encode({ header: { family }, attrs: { name: table } }),
      });
    if (commit(socket, requests, at) !== 'changed') return;
  }
}

function chainsOf(
  socket: NetlinkSocket,
  family: number,
  table: string,
): { readonly name: string; readonly policy: number | undefined }[] {
  const payload = chainMessage.encode({ header: { family }, attrs: {} });
  return socket.dump({ type: nftType(NFT_MSG_GETCHAIN), payload }).flatMap((message) => {
    const { table: of, name, policy } = chainMessage.decode(message.payload, true)?.attrs ?? {};
    return of === table && name !== undefined ? [{ name, policy }] : [];
  });
}

function commit(
  socket: NetlinkSocket,
  requests: readonly Request[],
  at: number,
): 'changed' | { readonly errno: number; readonly text: string } {
  const header = { family: AF_UNSPEC, subsystemLow: NFNL_SUBSYS_NFTABLES };
  const replies = socket.exchange(
    [
      { type: NFNL_MSG_BATCH_BEGIN, payload: batch.encode({ header, attrs: { generation: at } }), ack: false },
      ...requests,
      { type: NFNL_MSG_BATCH_END, payload: batch.encode({ header, attrs: {} }), ack: false },
    ],
    { whole: true },
  );
  if (replies.some(({ errno }) => errno === ERESTART)) return 'changed';
  const failed = replies.find(({ errno }) => errno !== 0);
  return { errno: failed?.errno ?? 0, text: failed?.text ?? '' };
}

function chainRequest(message: number, { family, table, chain }: ChainId, flags = 0): Request {
  const payload = chainMessage.encode({ header: { family }, attrs: { table, name: chain } });
  return { type: nftType(message), flags, payload };
}

function removeRequest({ family, table, chain }: ChainId, handle: bigint): Request {
  return {
    type: nftType(NFT_MSG_DELRULE),
    payload: ruleMessage.encode({ header: { family }, attrs: { table, chain, handle } }),
  };
}

function insertRequest({ chain: { family, table, chain }, before, append, expressions, userdata }: NewRule): Request {
  const attrs = { table, chain, expressions: { list: expressions }, userdata, position: before };
  return {
    type: nftType(NFT_MSG_NEWRULE),
    // Without NLM_F_APPEND the kernel inserts a rule before its position, or first.
    flags: NLM_F_CREATE | (append ? NLM_F_APPEND : 0),
    payload: ruleMessage.encode({ header: { family }, attrs }),
  };
}
