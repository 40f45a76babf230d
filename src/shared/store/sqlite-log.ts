import { closeSync, openSync, statSync } from 'node:fs';
import { lockRange } from '../netlink/range-lock.ts';

/** First byte of the range that SQLite's SHARED lock covers (os.h: PENDING_BYTE + 2). */
const SHARED_FIRST = 0x40000002n;

/**
 * Keeps SQLite from deleting the log. The last process to close a database folds its write-ahead log in and deletes it,
 * with two syncs: on every call, if calls follow each other. node:sqlite cannot switch that off
 * (SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE), but SQLite leaves the log if it cannot lock the file exclusively. This shared
 * lock, on a description of its own, prevents that until the descriptor is closed or the process ends.
 */
export function keepLog(path: string): number {
  const fd = openSync(path, 'r');
  try {
    lockRange(fd, SHARED_FIRST, false);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

export function logOf(path: string): string {
  return `${path}-wal`;
}

export function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}
