import { fault } from '../errors/fault.ts';
import { addrToBytes, type Family } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { firstOf, lastOf, parsePrefix } from '../model/prefix.ts';
import {
  NF_ACCEPT,
  NF_DROP,
  NF_INET_FORWARD,
  NFPROTO_IPV4,
  NFPROTO_IPV6,
  NFT_CMP_EQ,
  NFT_GOTO,
  NFT_JUMP,
  NFT_META_IIFNAME,
  NFT_META_OIFNAME,
  NFT_PAYLOAD_NETWORK_HEADER,
  NFT_REG_1,
  NFT_REG_VERDICT,
  NFT_RETURN,
  NFTNL_UDATA_RULE_COMMENT,
} from '../netlink/netfilter.ts';
import type { ChainId, Expression, NewRule, NftRule, RuleChange } from '../netlink/nft-rules.ts';
import { readChains, readRules } from '../netlink/nft-rules.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { ADMIN_CHAIN, MARK, type OwnRule, ownNote, REFERENCE_ADMIN_CHAIN } from './admission.ts';
import type { TableChange } from './filter-table.ts';
import type { Does, FilterRule, FilterTable } from './forward-chain.ts';

export interface HandledRule extends FilterRule {
  readonly handle: bigint;
}

/** Table `filter` as iptables-nft has it. */
export type NftFilterTable = FilterTable<HandledRule>;

const TABLE = 'filter';
const NFPROTO: Readonly<Record<Family, number>> = { 4: NFPROTO_IPV4, 6: NFPROTO_IPV6 };
/** Expressions that match every packet. */
const TRANSPARENT: readonly (string | undefined)[] = ['counter', 'log', 'immediate', 'target', 'reject'];

/**
 * Returns the tables of both families that have a chain FORWARD, or a chain of an administrator that others expect to be
 * reached from there. Reads the rules of a chain on demand.
 */
export function readNftTables(socket: NetlinkSocket): NftFilterTable[] {
  const families = [4, 6] as const;
  const chains = ['FORWARD', ADMIN_CHAIN, REFERENCE_ADMIN_CHAIN];
  const policies = readChains(
    socket,
    families.flatMap((family) => chains.map((chain) => chainId(family, chain))),
  );
  return families.flatMap((family, i) => {
    const found = policies.slice(i * chains.length, (i + 1) * chains.length);
    if (found.every((policy) => policy === undefined)) return [];
    return [openTable(socket, family, found[0] === NF_DROP ? 'drop' : 'accept')];
  });
}

function openTable(socket: NetlinkSocket, family: Family, policy: 'accept' | 'drop'): NftFilterTable {
  const known = new Map<string, readonly HandledRule[] | undefined>();
  const read = (chain: string): readonly HandledRule[] | undefined => {
    const rules = readRules(socket, chainId(family, chain)).map(understand);
    return rules.length > 0 || readChains(socket, [chainId(family, chain)])[0] !== undefined ? rules : undefined;
  };
  return {
    family,
    policy,
    rules: (chain) => {
      if (!known.has(chain)) known.set(chain, read(chain));
      return known.get(chain);
    },
  };
}

/** FORWARD as iptables-nft creates it: priority filter, policy accept. */
const HOOK = { number: NF_INET_FORWARD, priority: 0 } as const;

/** Encodes the change as netlink messages. */
export function nftChange(table: NftFilterTable, change: TableChange<HandledRule>): RuleChange {
  const { family } = table;
  const idOf = (chain: string): ChainId => chainId(family, chain);
  return {
    createChains: change.createChains.map((chain) =>
      chain === 'FORWARD' ? { ...idOf(chain), hook: HOOK } : idOf(chain),
    ),
    insert: change.insert.map(({ chain, index, rule }): NewRule => {
      const before = table.rules(chain)?.[index]?.handle;
      const made = { chain: idOf(chain), expressions: expressionsOf(rule, family), userdata: noteBytes(rule.note) };
      return before === undefined ? { ...made, append: true } : { ...made, before };
    }),
    remove: change.remove.map(({ chain, rule }) => ({ chain: idOf(chain), handle: rule.handle })),
    deleteChains: change.deleteChains.map(idOf),
  };
}

function chainId(family: Family, chain: string): ChainId {
  return { family: NFPROTO[family], table: TABLE, chain };
}

/** Type, length, value: nft prints it as `comment "…"`, iptables as `-m comment --comment "…"`. */
function noteBytes(note: string): Uint8Array {
  const text = Buffer.from(`${note}\0`);
  return Uint8Array.from([NFTNL_UDATA_RULE_COMMENT, text.length, ...text]);
}

/** The rule as iptables writes it, so that `iptables -S` can print it. */
function expressionsOf({ input, output, source, known, target }: OwnRule, family: Family): Expression[] {
  return [
    ...(input === undefined ? [] : device(NFT_META_IIFNAME, input)),
    ...(output === undefined ? [] : device(NFT_META_OIFNAME, output)),
    ...(source === undefined ? [] : from(source, family)),
    ...(known === undefined ? [] : [conntrack(known)]),
    { name: 'counter', counter: EMPTY_COUNTER },
    verdict(target),
  ];
}

/** The comparison covers the name and its NUL, and nothing else. */
function device(key: number, name: string): Expression[] {
  return [{ name: 'meta', meta: { dreg: NFT_REG_1, key } }, equals(Buffer.from(`${name}\0`))];
}

/** Offset and size of the source address in the header of IPv4 and of IPv6. */
const SOURCE = { 4: { offset: 12, len: 4 }, 6: { offset: 8, len: 16 } } as const;

function from(text: string, family: Family): Expression[] {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw fault.internal('admit', text, 'it is not a prefix');
  const { offset, len } = SOURCE[family];
  const load = { dreg: NFT_REG_1, base: NFT_PAYLOAD_NETWORK_HEADER, offset, len };
  const value = addrToBytes(firstOf(prefix));
  const mask = value.map((byte, i) => ~(byte ^ (addrToBytes(lastOf(prefix))[i] ?? 0)) & 0xff);
  const keep = { sreg: NFT_REG_1, dreg: NFT_REG_1, len, mask: { value: mask }, xor: { value: new Uint8Array(len) } };
  return [{ name: 'payload', payload: load }, { name: 'bitwise', bitwise: keep }, equals(value)];
}

function equals(value: Uint8Array): Expression {
  return { name: 'cmp', cmp: { sreg: NFT_REG_1, op: NFT_CMP_EQ, data: { value } } };
}

/** linux/netfilter/xt_conntrack.h, struct xt_conntrack_mtinfo3, padded to 8 bytes; its revision is 3. */
const CONNTRACK_BYTES = 168;
const MATCH_FLAGS = 146;
const STATE_MASK = 150;
const XT_CONNTRACK_STATE = 1;
const STATES = { known: 0x02 | 0x04, translated: 0x02 | 0x04 | 0x80 } as const;

/** `-m conntrack --ctstate RELATED,ESTABLISHED`, with DNAT for `translated`. */
function conntrack(known: keyof typeof STATES): Expression {
  const info = Buffer.alloc(CONNTRACK_BYTES);
  info.writeUInt16LE(XT_CONNTRACK_STATE, MATCH_FLAGS);
  info.writeUInt16LE(STATES[known], STATE_MASK);
  return { name: 'match', match: { name: 'conntrack', rev: 3, info } };
}

function verdict(target: string): Expression {
  const codes: Readonly<Record<string, number>> = { ACCEPT: NF_ACCEPT, RETURN: NFT_RETURN };
  const code = codes[target];
  const data = { verdict: code === undefined ? { code: NFT_JUMP, chain: target } : { code } };
  return { name: 'immediate', immediate: { dreg: NFT_REG_VERDICT, data } };
}

/** Without attributes, the counter starts at zero bytes and packets. */
const EMPTY_COUNTER = new Uint8Array(0);

export function understand({ handle, expressions, userdata }: NftRule): HandledRule {
  const conditions = expressions.filter((one) => !TRANSPARENT.includes(one.name) && !isComment(one));
  const { does, target } = effectOf(expressions);
  const note = commentOf(expressions, userdata);
  const device = deviceOf(conditions);
  return {
    handle,
    does,
    always: conditions.every(matchesAll),
    ...given({ target, note, accepts: note === MARK && does === 'accept' ? device : undefined }),
    ...(device?.way === 'out' ? { output: device.device } : {}),
    ...given({ leaves: leavesBy(expressions) }),
  };
}

/** iptables-nft writes `-i +` as a comparison with no bytes, or as none. */
function matchesAll({ name, meta, cmp }: Expression): boolean {
  const isDevice = meta?.key === NFT_META_IIFNAME || meta?.key === NFT_META_OIFNAME;
  return name === 'meta' ? isDevice : name === 'cmp' && (cmp?.data?.value?.length ?? 0) === 0;
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
function deviceOf([load, compare, ...more]: readonly Expression[]): FilterRule['accepts'] {
  const value = compare?.cmp?.data?.value;
  if (more.length > 0 || compare?.cmp?.op !== NFT_CMP_EQ || value === undefined) return undefined;
  const key = load?.meta?.key;
  if (key !== NFT_META_IIFNAME && key !== NFT_META_OIFNAME) return undefined;
  const end = value.indexOf(0);
  // Without the NUL it is a prefix match: eth+.
  if (end < 0) return undefined;
  return { way: key === NFT_META_IIFNAME ? 'in' : 'out', device: Buffer.from(value.subarray(0, end)).toString() };
}

/** The device of the comparison that follows a load of the output device. */
function leavesBy(expressions: readonly Expression[]): string | undefined {
  const at = expressions.findIndex(({ meta }) => meta?.key === NFT_META_OIFNAME);
  return at < 0 ? undefined : deviceOf(expressions.slice(at, at + 2))?.device;
}

function isComment({ name, match }: Expression): boolean {
  return name === 'match' && match?.name === 'comment';
}

/** Returns the comment of a rule if it is ours. iptables writes it as a match or, with a short one, as user data. */
function commentOf(expressions: readonly Expression[], userdata: Uint8Array): string | undefined {
  const [type, length = 0] = userdata;
  const inData = type === NFTNL_UDATA_RULE_COMMENT ? userdata.subarray(2, 2 + length) : undefined;
  // linux/netfilter/xt_comment.h, struct xt_comment_info: 256 bytes of NUL-terminated text.
  return ownNote(expressions.find(isComment)?.match?.info ?? inData);
}
