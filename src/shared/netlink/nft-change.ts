import { attr, body } from './attrs.ts';
import { be32, string } from './codec.ts';
import {
  AF_UNSPEC,
  ERESTART,
  NF_DROP,
  NFNL_BATCH_GENID,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
  NFT_MSG_DELCHAIN,
  NFT_MSG_DELRULE,
  NFT_MSG_DELTABLE,
  NFT_MSG_GETCHAIN,
  NFT_MSG_NEWRULE,
  NFTA_TABLE_NAME,
  NLM_F_APPEND,
  NLM_F_CREATE,
} from './constants.ts';
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

/**
 * All of the change is made, if the ruleset is still of generation `at`, or none of it. Returns `changed` where it is
 * not; else the kernel's errno and words of the first step that it refused, 0 for success.
 */
export function changeRulesAt(
  socket: NetlinkSocket,
  { remove, insert }: RuleChange,
  at: number,
): 'changed' | { readonly errno: number; readonly text: string } {
  return commit(
    socket,
    // First what is new: its place may be before a rule that goes.
    [...insert.map(insertRequest), ...remove.map(({ chain, handle }) => removeRequest(chain, handle))],
    at,
  );
}

/**
 * Those of the table's chains that have no rule and accept what comes to their end are gone, and the table too where it
 * has no other chain. One that is referred to stays.
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
    const requests = unused.map(({ name }): Request => {
      const payload = chainMessage.encode({ header: { family }, attrs: { table, name } });
      return { type: nftType(NFT_MSG_DELCHAIN), payload };
    });
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
    // Without NLM_F_APPEND the kernel puts a rule before its position, or first.
    flags: NLM_F_CREATE | (append ? NLM_F_APPEND : 0),
    payload: ruleMessage.encode({ header: { family }, attrs }),
  };
}
