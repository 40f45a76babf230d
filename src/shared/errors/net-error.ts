import { visible } from '../model/visible.ts';
import { CATALOG, type ErrorKind } from './catalog.ts';

export interface ErrorParts {
  readonly kind: ErrorKind;
  /** The operation: `ADD`, `addr.add`, `ipam`. */
  readonly op: string;
  /** The object of the operation: `link isth0`, `key ipam.ranges[0]`. */
  readonly subject: string;
  /** The failure, including the value. */
  readonly what: string;
  /** What the reader can do about it. */
  readonly hint?: string;
  /** Kernel error number, positive. */
  readonly errno?: number;
  /** The kernel's text: strerror or an extended ack. */
  readonly reason?: string;
  readonly cause?: unknown;
  /** The error code of a delegate, passed through unchanged. */
  readonly code?: number;
}

/**
 * The only error class of this project. `message` is one line: `<op> <subject>: <what> (<reason>). <hint>`, without a
 * character that a terminal would obey.
 */
export class NetError extends Error {
  readonly kind: ErrorKind;
  readonly op: string;
  readonly subject: string;
  readonly what: string;
  readonly hint: string;
  readonly reason: string;
  readonly errno: number | undefined;
  readonly code: number | undefined;

  constructor(parts: ErrorParts) {
    super(formatError(parts), parts.cause === undefined ? {} : { cause: parts.cause });
    this.name = 'NetError';
    this.kind = parts.kind;
    this.op = parts.op;
    this.subject = parts.subject;
    this.what = parts.what;
    this.hint = visible(oneLine(parts.hint ?? ''));
    this.reason = parts.reason ?? '';
    this.errno = parts.errno;
    this.code = parts.code;
  }

  /** The code from the CNI specification (§5 Error), or the delegate's. */
  get cniCode(): number {
    return this.code ?? CATALOG[this.kind].cni;
  }
}

/** Converts any thrown value to a NetError; other errors become `internal`. */
export function asNetError(thrown: unknown, op: string): NetError {
  if (thrown instanceof NetError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new NetError({ kind: 'internal', op, subject: 'isthmus', what: oneLine(text), cause: thrown });
}

/** Combines errors into one of the first error's kind; undefined for an empty list. */
export function combineErrors(errors: readonly NetError[], op: string): NetError | undefined {
  const [first] = errors;
  if (first === undefined || errors.length === 1) return first;
  const what = errors.map((error) => error.message).join('; ');
  return new NetError({ kind: first.kind, op, subject: `${errors.length} failures`, what, cause: first });
}

function formatError({ op, subject, what, reason, hint }: ErrorParts): string {
  const kernel = reason ? ` (${reason})` : '';
  return oneLine(`${op} ${subject}: ${what}${kernel}${hint ? `. ${hint}` : ''}`);
}

function oneLine(text: string): string {
  const lines = text.split(/[\r\n]+/).map((line) => line.trim());
  return visible(lines.join(' ').trim());
}

/** Returns true for a Node error with one of these codes: `ENOENT`. */
export function hasCode(thrown: unknown, codes: readonly string[]): boolean {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' && codes.includes(thrown.code);
}

/** True where this process or the host has run out of something: that says nothing about what was asked for. */
export function isExhaustion(thrown: unknown): boolean {
  return hasCode(thrown, ['EMFILE', 'ENFILE', 'ENOMEM']);
}
