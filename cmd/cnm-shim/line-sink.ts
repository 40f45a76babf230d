import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { EAGAIN, MSG_DONTWAIT, MSG_NOSIGNAL } from '../../src/shared/netlink/constants.ts';
import { send } from '../../src/shared/netlink/sys.ts';

/** Bytes that may wait for a reader who does not read. */
const MAX_WAITING = 1 << 20;
const RETRY_MS = 50;
const NEWLINE = 0x0a;
const REOPEN = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_APPEND | constants.O_NOCTTY;

/** Writes as much as goes without waiting, and says how many bytes that was. */
type Write = (bytes: Uint8Array) => number;

/**
 * Lines on their way to a descriptor whose reader may hang: writing never waits for it. What does not fit is kept, up
 * to 1 MiB; lines beyond that are dropped, and how many they were is told when there is room again.
 */
export class LineSink {
  readonly #tryWrite: Write;
  readonly #dropped: (count: number) => string;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #lost = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `dropped` words the line that tells how many lines were dropped. */
  constructor(fd: number, dropped: (count: number) => string) {
    this.#tryWrite = writerFor(fd);
    this.#dropped = dropped;
  }

  /** `line` ends with a newline. */
  write(line: string): void {
    this.#push(Buffer.from(line));
    // With a timer running there was no room a moment ago.
    if (this.#timer === undefined) this.#drain();
  }

  /** Everything is written, or `limitMs` have passed; the caller waits for that. */
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

  /** In one piece: a socket takes few of many small ones. */
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

  /** Bytes written; undefined where nothing can be written any more (EPIPE, ENOSPC). */
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
 * O_NONBLOCK belongs to the open file, which others may share (the shell's terminal), so it is never set on `fd` itself:
 * a socket is written to with MSG_DONTWAIT, a pipe or terminal is opened once more. Files do not hang.
 */
function writerFor(fd: number): Write {
  const stat = fstatSync(fd);
  if (stat.isSocket()) return (bytes) => unlessFull(() => send(fd, bytes, MSG_DONTWAIT | MSG_NOSIGNAL));
  const own = stat.isFIFO() || stat.isCharacterDevice() ? reopened(fd) : fd;
  return (bytes) => unlessFull(() => writeSync(own, bytes));
}

/** `fd` itself where it cannot be opened: another user's terminal, a pipe that nobody reads any more. */
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
