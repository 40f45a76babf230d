import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { digest } from '../model/attachment.ts';
import { lockRange, unlockRange } from '../netlink/range-lock.ts';

const OPEN = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
const FIRST_SLEEP_MS = 0.5;
const LONGEST_SLEEP_MS = 10;
const DEFAULT_WAIT_MS = 60_000;

/** Blocks the thread for this many milliseconds. */
export type Pause = (ms: number) => void;

export interface LockOptions {
  /** How long to wait for another holder, in milliseconds. Default: 60,000; 0 tries once. */
  readonly waitMs?: number;
}

export interface BlockingOptions extends LockOptions {
  /** How to wait. Absent in a process whose thread must not block; it then tries once. */
  readonly pause?: Pause;
}

/**
 * Acquires the lock `key` exclusively, among all processes that use this state directory and all callers in this
 * process, until it is disposed of or the process ends. The lock is one byte of `<stateDir>/locks`, at an offset of 62
 * bits of the key's digest: an open file description lock (F_OFD_SETLK). Each lock has a description of its own,
 * because a description never conflicts with itself. Throws NetError `busy`, naming the key, if another holder keeps it
 * for `waitMs`; `state` if the file cannot be opened.
 */
export function lock(
  stateDir: string,
  key: string,
  { pause, waitMs = DEFAULT_WAIT_MS }: BlockingOptions = {},
): Disposable {
  const fd = openLocks(stateDir);
  const place = placeOf(key);
  try {
    for (const sleep of attempts(fd, key, place, pause === undefined ? 0 : waitMs)) pause?.(sleep);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return heldBy(fd);
}

export interface QueueOptions extends LockOptions {
  /** Called if the file of locks was replaced, as after a removal of the state directory. */
  readonly ensure?: () => void;
}

/** Descriptors of the file of locks that are kept open while no lock needs them: an ADD has two locks at a time. */
const MAX_IDLE = 2;

/** Like `lock`, for a process that does other work meanwhile. Callers of one process acquire it in order of arrival. */
export class LockQueue implements Disposable {
  readonly #stateDir: string;
  readonly #waitMs: number;
  readonly #ensure: (() => void) | undefined;
  /** Open descriptors without a lock, all of the file with this inode. */
  #idle: number[] = [];
  #inode: bigint | undefined;
  /** By key: settles when the last caller in the queue has released the lock. */
  readonly #last = new Map<string, Promise<void>>();

  constructor(stateDir: string, { waitMs = DEFAULT_WAIT_MS, ensure }: QueueOptions = {}) {
    this.#stateDir = stateDir;
    this.#waitMs = waitMs;
    this.#ensure = ensure;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#idle.splice(0)) closeSync(fd);
    this.#inode = undefined;
  }

  async lock(key: string): Promise<Disposable> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#last.get(key);
    const turn = before === undefined ? promise : before.then(() => promise);
    this.#last.set(key, turn);
    const done = (): void => {
      resolve();
      if (this.#last.get(key) === turn) this.#last.delete(key);
    };
    const until = now() + this.#waitMs;
    try {
      if (before !== undefined) await inTime(before, key, this.#waitMs);
      const held = await this.#lockFile(key, until - now());
      return {
        [Symbol.dispose](): void {
          held[Symbol.dispose]();
          done();
        },
      };
    } catch (error) {
      done();
      throw error;
    }
  }

  async #lockFile(key: string, waitMs: number): Promise<Disposable> {
    const fd = this.#take();
    const inode = this.#inode;
    const place = placeOf(key);
    try {
      for (const sleep of attempts(fd, key, place, waitMs)) await new Promise((wake) => setTimeout(wake, sleep));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#release(fd, place, inode);
        held = false;
      },
    };
  }

  /** A descriptor of the file that the path leads to now. */
  #take(): number {
    const inode = statSync(locksOf(this.#stateDir), { bigint: true, throwIfNoEntry: false })?.ino;
    if (inode === undefined || inode !== this.#inode) {
      this[Symbol.dispose]();
      this.#ensure?.();
    }
    const fd = this.#idle.pop() ?? openLocks(this.#stateDir);
    this.#inode ??= fstatSync(fd, { bigint: true }).ino;
    return fd;
  }

  #release(fd: number, place: bigint, inode: bigint | undefined): void {
    if (inode !== this.#inode || this.#idle.length >= MAX_IDLE || !unlockRange(fd, place)) closeSync(fd);
    else this.#idle.push(fd);
  }
}

/** Milliseconds of a steady clock. performance.now() would load all of perf_hooks, which takes one of them. */
function now(): number {
  return process.uptime() * 1000;
}

function heldBy(fd: number): Disposable {
  let held = true;
  return {
    [Symbol.dispose](): void {
      if (held) closeSync(fd);
      held = false;
    },
  };
}

async function inTime(before: Promise<void>, key: string, waitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(busy(key, waitMs)), waitMs);
  });
  try {
    await Promise.race([before, late]);
  } finally {
    clearTimeout(timer);
  }
}

function locksOf(stateDir: string): string {
  return join(stateDir, 'locks');
}

function openLocks(stateDir: string): number {
  const path = locksOf(stateDir);
  try {
    return openSync(path, OPEN, 0o600);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw fault.state('lock', `file ${path}`, 'it cannot be opened', undefined, { reason, cause });
  }
}

function placeOf(key: string): bigint {
  return BigInt(`0x${digest(key).slice(0, 16)}`) >> 2n;
}

/**
 * Tries until it has the lock, and yields the milliseconds to sleep between attempts. It polls, because a blocking
 * F_OFD_SETLKW could not be cancelled in time. Throws `busy` when the time is over.
 */
function* attempts(fd: number, key: string, place: bigint, waitMs: number): Generator<number> {
  if (lockRange(fd, place, true)) return;
  const until = now() + waitMs;
  for (let sleep = FIRST_SLEEP_MS; now() < until; sleep = Math.min(sleep * 1.5, LONGEST_SLEEP_MS)) {
    // Jitter: callers that started together must not meet again and again.
    yield sleep * (0.5 + Math.random());
    if (lockRange(fd, place, true)) return;
  }
  throw busy(key, waitMs);
}

function busy(key: string, waitMs: number): NetError {
  return fault.busy(
    'lock',
    key,
    `another call held it for more than ${Math.round(waitMs)} ms`,
    'Try again; where it lasts, look for a call that hangs',
  );
}
