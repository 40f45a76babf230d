import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { EAGAIN, MSG_DONTWAIT, MSG_NOSIGNAL } from '../../src/shared/netlink/constants.ts';
import { send } from '../../src/shared/netlink/sys.ts';

/** Bytes that may wait for a reader that does not read. */
const MAX_WAITING = 1 << 20;
const RETRY_MS = 50;
const NEWLINE = 0x0a;
const REOPEN = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_APPEND | constants.O_NOCTTY;

/** Writes as much as possible without waiting, and returns the number of bytes. */
type Write = (bytes: Uint8Array) => number;

/**
 * Writes lines to a descriptor whose reader may hang, without ever waiting for it. Buffers up to 1 MiB of pending
 * lines, drops lines beyond that, and reports their number when there is room again.
 */
export class LineSink {
  readonly #tryWrite: Write;
  readonly #dropped: (count: number) => string;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #lost = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `dropped` formats the line that reports the number of dropped lines. */
  constructor(fd: number, dropped: (count: number) => string) {
    this.#tryWrite = writerFor(fd);
    this.#dropped = dropped;
  }

  /** `line` ends with a newline. */
  write(line: string): void {
    this.#push(Buffer.from(line));
    // A running timer means that there was no room a moment ago.
    if (this.#timer === undefined) this.#drain();
  }

  /** Writes everything, for at most `limitMs`; blocks the caller meanwhile. */
  flush(limitMs: number): void {
    const until = performance.now() + limitMs;
    const nobody = new Int32Array(new SharedArrayBuffer(4));
    for (this.#drain(); this.#waiting.length > 0 && performance.now() < until; this.#drain())
      Atomics.wait(nobody, 0, 0, 5);
  }

  #push(bytes: Uint8Array): void {
    if (this.#waitingBytes + bytes.length > MAX_WAITING) {
      this.#lost++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  /** Writes in one piece: a socket accepts only few small ones. */
  #drain(): void {
    const [first, ...more] = this.#waiting;
    if (first === undefined) return;
    const bytes = more.length === 0 ? first : Buffer.concat(this.#waiting);
    const sent = this.#write(bytes);
    const rest = bytes.subarray(sent ?? bytes.length);
    this.#waiting = rest.length === 0 ? [] : [rest];
    this.#waitingBytes = rest.length;
    if (sent === undefined) this.#lost += bytes.filter((byte) => byte === NEWLINE).length;
    else if (rest.length > 0) this.#retryLater();
    else if (this.#lost > 0) this.#tellLost();
  }

  /** Bytes written; undefined if writing is no longer possible (EPIPE, ENOSPC). */
  #write(bytes: Uint8Array): number | undefined {
    try {
      return this.#tryWrite(bytes);
    } catch {
      return undefined;
    }
  }

  #tellLost(): void {
    const line = this.#dropped(this.#lost);
    this.#lost = 0;
    this.write(line);
  }

  #retryLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#drain();
    }, RETRY_MS).unref();
  }
}

/**
 * O_NONBLOCK belongs to the open file, which others may share (the shell's terminal), so never set it on `fd` itself:
 * write to a socket with MSG_DONTWAIT, and open a pipe or terminal a second time. Files do not block.
 */
function writerFor(fd: number): Write {
  const stat = fstatSync(fd);
  if (stat.isSocket()) return (bytes) => unlessFull(() => send(fd, bytes, MSG_DONTWAIT | MSG_NOSIGNAL));
  const own = stat.isFIFO() || stat.isCharacterDevice() ? reopened(fd) : fd;
  return (bytes) => unlessFull(() => writeSync(own, bytes));
}

/** `fd` itself if it cannot be opened: another user's terminal, or a pipe without a reader. */
function reopened(fd: number): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, REOPEN);
  } catch {
    return fd;
  }
}

function unlessFull(write: () => number): number {
  try {
    return write();
  } catch (error) {
    const isFull = error instanceof NetError ? error.errno === EAGAIN : isErrno(error) && error.code === 'EAGAIN';
    if (isFull) return 0;
    throw error;
  }
}

function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}
