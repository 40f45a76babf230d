import { loadLibrary } from './sys.ts';

/** sys/file.h */
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;

let libc: ReturnType<typeof load> | undefined;

function load() {
  return loadLibrary(null, { flock: { return: 'i32', arguments: ['i32', 'i32'] } } as const);
}

/**
 * True where the file behind `fd` is now locked by this open file description, false where another one holds it; never
 * waits. A descriptor for reading will do, of a namespace too. Ends with `unlockFile`, or when the last descriptor of
 * the description is closed (also by death). Source: flock(2).
 */
export function tryLockFile(fd: number): boolean {
  libc ??= load();
  return libc.flock(fd, LOCK_EX | LOCK_NB) === 0;
}

export function unlockFile(fd: number): void {
  libc ??= load();
  libc.flock(fd, LOCK_UN);
}
