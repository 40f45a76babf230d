import { asNetError, NetError } from '../errors/net-error.ts';
import { isGone, isLacking } from './failures.ts';
import type { CallOptions } from './plugin.ts';

/** Milliseconds for undoing a call, all steps together. */
const UNDO_MS = 10_000;

/** Receives the facts of a call under way, each time they change. What it stores survives `kill -9`. */
export type Note<Facts> = (facts: Facts) => void;

interface Step<Facts> {
  readonly undo: (options: CallOptions) => Promise<void>;
  /** The facts once it is undone. */
  readonly without: (facts: Facts) => Facts;
}

/** The steps of a call that creates something, with how to undo them. */
export class Steps<Facts> {
  #facts: Facts;
  readonly #note: Note<Facts>;
  readonly #steps: Step<Facts>[] = [];

  constructor(facts: Facts, note: Note<Facts>) {
    this.#facts = facts;
    this.#note = note;
  }

  get facts(): Facts {
    return this.#facts;
  }

  /** Notes facts that change with a step, before it or after it. */
  set(facts: Facts): void {
    this.#facts = facts;
    this.#note(facts);
  }

  /** From now on, `undo` is part of reverting. */
  push(undo: Step<Facts>['undo'], without: Step<Facts>['without'] = (facts) => facts): void {
    this.#steps.push({ undo, without });
  }

  /**
   * Undoes all steps, the last one first, and goes on after failures. The facts keep what could not be undone. Returns
   * the error to throw: `thrown`, and what went wrong since.
   */
  async revert(thrown: unknown, op: string): Promise<NetError> {
    const error = asNetError(thrown, op);
    const signal = AbortSignal.timeout(UNDO_MS);
    const left: NetError[] = [];
    for (const { undo, without } of this.#steps.splice(0).reverse()) {
      const failure = await failureOf(undo({ signal, retry: false }), op);
      if (failure === undefined) this.set(without(this.#facts));
      else left.push(failure);
    }
    if (left.length === 0) return error;
    const { kind, op: failed, subject, what, reason, hint } = error;
    const list = left.map((failure) => failure.message).join('; ');
    return new NetError({
      kind,
      op: failed,
      subject,
      what,
      reason,
      hint: `${hint}. Not undone: ${list}`,
      cause: error,
    });
  }
}

/** The error of a deletion; undefined if the thing is gone, or the plugin has no such method. */
export async function failureOf(deletion: Promise<void>, op: string): Promise<NetError | undefined> {
  try {
    await deletion;
    return undefined;
  } catch (thrown) {
    return isGone(thrown) || isLacking(thrown) ? undefined : asNetError(thrown, op);
  }
}
