import type { Family } from '../model/addr.ts';
import { given } from '../model/given.ts';
import {
  NF_ACCEPT,
  NF_DROP,
  NFPROTO_IPV4,
  NFPROTO_IPV6,
  NFT_CMP_EQ,
  NFT_GOTO,
  NFT_JUMP,
  NFT_META_IIFNAME,
  NFT_META_OIFNAME,
  NFT_REG_1,
  NFT_REG_VERDICT,
  NFT_RETURN,
  NFTNL_UDATA_RULE_COMMENT,
} from '../netlink/netfilter.ts';
import type { ChainId, Expression, NewRule, NftRule, RuleChange } from '../netlink/nft-rules.ts';
import { readChains, readRules } from '../netlink/nft-rules.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import {
  type Accept,
  COMMENT,
  type Does,
  type FilterRule,
  type FilterTable,
  type TableChange,
} from './filter-table.ts';

export interface HandledRule extends FilterRule {
  readonly handle: bigint;
}

/** Table `filter` as iptables-nft has it. */
export interface NftFilterTable extends FilterTable<HandledRule> {
  readonly family: Family;
}

const TABLE = 'filter';
const NFPROTO: Readonly<Record<Family, number>> = { 4: NFPROTO_IPV4, 6: NFPROTO_IPV6 };
/** Expressions that match every packet. */
const TRANSPARENT: readonly (string | undefined)[] = ['counter', 'log', 'immediate', 'target', 'reject'];

/** Returns the tables of both families that have a chain FORWARD. Reads the rules of a chain on demand. */
export function readNftTables(socket: NetlinkSocket): NftFilterTable[] {
  const families = [4, 6] as const;
  const policies = readChains(
    socket,
    families.map((family) => chainId(family, 'FORWARD')),
  );
  return families.flatMap((family, i) => {
    const policy = policies[i];
    return policy === undefined ? [] : [openTable(socket, family, policy === NF_DROP ? 'drop' : 'accept')];
  });
}

function openTable(socket: NetlinkSocket, family: Family, policy: 'accept' | 'drop'): NftFilterTable {
  const known = new Map<string, readonly HandledRule[]>();
  return {
    family,
    policy,
    rules: (chain) => {
      const rules = known.get(chain) ?? readRules(socket, chainId(family, chain)).map(understand);
      known.set(chain, rules);
      return rules;
    },
  };
}

/** Encodes the change as netlink messages. */
export function nftChange(table: NftFilterTable, { remove, insert }: TableChange<HandledRule>): RuleChange {
  const { family } = table;
  return {
    remove: remove.map(({ place, rule }) => ({ chain: chainId(family, place), handle: rule.handle })),
    insert: insert.map(({ place, index, accept }): NewRule => {
      const before = table.rules(place)[index]?.handle;
      const rule = { chain: chainId(family, place), expressions: expressionsOf(accept), userdata: NOTE };
      return before === undefined ? { ...rule, append: true } : { ...rule, before };
    }),
  };
}

function chainId(family: Family, chain: string): ChainId {
  return { family: NFPROTO[family], table: TABLE, chain };
}

/** Type, length, value: nft prints it as `comment "isthmus"`, iptables as `-m comment --comment isthmus`. */
const NOTE = Uint8Array.from([NFTNL_UDATA_RULE_COMMENT, COMMENT.length + 1, ...Buffer.from(`${COMMENT}\0`)]);

/** `-i DEVICE -j ACCEPT` as iptables writes it: the comparison covers the name and its NUL, and nothing else. */
function expressionsOf({ way, device }: Accept): Expression[] {
  const key = way === 'in' ? NFT_META_IIFNAME : NFT_META_OIFNAME;
  const value = Buffer.from(`${device}\0`);
  return [
    { name: 'meta', meta: { dreg: NFT_REG_1, key } },
    { name: 'cmp', cmp: { sreg: NFT_REG_1, op: NFT_CMP_EQ, data: { value } } },
    { name: 'counter', counter: EMPTY_COUNTER },
    { name: 'immediate', immediate: { dreg: NFT_REG_VERDICT, data: { verdict: { code: NF_ACCEPT } } } },
  ];
}

/** Without attributes, the counter starts at zero bytes and packets. */
const EMPTY_COUNTER = new Uint8Array(0);

function understand({ handle, expressions, userdata }: NftRule): HandledRule {
  const conditions = expressions.filter((one) => !TRANSPARENT.includes(one.name) && !isComment(one));
  const { does, target } = effectOf(expressions);
  const ours = does === 'accept' && (expressions.some(isOurComment) || Buffer.from(userdata).equals(NOTE));
  const admits = ours ? acceptOf(conditions) : undefined;
  return {
    handle,
    does,
    always: conditions.length === 0,
    ...given({ target, admits }),
  };
}

function effectOf(expressions: readonly Expression[]): { readonly does: Does; readonly target?: string } {
  for (const { name, immediate, target } of expressions) {
    if (name === 'reject' || target?.name === 'REJECT') return { does: 'drop' };
    const verdict = immediate?.data?.verdict;
    if (verdict?.code === undefined) continue;
    if (verdict.code === NF_ACCEPT) return { does: 'accept' };
    if (verdict.code === NF_DROP) return { does: 'drop' };
    if (verdict.code === NFT_RETURN) return { does: 'return' };
    if ((verdict.code === NFT_JUMP || verdict.code === NFT_GOTO) && verdict.chain !== undefined)
      return { does: 'jump', target: verdict.chain };
  }
  return { does: 'other' };
}

/** Matches exactly the two conditions `meta iifname` (or oifname) and `== name`. */
function acceptOf([load, compare, ...more]: readonly Expression[]): Accept | undefined {
  const value = compare?.cmp?.data?.value;
  if (more.length > 0 || compare?.cmp?.op !== NFT_CMP_EQ || value === undefined) return undefined;
  const key = load?.meta?.key;
  if (key !== NFT_META_IIFNAME && key !== NFT_META_OIFNAME) return undefined;
  const end = value.indexOf(0);
  // Without the NUL it is a prefix match: eth+.
  if (end < 0) return undefined;
  return { way: key === NFT_META_IIFNAME ? 'in' : 'out', device: Buffer.from(value.subarray(0, end)).toString() };
}

function isComment({ name, match }: Expression): boolean {
  return name === 'match' && match?.name === 'comment';
}

/** linux/netfilter/xt_comment.h, struct xt_comment_info: 256 bytes of NUL-terminated text. */
function isOurComment(expression: Expression): boolean {
  const info = isComment(expression) ? expression.match?.info : undefined;
  return info !== undefined && Buffer.from(info.subarray(0, COMMENT.length + 1)).equals(Buffer.from(`${COMMENT}\0`));
}
