import type { Family } from '../model/addr.ts';
import { ACCEPT_CHAIN, FORWARD_JUMP, INPUT_CHAIN, MADE_JUMP, REFERENCE_ADMIN_CHAIN } from './admission.ts';

/** The verdict of a matching rule; `other` lets the packet continue (a log, a mark, an unknown condition). */
export type Does = 'accept' | 'drop' | 'return' | 'jump' | 'other';

export interface FilterRule {
  readonly does: Does;
  /** Target chain of a jump. */
  readonly target?: string;
  /** True for a jump that does not come back (`-g`): the rules behind it see no packet. */
  readonly leavesChain?: true;
  /** True if the rule has no conditions. */
  readonly always: boolean;
  /** The device that packets leave by, if that is the only condition. */
  readonly output?: string;
  /** The device that packets leave by, whatever else the rule asks for. */
  readonly leaves?: string;
  /** The comment of a rule of ours. */
  readonly note?: string;
  /** For a rule that an older release wrote: the device whose traffic it accepts, and in which direction. */
  readonly accepts?: { readonly way: 'in' | 'out'; readonly device: string };
}

/** A chain of the kernel's in table `filter` that leads to a chain of ours. */
export type Base = 'FORWARD' | 'INPUT';

/** A foreign table `filter` with one base chain, for one family and one kind of iptables. */
export interface FilterTable<R extends FilterRule = FilterRule> {
  readonly family: Family;
  readonly base: Base;
  /** Policy of the base chain. */
  readonly policy: 'accept' | 'drop';
  /** Returns the rules of a chain in order; undefined if it does not exist. */
  rules(chain: string): readonly R[] | undefined;
  /** Returns how many rules of the table jump to the chain. */
  jumpsTo(chain: string): number;
}

/** Maximum depth of jumps to follow. Deeper chains are not hand-written. */
const MAX_DEPTH = 16;

/** Returns true if the table drops packets that no rule accepts. */
export function drops(table: FilterTable): boolean {
  return (fate(table, table.base) ?? table.policy) === 'drop';
}

/** Returns true if the table drops packets that no rule accepts, or if it has rules of ours or of an administrator. */
export function concernsUs(table: FilterTable): boolean {
  return drops(table) || [ACCEPT_CHAIN, REFERENCE_ADMIN_CHAIN].some((chain) => table.rules(chain) !== undefined);
}

const JUMPED: readonly (string | undefined)[] = [ACCEPT_CHAIN, INPUT_CHAIN];

/** Our jump in a base chain; an older rule of ours has the same comment, and accepts. */
export function isOurJump({ note, does, target }: FilterRule): boolean {
  return (note === FORWARD_JUMP.note || note === MADE_JUMP.note) && does === 'jump' && JUMPED.includes(target);
}

/** Returns the index of our jump if packets reach it. */
export function jumpIndex(table: FilterTable): number | undefined {
  const rules = table.rules(table.base) ?? [];
  const index = rules.slice(0, boundary(table)).findIndex(isOurJump);
  return index < 0 ? undefined : index;
}

/** Where our jump has to be inserted, if it is not there yet, and which of its copies have to go. */
export function placeOfJump<R extends FilterRule>(
  table: FilterTable<R>,
): { readonly insertAt?: number; readonly remove: readonly R[] } {
  const rules = table.rules(table.base) ?? [];
  const end = boundary(table);
  const copies = rules.filter(isOurJump);
  const last = rules[end - 1];
  if (last !== undefined && isOurJump(last)) return { remove: copies.filter((rule) => rule !== last) };
  return { insertAt: end, remove: copies };
}

/** Returns the index of the first rule of others that decides about every packet; the number of rules if none does. */
function boundary(table: FilterTable): number {
  const rules = table.rules(table.base) ?? [];
  const index = rules.findIndex(
    (rule) => rule.always && !isOurJump(rule) && (isEnd(rule) || verdict(table, rule) !== undefined),
  );
  return index < 0 ? rules.length : index;
}

/** Returns the chain's verdict for a packet that matches no condition; undefined if the chain returns. */
export function fate(table: Pick<FilterTable, 'rules'>, chain: string, depth = 0): 'accept' | 'drop' | undefined {
  if (depth > MAX_DEPTH) return undefined;
  for (const rule of table.rules(chain) ?? []) {
    if (!rule.always || isOurJump(rule)) continue;
    const found = verdict(table, rule, depth);
    if (found !== undefined || isEnd(rule)) return found;
  }
  return undefined;
}

/** True if no packet comes to the rules behind this one. */
function isEnd({ does, leavesChain }: FilterRule): boolean {
  return does === 'return' || leavesChain === true;
}

function verdict(
  table: Pick<FilterTable, 'rules'>,
  { does, target }: FilterRule,
  depth = 0,
): 'accept' | 'drop' | undefined {
  if (does === 'accept' || does === 'drop') return does;
  return does === 'jump' && target !== undefined ? fate(table, target, depth + 1) : undefined;
}

/** Those of the chains that nothing jumps to once the rules are removed. The kernel keeps what a rule of others jumps to. */
export function unreferenced(
  table: FilterTable,
  chains: readonly string[],
  removed: readonly { readonly rule: FilterRule }[],
): string[] {
  return chains.filter((chain) => table.jumpsTo(chain) <= removed.filter(({ rule }) => rule.target === chain).length);
}

/** The bridges that Docker's rules name as its own. */
export function dockerBridges(table: FilterTable): string[] {
  return [...jumped(table, 'FORWARD'), ...jumped(table, 'DOCKER-BRIDGE'), ...dockerGuarded(table)];
}

/**
 * The bridges to which Docker's own rules drop what is not published: those of networks that are `--internal`, and since
 * release 28 of all others but those in the gateway mode nat-unprotected.
 */
export function dockerGuarded(table: FilterTable): string[] {
  const dropped = droppedTo(table, 'DOCKER');
  const guarded = jumped(table, 'DOCKER-BRIDGE').filter((name) => dropped.includes(name));
  return [...guarded, ...['DOCKER-INTERNAL', 'DOCKER-ISOLATION-STAGE-1'].flatMap((chain) => droppedTo(table, chain))];
}

/** The bridges whose packets a chain hands to chain DOCKER: FORWARD before release 28, DOCKER-BRIDGE since. */
function jumped(table: FilterTable, chain: 'FORWARD' | 'DOCKER-BRIDGE'): string[] {
  return (table.rules(chain) ?? []).flatMap(({ does, target, output }) =>
    does === 'jump' && target === 'DOCKER' && output !== undefined ? [output] : [],
  );
}

function droppedTo(table: FilterTable, chain: string): string[] {
  return (table.rules(chain) ?? []).flatMap(({ does, leaves }) => (does === 'drop' ? (leaves ?? []) : []));
}
