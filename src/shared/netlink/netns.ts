import { writeSync } from 'node:fs';
import { CLONE_NEWNET, NS_GET_NSTYPE, SO_NETNS_COOKIE, SOL_SOCKET } from './constants.ts';
import { getsockopt, ioctl, setns } from './sys.ts';

/**
 * The result of `work`, done by this thread inside the network namespace of `fd`; afterwards the thread is in that of
 * `home` again. `work` must be synchronous and must start no thread: a thread keeps the namespace of the thread that
 * started it. Where the way back fails the process ends at once, because everything it did next would be in the
 * wrong namespace.
 */
export function withinNetns<T>(fd: number, home: number, work: () => T): T {
  setns(fd, CLONE_NEWNET);
  try {
    return work();
  } finally {
    goHome(home);
  }
}

/** SO_NETNS_COOKIE of a socket: a number that no other network namespace has before the next boot. */
export function netnsCookie(socketFd: number): bigint {
  const bytes = getsockopt(socketFd, SOL_SOCKET, SO_NETNS_COOKIE, 8);
  return new DataView(bytes.buffer).getBigUint64(0, true);
}

/** True where the descriptor of a nsfs file is a network namespace's. */
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
