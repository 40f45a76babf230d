import {
  NFT_CMP_EQ,
  NFT_CMP_NEQ,
  NFT_GOTO,
  NFT_LOOKUP_F_INV,
  NFT_PAYLOAD_LL_HEADER,
  NFT_PAYLOAD_NETWORK_HEADER,
  NFT_PAYLOAD_TRANSPORT_HEADER,
  NFT_REG_1,
  NFT_REG_2,
  NFT_REG_VERDICT,
  NFT_REG32_01,
} from '../netlink/netfilter.ts';
import type { TableId } from '../netlink/nfnetlink.ts';
import { addChainRequest, addRuleRequest, addSetRequest, addTableRequest, type NewSet } from '../netlink/nft-batch.ts';
import type { ChainHook, Expression } from '../netlink/nft-rules.ts';
import type { Request } from '../netlink/socket.ts';

/*
 * The words of which the rules of fixed tables are made, as raw expressions.
 */

/** Loads a field of the packet into a register. */
export type Field = (register: number) => Expression;
export const meta =
  (key: number): Field =>
  (dreg) => ({ name: 'meta', meta: { dreg, key } });
const bytesAt =
  (base: number) =>
  (offset: number, len: number): Field =>
  (dreg) => ({ name: 'payload', payload: { dreg, base, offset, len } });
export const [link, network, transport] = [
  NFT_PAYLOAD_LL_HEADER,
  NFT_PAYLOAD_NETWORK_HEADER,
  NFT_PAYLOAD_TRANSPORT_HEADER,
].map(bytesAt) as [ReturnType<typeof bytesAt>, ReturnType<typeof bytesAt>, ReturnType<typeof bytesAt>];

export const within = (set: string, ...fields: readonly Field[]): Expression[] => looked(set, fields, 0);
export const outside = (set: string, ...fields: readonly Field[]): Expression[] =>
  looked(set, fields, NFT_LOOKUP_F_INV);
function looked(set: string, fields: readonly Field[], flags: number): Expression[] {
  const [first, second] = fields;
  const loaded = first?.(NFT_REG_1);
  // Behind an IPv4 address comes the second 32 bits of the register.
  const next = loaded?.payload?.len === 4 ? NFT_REG32_01 : NFT_REG_2;
  const loads = [loaded, second?.(next)].filter((one) => one !== undefined);
  return [...loads, { name: 'lookup', lookup: { set, sreg: NFT_REG_1, flags } }];
}
export const is = (field: Field, hex: string): Expression[] => compared(field, NFT_CMP_EQ, hex);
export const isNot = (field: Field, hex: string): Expression[] => compared(field, NFT_CMP_NEQ, hex);
function compared(field: Field, op: number, hex: string): Expression[] {
  return [field(NFT_REG_1), { name: 'cmp', cmp: { sreg: NFT_REG_1, op, data: { value: Buffer.from(hex, 'hex') } } }];
}
export function verdict(code: number, chain?: string): Expression {
  const data = { verdict: chain === undefined ? { code } : { code, chain } };
  return { name: 'immediate', immediate: { dreg: NFT_REG_VERDICT, data } };
}
export const goto = (chain: string): Expression => verdict(NFT_GOTO, chain);

/** What a fixed table consists of. */
export interface TableContent {
  readonly sets: readonly NewSet[];
  /** The rules of each chain; targets of `goto` come first. */
  readonly chains: Readonly<Record<string, readonly (readonly Expression[])[]>>;
  readonly hooks: Readonly<Record<string, ChainHook>>;
}

/** The messages that create the table, with its sets empty. It must not exist. */
export function tableRequests(id: TableId, { sets, chains, hooks }: TableContent): Request[] {
  const all = Object.entries(chains);
  return [
    addTableRequest(id),
    ...sets.map((set, i) => addSetRequest(id, set, i + 1)),
    ...all.map(([chain]) => addChainRequest({ ...id, chain }, hooks[chain])),
    ...all.flatMap(([chain, rules]) =>
      rules.map((expressions) => {
        const rule = { expressions, userdata: new Uint8Array() };
        return addRuleRequest({ chain: { ...id, chain }, append: true, ...rule });
      }),
    ),
  ];
}

/** Number of rules in each chain. */
export function countsOf({ chains }: TableContent): ReadonlyMap<string, number> {
  return new Map(Object.entries(chains).map(([name, rules]) => [name, rules.length]));
}
