import type { NetError } from '../../../src/shared/errors/net-error.ts';
import type { LastError } from '../../../src/shared/ops/control.ts';
import type { Times } from '../../../src/shared/runtime/phases.ts';
import { Tally } from './tally.ts';

/** Who asked for an operation. */
export type Camp = 'cni' | 'docker' | 'daemon';

/** What an operation was about; absent parts are left out. */
export type Subject = Readonly<Record<string, string | number | undefined>>;

/** An operation that has ended. */
export interface EndedOperation {
  readonly camp: Camp;
  /** `ADD`, `NetworkDriver.Join`, `reconcile`. */
  readonly operation: string;
  readonly subject: Subject;
  readonly times: Times;
  readonly error?: NetError | undefined;
  /** W3C trace context, as the caller gave it. */
  readonly traceparent?: string | undefined;
  /** What it did, as commands. */
  readonly did?: readonly string[];
  /** How many things it restored on the host. */
  readonly restored?: number;
}

/** Takes note of operations. Neither method throws. */
export interface Recorder {
  readonly begun: () => void;
  readonly ended: (operation: EndedOperation) => void;
}

/** One line of `GET /v1/events`. */
export interface OperationEvent {
  /** Counts from 1, since the daemon's start. */
  readonly seq: number;
  /** When it began; ISO 8601. */
  readonly at: string;
  readonly camp: Camp;
  readonly operation: string;
  readonly subject: Readonly<Record<string, string | number>>;
  readonly result: 'ok' | 'error';
  /** The error's text, its CNI code and its kind. */
  readonly message?: string;
  readonly code?: number;
  readonly kind?: string;
  /** Milliseconds. */
  readonly ms: number;
  /** Milliseconds of each phase. */
  readonly phases: Readonly<Record<string, number>>;
  readonly traceparent?: string;
  readonly did?: readonly string[];
}

/** Operations that are kept. */
export const KEPT = 1000;
const KEPT_ERRORS = 10;
/** Characters of a part, and of a message. */
const LONGEST_PART = 256;
const LONGEST_MESSAGE = 1024;
const MOST_DID = 5;

/**
 * The last operations, as lines of JSON, and the tally of all. A line is text of its own: parts of a request would keep
 * all of the request in memory.
 */
export class Operations {
  readonly tally = new Tally();
  readonly #lines: string[] = [];
  readonly #errors: LastError[] = [];
  readonly #waiting = new Set<() => void>();
  /** Number of the next line, from 0. */
  #next = 0;

  /** Never throws. */
  record({ camp, operation, subject, times, error, traceparent, did, restored = 0 }: EndedOperation): void {
    this.tally.add(camp, operation, error === undefined ? 'ok' : 'error', times);
    this.tally.restored += restored;
    const at = new Date(Date.now() - times.ms).toISOString();
    const parts = clipped(subject);
    const message = error && clip(error.message, LONGEST_MESSAGE);
    // Undefined parts are left out.
    const line = JSON.stringify({
      seq: this.#next + 1,
      at,
      camp,
      operation,
      subject: parts,
      result: error === undefined ? 'ok' : 'error',
      message,
      code: error?.cniCode,
      kind: error?.kind,
      ms: times.ms,
      phases: times.phases,
      traceparent: traceparent && clip(traceparent, LONGEST_PART),
      did: did && did.length > 0 ? shortened(did) : undefined,
    });
    this.#lines[this.#next % KEPT] = line;
    this.#next++;
    if (error !== undefined && message !== undefined) {
      const last = { at, operation, subject: copy(formatSubject(parts)), message: copy(message), code: error.cniCode };
      if (this.#errors.push(last) > KEPT_ERRORS) this.#errors.shift();
    }
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** The last errors, the newest first. */
  lastErrors(): LastError[] {
    return this.#errors.toReversed();
  }

  /** Number of the oldest line that is kept, and of the one that comes next. */
  get range(): { readonly first: number; readonly next: number } {
    return { first: Math.max(0, this.#next - KEPT), next: this.#next };
  }

  /** The lines from a number on, `most` at most; undefined if the first of them is not kept any more. */
  lines(from: number, most: number): readonly string[] | undefined {
    const { first, next } = this.range;
    if (from < first) return undefined;
    const found: string[] = [];
    for (let at = from; at < next && found.length < most; at++) found.push(this.#lines[at % KEPT] ?? '');
    return found;
  }

  /** Calls `wake` once, after the next operation. Returns what cancels that. */
  whenNext(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => void this.#waiting.delete(wake);
  }
}

/** `network web, container 1f0c`. */
export function formatSubject(subject: Subject): string {
  return Object.entries(subject)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ');
}

function clipped(subject: Subject): Record<string, string | number> {
  const parts: Record<string, string | number> = {};
  for (const key in subject) {
    const value = subject[key];
    if (value !== undefined && value !== '') parts[key] = typeof value === 'string' ? clip(value, LONGEST_PART) : value;
  }
  return parts;
}

function shortened(did: readonly string[]): string[] {
  const more = did.length - MOST_DID;
  return [...did.slice(0, MOST_DID).map((one) => clip(one, LONGEST_PART)), ...(more > 0 ? [`${more} more`] : [])];
}

function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** The same text, without what V8 keeps of the texts that it was made of. */
function copy(text: string): string {
  return Buffer.from(text).toString();
}
