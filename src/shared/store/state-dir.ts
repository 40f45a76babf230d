import { chmodSync, lstatSync, mkdirSync, type Stats } from 'node:fs';
import type { ErrorKind } from '../errors/catalog.ts';
import { NetError } from '../errors/net-error.ts';

/** The text of an error about a directory, besides what is wrong with it. */
export interface DirPurpose {
  readonly kind: ErrorKind;
  readonly op: string;
  /** How to choose another directory. */
  readonly hint: string;
}

const STATE: DirPurpose = { kind: 'state', op: 'store.open', hint: 'ISTHMUS_STATE_DIR names another one' };

/** `ensurePrivateDir` for the state directory, which has everything that the program records. */
export function ensureStateDir(path: string): void {
  ensurePrivateDir(path, STATE);
}

/**
 * Ensures that the directory exists, is ours and is private (0700). Creates missing parents. Throws NetError of
 * `purpose` if the path is a symbolic link, no directory, or another user's: that user could change its content.
 */
export function ensurePrivateDir(path: string, purpose: DirPurpose): void {
  const found = findOrMake(path, purpose);
  const refuse = (what: string, hint: string): NetError =>
    new NetError({ ...purpose, subject: `directory ${path}`, what, hint });
  if (found.isSymbolicLink()) throw refuse('is a symbolic link', 'Replace it by a directory');
  if (!found.isDirectory()) throw refuse('is not a directory', 'Move it away or choose another directory');
  const uid = process.getuid?.();
  if (uid !== undefined && found.uid !== uid)
    throw refuse(`belongs to user ${found.uid}, not to ${uid}`, `Run chown ${uid} on it or choose another one`);
  if ((found.mode & 0o077) !== 0) chmodSync(path, 0o700);
}

function findOrMake(path: string, purpose: DirPurpose): Stats {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found !== undefined) return found;
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return lstatSync(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new NetError({ ...purpose, subject: `directory ${path}`, what: 'it cannot be made', reason, cause });
  }
}
