/** The verdict of a matching rule; `other` lets the packet continue (a log, a mark, an unknown condition). */
export type Does = 'accept' | 'drop' | 'return' | 'jump' | 'other';

/** One of the two rules that accept a device's traffic: packets that arrive through it, or leave through it. */
export interface Accept {
  readonly way: 'in' | 'out';
  readonly device: string;
}

export interface FilterRule {
  readonly does: Does;
  /** Target chain of a jump. */
  readonly target?: string;
  /** True if the rule has no conditions. */
  readonly always: boolean;
  /** Present if the rule is ours. */
  readonly admits?: Accept;
}

/** A foreign table `filter` with its chain FORWARD, for one family and one kind of iptables. */
export interface FilterTable<R extends FilterRule = FilterRule> {
  /** Policy of FORWARD. */
  readonly policy: 'accept' | 'drop';
  /** Returns the rules of a chain in order; empty if the chain does not exist. */
  rules(chain: string): readonly R[];
}

export type Place = 'DOCKER-USER' | 'FORWARD';

export const PLACES: readonly Place[] = ['DOCKER-USER', 'FORWARD'];

/** The comment that marks our rules, for readers of `iptables -S` and for our own lookups. */
export const COMMENT = 'isthmus';

export interface Insertion {
  readonly place: Place;
  /** Insert before the rule with this index (as read); the number of rules means the end. */
  readonly index: number;
  readonly accept: Accept;
}

export interface TableChange<R extends FilterRule> {
  readonly remove: readonly { readonly place: Place; readonly rule: R }[];
  readonly insert: readonly Insertion[];
}

/** Maximum depth of jumps to follow. Deeper chains are not hand-written. */
const MAX_DEPTH = 16;

/** Returns the devices whose traffic the table drops because one of their two rules is missing. */
export function unadmitted(table: FilterTable, devices: readonly string[]): string[] {
  const place = placeOf(table);
  if (place === undefined || devices.length === 0) return [];
  const open = table.rules(place).slice(0, boundary(table, place));
  const has = (way: Accept['way'], device: string): boolean =>
    open.some(({ admits }) => admits?.way === way && admits.device === device);
  return devices.filter((device) => !has('in', device) || !has('out', device));
}

/**
 * Computes the rules that accept traffic of `devices` where it is dropped, and deletes misplaced rules of those
 * devices.
 */
export function planAdmission<R extends FilterRule>(table: FilterTable<R>, devices: readonly string[]): TableChange<R> {
  const missing = unadmitted(table, devices);
  const place = placeOf(table);
  if (place === undefined || missing.length === 0) return { remove: [], insert: [] };
  // Insert first in FORWARD, which everybody shares, but last in DOCKER-USER, where the admin's restrictions come
  // first.
  const index = place === 'FORWARD' ? 0 : boundary(table, place);
  const insert = missing.flatMap((device) =>
    (['in', 'out'] as const).map((way) => ({ place, index, accept: { way, device } })),
  );
  return { remove: ourRules(table, (device) => missing.includes(device)), insert };
}

/** Returns our rules for the devices that `chosen` accepts, in any chain. */
export function ourRules<R extends FilterRule>(
  table: FilterTable<R>,
  chosen: (device: string) => boolean,
): { readonly place: Place; readonly rule: R }[] {
  return PLACES.flatMap((place) =>
    table
      .rules(place)
      .filter(({ admits }) => admits !== undefined && chosen(admits.device))
      .map((rule) => ({ place, rule })),
  );
}

/** Returns where to accept what the table would drop; undefined if it drops nothing. */
function placeOf(table: FilterTable): Place | undefined {
  const docker = table.rules('FORWARD').some(({ does, target }) => does === 'jump' && target === 'DOCKER-USER');
  // Docker drops traffic between its networks, and may set the policy to DROP at any time.
  if (docker) return 'DOCKER-USER';
  return (fate(table, 'FORWARD') ?? table.policy) === 'drop' ? 'FORWARD' : undefined;
}

/** Returns the index of the first rule that decides about every packet; the number of rules if none does. */
function boundary(table: FilterTable, place: Place): number {
  const rules = table.rules(place);
  const index = rules.findIndex(
    (rule) => rule.always && (rule.does === 'return' || verdict(table, rule) !== undefined),
  );
  return index < 0 ? rules.length : index;
}

/** Returns the chain's verdict for a packet that matches no condition; undefined if the chain returns. */
function fate(table: FilterTable, chain: string, depth = 0): 'accept' | 'drop' | undefined {
  if (depth > MAX_DEPTH) return undefined;
  for (const rule of table.rules(chain)) {
    if (!rule.always) continue;
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
