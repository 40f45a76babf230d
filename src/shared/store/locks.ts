import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { NetError } from '../errors/net-error.ts';
import { digest } from '../model/attachment.ts';
import { lockRange } from '../netlink/sys.ts';

const OPEN = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
const FIRST_SLEEP_MS = 0.5;
const LONGEST_SLEEP_MS = 10;
const DEFAULT_WAIT_MS = 60_000;

export interface LockOptions {
  /** How long to wait for another holder, in milliseconds; 60,000 unless given, 0 tries once. */
  readonly waitMs?: number;
}

/**
 * The lock `key` is held by the caller alone, among all processes that use this state directory and all callers in
 * this process, until it is disposed of or the process ends.
 * One byte of `<stateDir>/locks` stands for a key, at 62 bits of its digest: an open file description lock
 * (F_OFD_SETLK), on a description of its own, since a description never conflicts with itself.
 * Throws NetError `busy`, naming the key, where `waitMs` pass without it; `state` where the file cannot be opened.
 */
export function lock(stateDir: string, key: string, options: LockOptions = {}): Disposable {
  const fd = openLocks(stateDir);
  try {
    wait(fd, key, options.waitMs ?? DEFAULT_WAIT_MS);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  let held = true;
  return {
    [Symbol.dispose](): void {
      if (held) closeSync(fd);
      held = false;
    },
  };
}

function openLocks(stateDir: string): number {
  const path = join(stateDir, 'locks');
  try {
    return openSync(path, OPEN, 0o600);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new NetError({
      kind: 'state',
      op: 'lock',
      subject: `file ${path}`,
      what: 'it cannot be opened',
      reason,
      cause,
    });
  }
}

/** Polls: a blocking F_OFD_SETLKW could not be given up in time. */
function wait(fd: number, key: string, waitMs: number): void {
  const place = BigInt(`0x${digest(key).slice(0, 16)}`) >> 2n;
  if (lockRange(fd, place, true)) return;
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  const until = performance.now() + waitMs;
  for (let sleep = FIRST_SLEEP_MS; performance.now() < until; sleep = Math.min(sleep * 1.5, LONGEST_SLEEP_MS)) {
    // Jitter: callers that started together must not meet again and again.
    Atomics.wait(nobody, 0, 0, sleep * (0.5 + Math.random()));
    if (lockRange(fd, place, true)) return;
  }
  throw new NetError({
    kind: 'busy',
    op: 'lock',
    subject: key,
    what: `another call held it for more than ${waitMs} ms`,
    hint: 'Try again; where it lasts, look for a call that hangs',
  });
}
