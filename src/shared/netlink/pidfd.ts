import { loadLibrary, systemErrorOfCall } from './sys.ts';

const SYS_PIDFD_GETFD = 438;
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_SEND_SIGNAL = 424;

/** The numbers are the same on every architecture since Linux 5.0. */
let raw: { readonly syscall: (number: bigint, a: bigint, b: bigint, c: bigint, d: bigint) => bigint } | undefined;

/** Opens a descriptor of the process `pid`. Source: pidfd_open(2). */
export function pidfdOpen(pid: number): number {
  return syscall('pidfd_open', SYS_PIDFD_OPEN, pid, 0);
}

/**
 * Duplicates descriptor `fd` of the process behind `pidfd`, closed on exec. Requires permission to trace that process.
 * Source: pidfd_getfd(2).
 */
export function pidfdGetfd(pidfd: number, fd: number): number {
  return syscall('pidfd_getfd', SYS_PIDFD_GETFD, pidfd, fd);
}

/**
 * Throws NetError `kernel` (ESRCH) once the process behind `pidfd` is reaped: only then may its pid be used again.
 * Source: pidfd_send_signal(2), signal 0.
 */
export function assertUnreaped(pidfd: number): void {
  syscall('pidfd_send_signal', SYS_PIDFD_SEND_SIGNAL, pidfd, 0);
}

function syscall(name: string, number: number, a: number, b: number): number {
  raw ??= loadLibrary(null, { syscall: { return: 'i64', arguments: ['i64', 'i64', 'i64', 'i64', 'i64'] } });
  const result = Number(raw.syscall(BigInt(number), BigInt(a), BigInt(b), 0n, 0n));
  if (result < 0) throw systemErrorOfCall(name);
  return result;
}
