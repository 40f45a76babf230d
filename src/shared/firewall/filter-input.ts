import { INPUT_CHAIN, INPUT_JUMP, type InputEntry, inputRule } from './admission.ts';
import { type TableChange, UNCHANGED } from './filter-table.ts';
import {
  drops,
  type FilterRule,
  type FilterTable,
  isOurJump,
  jumpIndex,
  placeOfJump,
  unreferenced,
} from './forward-chain.ts';

/** The entries, of the table's family, that INPUT of the table would drop, since their rules are incomplete. */
export function refusedPorts(table: FilterTable, entries: readonly InputEntry[]): InputEntry[] {
  if (!drops(table)) return [];
  const isReached = jumpIndex(table) !== undefined;
  const there = new Set((table.rules(INPUT_CHAIN) ?? []).map(({ note }) => note));
  return entries.filter((entry) => !isReached || !there.has(inputRule(entry).note));
}

/**
 * Computes the change that accepts what arrives for the entries; with `only`, for no others. Changes nothing
 * where INPUT drops nothing, but for rules of ours that are there. Our jump stands behind the rules of others.
 */
export function planInput<R extends FilterRule>(
  table: FilterTable<R>,
  entries: readonly InputEntry[],
  only = false,
): TableChange<R> {
  const ours = table.rules(INPUT_CHAIN);
  const rules = entries.map(inputRule);
  const wanted = new Set(rules.map(({ note }) => note));
  const stays = (ours ?? []).filter(({ note = '' }) => wanted.has(note) || !only);
  if (rules.length + stays.length === 0) return planInputRemoval(table, () => true);
  if (ours === undefined && !drops(table)) return UNCHANGED;
  const there = new Set(stays.map(({ note }) => note));
  const place = placeOfJump(table);
  return {
    createChains: ours === undefined ? [INPUT_CHAIN] : [],
    insert: [
      ...rules
        .filter(({ note }) => !there.has(note))
        .map((rule) => ({ chain: INPUT_CHAIN, index: ours?.length ?? 0, rule })),
      ...(place.insertAt === undefined ? [] : [{ chain: 'INPUT', index: place.insertAt, rule: INPUT_JUMP }]),
    ],
    remove: [
      ...(ours ?? []).filter((rule) => !stays.includes(rule)).map((rule) => ({ chain: INPUT_CHAIN, rule })),
      ...place.remove.map((rule) => ({ chain: 'INPUT', rule })),
    ],
    deleteChains: [],
  };
}

/** Computes the change that removes the rules with the chosen notes, and our chain with its last rule. */
export function planInputRemoval<R extends FilterRule>(
  table: FilterTable<R>,
  chosen: (note: string) => boolean,
): TableChange<R> {
  const ours = table.rules(INPUT_CHAIN);
  if (ours === undefined) return UNCHANGED;
  const remove = ours.filter(({ note = '' }) => chosen(note)).map((rule) => ({ chain: INPUT_CHAIN, rule }));
  if (remove.length < ours.length) return { ...UNCHANGED, remove };
  const jumps = (table.rules('INPUT') ?? []).filter(isOurJump).map((rule) => ({ chain: 'INPUT', rule }));
  const all = [...jumps, ...remove];
  return { ...UNCHANGED, remove: all, deleteChains: unreferenced(table, [INPUT_CHAIN], all) };
}
