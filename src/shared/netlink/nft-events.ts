import { given } from '../model/given.ts';
import { attr, body } from './attrs.ts';
import { be32, string } from './codec.ts';
import type { Message } from './message.ts';
import {
  NF_DROP,
  NFNL_SUBSYS_NFTABLES,
  NFT_MSG_DELCHAIN,
  NFT_MSG_DELRULE,
  NFT_MSG_DELSET,
  NFT_MSG_DELSETELEM,
  NFT_MSG_DELTABLE,
  NFT_MSG_NEWCHAIN,
  NFT_MSG_NEWGEN,
  NFT_MSG_NEWRULE,
  NFTA_CHAIN_NAME,
  NFTA_CHAIN_POLICY,
  NFTA_CHAIN_TABLE,
  NFTA_GEN_ID,
  NFTA_GEN_PROC_NAME,
  NFTA_GEN_PROC_PID,
  NFTA_RULE_CHAIN,
} from './netfilter.ts';
import { NFGENMSG } from './nfnetlink.ts';

/** The table's name is attribute 1 of every message about an object in a table. */
const table = attr(NFTA_CHAIN_TABLE, string);
const any = body(NFGENMSG, { table });
const rule = body(NFGENMSG, { table, chain: attr(NFTA_RULE_CHAIN, string) });
const chain = body(NFGENMSG, { table, chain: attr(NFTA_CHAIN_NAME, string), policy: attr(NFTA_CHAIN_POLICY, be32) });
const generation = body(NFGENMSG, {
  id: attr(NFTA_GEN_ID, be32),
  pid: attr(NFTA_GEN_PROC_PID, be32),
  command: attr(NFTA_GEN_PROC_NAME, string),
});

/** The content of a message of NFNLGRP_NFTABLES. */
export type NftEvent =
  | { readonly is: 'deletion'; readonly of: 'table' | 'chain' | 'rule' | 'set' | 'element'; readonly where: Where }
  | { readonly is: 'rule'; readonly where: Where }
  /** A chain with a hook was created with the policy `drop`, or changed to it. */
  | { readonly is: 'drop-policy'; readonly where: Where }
  /** The end of a transaction, with the thread that made it: its number in the first PID namespace. */
  | { readonly is: 'generation'; readonly pid: number; readonly command: string };

export interface Where {
  /** NFPROTO_*. */
  readonly family: number;
  readonly table: string;
  readonly chain?: string;
}

const DELETIONS: ReadonlyMap<number, 'table' | 'chain' | 'rule' | 'set' | 'element'> = new Map([
  [NFT_MSG_DELTABLE, 'table'],
  [NFT_MSG_DELCHAIN, 'chain'],
  [NFT_MSG_DELRULE, 'rule'],
  [NFT_MSG_DELSET, 'set'],
  [NFT_MSG_DELSETELEM, 'element'],
]);

/**
 * Decodes the message as an event; undefined for every other message. Reports new rules of tables with the names of
 * `newRules` only (`tableBytes`): others may write thousands.
 */
export function nftEvent({ type, payload }: Message, newRules: readonly Uint8Array[] = []): NftEvent | undefined {
  if (type >> 8 !== NFNL_SUBSYS_NFTABLES) return undefined;
  const message = type & 0xff;
  if (message === NFT_MSG_NEWGEN) {
    const { pid = 0, command = '' } = generation.decode(payload, true)?.attrs ?? {};
    return { is: 'generation', pid, command };
  }
  if (message === NFT_MSG_NEWCHAIN) {
    const found = chain.decode(payload, true);
    return found?.attrs.policy === NF_DROP ? { is: 'drop-policy', where: whereOf(found) } : undefined;
  }
  if (message === NFT_MSG_NEWRULE) {
    const found = newRules.some((bytes) => hasBytes(payload, bytes)) ? rule.decode(payload, true) : undefined;
    return found && { is: 'rule', where: whereOf(found) };
  }
  const of = DELETIONS.get(message);
  if (of === undefined) return undefined;
  const codec = of === 'rule' ? rule : of === 'chain' ? chain : any;
  const found = codec.decode(payload, true);
  return found && { is: 'deletion', of, where: whereOf(found) };
}

/** The header's size; the first attribute, the table's name, follows its own header of 4 bytes. */
const TABLE_OFFSET = 8;

/** A table's name as a message has it. */
export function tableBytes(name: string): Uint8Array {
  return Buffer.from(`${name}\0`);
}

function hasBytes(payload: Uint8Array, bytes: Uint8Array): boolean {
  return bytes.every((byte, i) => payload[TABLE_OFFSET + i] === byte);
}

function whereOf({
  header,
  attrs,
}: {
  readonly header: { readonly family: number };
  readonly attrs: { readonly table?: string | undefined; readonly chain?: string | undefined };
}): Where {
  const { table: name = '', chain: inside } = attrs;
  return { family: header.family, table: name, ...given({ chain: inside }) };
}
