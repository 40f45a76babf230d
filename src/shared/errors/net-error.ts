import { CATALOG, type ErrorKind } from './catalog.ts';

export interface ErrorParts {
  readonly kind: ErrorKind;
  /** What was being done: `ADD`, `addr.add`, `ipam`. */
  readonly op: string;
  /** What it was done to: `link isth0`, `key ipam.ranges[0]`. */
  readonly subject: string;
  /** What is wrong, naming the value. */
  readonly what: string;
  /** What the reader can do about it. */
  readonly hint?: string;
  /** Kernel error number, positive. */
  readonly errno?: number;
  /** The kernel's own words: strerror or an extended ack. */
  readonly reason?: string;
  readonly cause?: unknown;
  /** A code that a delegate answered with and that goes through unchanged. */
  readonly code?: number;
}

/** The one error of this project. `message` is one line: `<op> <subject>: <what> (<reason>). <hint>`. */
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
    this.hint = parts.hint ?? '';
    this.reason = parts.reason ?? '';
    this.errno = parts.errno;
    this.code = parts.code;
  }

  /** The code of the CNI specification (§5 Error), or of a delegate. */
  get cniCode(): number {
    return this.code ?? CATALOG[this.kind].cni;
  }
}

/** Any thrown value as a NetError; what is not one becomes `internal`. */
export function asNetError(thrown: unknown, op: string): NetError {
  if (thrown instanceof NetError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new NetError({ kind: 'internal', op, subject: 'isthmus', what: oneLine(text), cause: thrown });
}

/** One error that reports all of several, with the first one's kind. Empty: undefined. */
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
  return text.replace(/\s*[\r\n]+\s*/g, ' ').trim();
}
