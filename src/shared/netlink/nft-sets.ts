import { NetError } from '../errors/net-error.ts';
import { given } from '../model/given.ts';
import { attr, body, nested, repeated, type Values } from './attrs.ts';
import { be32, string, u16At } from './codec.ts';
import { ENOBUFS, ENOENT, NLA_TYPE_MASK } from './constants.ts';
import type { Message } from './message.ts';
import { socketError } from './message.ts';
import {
  NFT_MSG_GETRULE,
  NFT_MSG_GETSETELEM,
  NFTA_DATA_VALUE,
  NFTA_DATA_VERDICT,
  NFTA_LIST_ELEM,
  NFTA_RULE_CHAIN,
  NFTA_RULE_TABLE,
  NFTA_SET_ELEM_DATA,
  NFTA_SET_ELEM_FLAGS,
  NFTA_SET_ELEM_KEY,
  NFTA_SET_ELEM_KEY_END,
  NFTA_SET_ELEM_LIST_ELEMENTS,
  NFTA_SET_ELEM_LIST_SET,
  NFTA_SET_ELEM_LIST_TABLE,
  NFTA_SET_ELEM_USERDATA,
  NFTA_VERDICT_CHAIN,
  NFTA_VERDICT_CODE,
} from './netfilter.ts';
import { NFGENMSG, nftType, raw, type TableId } from './nfnetlink.ts';
import type { NetlinkSocket, Request } from './socket.ts';

const GENMSG_BYTES = 4;

const VERDICT = { code: attr(NFTA_VERDICT_CODE, be32), chain: attr(NFTA_VERDICT_CHAIN, string) };
const DATA = {
  value: attr(NFTA_DATA_VALUE, raw),
  verdict: attr(NFTA_DATA_VERDICT, nested(VERDICT)),
};
/** In the order that libnftnl writes. */
export const ELEMENT = {
  flags: attr(NFTA_SET_ELEM_FLAGS, be32),
  key: attr(NFTA_SET_ELEM_KEY, nested(DATA)),
  keyEnd: attr(NFTA_SET_ELEM_KEY_END, nested(DATA)),
  data: attr(NFTA_SET_ELEM_DATA, nested(DATA)),
  userdata: attr(NFTA_SET_ELEM_USERDATA, raw),
};
const LIST = { elements: repeated(NFTA_LIST_ELEM, nested(ELEMENT)) };

/** NFT_MSG_NEWSETELEM, GETSETELEM, DELSETELEM. Source: linux/netfilter/nf_tables.h. */
export const setElements = body(NFGENMSG, {
  table: attr(NFTA_SET_ELEM_LIST_TABLE, string),
  set: attr(NFTA_SET_ELEM_LIST_SET, string),
  list: attr(NFTA_SET_ELEM_LIST_ELEMENTS, nested(LIST)),
});

/**
 * An element in the kernel's form. Keys are the concatenated fields, each padded to four bytes; `flags` are
 * NFT_SET_ELEM_*.
 */
export type RawElement = Values<typeof ELEMENT>;

export interface SetId extends TableId {
  readonly set: string;
}

/** An element to look up, by its key. */
interface Wanted {
  readonly id: SetId;
  readonly element: RawElement;
}

const ruleMessage = body(NFGENMSG, { table: attr(NFTA_RULE_TABLE, string) });

/**
 * Looks up the elements with these keys: undefined if the element or the set does not exist. Each request gets an
 * answer either way, so it asks for no acknowledgement.
 */
export function getElements(socket: NetlinkSocket, wanted: readonly Wanted[]): (RawElement | undefined)[] {
  return answersOf(socket, wanted).map((message) =>
    message === undefined ? undefined : setElements.decode(message.payload, true)?.attrs.list?.elements?.[0],
  );
}

/** Whether elements with these keys exist. Decodes nothing, so it takes half the time of `getElements`. */
export function hasElements(socket: NetlinkSocket, wanted: readonly Wanted[]): boolean[] {
  return answersOf(socket, wanted).map((message) => message !== undefined);
}

function answersOf(socket: NetlinkSocket, wanted: readonly Wanted[]): (Message | undefined)[] {
  const requests = wanted.map(({ id, element: { flags, key, keyEnd } }): Request => {
    const asked = { ...given({ flags }), key, ...given({ keyEnd }) };
    return { type: nftType(NFT_MSG_GETSETELEM), payload: encodeElements(id, [asked]), ack: false, reply: true };
  });
  return socket.exchange(requests).map(({ errno, messages: [message] }) => {
    if (errno !== 0) return undefined;
    if (message === undefined) throw socketError(ENOBUFS, 'an element that the kernel has found was lost');
    return message;
  });
}

/** Returns all elements of a set; empty if the set does not exist. */
export function listElements(socket: NetlinkSocket, id: SetId): RawElement[] {
  const payload = setElements.encode({ header: { family: id.family }, attrs: { table: id.table, set: id.set } });
  let messages: Message[];
  try {
    messages = socket.dump({ type: nftType(NFT_MSG_GETSETELEM), payload });
  } catch (error) {
    if (error instanceof NetError && error.errno === ENOENT) return [];
    throw error;
  }
  return messages.flatMap((message) => setElements.decode(message.payload, true)?.attrs.list?.elements ?? []);
}

/** Returns the number of rules in each chain of the table; empty if the table does not exist. */
export function countRules(socket: NetlinkSocket, { family, table }: TableId): ReadonlyMap<string, number> {
  const payload = ruleMessage.encode({ header: { family }, attrs: { table } });
  const counts = new Map<string, number>();
  for (const message of socket.dump({ type: nftType(NFT_MSG_GETRULE), payload })) {
    const chain = chainOf(message.payload);
    if (chain !== undefined) counts.set(chain, (counts.get(chain) ?? 0) + 1);
  }
  return counts;
}

/** Decodes only the needed attribute of a rule: decoding all is noticeable in a short call. */
function chainOf(payload: Uint8Array): string | undefined {
  for (let at = GENMSG_BYTES; at + 4 <= payload.length; ) {
    const length = u16At(payload, at);
    if ((u16At(payload, at + 2) & NLA_TYPE_MASK) === NFTA_RULE_CHAIN)
      return Buffer.from(payload.buffer, payload.byteOffset + at + 4, length - 5).toString('latin1');
    at += Math.max(4, (length + 3) & ~3);
  }
  return undefined;
}

function encodeElements({ family, table, set }: SetId, elements: readonly RawElement[]): Uint8Array {
  return setElements.encode({ header: { family }, attrs: { table, set, list: { elements } } });
}
