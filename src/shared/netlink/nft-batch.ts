import { attr, body, nested } from './attrs.ts';
import { be32, string } from './codec.ts';
import { AF_UNSPEC, ERESTART, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from './constants.ts';
import {
  NFNL_BATCH_GENID,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
  NFT_MSG_DELCHAIN,
  NFT_MSG_DELRULE,
  NFT_MSG_DELSETELEM,
  NFT_MSG_DELTABLE,
  NFT_MSG_NEWCHAIN,
  NFT_MSG_NEWRULE,
  NFT_MSG_NEWSET,
  NFT_MSG_NEWSETELEM,
  NFT_MSG_NEWTABLE,
  NFTA_CHAIN_HOOK,
  NFTA_CHAIN_NAME,
  NFTA_CHAIN_TABLE,
  NFTA_CHAIN_TYPE,
  NFTA_HOOK_HOOKNUM,
  NFTA_HOOK_PRIORITY,
  NFTA_SET_ID,
  NFTA_SET_KEY_LEN,
  NFTA_SET_KEY_TYPE,
  NFTA_SET_NAME,
  NFTA_SET_TABLE,
  NFTA_SET_USERDATA,
} from './netfilter.ts';
import { NFGENMSG, nftType, raw, type TableId, tableMessage } from './nfnetlink.ts';
import { type ChainId, chainMessage, type NewRule, ruleMessage } from './nft-rules.ts';
import { type RawElement, type SetId, setElements } from './nft-sets.ts';
import type { NetlinkSocket, Reply, Request } from './socket.ts';

/*
 * The messages of nfnetlink that change nftables, and the transactions that carry them: no other file builds any.
 */

/** An attribute holds at most 65,531 bytes, and a list of elements is one; an element here has at most 120. */
const MAX_ELEMENTS = 500;

const batch = body(NFGENMSG, { generation: attr(NFNL_BATCH_GENID, be32) });
const newChain = body(NFGENMSG, {
  table: attr(NFTA_CHAIN_TABLE, string),
  name: attr(NFTA_CHAIN_NAME, string),
  hook: attr(
    NFTA_CHAIN_HOOK,
    nested({ number: attr(NFTA_HOOK_HOOKNUM, be32), priority: attr(NFTA_HOOK_PRIORITY, be32) }),
  ),
  type: attr(NFTA_CHAIN_TYPE, string),
});
const newSet = body(NFGENMSG, {
  table: attr(NFTA_SET_TABLE, string),
  name: attr(NFTA_SET_NAME, string),
  keyType: attr(NFTA_SET_KEY_TYPE, be32),
  keyBytes: attr(NFTA_SET_KEY_LEN, be32),
  id: attr(NFTA_SET_ID, be32),
  userdata: attr(NFTA_SET_USERDATA, raw),
});

/** Executes all requests or none: one transaction. Returns one reply for each request, in order. */
export function transact(socket: NetlinkSocket, requests: readonly Request[]): Reply[] {
  const replies = send(socket, requests, {});
  const [frame] = replies;
  // The kernel refuses the frame itself if the caller may not change the ruleset.
  if (frame !== undefined && frame.errno !== 0) return requests.map(() => frame);
  return replies.slice(1, -1);
}

/**
 * Like `transact` if the ruleset still has generation `at`; otherwise executes nothing and returns `changed`. Returns
 * the first failure of the kernel, errno 0 for success.
 */
export function transactAt(
  socket: NetlinkSocket,
  requests: readonly Request[],
  at: number,
): 'changed' | { readonly errno: number; readonly text: string } {
  const replies = send(socket, requests, { generation: at });
  if (replies.some(({ errno }) => errno === ERESTART)) return 'changed';
  const failed = replies.find(({ errno }) => errno !== 0);
  return { errno: failed?.errno ?? 0, text: failed?.text ?? '' };
}

/**
 * The replies to the frame's begin, to the requests, and to the frame's end. Only the last request is acknowledged: the
 * kernel answers errors in any case, and receiving an answer costs as much as an element.
 */
function send(socket: NetlinkSocket, requests: readonly Request[], attrs: { readonly generation?: number }): Reply[] {
  const header = { family: AF_UNSPEC, subsystemLow: NFNL_SUBSYS_NFTABLES };
  return socket.exchange(
    [
      { type: NFNL_MSG_BATCH_BEGIN, payload: batch.encode({ header, attrs }), ack: false },
      ...requests.map((request, i) => (i === requests.length - 1 ? request : { ...request, ack: false })),
      { type: NFNL_MSG_BATCH_END, payload: batch.encode({ header, attrs: {} }), ack: false },
    ],
    { whole: true },
  );
}

/**
 * Deletes the table if the ruleset still has generation `at`. Otherwise returns `changed` and does nothing. In other
 * cases returns the kernel's errno, 0 for success.
 */
export function deleteTableAt(socket: NetlinkSocket, id: TableId, at: number): number | 'changed' {
  const result = transactAt(socket, [deleteTableRequest(id)], at);
  return result === 'changed' ? result : result.errno;
}

/** Creates the table; an existing one succeeds. */
export function addTableRequest({ family, table }: TableId): Request {
  const payload = tableMessage.encode({ header: { family }, attrs: { name: table } });
  return { type: nftType(NFT_MSG_NEWTABLE), flags: NLM_F_CREATE, payload };
}

export function deleteTableRequest({ family, table }: TableId): Request {
  return {
    type: nftType(NFT_MSG_DELTABLE),
    payload: tableMessage.encode({ header: { family }, attrs: { name: table } }),
  };
}

/** A set of a table that the same transaction creates. */
export interface NewSet {
  readonly name: string;
  /** The type that nft prints keys by; a concatenation has six bits for each field. */
  readonly keyType: number;
  readonly keyBytes: number;
  /** An annotation for user space, as type, length and value. */
  readonly userdata?: Uint8Array;
}

/** `id` is unique in the transaction. */
export function addSetRequest({ family, table }: TableId, { name, ...set }: NewSet, id: number): Request {
  const payload = newSet.encode({ header: { family }, attrs: { table, name, ...set, id } });
  return { type: nftType(NFT_MSG_NEWSET), flags: NLM_F_CREATE, payload };
}

/** With a hook (`number` is NF_*), a chain of type filter. */
export function addChainRequest(
  { family, table, chain }: ChainId,
  hook?: { readonly number: number; readonly priority: number },
): Request {
  const hooked =
    hook === undefined ? {} : { type: 'filter', hook: { number: hook.number, priority: hook.priority >>> 0 } };
  const payload = newChain.encode({ header: { family }, attrs: { table, name: chain, ...hooked } });
  return { type: nftType(NFT_MSG_NEWCHAIN), flags: NLM_F_CREATE, payload };
}

export function deleteChainRequest({ family, table, chain }: ChainId): Request {
  const payload = chainMessage.encode({ header: { family }, attrs: { table, name: chain } });
  return { type: nftType(NFT_MSG_DELCHAIN), payload };
}

/** Flushes the chain and deletes it: both must be in one batch. */
export function deleteChainRequests({ family, table }: TableId, chain: string): Request[] {
  const flush = ruleMessage.encode({ header: { family }, attrs: { table, chain } });
  return [{ type: nftType(NFT_MSG_DELRULE), payload: flush }, deleteChainRequest({ family, table, chain })];
}

export function addRuleRequest({
  chain: { family, table, chain },
  before,
  append,
  protocol,
  ...rule
}: NewRule): Request {
  const attrs = {
    ...{ table, chain, expressions: { list: rule.expressions } },
    compat: protocol === undefined ? undefined : { protocol, flags: 0 },
    ...{ userdata: rule.userdata, position: before },
  };
  return {
    type: nftType(NFT_MSG_NEWRULE),
    // Without NLM_F_APPEND the kernel inserts a rule before its position, or first.
    flags: NLM_F_CREATE | (append ? NLM_F_APPEND : 0),
    payload: ruleMessage.encode({ header: { family }, attrs }),
  };
}

export function deleteRuleRequest({ family, table, chain }: ChainId, handle: bigint): Request {
  const payload = ruleMessage.encode({ header: { family }, attrs: { table, chain, handle } });
  return { type: nftType(NFT_MSG_DELRULE), payload };
}

/**
 * Adds elements; existing ones succeed, unless they lead elsewhere or overlap (EEXIST), or unless all must be new. No
 * elements, no requests.
 */
export function addElementsRequests(id: SetId, elements: readonly RawElement[], allNew = false): Request[] {
  return chunks(elements).map((chunk) => ({
    type: nftType(NFT_MSG_NEWSETELEM),
    flags: allNew ? NLM_F_CREATE | NLM_F_EXCL : NLM_F_CREATE,
    payload: encodeElements(id, chunk),
  }));
}

/** Deletes elements; an absent element fails (ENOENT). No elements, no requests. */
export function deleteElementsRequests(id: SetId, elements: readonly RawElement[]): Request[] {
  return chunks(elements).map((chunk) => ({ type: nftType(NFT_MSG_DELSETELEM), payload: encodeElements(id, chunk) }));
}

function chunks(elements: readonly RawElement[]): (readonly RawElement[])[] {
  const count = Math.ceil(elements.length / MAX_ELEMENTS);
  return Array.from({ length: count }, (_, i) => elements.slice(i * MAX_ELEMENTS, (i + 1) * MAX_ELEMENTS));
}

function encodeElements({ family, table, set }: SetId, elements: readonly RawElement[]): Uint8Array {
  return setElements.encode({ header: { family }, attrs: { table, set, list: { elements } } });
}
