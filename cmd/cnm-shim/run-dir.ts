import { chmodSync, closeSync, constants, lstatSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fault } from '../../src/shared/errors/fault.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { lockRange } from '../../src/shared/netlink/range-lock.ts';
import { type DirPurpose, ensurePrivateDir } from '../../src/shared/store/state-dir.ts';

const PURPOSE: DirPurpose = { kind: 'io', op: 'run-dir', hint: '--run-dir or ISTHMUS_RUN_DIR names another one' };
const OTHER_RUN_DIR = '--run-dir another directory';
const LOCK = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/** A directory for sockets, with this process as its only daemon. After disposal another process may take it. */
export interface RunDir extends Disposable {
  readonly path: string;
}

/**
 * Creates the run directory, for this user only, and makes this process its daemon until it ends: a lock on `lock` in
 * it decides, so of two that start at once one fails.
 * Throws NetError `busy` if another daemon runs, `io` if the directory is not safe to use.
 */
export function claimRunDir(path: string): RunDir {
  ensurePrivateDir(path, PURPOSE);
  const fd = openLock(join(path, 'lock'));
  if (!lockRange(fd, 0n, true)) {
    closeSync(fd);
    throw taken(path, 'another daemon serves here', OTHER_RUN_DIR);
  }
  let held = true;
  return {
    path,
    [Symbol.dispose]: () => {
      if (held) closeSync(fd);
      held = false;
    },
  };
}

/**
 * Creates the directory of a socket if missing, readable by everybody, as Docker creates its own.
 * Throws NetError `io`; `hint` says how to choose another one.
 */
export function ensureSocketDir(path: string, hint: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = 'cannot create its directory';
    throw fault.io('serve', `socket ${path}`, what, hint, { reason, cause });
  }
}

/**
 * Makes the path free: removes a socket that a dead daemon left. `instead` says how to choose another path.
 * Throws NetError `busy` if a process listens on it, `exists` if it is not a socket.
 */
export async function clearSocket(path: string, instead = OTHER_RUN_DIR): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    const hint = 'Move it away';
    throw fault.exists('listen', `path ${path}`, 'is not a socket', hint);
  }
  if (await isAnswered(path)) throw taken(path, 'another process already listens on it', instead);
  rmSync(path, { force: true });
}

/** A socket file that this process created. */
export interface SocketFile {
  /** Removes it, unless another process has replaced it. */
  remove(): void;
}

/** Restricts the socket at the path to its owner (0600). */
export function guardSocket(path: string): SocketFile {
  chmodSync(path, 0o600);
  const { dev, ino } = lstatSync(path);
  return {
    remove: () => {
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found !== undefined && found.dev === dev && found.ino === ino) rmSync(path, { force: true });
    },
  };
}

/** Returns false if the kernel reports no listener; any other failure (a full backlog, say) implies a listener. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(path);
    const finish = (answered: boolean): void => {
      connection.destroy();
      resolve(answered);
    };
    connection.once('connect', () => finish(true));
    connection.once('error', (error: NodeJS.ErrnoException) => {
      finish(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

function openLock(path: string): number {
  try {
    return openSync(path, LOCK, 0o600);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new NetError({ ...PURPOSE, subject: `file ${path}`, what: 'it cannot be opened', reason, cause });
  }
}

function taken(path: string, what: string, instead: string): NetError {
  const hint = `Stop it (systemctl stop isthmus.socket isthmus.service), or give ${instead}`;
  return fault.busy('serve', path, what, hint);
}
