import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { Family } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { NF_ACCEPT, NF_DROP, NF_INET_FORWARD, XT_RETURN } from '../netlink/netfilter.ts';
import { readXtTable, type XtRule } from '../netlink/xtables.ts';
import {
  type Accept,
  COMMENT,
  type Does,
  type FilterRule,
  type FilterTable,
  type TableChange,
} from './filter-table.ts';
import { legacyTables } from './iptables-tools.ts';

/** Table `filter` as iptables-legacy has it. */
export interface LegacyFilterTable extends FilterTable {
  readonly family: Family;
}

const TABLE = 'filter';
const VERDICT_DROP = -1 - NF_DROP;
const VERDICT_ACCEPT = -1 - NF_ACCEPT;

/** Returns the current table, or undefined if it has never been used. */
export function readLegacyTable(ns: LinuxNamespace, family: Family): LegacyFilterTable | undefined {
  if (!legacyTables(ns, family).includes(TABLE)) return undefined;
  const { rules, first, last } = ns.within(() => readXtTable(family, TABLE));
  const start = first[NF_INET_FORWARD] ?? 0;
  const end = last[NF_INET_FORWARD] ?? 0;
  const policy = rules.find(({ offset }) => offset === end)?.verdict === VERDICT_DROP ? 'drop' : 'accept';
  const chains = new Map<string, FilterRule[]>();
  const names = namesOf(rules);
  for (const [i, rule] of rules.entries()) {
    const chain = rule.offset >= start && rule.offset < end ? 'FORWARD' : names.get(rule.offset);
    // The last rule of a chain belongs to the kernel: it returns.
    if (chain === undefined || rules[i + 1]?.target === 'ERROR') continue;
    const list = chains.get(chain);
    const one = understand(rule, rules[i + 1]?.offset, names);
    if (list === undefined) chains.set(chain, [one]);
    else list.push(one);
  }
  return { family, policy, rules: (chain) => chains.get(chain) ?? [] };
}

/** Maps the first rule of each user-defined chain to the chain's name; a jump points to that rule. */
function namesOf(rules: readonly XtRule[]): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  let chain = '';
  for (const { offset, target, label } of rules) {
    if (target === 'ERROR') chain = label;
    else if (chain !== '') names.set(offset, chain);
  }
  return names;
}

/**
 * Writes the change as iptables-restore input. Deletions quote the whole rule, so they fail if the rule has changed.
 */
export function legacyScript(table: LegacyFilterTable, { remove, insert }: TableChange<FilterRule>): string {
  const lines = remove.flatMap(({ place, rule }) =>
    rule.admits === undefined ? [] : [`-D ${place} ${ruleText(rule.admits)}`],
  );
  for (const [i, { place, index, accept }] of insert.entries()) {
    const earlier = insert.slice(0, i).filter((one) => one.place === place && one.index <= index).length;
    const gone = table.rules(place).filter((rule, j) => j < index && remove.some((one) => one.rule === rule)).length;
    lines.push(`-I ${place} ${index + earlier - gone + 1} ${ruleText(accept)}`);
  }
  return `*${TABLE}\n${lines.join('\n')}\nCOMMIT\n`;
}

function ruleText({ way, device }: Accept): string {
  return `-${way === 'in' ? 'i' : 'o'} ${device} -m comment --comment ${COMMENT} -j ACCEPT`;
}

/** `next` is the position of the following rule; a jump to it has no effect. */
function understand(rule: XtRule, next: number | undefined, names: ReadonlyMap<number, string>): FilterRule {
  const { input, output, conditional, matches } = rule;
  const others = matches.filter(({ name }) => name !== 'comment');
  const plain = !conditional && others.length === 0;
  const target = rule.target === '' && rule.verdict >= 0 ? names.get(rule.verdict) : undefined;
  const does = doesOf(rule, next);
  const ours = plain && does === 'accept' && matches.some(({ data }) => isOurComment(data));
  const admits = ours && (input === undefined) !== (output === undefined);
  return {
    does,
    always: plain && input === undefined && output === undefined,
    ...given({ target }),
    ...(admits ? { admits: { way: input === undefined ? 'out' : 'in', device: input ?? output ?? '' } } : {}),
  };
}

function doesOf({ target, verdict }: XtRule, next: number | undefined): Does {
  if (target !== '') return target === 'REJECT' ? 'drop' : 'other';
  if (verdict >= 0) return verdict === next ? 'other' : 'jump';
  if (verdict === VERDICT_DROP) return 'drop';
  if (verdict === VERDICT_ACCEPT) return 'accept';
  return verdict === XT_RETURN ? 'return' : 'other';
}

/** linux/netfilter/xt_comment.h, struct xt_comment_info: 256 bytes of NUL-terminated text. */
function isOurComment(data: Uint8Array): boolean {
  return Buffer.from(data.subarray(0, COMMENT.length + 1)).equals(Buffer.from(`${COMMENT}\0`));
}
