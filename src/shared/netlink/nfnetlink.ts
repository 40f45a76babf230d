import { attr, body } from './attrs.ts';
import { be32, string } from './codec.ts';
import { AF_UNSPEC, ERESTART } from './constants.ts';
import {
  NFNL_BATCH_GENID,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
  NFT_MSG_DELTABLE,
  NFT_MSG_GETGEN,
  NFT_MSG_GETTABLE,
  NFTA_GEN_ID,
  NFTA_TABLE_NAME,
} from './netfilter.ts';
import type { NetlinkSocket, Reply, Request } from './socket.ts';

/** linux/netfilter/nfnetlink.h, struct nfgenmsg; its last field, in network order, is split in two bytes. */
const NFGENMSG = { family: 'u8', version: 'u8', subsystemHigh: 'u8', subsystemLow: 'u8' } as const;

const generation = body(NFGENMSG, { id: attr(NFTA_GEN_ID, be32) });
const batch = body(NFGENMSG, { generation: attr(NFNL_BATCH_GENID, be32) });
const table = body(NFGENMSG, { name: attr(NFTA_TABLE_NAME, string) });

/** Returns the generation of the ruleset; it changes with every transaction in the namespace, by any process. */
export function rulesetGeneration(socket: NetlinkSocket): number {
  const request = { type: nftType(NFT_MSG_GETGEN), payload: generation.encode({ header: {}, attrs: {} }) };
  const [message] = socket.exchange([request])[0]?.messages ?? [];
  return (message && generation.decode(message.payload)?.attrs.id) ?? 0;
}

/** Returns true if the kernel has nf_tables and permits the caller to query it. */
export function answersNftables(socket: NetlinkSocket): boolean {
  const request = { type: nftType(NFT_MSG_GETGEN), payload: generation.encode({ header: {}, attrs: {} }) };
  return socket.exchange([request])[0]?.errno === 0;
}

/** Returns true if the table exists; `family` is NFPROTO_*. */
export function hasTable(socket: NetlinkSocket, family: number, name: string): boolean {
  const request = { type: nftType(NFT_MSG_GETTABLE), payload: table.encode({ header: { family }, attrs: { name } }) };
  return socket.exchange([request])[0]?.errno === 0;
}

/**
 * Deletes the table if the ruleset still has generation `at`. Otherwise returns `changed` and does nothing. `family` is
 * NFPROTO_*. In other cases returns the kernel's errno, 0 for success.
 */
export function deleteTableAt(socket: NetlinkSocket, family: number, name: string, at: number): number | 'changed' {
  const header = { family: AF_UNSPEC, subsystemLow: NFNL_SUBSYS_NFTABLES };
  const requests: Request[] = [
    { type: NFNL_MSG_BATCH_BEGIN, payload: batch.encode({ header, attrs: { generation: at } }), ack: false },
    { type: nftType(NFT_MSG_DELTABLE), payload: table.encode({ header: { family }, attrs: { name } }) },
    { type: NFNL_MSG_BATCH_END, payload: batch.encode({ header, attrs: {} }), ack: false },
  ];
  const replies = socket.exchange(requests, { whole: true });
  const errors = replies.map((reply: Reply) => reply.errno);
  return errors.includes(ERESTART) ? 'changed' : (errors.find((errno) => errno !== 0) ?? 0);
}

function nftType(message: number): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | message;
}
