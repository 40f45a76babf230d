import type { BridgeFacts } from '../host/bridges.ts';
import type { Family } from '../model/addr.ts';
import type { AdmitEntry } from '../model/firewall.ts';
import {
  ACCEPT_CHAIN,
  ADMIN_CHAIN,
  adminJumps,
  bridgeRule,
  deviceOf,
  deviceRules,
  FORWARD_JUMP,
  foreignBridges,
  isWider,
  MARK,
  type OwnRule,
  RANKS,
  type Rank,
  REFERENCE_ADMIN_CHAIN,
  rankOf,
} from './admission.ts';

/** The verdict of a matching rule; `other` lets the packet continue (a log, a mark, an unknown condition). */
export type Does = 'accept' | 'drop' | 'return' | 'jump' | 'other';

export interface FilterRule {
  readonly does: Does;
  /** Target chain of a jump. */
  readonly target?: string;
  /** True if the rule has no conditions. */
  readonly always: boolean;
  /** The device that packets leave by, if that is the only condition. */
  readonly output?: string;
  /** The comment of a rule of ours. */
  readonly note?: string;
  /** For a rule that an older release wrote: the device whose traffic it accepts, and in which direction. */
  readonly accepts?: { readonly way: 'in' | 'out'; readonly device: string };
}

/** A foreign table `filter` with its chain FORWARD, for one family and one kind of iptables. */
export interface FilterTable<R extends FilterRule = FilterRule> {
  readonly family: Family;
  /** Policy of FORWARD. */
  readonly policy: 'accept' | 'drop';
  /** Returns the rules of a chain in order; undefined if it does not exist. */
  rules(chain: string): readonly R[] | undefined;
}

export interface Insertion {
  readonly chain: string;
  /** Insert before the rule with this index (as read); the number of rules means the end. */
  readonly index: number;
  readonly rule: OwnRule;
}

/** Applied in this order: create, insert, remove, delete. */
export interface TableChange<R extends FilterRule> {
  readonly createChains: readonly string[];
  readonly insert: readonly Insertion[];
  readonly remove: readonly { readonly chain: string; readonly rule: R }[];
  readonly deleteChains: readonly string[];
}

export interface Wanted {
  readonly entries: readonly AdmitEntry[];
  readonly bridges: readonly BridgeFacts[];
}

/** Chains of others that hold rules of ours: FORWARD the jump, both the rules of older releases. */
const PLACES = ['FORWARD', 'DOCKER-USER'] as const;

/** Maximum depth of jumps to follow. Deeper chains are not hand-written. */
const MAX_DEPTH = 16;

/** Returns the devices of the entries whose rules are incomplete. Looks at no bridge: either form will do. */
export function unadmitted(table: FilterTable, entries: readonly AdmitEntry[]): string[] {
  const there = notesOf(table);
  const isReached = jumpIndex(table) !== undefined && adminJumps(false).every(({ note }) => there.has(note));
  const isComplete = (entry: AdmitEntry): boolean =>
    [true, false].some((isUplink) => deviceRules(entry, table.family, isUplink).every(({ note }) => there.has(note)));
  return entries.filter((entry) => !isReached || !isComplete(entry)).map(({ device }) => device);
}

/** Returns the devices of the entries whose traffic the table would drop. */
export function dropped(table: FilterTable, entries: readonly AdmitEntry[]): string[] {
  return drops(table) ? unadmitted(table, entries) : [];
}

function drops(table: FilterTable): boolean {
  return (fate(table, 'FORWARD') ?? table.policy) === 'drop';
}

/** Returns true if the table drops packets that no rule accepts, or if it has rules of ours. */
export function concernsUs(table: FilterTable): boolean {
  return drops(table) || table.rules(ACCEPT_CHAIN) !== undefined;
}

/**
 * Computes the change that admits the entries. With `only`, also removes the rules of all other devices. Moves our jump
 * behind the rules of others, and adapts the rules about their bridges, also without an entry.
 */
export function planAdmission<R extends FilterRule>(
  table: FilterTable<R>,
  wanted: Wanted,
  only = false,
): TableChange<R> {
  const { entries, bridges } = wanted;
  const ours = table.rules(ACCEPT_CHAIN) ?? [];
  if (entries.length === 0 && only) return planRemoval(table, () => true);
  if (entries.length + ours.length === 0) return UNCHANGED;
  const there = notesOf(table);
  const devices = new Set(entries.map(({ device }) => device));
  // Another network on the same bridge may have asked for more.
  const stays = (note: string, device = deviceOf(note)): boolean =>
    device !== undefined && !only && (!devices.has(device) || isWider(note));
  const others = ours.flatMap(({ note = '' }) => (stays(note) ? [note] : []));
  const rules = [
    ...adminJumps(table.rules(REFERENCE_ADMIN_CHAIN) !== undefined),
    ...entries.flatMap((entry) => {
      const isUplink = bridges.some(({ name, uplink }) => uplink && name === entry.device);
      return deviceRules(entry, table.family, isUplink);
    }),
    ...foreignBridges(bridges, [...devices, ...others.flatMap((note) => deviceOf(note) ?? [])]).map(bridgeRule),
  ];
  const wantedNotes = new Set([...others, ...rules.map(({ note }) => note)]);
  const obsolete = ours.filter(({ note }) => note !== undefined && !wantedNotes.has(note));
  const place = placeOfJump(table);
  return {
    createChains: [ADMIN_CHAIN, ACCEPT_CHAIN].filter((chain) => table.rules(chain) === undefined),
    insert: [
      ...RANKS.flatMap((rank) => {
        const lacking = rules.filter(({ note }) => !there.has(note) && rankOf(note) === rank);
        return lacking.map((rule) => ({ chain: ACCEPT_CHAIN, index: endOf(rank, ours), rule }));
      }),
      ...(place.insertAt === undefined ? [] : [{ chain: 'FORWARD', index: place.insertAt, rule: FORWARD_JUMP }]),
    ],
    remove: [
      ...obsolete.map((rule) => ({ chain: ACCEPT_CHAIN, rule })),
      ...place.remove.map((rule) => ({ chain: 'FORWARD', rule })),
      ...olderRules(table, (device) => devices.has(device) || only),
    ],
    deleteChains: [],
  };
}

/** Returns the index of the first rule that comes after those of the rank; the number of rules if none does. */
function endOf(rank: Rank, ours: readonly FilterRule[]): number {
  const later = RANKS.slice(RANKS.indexOf(rank) + 1);
  const index = ours.findIndex(({ note }) => note !== undefined && later.includes(rankOf(note)));
  return index < 0 ? ours.length : index;
}

/** Computes the change that removes the rules of the chosen devices, and with the last one our chains. */
export function planRemoval<R extends FilterRule>(
  table: FilterTable<R>,
  chosen: (device: string) => boolean,
): TableChange<R> {
  const ours = table.rules(ACCEPT_CHAIN);
  const older = olderRules(table, chosen);
  if (ours === undefined) return { ...UNCHANGED, remove: older };
  const going = ours.filter(({ note = '' }) => isChosen(deviceOf(note), chosen));
  const stays = ours.some((rule) => !going.includes(rule) && !isShared(rule));
  if (stays) return { ...UNCHANGED, remove: [...older, ...going.map((rule) => ({ chain: ACCEPT_CHAIN, rule }))] };
  const jumps = (table.rules('FORWARD') ?? []).filter(isOurJump);
  // What the administrator wrote outlives us.
  const isUnused = (table.rules(ADMIN_CHAIN) ?? [undefined]).length === 0;
  return {
    ...UNCHANGED,
    remove: [
      ...older,
      ...jumps.map((rule) => ({ chain: 'FORWARD', rule })),
      ...ours.map((rule) => ({ chain: ACCEPT_CHAIN, rule })),
    ],
    deleteChains: isUnused ? [ACCEPT_CHAIN, ADMIN_CHAIN] : [ACCEPT_CHAIN],
  };
}

const UNCHANGED = { createChains: [], insert: [], remove: [], deleteChains: [] } as const;

function isChosen(device: string | undefined, chosen: (device: string) => boolean): boolean {
  return device !== undefined && chosen(device);
}

function isShared({ note }: FilterRule): boolean {
  return note !== undefined && ['admin', 'bridge'].includes(rankOf(note));
}

/** Our jump in FORWARD; an older rule of ours has the same comment, and accepts. */
function isOurJump({ note, does, target }: FilterRule): boolean {
  return note === MARK && does === 'jump' && target === ACCEPT_CHAIN;
}

function olderRules<R extends FilterRule>(
  table: FilterTable<R>,
  chosen: (device: string) => boolean,
): { readonly chain: string; readonly rule: R }[] {
  return PLACES.flatMap((chain) =>
    (table.rules(chain) ?? [])
      .filter(({ accepts }) => isChosen(accepts?.device, chosen))
      .map((rule) => ({ chain, rule })),
  );
}

function notesOf(table: FilterTable): ReadonlySet<string> {
  return new Set((table.rules(ACCEPT_CHAIN) ?? []).flatMap(({ note }) => note ?? []));
}

/** Returns the index of our jump if packets reach it. */
function jumpIndex(table: FilterTable): number | undefined {
  const rules = table.rules('FORWARD') ?? [];
  const index = rules.slice(0, boundary(table)).findIndex(isOurJump);
  return index < 0 ? undefined : index;
}

/** Where our jump has to be inserted, if it is not there yet, and which of its copies have to go. */
function placeOfJump<R extends FilterRule>(
  table: FilterTable<R>,
): { readonly insertAt?: number; readonly remove: readonly R[] } {
  const rules = table.rules('FORWARD') ?? [];
  const end = boundary(table);
  const copies = rules.filter(isOurJump);
  const last = rules[end - 1];
  if (last !== undefined && isOurJump(last)) return { remove: copies.filter((rule) => rule !== last) };
  return { insertAt: end, remove: copies };
}

/** Returns the index of the first rule of others that decides about every packet; the number of rules if none does. */
function boundary(table: FilterTable): number {
  const rules = table.rules('FORWARD') ?? [];
  const index = rules.findIndex(
    (rule) => rule.always && !isOurJump(rule) && (rule.does === 'return' || verdict(table, rule) !== undefined),
  );
  return index < 0 ? rules.length : index;
}

/** Returns the chain's verdict for a packet that matches no condition; undefined if the chain returns. */
function fate(table: FilterTable, chain: string, depth = 0): 'accept' | 'drop' | undefined {
  if (depth > MAX_DEPTH) return undefined;
  for (const rule of table.rules(chain) ?? []) {
    if (!rule.always || isOurJump(rule)) continue;
    if (rule.does === 'return') return undefined;
    const found = verdict(table, rule, depth);
    if (found !== undefined) return found;
  }
  return undefined;
}

function verdict(table: FilterTable, { does, target }: FilterRule, depth = 0): 'accept' | 'drop' | undefined {
  if (does === 'accept' || does === 'drop') return does;
  return does === 'jump' && target !== undefined ? fate(table, target, depth + 1) : undefined;
}
