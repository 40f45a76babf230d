import { EACCES, EAGAIN, EINTR } from './constants.ts';
import { errnoOfCall, loadLibrary, systemError } from './sys.ts';

const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;

let libc: { readonly fcntl: (fd: number, command: number, lock: DataView) => number } | undefined;

/**
 * Locks the byte at offset `start` of the file for this open file description; returns false if another one holds it;
 * never waits. Several descriptions can hold shared locks, only one an exclusive lock. Locking again changes the kind.
 * The lock ends when the last descriptor of the description is closed (also by death). Source: fcntl(2), "Open file
 * description locks".
 */
export function lockRange(fd: number, start: bigint, exclusive: boolean): boolean {
  return changeLock(fd, start, exclusive ? F_WRLCK : F_RDLCK);
}

/** Ends the lock of `lockRange`. Returns false if that failed; closing the descriptor ends it too. */
export function unlockRange(fd: number, start: bigint): boolean {
  try {
    return changeLock(fd, start, F_UNLCK);
  } catch {
    return false;
  }
}

function changeLock(fd: number, start: bigint, type: number): boolean {
  // struct flock64: short l_type, l_whence (0 = SEEK_SET); off64_t l_start, l_len; pid_t l_pid (0).
  const lock = new DataView(new ArrayBuffer(32));
  lock.setInt16(0, type, true);
  lock.setBigInt64(8, start, true);
  lock.setBigInt64(16, 1n, true);
  libc ??= loadLibrary(null, { fcntl: { return: 'i32', arguments: ['i32', 'i32', 'pointer'] } });
  for (;;) {
    if (libc.fcntl(fd, F_OFD_SETLK, lock) === 0) return true;
    const error = errnoOfCall();
    if (error === EAGAIN || error === EACCES) return false;
    if (error !== EINTR) throw systemError('fcntl', error);
  }
}
