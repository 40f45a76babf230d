import { closeSync } from 'node:fs';
import { fault } from '../errors/fault.ts';
import { NetError } from '../errors/net-error.ts';
import {
  AF_UNIX,
  ENOPROTOOPT,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SO_PEERCRED,
  SO_PEERPIDFD,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOL_SOCKET,
} from './constants.ts';
import { connect, getsockopt, loadLibrary, send, socket, systemErrorOfCall } from './sys.ts';

/** The peer of a connection: struct ucred, as of the time it connected. */
export interface Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Size of sun_path (linux/un.h), including a NUL. */
const SUN_PATH = 108;

/** The process that connected. Source: unix(7), SO_PEERCRED. */
export function peerOf(fd: number): Peer {
  const [pid = 0, uid = -1, gid = -1] = new Int32Array(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, 12).buffer);
  return { pid, uid: uid >>> 0, gid: gid >>> 0 };
}

/**
 * Sends one datagram to the socket at `path`, or with a leading `@` to that abstract name. Throws NetError `kernel` if
 * it cannot be delivered at once: EAGAIN if the reader does not read.
 */
export function sendDatagram(path: string, text: string): void {
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    connect(fd, unixAddress(path));
    send(fd, Buffer.from(text), MSG_NOSIGNAL | MSG_DONTWAIT);
  } finally {
    closeSync(fd);
  }
}

/**
 * A pidfd of the process that connected. SO_PEERPIDFD came with Linux 6.5; before that, ask soon after the connection:
 * a process that hands the socket on and ends gives up its pid.
 */
export function peerPidfd(fd: number): number {
  try {
    const [pidfd = -1] = new Int32Array(getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, 4).buffer);
    return pidfd;
  } catch (error) {
    if (error instanceof NetError && error.errno === ENOPROTOOPT) return pidfdOpen(peerOf(fd).pid);
    throw error;
  }
}

/** struct sockaddr_un. */
function unixAddress(path: string): Uint8Array {
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`);
  if (name.length > SUN_PATH) {
    const what = `it has ${name.length} bytes, ${SUN_PATH} are the limit`;
    throw fault.io('socket', `path ${path}`, what);
  }
  const address = Buffer.alloc(2 + name.length);
  address.writeUInt16LE(AF_UNIX);
  name.copy(address, 2);
  return address;
}

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
