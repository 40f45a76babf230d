import { PROTOCOL_NUMBERS } from '../host/conntrack.ts';
import type { Family } from '../model/addr.ts';
import { given } from '../model/given.ts';
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
  NFT_RETURN,
  NFTNL_UDATA_RULE_COMMENT,
} from '../netlink/netfilter.ts';
import type { ChainId, Expression, NewRule, NftRule, RuleChange } from '../netlink/nft-rules.ts';
import { readChains, readRules } from '../netlink/nft-rules.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { ADMIN_CHAIN, MARK, ownNote, REFERENCE_ADMIN_CHAIN } from './admission.ts';
import { expressionsOf, noteBytes } from './filter-nft-rules.ts';
import type { TableChange } from './filter-table.ts';
import type { Base, FilterRule, FilterTable } from './forward-chain.ts';

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
    return [openTable(socket, family, 'FORWARD', found[0])];
  });
}

/** Returns the tables of both families that have a chain INPUT. */
export function readNftInputs(socket: NetlinkSocket): NftFilterTable[] {
  const families = [4, 6] as const;
  const policies = readChains(
    socket,
    families.map((family) => chainId(family, 'INPUT')),
  );
  return families.flatMap((family, i) =>
    policies[i] === undefined ? [] : [openTable(socket, family, 'INPUT', policies[i])],
  );
}

function openTable(
  socket: NetlinkSocket,
  family: Family,
  base: Base,
  policy: number | null | undefined,
): NftFilterTable {
  const known = new Map<string, readonly HandledRule[] | undefined>();
  const read = (chain: string): readonly HandledRule[] | undefined => {
    const rules = readRules(socket, chainId(family, chain)).map(understand);
    return rules.length > 0 || readChains(socket, [chainId(family, chain)])[0] !== undefined ? rules : undefined;
  };
  const all = { family: NFPROTO[family], table: TABLE };
  return {
    family,
    base,
    policy: policy === NF_DROP ? 'drop' : 'accept',
    rules: (chain) => {
      if (!known.has(chain)) known.set(chain, read(chain));
      return known.get(chain);
    },
    jumpsTo: (chain) => readRules(socket, all).filter((rule) => understand(rule).target === chain).length,
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
      const made = {
        chain: idOf(chain),
        expressions: expressionsOf(rule, family),
        userdata: noteBytes(rule.note),
        ...(rule.untracked === undefined ? {} : { protocol: PROTOCOL_NUMBERS.udp }),
      };
      return before === undefined ? { ...made, append: true } : { ...made, before };
    }),
    remove: change.remove.map(({ chain, rule }) => ({ chain: idOf(chain), handle: rule.handle })),
    deleteChains: change.deleteChains.map(idOf),
  };
}

function chainId(family: Family, chain: string): ChainId {
  return { family: NFPROTO[family], table: TABLE, chain };
}

export function understand({ handle, expressions, userdata }: NftRule): HandledRule {
  const conditions = expressions.filter((one) => !TRANSPARENT.includes(one.name) && !isComment(one));
  const effect = effectOf(expressions);
  const { does } = effect;
  const note = commentOf(expressions, userdata);
  const device = deviceOf(conditions);
  return {
    handle,
    ...effect,
    always: conditions.every(matchesAll),
    ...given({ note, accepts: note === MARK && does === 'accept' ? device : undefined }),
    ...(device?.way === 'out' ? { output: device.device } : {}),
    ...given({ leaves: leavesBy(expressions) }),
  };
}

/** iptables-nft writes `-i +` as a comparison with no bytes, or as none. */
function matchesAll({ name, meta, cmp }: Expression): boolean {
  const isDevice = meta?.key === NFT_META_IIFNAME || meta?.key === NFT_META_OIFNAME;
  return name === 'meta' ? isDevice : name === 'cmp' && (cmp?.data?.value?.length ?? 0) === 0;
}

function effectOf(expressions: readonly Expression[]): Pick<FilterRule, 'does' | 'target' | 'leavesChain'> {
  for (const { name, immediate, target } of expressions) {
    if (name === 'reject' || target?.name === 'REJECT') return { does: 'drop' };
    const verdict = immediate?.data?.verdict;
    if (verdict?.code === undefined) continue;
    if (verdict.code === NF_ACCEPT) return { does: 'accept' };
    if (verdict.code === NF_DROP) return { does: 'drop' };
    if (verdict.code === NFT_RETURN) return { does: 'return' };
    const { code, chain } = verdict;
    if (code === NFT_GOTO && chain !== undefined) return { does: 'jump', target: chain, leavesChain: true };
    if (code === NFT_JUMP && chain !== undefined) return { does: 'jump', target: chain };
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
