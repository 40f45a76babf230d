import type { LocalStore } from '../../../src/shared/store/store.ts';
import type { Gate, Label } from './gate.ts';

/**
 * The parties that may run before a step: at an `await` all others, before a `step` those of other processes, before a
 * `part` of a step or a transaction none.
 */
export type Point = 'await' | 'step' | 'part';

/** The answers that earlier code of a process received, in order. */
export type Entry =
  | { readonly kind: 'start'; readonly party: number }
  | { readonly kind: 'step'; readonly what: string; readonly value?: unknown; readonly error?: unknown }
  | { readonly kind: 'resume'; readonly id: number; readonly value?: unknown; readonly error?: unknown };

/** An asynchronous step that waits for the scheduler. */
export interface Pending {
  readonly party: number;
  readonly label: Label;
  readonly isReady: () => boolean;
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Running code of a process. It cannot be stopped between two synchronous steps, but abandoned. */
export class Incarnation {
  isAlive = true;
  /** The number of log entries that it has received. */
  cursor = 0;
  /** Greater than 0 in a transaction. */
  depth = 0;
  /** Numbers requests: the same request has the same number each time the code runs. */
  requests = 0;
  readonly pending = new Map<number, Pending>();
}

export interface Hooks {
  readonly party: number;
  /** False if the code does not continue: another party runs first, or the process has died. */
  readonly before: (point: Point) => boolean;
  readonly tell: (label: Label) => void;
}

/** Thrown into abandoned code. Every further step of that code throws too, so it changes nothing. */
const GONE = new Error('this process has stopped');

/** A gate that answers from the log to its end, then executes the steps and logs them. */
export function gateOf(code: Incarnation, log: Entry[], { party, before, tell }: Hooks): Gate {
  const isReplay = (): boolean => code.cursor < log.length;
  const allow = (point: Point): void => {
    if (before(point)) return;
    code.isAlive = false;
    throw GONE;
  };
  const recorded = <T>({ what }: Label, work: () => T): T => {
    if (isReplay()) return replayed(log[code.cursor++], what) as T;
    const result = attempt(work);
    if ('error' in result && result.error === GONE) throw GONE;
    log.push({ kind: 'step', what, ...result });
    code.cursor++;
    if ('error' in result) throw result.error;
    return result.value as T;
  };
  const step = <T>(label: Label, work: () => T): T => {
    if (!code.isAlive) throw GONE;
    if (!isReplay()) {
      allow(code.depth === 0 ? 'step' : 'part');
      tell(label);
    }
    return recorded(label, work);
  };
  const committed = <T>(store: LocalStore, work: () => T): T => {
    const value = store.transaction(() => {
      const result = work();
      allow('part');
      return result;
    });
    tell({ what: 'commits' });
    return value;
  };
  return {
    step,
    part: (work) => {
      allow('part');
      work();
    },
    transaction: (store, work) => {
      if (code.depth > 0) return work();
      const isPast = code.isAlive && isReplay();
      step({ what: 'begins a transaction' }, () => {});
      code.depth++;
      try {
        return isPast ? work() : committed(store, work);
      } finally {
        code.depth--;
      }
    },
    request: <T>(label: Label, isReady: () => boolean, work: () => T): Promise<T> => {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      if (!code.isAlive) return promise;
      if (!isReplay() && !isReady()) tell({ what: `waits: ${label.what}` });
      const done = (value: unknown): void => resolve(value as T);
      code.pending.set(code.requests++, { party, label, isReady, work, resolve: done, reject });
      return promise;
    },
    release: (label, work) => {
      if (!code.isAlive) return;
      if (!isReplay()) tell(label);
      recorded(label, work);
    },
  };
}

/** Returns the logged answer of the step, or throws its logged error. */
function replayed(entry: Entry | undefined, what: string): unknown {
  if (entry?.kind !== 'step' || entry.what !== what) throw new Error(`the code did not come to the same step: ${what}`);
  if ('error' in entry) throw entry.error;
  return entry.value;
}

export function attempt(work: () => unknown): { readonly value: unknown } | { readonly error: unknown } {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}
