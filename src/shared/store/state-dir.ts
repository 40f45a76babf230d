import { chmodSync, lstatSync, mkdirSync, type Stats } from 'node:fs';
import { NetError } from '../errors/net-error.ts';

/**
 * The directory is there, ours, and nobody else can look into it (0700).
 * Throws NetError `state` where it is a symbolic link, no directory, or another user's: all of the program's knowledge
 * would be at somebody else's mercy. Parents that are missing are made.
 */
export function ensureStateDir(path: string): void {
  const found = findOrMake(path);
  if (found.isSymbolicLink()) throw refused(path, 'is a symbolic link', 'Replace it by a directory');
  if (!found.isDirectory()) throw refused(path, 'is not a directory', 'Move it away or choose another directory');
  const uid = process.getuid?.();
  if (uid !== undefined && found.uid !== uid)
    throw refused(path, `belongs to user ${found.uid}, not to ${uid}`, `Run chown ${uid} on it or choose another one`);
  if ((found.mode & 0o077) !== 0) chmodSync(path, 0o700);
}

function findOrMake(path: string): Stats {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found !== undefined) return found;
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return lstatSync(path);
  } catch (cause) {
    throw new NetError({
      kind: 'state',
      op: 'store.open',
      subject: `directory ${path}`,
      what: 'it cannot be made',
      reason: cause instanceof Error ? cause.message : String(cause),
      hint: 'ISTHMUS_STATE_DIR names another one',
      cause,
    });
  }
}

function refused(path: string, what: string, hint: string): NetError {
  return new NetError({ kind: 'state', op: 'store.open', subject: `directory ${path}`, what, hint });
}
