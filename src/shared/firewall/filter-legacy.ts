import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { Family } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { NF_ACCEPT, NF_DROP, NF_INET_FORWARD, NF_INET_LOCAL_IN, XT_RETURN } from '../netlink/netfilter.ts';
import { readXtTable, type XtRule } from '../netlink/xtables.ts';
import { FORWARD_JUMP, INPUT_JUMP, MARK, type OwnRule, ownNote, ruleOf } from './admission.ts';
import type { TableChange } from './filter-table.ts';
import type { Base, Does, FilterRule, FilterTable } from './forward-chain.ts';
import { legacyTables } from './iptables-tools.ts';

const TABLE = 'filter';
const HOOKS: Readonly<Record<Base, number>> = { INPUT: NF_INET_LOCAL_IN, FORWARD: NF_INET_FORWARD };
const VERDICT_DROP = -1 - NF_DROP;
const VERDICT_ACCEPT = -1 - NF_ACCEPT;

/** Returns the current table, or undefined if it has never been used. */
export function readLegacyTable(ns: LinuxNamespace, family: Family, base: Base = 'FORWARD'): FilterTable | undefined {
  if (!legacyTables(ns, family).includes(TABLE)) return undefined;
  const { rules, first, last } = ns.within(() => readXtTable(family, TABLE));
  const start = first[HOOKS[base]] ?? 0;
  const end = last[HOOKS[base]] ?? 0;
  const policy = rules.find(({ offset }) => offset === end)?.verdict === VERDICT_DROP ? 'drop' : 'accept';
  const names = namesOf(rules);
  const chains = new Map<string, FilterRule[]>([...names.values(), base].map((name) => [name, []]));
  for (const [i, rule] of rules.entries()) {
    const chain = rule.offset >= start && rule.offset < end ? base : names.get(rule.offset);
    // The last rule of a chain belongs to the kernel: it returns.
    if (chain === undefined || rules[i + 1]?.target === 'ERROR') continue;
    chains.get(chain)?.push(understand(rule, rules[i + 1]?.offset, names));
  }
  const all = [...chains.values()].flat();
  const jumpsTo = (chain: string): number => all.filter(({ target }) => target === chain).length;
  return { family, base, policy, rules: (chain) => chains.get(chain), jumpsTo };
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
export function legacyScript(table: FilterTable, change: TableChange<FilterRule>): string {
  const { createChains, insert, remove, deleteChains } = change;
  const lines = createChains.map((chain) => `:${chain} - [0:0]`);
  const emptied = deleteChains.flatMap((chain) => [`-F ${chain}`, `-X ${chain}`]);
  for (const { chain, rule } of remove) {
    const found = deleteChains.includes(chain) ? undefined : asWritten(chain, rule);
    if (found !== undefined) lines.push(`-D ${chain} ${ruleText(found)}`);
  }
  for (const [i, { chain, index, rule }] of insert.entries()) {
    const earlier = insert.slice(0, i).filter((one) => one.chain === chain && one.index <= index).length;
    const gone = (table.rules(chain) ?? []).filter((one, j) => j < index && remove.some((other) => other.rule === one));
    lines.push(`-I ${chain} ${index + earlier - gone.length + 1} ${ruleText(rule)}`);
  }
  return `*${TABLE}\n${[...lines, ...emptied].join('\n')}\nCOMMIT\n`;
}

function asWritten(chain: string, { note = '', accepts }: FilterRule): OwnRule | undefined {
  if (accepts === undefined && chain === 'INPUT') return { ...INPUT_JUMP, note };
  if (accepts === undefined) return chain === 'FORWARD' ? { ...FORWARD_JUMP, note } : ruleOf(note);
  const { way, device } = accepts;
  return { note, ...(way === 'in' ? { input: device } : { output: device }), target: 'ACCEPT' };
}

function ruleText({ note, input, output, source, known, untracked, esp, target }: OwnRule): string {
  const states = known === 'translated' ? 'RELATED,ESTABLISHED,DNAT' : 'RELATED,ESTABLISHED';
  const words = [
    ...(source === undefined ? [] : ['-s', source]),
    ...(input === undefined ? [] : ['-i', input]),
    ...(output === undefined ? [] : ['-o', output]),
    ...(known === undefined ? [] : ['-m', 'conntrack', '--ctstate', states]),
    ...(untracked === undefined ? [] : untrackedWords(untracked)),
    ...(esp ? ['-p', 'esp'] : []),
  ];
  return [...words, '-m', 'comment', '--comment', `"${note}"`, '-j', target].join(' ');
}

function untrackedWords(port: number): string[] {
  return ['-p', 'udp', '-m', 'udp', '--dport', String(port), '-m', 'conntrack', '--ctstate', 'UNTRACKED'];
}

/** `next` is the position of the following rule; a jump to it has no effect. */
function understand(rule: XtRule, next: number | undefined, names: ReadonlyMap<number, string>): FilterRule {
  const { input, output, inverted, conditional, matches, leavesChain } = rule;
  const others = matches.filter(({ name }) => name !== 'comment');
  const plain = !conditional && others.length === 0;
  const target = rule.target === '' && rule.verdict >= 0 ? names.get(rule.verdict) : undefined;
  const does = doesOf(rule, next);
  const note = ownNote(matches.find(({ name }) => name === 'comment')?.data);
  const isOlder = note === MARK && plain && does === 'accept' && (input === undefined) !== (output === undefined);
  const way = input === undefined ? 'out' : 'in';
  return {
    does,
    always: plain && input === undefined && output === undefined,
    ...given({ target, note }),
    ...(leavesChain ? { leavesChain } : {}),
    ...(plain && input === undefined ? given({ output }) : {}),
    ...(inverted ? {} : given({ leaves: output })),
    ...(isOlder ? { accepts: { way, device: input ?? output ?? '' } } : {}),
  };
}

function doesOf({ target, verdict }: XtRule, next: number | undefined): Does {
  if (target !== '') return target === 'REJECT' ? 'drop' : 'other';
  if (verdict >= 0) return verdict === next ? 'other' : 'jump';
  if (verdict === VERDICT_DROP) return 'drop';
  if (verdict === VERDICT_ACCEPT) return 'accept';
  return verdict === XT_RETURN ? 'return' : 'other';
}
