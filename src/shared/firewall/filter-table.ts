import type { BridgeFacts } from '../host/bridges.ts';
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
  MADE_JUMP,
  type OwnRule,
  RANKS,
  type Rank,
  REFERENCE_ADMIN_CHAIN,
  rankOf,
} from './admission.ts';
import {
  drops,
  type FilterRule,
  type FilterTable,
  isOurJump,
  jumpIndex,
  placeOfJump,
  unreferenced,
} from './forward-chain.ts';

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

/** Returns the devices of the entries whose rules are incomplete. Looks at no bridge: either form will do. */
export function unadmitted(table: FilterTable, entries: readonly AdmitEntry[]): string[] {
  const there = notesOf(table);
  const isReached =
    jumpIndex(table) !== undefined && adminJumps(adminsOf(table, entries)).every(({ note }) => there.has(note));
  const isComplete = (entry: AdmitEntry): boolean =>
    [true, false].some((isUplink) => deviceRules(entry, table.family, isUplink).every(({ note }) => there.has(note)));
  return entries.filter((entry) => !isReached || !isComplete(entry)).map(({ device }) => device);
}

/** The administrator's chains that exist: the reference's, and those that the entries name. */
function adminsOf(table: FilterTable, entries: readonly AdmitEntry[]): string[] {
  const named = new Set([REFERENCE_ADMIN_CHAIN, ...entries.flatMap(({ admin }) => admin ?? [])]);
  return [...named].filter((chain) => table.rules(chain) !== undefined);
}

/** Returns the devices of the entries whose traffic the table would drop. */
export function dropped(table: FilterTable, entries: readonly AdmitEntry[]): string[] {
  return drops(table) ? unadmitted(table, entries) : [];
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
  const others = ours.flatMap(({ note = '' }) => (stays(note) || (!only && rankOf(note) === 'admin') ? [note] : []));
  const rules = [
    ...adminJumps(adminsOf(table, entries)),
    ...entries.flatMap((entry) => {
      const isUplink = bridges.some(({ name, uplink }) => uplink && name === entry.device);
      return deviceRules(entry, table.family, isUplink);
    }),
    ...foreignBridges(bridges, [...devices, ...others.flatMap((note) => deviceOf(note) ?? [])]).map(bridgeRule),
  ];
  const wantedNotes = new Set([...others, ...rules.map(({ note }) => note)]);
  const obsolete = ours.filter(({ note }) => note !== undefined && !wantedNotes.has(note));
  const place = placeOfJump(table);
  const forward = table.rules('FORWARD');
  return {
    createChains: ['FORWARD', ADMIN_CHAIN, ACCEPT_CHAIN].filter((chain) => table.rules(chain) === undefined),
    insert: [
      ...RANKS.flatMap((rank) => {
        const lacking = rules.filter(({ note }) => !there.has(note) && rankOf(note) === rank);
        return lacking.map((rule) => ({ chain: ACCEPT_CHAIN, index: endOf(rank, ours), rule }));
      }),
      ...(place.insertAt === undefined
        ? []
        : [{ chain: 'FORWARD', index: place.insertAt, rule: forward === undefined ? MADE_JUMP : FORWARD_JUMP }]),
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
  const forward = table.rules('FORWARD') ?? [];
  const jumps = forward.filter(isOurJump);
  const wasMade = forward.length === jumps.length && jumps.some(({ note }) => note === MADE_JUMP.note);
  // What the administrator wrote outlives us.
  const isUnused = (table.rules(ADMIN_CHAIN) ?? [undefined]).length === 0;
  const remove = [
    ...older,
    ...jumps.map((rule) => ({ chain: 'FORWARD', rule })),
    ...ours.map((rule) => ({ chain: ACCEPT_CHAIN, rule })),
  ];
  const chains = [ACCEPT_CHAIN, ...(isUnused ? [ADMIN_CHAIN] : []), ...(wasMade ? ['FORWARD'] : [])];
  return { ...UNCHANGED, remove, deleteChains: unreferenced(table, chains, remove) };
}

export const UNCHANGED = { createChains: [], insert: [], remove: [], deleteChains: [] } as const;

function isChosen(device: string | undefined, chosen: (device: string) => boolean): boolean {
  return device !== undefined && chosen(device);
}

function isShared({ note }: FilterRule): boolean {
  return note !== undefined && ['admin', 'bridge'].includes(rankOf(note));
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
