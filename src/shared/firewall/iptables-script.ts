import type { Family } from '../model/addr.ts';
import { CHAINS, OPTIONAL, TABLES, type Table } from './iptables-lines.ts';
import { FOREIGN_NOTE } from './iptables-rules.ts';
import {
  baseGroup,
  deletionText,
  type Group,
  isWhole,
  lineText,
  MADE,
  type SavedLine,
  type State,
  tablesOf,
} from './iptables-state.ts';

/** Input of `iptables-restore --noflush`; empty if nothing has to change. */
export interface Script {
  readonly text: string;
  /** Chains of others, created for our jumps, that no longer hold one: `nat POSTROUTING`. */
  readonly orphans: readonly string[];
}

/** Foreign chains that do not exist yet: `nat POSTROUTING`. */
export type Absent = (table: Table, chain: string) => boolean;

/** Ensures the groups; leaves complete ones untouched. */
export function addScript(family: Family, groups: readonly Group[], state: State, absent: Absent): Script {
  const wanted = tablesOf(groups);
  const replaces = new Set(groups.flatMap((group) => group.replaces ?? []));
  const replaced = state.lines.filter(({ note }) => replaces.has(note));
  const tables = TABLES.filter((table) => wanted.includes(table) || replaced.some((line) => line.table === table));
  const blocks = tables.map((table) => {
    const chains = neededChains(table, groups).filter((chain) => !state.chains[table].includes(chain));
    // A rule that is added back alone would end up in another position.
    const broken = [baseGroup(table, family), ...groups].filter((group) => !isWhole(group, state));
    const there = state.lines.filter((line) => line.table === table);
    const ids = new Set(broken.map(({ id }) => id));
    const makeWay = new Set(broken.flatMap((group) => group.replaces ?? []));
    const old = there.filter(({ id, note }) => ids.has(id) || makeWay.has(note));
    const wasMade = new Set(there.filter(({ note }) => note === MADE).map(({ chain }) => chain));
    const made: Absent = (inTable, chain) => wasMade.has(chain) || absent(inTable, chain);
    return block(table, [...chains.map(declaration), ...old.map(deletionText), ...groupLines(broken, table, made)]);
  });
  return { text: blocks.join(''), orphans: [] };
}

/** Removes all lines with one of the ids; where a table has no others, also removes our chains and jumps. */
export function removeScript(ids: ReadonlySet<string>, state: State): Script {
  const orphans: string[] = [];
  const blocks = TABLES.map((table) => {
    const lines = state.lines.filter((line) => line.table === table);
    const used = lines.some(({ id, note }) => id !== table && note !== FOREIGN_NOTE && !ids.has(id));
    const [going, staying] = [lines.filter(({ id }) => ids.has(id)), lines.filter(({ id }) => !ids.has(id))];
    orphans.push(
      ...orphansOf(used ? going.filter((line) => !staying.some(({ chain }) => chain === line.chain)) : lines),
    );
    if (!used) return block(table, clearing(table, lines, state));
    const unused = OPTIONAL.filter(
      (name) => going.length > 0 && state.chains[table].includes(name) && !staying.some(({ chain }) => chain === name),
    );
    return block(table, [...going.map(deletionText), ...deletions(table, unused, state)]);
  });
  return { text: blocks.join(''), orphans };
}

/** Replaces all our lines with exactly these groups. */
export function resetScript(family: Family, groups: readonly Group[], state: State, absent: Absent): Script {
  const wanted = tablesOf(groups);
  const orphans: string[] = [];
  const blocks = TABLES.map((table) => {
    const lines = state.lines.filter((line) => line.table === table);
    if (!wanted.includes(table)) {
      orphans.push(...orphansOf(lines));
      return block(table, clearing(table, lines, state));
    }
    const jumps = lines.filter(({ chain }) => !CHAINS[table].includes(chain));
    const wasMade = new Set(orphansOf(lines));
    const starts = new Set([baseGroup(table, family), ...groups].flatMap((group) => group.lines.map(placeText)));
    orphans.push(...[...wasMade].filter((place) => !starts.has(place)));
    const made: Absent = (inTable, chain) => wasMade.has(`${inTable} ${chain}`) || absent(inTable, chain);
    // Declaring an existing chain flushes it.
    const fresh = groupLines([baseGroup(table, family), ...groups], table, made);
    const needed = neededChains(table, groups);
    const left = OPTIONAL.filter((chain) => state.chains[table].includes(chain) && !needed.includes(chain));
    const emptied = [...left.map((chain) => `-F ${chain}`), ...deletions(table, left, state)];
    return block(table, [...needed.map(declaration), ...jumps.map(deletionText), ...emptied, ...fresh]);
  });
  return { text: blocks.join(''), orphans };
}

/** The chains of ours that a table with these groups has. */
function neededChains(table: Table, groups: readonly Group[]): string[] {
  const used = new Set(groups.flatMap(({ lines }) => lines.map(({ chain }) => chain)));
  return CHAINS[table].filter((chain) => !OPTIONAL.includes(chain) || used.has(chain));
}

function groupLines(groups: readonly Group[], table: Table, made: Absent): string[] {
  return groups.flatMap(({ id, lines }) =>
    lines.flatMap((line, index) => {
      if (line.table !== table) return [];
      return [lineText(line, id, index, !CHAINS[table].includes(line.chain) && made(table, line.chain))];
    }),
  );
}

/** Deletes our jumps, rules and chains. */
function clearing(table: Table, lines: readonly SavedLine[], state: State): string[] {
  const jumps = lines.filter(({ chain }) => !CHAINS[table].includes(chain));
  const chains = CHAINS[table].filter((chain) => state.chains[table].includes(chain));
  return [...jumps.map(deletionText), ...chains.map((chain) => `-F ${chain}`), ...deletions(table, chains, state)];
}

/** A chain that a rule of others jumps to stays, without rules. */
function deletions(table: Table, chains: readonly string[], { held }: State): string[] {
  return chains.filter((chain) => !held[table].includes(chain)).map((chain) => `-X ${chain}`);
}

function orphansOf(lines: readonly SavedLine[]): string[] {
  return lines.filter(({ note }) => note === MADE).map(placeText);
}

function placeText({ table, chain }: Pick<SavedLine, 'table' | 'chain'>): string {
  return `${table} ${chain}`;
}

function declaration(chain: string): string {
  return `:${chain} - [0:0]`;
}

function block(table: Table, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `*${table}\n${lines.join('\n')}\nCOMMIT\n`;
}
