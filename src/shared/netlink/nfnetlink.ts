import { NetError } from '../errors/net-error.ts';
import { attr, body } from './attrs.ts';
import { be32, type Codec, string } from './codec.ts';
import { EPROTONOSUPPORT, NETLINK_NETFILTER } from './constants.ts';
import { NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN, NFT_MSG_GETTABLE, NFTA_GEN_ID, NFTA_TABLE_NAME } from './netfilter.ts';
import { NetlinkSocket } from './socket.ts';

/** linux/netfilter/nfnetlink.h, struct nfgenmsg; its last field, in network order, is split in two bytes. */
export const NFGENMSG = { family: 'u8', version: 'u8', subsystemHigh: 'u8', subsystemLow: 'u8' } as const;

export const raw: Codec<Uint8Array> = { decode: (bytes) => bytes, encode: (value) => value };

export const tableMessage = body(NFGENMSG, { name: attr(NFTA_TABLE_NAME, string) });
const generation = body(NFGENMSG, { id: attr(NFTA_GEN_ID, be32) });

/** `family` is NFPROTO_*. */
export interface TableId {
  readonly family: number;
  readonly table: string;
}

/** Opens a netfilter socket in the calling thread's namespace; undefined if the kernel has no netfilter. */
export function openNetfilter(): NetlinkSocket | undefined {
  try {
    return new NetlinkSocket(NETLINK_NETFILTER);
  } catch (error) {
    if (error instanceof NetError && error.errno === EPROTONOSUPPORT) return undefined;
    throw error;
  }
}

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

/** Returns true if the table exists. */
export function hasTable(socket: NetlinkSocket, { family, table }: TableId): boolean {
  const payload = tableMessage.encode({ header: { family }, attrs: { name: table } });
  return socket.exchange([{ type: nftType(NFT_MSG_GETTABLE), payload }])[0]?.errno === 0;
}

export function nftType(message: number): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | message;
}
