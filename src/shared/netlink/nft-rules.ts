import { given } from '../model/given.ts';
import { attr, body, nested, repeated, type Values } from './attrs.ts';
import { be32, type Codec, string } from './codec.ts';
import { EINVAL, ENOENT, EOPNOTSUPP } from './constants.ts';
import { socketError } from './message.ts';
import {
  NFT_MSG_GETCHAIN,
  NFT_MSG_GETRULE,
  NFTA_BITWISE_DREG,
  NFTA_BITWISE_LEN,
  NFTA_BITWISE_MASK,
  NFTA_BITWISE_SREG,
  NFTA_BITWISE_XOR,
  NFTA_CHAIN_NAME,
  NFTA_CHAIN_POLICY,
  NFTA_CHAIN_TABLE,
  NFTA_CMP_DATA,
  NFTA_CMP_OP,
  NFTA_CMP_SREG,
  NFTA_DATA_VALUE,
  NFTA_DATA_VERDICT,
  NFTA_EXPR_DATA,
  NFTA_EXPR_NAME,
  NFTA_FIB_DREG,
  NFTA_FIB_FLAGS,
  NFTA_FIB_RESULT,
  NFTA_IMMEDIATE_DATA,
  NFTA_IMMEDIATE_DREG,
  NFTA_LIST_ELEM,
  NFTA_LOOKUP_DREG,
  NFTA_LOOKUP_FLAGS,
  NFTA_LOOKUP_SET,
  NFTA_LOOKUP_SREG,
  NFTA_META_DREG,
  NFTA_META_KEY,
  NFTA_META_SREG,
  NFTA_PAYLOAD_BASE,
  NFTA_PAYLOAD_DREG,
  NFTA_PAYLOAD_LEN,
  NFTA_PAYLOAD_OFFSET,
  NFTA_RANGE_FROM_DATA,
  NFTA_RANGE_OP,
  NFTA_RANGE_SREG,
  NFTA_RANGE_TO_DATA,
  NFTA_RULE_CHAIN,
  NFTA_RULE_COMPAT,
  NFTA_RULE_COMPAT_FLAGS,
  NFTA_RULE_COMPAT_PROTO,
  NFTA_RULE_EXPRESSIONS,
  NFTA_RULE_HANDLE,
  NFTA_RULE_POSITION,
  NFTA_RULE_TABLE,
  NFTA_RULE_USERDATA,
  NFTA_VERDICT_CHAIN,
  NFTA_VERDICT_CODE,
  NFTA_XT_INFO,
  NFTA_XT_NAME,
  NFTA_XT_REV,
} from './netfilter.ts';
import { NFGENMSG, nftType, raw } from './nfnetlink.ts';
import type { NetlinkSocket, Request } from './socket.ts';

export const be64: Codec<bigint> = {
  decode: (bytes) => (bytes.length === 8 ? new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0) : undefined),
  encode: (value) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value);
    return bytes;
  },
};

const VERDICT = { code: attr(NFTA_VERDICT_CODE, be32), chain: attr(NFTA_VERDICT_CHAIN, string) };
const DATA = { value: attr(NFTA_DATA_VALUE, raw), verdict: attr(NFTA_DATA_VERDICT, nested(VERDICT)) };
const META = {
  dreg: attr(NFTA_META_DREG, be32),
  key: attr(NFTA_META_KEY, be32),
  sreg: attr(NFTA_META_SREG, be32),
};
/** NFTA_CT_DREG and NFTA_CT_KEY have the numbers of NFTA_META_*. */
const CT = { dreg: attr(NFTA_META_DREG, be32), key: attr(NFTA_META_KEY, be32) };
const CMP = {
  sreg: attr(NFTA_CMP_SREG, be32),
  op: attr(NFTA_CMP_OP, be32),
  data: attr(NFTA_CMP_DATA, nested(DATA)),
};
const RANGE = {
  sreg: attr(NFTA_RANGE_SREG, be32),
  op: attr(NFTA_RANGE_OP, be32),
  from: attr(NFTA_RANGE_FROM_DATA, nested(DATA)),
  to: attr(NFTA_RANGE_TO_DATA, nested(DATA)),
};
const PAYLOAD = {
  dreg: attr(NFTA_PAYLOAD_DREG, be32),
  base: attr(NFTA_PAYLOAD_BASE, be32),
  offset: attr(NFTA_PAYLOAD_OFFSET, be32),
  len: attr(NFTA_PAYLOAD_LEN, be32),
};
const BITWISE = {
  sreg: attr(NFTA_BITWISE_SREG, be32),
  dreg: attr(NFTA_BITWISE_DREG, be32),
  len: attr(NFTA_BITWISE_LEN, be32),
  mask: attr(NFTA_BITWISE_MASK, nested(DATA)),
  xor: attr(NFTA_BITWISE_XOR, nested(DATA)),
};
const IMMEDIATE = { dreg: attr(NFTA_IMMEDIATE_DREG, be32), data: attr(NFTA_IMMEDIATE_DATA, nested(DATA)) };
const LOOKUP = {
  set: attr(NFTA_LOOKUP_SET, string),
  sreg: attr(NFTA_LOOKUP_SREG, be32),
  dreg: attr(NFTA_LOOKUP_DREG, be32),
  flags: attr(NFTA_LOOKUP_FLAGS, be32),
};
const FIB = {
  dreg: attr(NFTA_FIB_DREG, be32),
  result: attr(NFTA_FIB_RESULT, be32),
  flags: attr(NFTA_FIB_FLAGS, be32),
};
/** An extension of iptables: match and target have the same layout. */
const XT = { name: attr(NFTA_XT_NAME, string), rev: attr(NFTA_XT_REV, be32), info: attr(NFTA_XT_INFO, raw) };

/** The expression's name determines the meaning of its data. */
const EXPRESSION = {
  name: attr(NFTA_EXPR_NAME, string),
  meta: { ...attr(NFTA_EXPR_DATA, nested(META)), when: ['name', 'meta'] },
  // NFTA_RT_* have the numbers of NFTA_META_*.
  rt: { ...attr(NFTA_EXPR_DATA, nested(META)), when: ['name', 'rt'] },
  ct: { ...attr(NFTA_EXPR_DATA, nested(CT)), when: ['name', 'ct'] },
  cmp: { ...attr(NFTA_EXPR_DATA, nested(CMP)), when: ['name', 'cmp'] },
  range: { ...attr(NFTA_EXPR_DATA, nested(RANGE)), when: ['name', 'range'] },
  payload: { ...attr(NFTA_EXPR_DATA, nested(PAYLOAD)), when: ['name', 'payload'] },
  bitwise: { ...attr(NFTA_EXPR_DATA, nested(BITWISE)), when: ['name', 'bitwise'] },
  immediate: { ...attr(NFTA_EXPR_DATA, nested(IMMEDIATE)), when: ['name', 'immediate'] },
  lookup: { ...attr(NFTA_EXPR_DATA, nested(LOOKUP)), when: ['name', 'lookup'] },
  fib: { ...attr(NFTA_EXPR_DATA, nested(FIB)), when: ['name', 'fib'] },
  match: { ...attr(NFTA_EXPR_DATA, nested(XT)), when: ['name', 'match'] },
  target: { ...attr(NFTA_EXPR_DATA, nested(XT)), when: ['name', 'target'] },
  counter: { ...attr(NFTA_EXPR_DATA, raw), when: ['name', 'counter'] },
} as const;

export type Expression = Values<typeof EXPRESSION>;

/** What an extension of iptables that is for one protocol asks for (nft_compat.c, nft_parse_compat). */
const COMPAT = { protocol: attr(NFTA_RULE_COMPAT_PROTO, be32), flags: attr(NFTA_RULE_COMPAT_FLAGS, be32) };

const RULE = {
  table: attr(NFTA_RULE_TABLE, string),
  chain: attr(NFTA_RULE_CHAIN, string),
  handle: attr(NFTA_RULE_HANDLE, be64),
  compat: attr(NFTA_RULE_COMPAT, nested(COMPAT)),
  position: attr(NFTA_RULE_POSITION, be64),
  userdata: attr(NFTA_RULE_USERDATA, raw),
  expressions: attr(NFTA_RULE_EXPRESSIONS, nested({ list: repeated(NFTA_LIST_ELEM, nested(EXPRESSION)) })),
};

export const ruleMessage = body(NFGENMSG, RULE);
export const chainMessage = body(NFGENMSG, {
  table: attr(NFTA_CHAIN_TABLE, string),
  name: attr(NFTA_CHAIN_NAME, string),
  policy: attr(NFTA_CHAIN_POLICY, be32),
});

/** `family` is NFPROTO_*. */
export interface ChainId {
  readonly family: number;
  readonly table: string;
  readonly chain: string;
}

export interface NftRule {
  /** Identifies the rule in its table for as long as it exists. */
  readonly handle: bigint;
  readonly expressions: readonly Expression[];
  /** The annotation by user space, as type, length, value; empty without one. */
  readonly userdata: Uint8Array;
}

export interface NewRule {
  readonly chain: ChainId;
  /** Handle of the rule to insert before; absent: insert first, or with `append` last. */
  readonly before?: bigint;
  readonly append?: boolean;
  /** IPPROTO_* of an extension of iptables that is for this protocol. */
  readonly protocol?: number;
  readonly expressions: readonly Expression[];
  readonly userdata: Uint8Array;
}

/** Of a base chain of type filter: NF_*, and the order among others. */
export interface ChainHook {
  readonly number: number;
  readonly priority: number;
}

/** Applied in this order. */
export interface RuleChange {
  readonly createChains: readonly (ChainId & { readonly hook?: ChainHook })[];
  readonly insert: readonly NewRule[];
  readonly remove: readonly { readonly chain: ChainId; readonly handle: bigint }[];
  readonly deleteChains: readonly ChainId[];
}

/** The chain or table does not exist, or the kernel lacks nftables. */
const ABSENT: readonly number[] = [ENOENT, EINVAL, EOPNOTSUPP];

/** Returns each chain's policy (NF_DROP, NF_ACCEPT; null without a hook), or undefined if it does not exist. */
export function readChains(socket: NetlinkSocket, ids: readonly ChainId[]): (number | null | undefined)[] {
  const requests = ids.map(({ family, table, chain }): Request => {
    const payload = chainMessage.encode({ header: { family }, attrs: { table, name: chain } });
    return { type: nftType(NFT_MSG_GETCHAIN), payload, ack: false, reply: true };
  });
  return socket.exchange(requests, { whole: true }).map(({ errno, text, messages: [message] }) => {
    if (message !== undefined) return chainMessage.decode(message.payload, true)?.attrs.policy ?? null;
    if (errno !== 0 && !ABSENT.includes(errno)) throw socketError(errno, 'a chain could not be read', text);
    return undefined;
  });
}

/** Returns the rules of one chain in order, or of all chains of the table; empty if the chain does not exist. */
export function readRules(
  socket: NetlinkSocket,
  { family, table, chain }: Pick<ChainId, 'family' | 'table'> & Partial<ChainId>,
): NftRule[] {
  const payload = ruleMessage.encode({ header: { family }, attrs: { table, ...given({ chain }) } });
  return socket.dump({ type: nftType(NFT_MSG_GETRULE), payload }).flatMap((message) => {
    const found = ruleMessage.decode(message.payload, true)?.attrs;
    if (found?.handle === undefined) return [];
    const { handle, userdata = new Uint8Array(), expressions } = found;
    return [{ handle, userdata, expressions: expressions?.list ?? [] }];
  });
}
