import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { type Family, parseAddr } from '../model/addr.ts';
import { entryKey, type FirewallEntry, isBridgeEntry } from '../model/firewall.ts';
import { contains, formatPrefix, networkOf, parsePrefix } from '../model/prefix.ts';
import type { ClosedBridge } from './admit.ts';
import { CHAINS, familyOf, type Line, TABLES, type Table } from './iptables-lines.ts';
import { baseLines, entryLines, FOREIGN_NOTE, foreignLines, placeOf } from './iptables-rules.ts';

/** A rule of ours as `iptables-save` prints it. */
export interface SavedLine {
  readonly table: Table;
  readonly chain: string;
  /** The rule without its chain. */
  readonly text: string;
  /** Id of the entry, or the name of the table for shared lines. */
  readonly id: string;
  readonly index: number;
  readonly note: string;
}

/** Our rules and chains in one family. */
export interface State {
  readonly lines: readonly SavedLine[];
  readonly byId: ReadonlyMap<string, readonly SavedLine[]>;
  readonly chains: Readonly<Record<Table, readonly string[]>>;
  /** Those of the chains that a rule of others jumps to: they cannot be deleted. */
  readonly held: Readonly<Record<Table, readonly string[]>>;
}

/** Lines that belong together, under one id. */
export interface Group {
  readonly id: string;
  readonly lines: readonly Line[];
  /** Replace rules that have this note and another id. */
  readonly replaces?: string;
}

/**
 * The rules of the entries. A port's rule names the subnet of its container, which a hairpin entry given or in `state`
 * tells.
 */
export function groupsOf(entries: readonly FirewallEntry[], family: Family, state: State): Group[] {
  const saved = state.lines.flatMap(({ chain, text }) => (chain === 'ISTHMUS-ANSWERS' ? [text] : []));
  const known = saved.flatMap((text) => /^-s (\S+) -o /.exec(text)?.[1] ?? []);
  const given = entries.flatMap((entry) => (entry.kind === 'hairpin' ? [entry.subnet] : []));
  const subnets = [...given, ...known].flatMap((text) => parsePrefix(text) ?? []);
  const subnetOf = (address: string): string => {
    const addr = parseAddr(address);
    const found = addr === undefined ? undefined : subnets.find((subnet) => contains(subnet, addr));
    return found === undefined ? address : formatPrefix(networkOf(found));
  };
  return entries.flatMap((entry) => {
    const lines = entryLines(entry, family, subnetOf);
    if (lines.length === 0) return [];
    const replaces = entry.kind === 'policy' || entry.kind === 'masquerade' ? { replaces: placeOf(entry) } : {};
    return [{ id: entryId(entry), lines, ...replaces }];
  });
}

/** The rules about Docker's bridges, except `devices` and other devices of ours; replaces those about other bridges. */
export function foreignGroup(
  devices: readonly string[],
  family: Family,
  state: State,
  docker: readonly ClosedBridge[],
): Group {
  const saved = state.lines.flatMap(({ chain, text }) => (chain === 'ISTHMUS-MASQ' ? [text] : []));
  const ours = new Set([...devices, ...saved.flatMap((text) => /^-o (\S+) /.exec(text)?.[1] ?? [])]);
  const lines = foreignLines(
    docker.filter(({ name }) => !ours.has(name)),
    family,
  );
  return { id: shortHash(JSON.stringify(lines)), lines, replaces: FOREIGN_NOTE };
}

/** Marks a jump whose chain we created. */
export const MADE = 'made';

const OURS = / -m comment --comment "isthmus ([0-9a-z]+)\.(\d+)(?: ([^"]*))?"/;

export function parseState(saved: string): State {
  const lines: SavedLine[] = [];
  const chains: Record<Table, string[]> = { raw: [], mangle: [], nat: [] };
  const held: Record<Table, string[]> = { raw: [], mangle: [], nat: [] };
  let table: Table | undefined;
  for (const line of saved.split('\n')) {
    if (line.startsWith('*')) table = TABLES.find((name) => line === `*${name}`);
    if (table === undefined) continue;
    const declared = /^:(\S+)/.exec(line)?.[1];
    if (declared !== undefined && CHAINS[table].includes(declared)) chains[table].push(declared);
    const [, chain, text] = /^-A (\S+)( .*)$/.exec(line) ?? [];
    const [, id, index, note = ''] = OURS.exec(text ?? '') ?? [];
    if (chain === undefined || text === undefined) continue;
    const target = / -[jg] (\S+)$/.exec(text)?.[1] ?? '';
    if (id === undefined && CHAINS[table].includes(target) && !CHAINS[table].includes(chain)) held[table].push(target);
    if (id === undefined) continue;
    lines.push({ table, chain, text: text.trim(), id, index: Number(index), note });
  }
  return { lines, byId: Map.groupBy(lines, ({ id }) => id), chains, held };
}

/** The entry's name in comments: equal for equal entries. */
export function entryId(entry: FirewallEntry): string {
  return shortHash(entryKey(entry));
}

function shortHash(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text))).slice(0, 12);
}

/** Id of the lines in a table that all entries share. */
export function baseGroup(table: Table, family: Family): Group {
  return { id: table, lines: baseLines(table, family) };
}

/** Returns true if every line of the group exists, and nothing that it replaces. */
export function isWhole({ id, lines, replaces }: Group, state: State): boolean {
  const there = new Set(state.byId.get(id)?.map(({ index }) => index));
  const isReplaced = replaces === undefined || !state.lines.some((line) => line.note === replaces && line.id !== id);
  return isReplaced && lines.every((_, index) => there.has(index));
}

export function tablesOf(groups: readonly Group[]): Table[] {
  return TABLES.filter((table) => groups.some(({ lines }) => lines.some((line) => line.table === table)));
}

/** The lines that the tables of the groups need. */
export function basesOf(groups: readonly Group[], family: Family): Group[] {
  return tablesOf(groups).map((table) => baseGroup(table, family));
}

/** Writes the rule as iptables-restore input. `made` marks that its chain was created for it. */
export function lineText(line: Line, id: string, index: number, made: boolean): string {
  const note = made ? MADE : line.note;
  const comment = `isthmus ${id}.${index}${note === undefined ? '' : ` ${note}`}`;
  const words = [...line.matches, '-m', 'comment', '--comment', comment, ...line.target].map(quoted);
  return `${line.head ? `-I ${line.chain} 1` : `-A ${line.chain}`} ${words.join(' ')}`;
}

export function deletionText({ chain, text }: SavedLine): string {
  return `-D ${chain} ${text}`;
}

/** Quotes a word for iptables-restore: double quotes, in which a backslash escapes the next character. */
function quoted(word: string): string {
  return /^[\w.:/,*=+@[\]!-]+$/.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`;
}

/** True if the entry has rules in this family. */
export function concerns(entry: FirewallEntry, family: Family): boolean {
  if (entry.kind === 'policy' || entry.kind === 'separate') return true;
  if (isBridgeEntry(entry) || entry.kind === 'source') return false;
  if (entry.kind === 'admit') return entry.from?.some((prefix) => familyOf(prefix) === family) === true;
  if (entry.kind === 'exposure' || entry.kind === 'underlay' || entry.kind === 'sealed') return entry.family === family;
  return familyOf('address' in entry ? entry.address : entry.subnet) === family;
}

/** The group about Docker's bridges, if the entries have a policy. */
export function foreignOf(
  entries: readonly FirewallEntry[],
  family: Family,
  state: State,
  docker: readonly ClosedBridge[],
): Group[] {
  const policies = entries.flatMap((entry) => (entry.kind === 'policy' ? [entry.device] : []));
  return policies.length === 0 ? [] : [foreignGroup(policies, family, state, docker)];
}
