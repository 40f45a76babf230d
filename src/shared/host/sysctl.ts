import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { NetError } from '../errors/net-error.ts';
import type { Op } from '../model/op.ts';
import { EACCES, EINVAL, ENOENT, EPERM, EROFS } from '../netlink/constants.ts';
import { opError } from './failure.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

export type SysctlOp = Extract<Op, { op: 'sysctl.set' }>;

/** A later write of the same value would get them again. */
const REFUSALS: readonly number[] = [EACCES, EINVAL, EPERM, EROFS];

/**
 * The sysctls of the calling thread's namespace: /proc/sys/net shows each thread its own. In a container /proc/sys is
 * often read-only; ISTHMUS_SYSCTL_DIR then names another mount of it.
 */
const ROOT = `${process.env.ISTHMUS_SYSCTL_DIR || '/proc/sys'}/`;

/** An optional key need not be set: the kernel lacks it, or /proc/sys is read-only. */
const TOLERATED: readonly number[] = [ENOENT, EACCES, EROFS];

/** Sets the keys in their order; returns all failures. */
export function writeSysctls(
  ns: LinuxNamespace,
  items: readonly { readonly op: SysctlOp; readonly path: string }[],
): NetError[] {
  return ns.within(() =>
    items.flatMap(({ op, path }) => {
      const errno = writeSysctl(path, op.value);
      return errno === 0 || isTolerated(op, errno) ? [] : [opError(op, errno)];
    }),
  );
}

function isTolerated({ optional, bestEffort }: SysctlOp, errno: number): boolean {
  return (TOLERATED.includes(errno) && optional === true) || (REFUSALS.includes(errno) && bestEffort === true);
}

/** Succeeds also where it cannot be written and has the value: a read-only /proc/sys with the right values suffices. */
function writeSysctl(path: string, value: string): number {
  try {
    // Writing it takes the lock of all links, in a loop (addrconf_disable_ipv6), and a new link as a rule has IPv6.
    if (value === '0' && path.endsWith('/disable_ipv6') && hasValue(path, value)) return 0;
    const fd = openSync(ROOT + path, 'w');
    try {
      writeSync(fd, value);
    } finally {
      closeSync(fd);
    }
    return 0;
  } catch (error) {
    return hasValue(path, value) ? 0 : errnoOf(error);
  }
}

function hasValue(path: string, value: string): boolean {
  try {
    return words(readFileSync(ROOT + path, 'latin1')) === words(value);
  } catch {
    return false;
  }
}

/** The trimmed value, or undefined where there is no such key or it cannot be read. Throws where descriptors run out. */
export function readSysctl(ns: LinuxNamespace, path: string): string | undefined {
  return ns.readProc(ROOT + path)?.trim();
}

/** The kernel separates the words of a value by tabs. */
function words(text: string | undefined): string | undefined {
  return text?.trim().replaceAll(/\s+/g, ' ');
}

function errnoOf(error: unknown): number {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const { errno } = process.getBuiltinModule('node:os').constants;
  const table: Readonly<Record<string, number>> = errno;
  return table[code] ?? errno.EIO;
}
