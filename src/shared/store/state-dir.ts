import { chmodSync, lstatSync, mkdirSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ErrorKind } from '../errors/catalog.ts';
import { fault } from '../errors/fault.ts';
import { hasCode, NetError } from '../errors/net-error.ts';

/** The text of an error about a directory, besides what is wrong with it. */
export interface DirPurpose {
  readonly kind: ErrorKind;
  readonly op: string;
  /** How to choose another directory. */
  readonly hint: string;
}

const STATE: DirPurpose = { kind: 'state', op: 'store.open', hint: 'ISTHMUS_STATE_DIR names another one' };

/** The files of the state directory that the program reads or locks. */
const FILES = ['state.db', 'state.db-wal', 'state.db-shm', 'changes', 'locks', 'host-id', 'cluster-copy'];

/**
 * `ensurePrivateDir` for the state directory, which has everything that the program records. If others could write to
 * it, also checks its files.
 */
export function ensureStateDir(path: string): void {
  if (ensurePrivateDir(path, STATE)) assertOwnFiles(path);
}

/** Throws Error if there is something else than a file: SQLite would wait for the writer of a FIFO. */
export function assertFile(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) throw new Error('it is not a file');
}

/**
 * Throws NetError `state` if a file of the state directory is a symbolic link, no file, or another user's: that user
 * chose its content. Takes all permissions of others.
 */
export function assertOwnFiles(path: string): void {
  for (const file of FILES.map((name) => join(path, name))) {
    const found = lstatSync(file, { throwIfNoEntry: false });
    if (found === undefined) continue;
    const refuse = (what: string): NetError =>
      fault.state(STATE.op, `file ${file}`, what, 'Move it away: what it records is lost, the rest is rebuilt');
    if (!found.isFile()) throw refuse(found.isSymbolicLink() ? 'is a symbolic link' : 'is not a file');
    const uid = process.getuid?.();
    if (uid !== undefined && found.uid !== uid) throw refuse(`belongs to user ${found.uid}, not to ${uid}`);
    if ((found.mode & 0o077) !== 0) chmodSync(file, 0o600);
  }
}

/**
 * Ensures that the directory exists, is ours and is private (0700). Creates missing parents. Throws NetError of
 * `purpose` if the path is a symbolic link, no directory, or another user's: that user could change its content.
 * Returns true if others had permissions.
 */
export function ensurePrivateDir(path: string, purpose: DirPurpose): boolean {
  const found = findOrMake(path, purpose);
  const refuse = (what: string, hint: string): NetError =>
    new NetError({ ...purpose, subject: `directory ${path}`, what, hint });
  if (found.isSymbolicLink()) throw refuse('is a symbolic link', 'Replace it by a directory');
  if (!found.isDirectory()) throw refuse('is not a directory', 'Move it away or choose another directory');
  const uid = process.getuid?.();
  if (uid !== undefined && found.uid !== uid) {
    // To give root's directory to a user would lock root's calls out.
    const hint =
      found.uid === 0 ? 'Run it as root, or choose another one' : `Run chown ${uid} on it or choose another one`;
    throw refuse(`belongs to user ${found.uid}, not to ${uid}`, hint);
  }
  if ((found.mode & 0o077) === 0) return false;
  chmodSync(path, 0o700);
  return true;
}

/** Throws the error of the system call: where the file system is read-only, a recursive mkdir says ENOENT. */
function makeDir(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (thrown) {
    // Another process may make it at the same time.
    if (hasCode(thrown, ['EEXIST'])) return;
    if (!hasCode(thrown, ['ENOENT'])) throw thrown;
    makeDir(dirname(path));
    mkdirSync(path, { mode: 0o700 });
  }
}

function findOrMake(path: string, purpose: DirPurpose): Stats {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found !== undefined) return found;
    makeDir(path);
    return lstatSync(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new NetError({ ...purpose, subject: `directory ${path}`, what: 'it cannot be made', reason, cause });
  }
}
