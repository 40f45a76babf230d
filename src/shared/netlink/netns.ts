import { writeSync } from 'node:fs';
import { fault } from '../errors/fault.ts';
import { NetError } from '../errors/net-error.ts';
import { CLONE_NEWNET, ENOPROTOOPT, NS_GET_NSTYPE, SO_NETNS_COOKIE, SOL_SOCKET } from './constants.ts';
import { getsockopt, ioctl, setns } from './sys.ts';

/**
 * Runs `work` on this thread inside the network namespace of `fd` and returns its result; afterwards the thread is in
 * that of `home` again. `work` must be synchronous and must start no thread: a thread keeps the namespace of the thread
 * that started it. If the return fails the process ends at once, because everything it did next would be in the wrong
 * namespace.
 */
export function withinNetns<T>(fd: number, home: number, work: () => T): T {
  setns(fd, CLONE_NEWNET);
  try {
    return work();
  } finally {
    goHome(home);
  }
}

/**
 * SO_NETNS_COOKIE of a socket: a number that no other network namespace gets before the next boot. Throws NetError
 * `unsupported` on a kernel without it.
 */
export function netnsCookie(socketFd: number): bigint {
  const bytes = cookieOf(socketFd);
  return new DataView(bytes.buffer).getBigUint64(0, true);
}

function cookieOf(socketFd: number): Uint8Array {
  try {
    return getsockopt(socketFd, SOL_SOCKET, SO_NETNS_COOKIE, 8);
  } catch (error) {
    if (!(error instanceof NetError && error.errno === ENOPROTOOPT)) throw error;
    const what = 'it cannot tell network namespaces apart (SO_NETNS_COOKIE)';
    throw fault.unsupported('open', 'kernel', what, 'Use Linux 5.14 or later', { cause: error });
  }
}

/** Returns true if the descriptor of a nsfs file refers to a network namespace. */
export function isNetns(fd: number): boolean {
  return ioctl(fd, NS_GET_NSTYPE) === CLONE_NEWNET;
}

function goHome(home: number): void {
  try {
    setns(home, CLONE_NEWNET);
  } catch (error) {
    writeSync(2, `isthmus: the way back to the own network namespace failed: ${String(error)}\n`);
    process.abort();
  }
}
