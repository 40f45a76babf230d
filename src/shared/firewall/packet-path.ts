import type { BaseChain } from '../netlink/base-chains.ts';
import {
  NF_ACCEPT,
  NF_DROP,
  NFPROTO_INET,
  NFPROTO_IPV4,
  NFPROTO_IPV6,
  NFT_GOTO,
  NFT_JUMP,
  NFT_REG_VERDICT,
  NFT_RETURN,
} from '../netlink/netfilter.ts';
import { type ChainId, type Expression, type NftRule, readRules } from '../netlink/nft-rules.ts';
import { listElements, type RawElement } from '../netlink/nft-sets.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { extension } from './packet-extension.ts';
import { compare, compareRange, loadedBy, look, type Match, mask, type Packet, Registers } from './packet-match.ts';

/** The rules of a table, read when they are needed. */
export interface RuleSource {
  rules(chain: ChainId): readonly NftRule[];
  elements(table: Pick<ChainId, 'family' | 'table'>, set: string): readonly RawElement[];
}

/** A rule, or the policy of a base chain, that decides about a packet or may do so. */
export interface Decision {
  readonly does: 'accept' | 'drop';
  readonly chain: ChainId;
  /** Handle of the rule; absent: the policy. */
  readonly handle?: bigint;
  /** False: the rule has conditions that only the packet itself can tell. */
  readonly sure: boolean;
}

/** Reads chains and sets once each. */
export function readRuleSource(socket: NetlinkSocket): RuleSource {
  const rules = new Map<string, readonly NftRule[]>();
  const sets = new Map<string, readonly RawElement[]>();
  const once = <T>(known: Map<string, T>, key: string, read: () => T): T => {
    const found = known.get(key) ?? read();
    known.set(key, found);
    return found;
  };
  return {
    rules: (id) => once(rules, `${id.family} ${id.table} ${id.chain}`, () => readRules(socket, id)),
    elements: ({ family, table }, set) =>
      once(sets, `${family} ${table} ${set}`, () => listElements(socket, { family, table, set })),
  };
}

/** True if the base chain sees packets of this family. */
export function sees({ family }: BaseChain, packet: Packet): boolean {
  return family === NFPROTO_INET || family === (packet.family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
}

/**
 * Returns the decisions that a base chain may take about the packet, in order, up to the first sure one, which is the last
 * of them. An accepted packet continues with the next base chain.
 */
export function decisionsOf(base: BaseChain, packet: Packet, source: RuleSource): readonly Decision[] {
  const found: Decision[] = [];
  const end = walk({ base, packet, source, found }, base, true, 0);
  if (end !== 'decided') {
    found.push({ does: base.policy, chain: base, sure: found.every(({ does }) => does === base.policy) });
  }
  return found;
}

/** True if the chain drops the packet, whatever else it is. */
export function surelyDrops(decisions: readonly Decision[]): boolean {
  return decisions.every(({ does }) => does === 'drop');
}

interface Walk {
  readonly base: BaseChain;
  readonly packet: Packet;
  readonly source: RuleSource;
  readonly found: Decision[];
}

/** Chains do not nest deeper (NFT_JUMP_STACK_SIZE). */
const MAX_DEPTH = 16;

/** `sure`: the packet surely comes here. Returns `decided` if it surely goes no further in this base chain. */
function walk(of: Walk, chain: ChainId, sure: boolean, depth: number): 'decided' | 'returned' {
  if (depth > MAX_DEPTH) return 'returned';
  for (const rule of of.source.rules(chain)) {
    for (const { match, verdict } of outcomesOf(of, chain, rule)) {
      if (match === 'no' || verdict === undefined) continue;
      const isSure = sure && match === 'yes';
      const { code, chain: target } = verdict;
      if (code === NF_ACCEPT || code === NF_DROP) {
        of.found.push({ does: code === NF_DROP ? 'drop' : 'accept', chain, handle: rule.handle, sure: isSure });
        if (match === 'yes') return 'decided';
      } else if (code === NFT_RETURN) {
        if (match === 'yes') return 'returned';
      } else if ((code === NFT_JUMP || code === NFT_GOTO) && target !== undefined) {
        const end = walk(of, { ...chain, chain: target }, isSure, depth + 1);
        if (match === 'yes' && (end === 'decided' || code === NFT_GOTO)) return end;
      }
    }
  }
  return 'returned';
}

interface Outcome {
  readonly match: Match;
  /** NF_*, NFT_*; absent for a rule that only counts, marks or translates. */
  readonly verdict: { readonly code: number; readonly chain?: string | undefined } | undefined;
}

/** What the rule does with the packet; several outcomes where a verdict map may have any of its elements. */
function outcomesOf(of: Walk, chain: ChainId, { expressions }: NftRule): readonly Outcome[] {
  const registers = new Registers();
  let match: Match = 'yes';
  for (const expression of expressions) {
    const step = stepOf(expression, registers, of, chain);
    if (Array.isArray(step)) return step.map((one) => ({ ...one, match: weaker(match, one.match) }));
    match = weaker(match, step as Match);
    if (match === 'no') return [];
  }
  return [];
}

function weaker(a: Match, b: Match): Match {
  return a === 'no' || b === 'no' ? 'no' : a === 'maybe' || b === 'maybe' ? 'maybe' : 'yes';
}

/** Neither decides nor matches anything. */
const TRANSPARENT: readonly (string | undefined)[] = ['counter', 'log', 'notrack', 'objref', 'last'];
/** Only loads or converts what later expressions compare. */
const LOADS: readonly (string | undefined)[] = ['fib', 'rt', 'socket', 'byteorder', 'hash', 'numgen', 'osf', 'exthdr'];
/** Translates, and accepts. */
const TRANSLATIONS: readonly (string | undefined)[] = ['nat', 'masq', 'redir', 'tproxy'];

function stepOf(expression: Expression, registers: Registers, of: Walk, chain: ChainId): Match | readonly Outcome[] {
  const { name, immediate, target } = expression;
  switch (name) {
    case 'meta':
    case 'ct':
    case 'payload': {
      const { meta, ct, payload } = expression;
      registers.load((meta ?? ct ?? payload)?.dreg, loadedBy(expression, of.packet), payload?.len);
      return 'yes';
    }
    case 'bitwise':
      mask(expression, registers);
      return 'yes';
    case 'cmp':
      return compare(expression, registers);
    case 'range':
      return compareRange(expression, registers);
    case 'lookup':
      return lookUp(expression, registers, of, chain);
    case 'match':
      return extension(expression, of.packet);
    case 'reject':
      return [{ match: 'yes', verdict: { code: NF_DROP } }];
    case 'target':
      return target?.name === 'REJECT' ? [{ match: 'yes', verdict: { code: NF_DROP } }] : 'yes';
    case 'immediate': {
      const verdict = immediate?.dreg === NFT_REG_VERDICT ? immediate.data?.verdict : undefined;
      if (verdict?.code === undefined) return 'yes';
      return [{ match: 'yes', verdict: { code: verdict.code, chain: verdict.chain } }];
    }
    default:
      if (TRANSLATIONS.includes(name)) return [{ match: 'yes', verdict: { code: NF_ACCEPT } }];
      if (TRANSPARENT.includes(name)) return 'yes';
      // Which register it writes is not decoded.
      registers.forget();
      return LOADS.includes(name) ? 'yes' : 'maybe';
  }
}

function lookUp(expression: Expression, registers: Registers, of: Walk, chain: ChainId): Match | readonly Outcome[] {
  const elements = (set: string): readonly RawElement[] => of.source.elements(chain, set);
  const { match, element } = look(expression, registers, elements);
  const { dreg, set = '' } = expression.lookup ?? {};
  if (dreg === undefined) return match;
  if (dreg !== NFT_REG_VERDICT) {
    registers.load(dreg, undefined);
    return match;
  }
  const candidates = match === 'maybe' ? elements(set) : element === undefined ? [] : [element];
  return candidates.flatMap(({ data }) => {
    const code = data?.verdict?.code;
    return code === undefined ? [] : [{ match, verdict: { code, chain: data?.verdict?.chain } }];
  });
}
