import { writeSync } from 'node:fs';
import { CLONE_NEWNET, NS_GET_NSTYPE, SO_NETNS_COOKIE, SOL_SOCKET } from './constants.ts';
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

/** SO_NETNS_COOKIE of a socket: a number that no other network namespace gets before the next boot. */
export function netnsCookie(socketFd: number): bigint {
  const bytes = getsockopt(socketFd, SOL_SOCKET, SO_NETNS_COOKIE, 8);
  return new DataView(bytes.buffer).getBigUint64(0, true);
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
