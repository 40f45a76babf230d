import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { isExhaustion } from '../errors/codes.ts';

/**
 * The sysctls of the calling thread's namespace: /proc/sys/net shows each thread its own. In a container /proc/sys is
 * often read-only; ISTHMUS_SYSCTL_DIR then names another mount of it.
 */
const ROOT = `${process.env.ISTHMUS_SYSCTL_DIR || '/proc/sys'}/`;

/** Sets the key; returns 0 or the errno. */
export function writeSysctl(path: string, value: string): number {
  try {
    const fd = openSync(ROOT + path, 'w');
    try {
      writeSync(fd, value);
    } finally {
      closeSync(fd);
    }
    return 0;
  } catch (error) {
    return errnoOf(error);
  }
}

/** The trimmed value, or undefined where there is no such key or it cannot be read. Throws where descriptors run out. */
export function readSysctl(path: string): string | undefined {
  try {
    return readFileSync(ROOT + path, 'utf8').trim();
  } catch (error) {
    if (isExhaustion(error)) throw error;
    return undefined;
  }
}

function errnoOf(error: unknown): number {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const table: Readonly<Record<string, number>> = constants.errno;
  return table[code] ?? constants.errno.EIO;
}
