import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { isExhaustion } from '../errors/codes.ts';
import { EACCES, ENOENT, EROFS } from '../netlink/constants.ts';

/**
 * The sysctls of the calling thread's namespace: /proc/sys/net shows each thread its own. In a container /proc/sys is
 * often read-only; ISTHMUS_SYSCTL_DIR then names another mount of it.
 */
const ROOT = `${process.env.ISTHMUS_SYSCTL_DIR || '/proc/sys'}/`;

/** Of an optional key: the kernel lacks it, or /proc/sys is read-only. */
const TOLERATED: readonly number[] = [ENOENT, EACCES, EROFS];

/**
 * Sets the key unless it has the value already, so that a read-only /proc/sys with the right values suffices. Returns 0
 * or the errno; 0 if an optional key cannot be set.
 */
export function writeSysctl(
  path: string,
  { value, optional = false }: { readonly value: string; readonly optional?: boolean },
): number {
  try {
    if (words(readSysctl(path)) === words(value)) return 0;
    const fd = openSync(ROOT + path, 'w');
    try {
      writeSync(fd, value);
    } finally {
      closeSync(fd);
    }
    return 0;
  } catch (error) {
    const errno = errnoOf(error);
    return optional && TOLERATED.includes(errno) ? 0 : errno;
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

/** The kernel separates the words of a value by tabs. */
function words(text: string | undefined): string | undefined {
  return text?.trim().replaceAll(/\s+/g, ' ');
}

function errnoOf(error: unknown): number {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const table: Readonly<Record<string, number>> = constants.errno;
  return table[code] ?? constants.errno.EIO;
}
