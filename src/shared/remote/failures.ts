import { fault } from '../errors/fault.ts';
import { NetError } from '../errors/net-error.ts';

const LONGEST = 400;

/** NetError `delegate`: the plugin refused the call with this text. */
export function refused(method: string, plugin: string, text: string): NetError {
  const reason = cut(text.trim()) || 'without a reason';
  return fault.delegate(method, `plugin ${plugin}`, 'failed', "See the plugin's log", { reason });
}

/** NetError `delegate`: nobody can tell from this answer what the plugin did. */
export function unreadable(method: string, plugin: string, what: string, cause?: unknown): NetError {
  return fault.delegate(method, `plugin ${plugin}`, what, 'Mend or replace the plugin', { cause });
}

/** NetError `unsupported`: the plugin lacks the method or its interface. */
export function lacking(method: string, plugin: string, what: string): NetError {
  return fault.unsupported(method, `plugin ${plugin}`, what, 'Name a plugin that implements it');
}

/** True if the plugin said no: it did nothing. False if what it did is unknown. */
export function isRefusal(thrown: unknown): thrown is NetError {
  return thrown instanceof NetError && thrown.kind === 'delegate' && thrown.reason !== '';
}

export function isLacking(thrown: unknown): boolean {
  return thrown instanceof NetError && thrown.kind === 'unsupported';
}

/** The words of plugins for a thing that does not exist. The protocol has no code for it. */
const GONE =
  /^(404|410): |\bnot found\b|\bno such\b|\b(cannot|can't|could not|couldn't) find\b|\b(does not|doesn't|do not) exist\b|\bunknown (network|endpoint|pool|address)\b|\bnot (allocated|assigned|reserved|joined)\b|\balready (released|deleted|removed|gone|left)\b/i;
const EXISTS = /\b(exists?|existing|duplicate|EEXIST)\b/i;
const TAKEN = /\b(in use|(is|already) (taken|used|allocated|assigned|reserved)|already exists?)\b/i;

/** True if a deletion failed because there is nothing to delete. */
export function isGone(thrown: unknown): boolean {
  return isRefusal(thrown) && GONE.test(thrown.reason);
}

/** True if a creation failed because something exists; not necessarily what was to be created. */
export function isPresent(thrown: unknown): thrown is NetError {
  return isRefusal(thrown) && EXISTS.test(thrown.reason);
}

/** True if an address was refused because somebody has it. */
export function isTaken(thrown: unknown): boolean {
  return isRefusal(thrown) && TAKEN.test(thrown.reason);
}

/** A value of an answer, for a message. Does not descend: an answer may be nested without limit. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return cut(JSON.stringify(value) ?? String(value));
}

export function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
