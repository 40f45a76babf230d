import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { NetError } from '../errors/net-error.ts';

/** A number beside the database that tells whether the database is the newest there was. */
export interface ChangeCount {
  /** 0 where there is none. */
  read(): number;
  write(count: number): void;
}

const OPEN = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
const SIZE = 8;

/** The number in the first eight bytes of `<stateDir>/changes`. Not synced: it matters within one boot only. */
export function changeCount(stateDir: string): ChangeCount {
  const path = join(stateDir, 'changes');
  const bytes = Buffer.alloc(SIZE);
  return {
    read: () => withFile(path, (fd) => (readSync(fd, bytes, 0, SIZE, 0) === SIZE ? bytes.readDoubleLE() : 0)) || 0,
    write: (count) => {
      bytes.writeDoubleLE(count);
      withFile(path, (fd) => writeSync(fd, bytes, 0, SIZE, 0));
    },
  };
}

function withFile<T>(path: string, work: (fd: number) => T): T {
  let fd: number | undefined;
  try {
    fd = openSync(path, OPEN, 0o600);
    return work(fd);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = 'it cannot be read or written';
    throw new NetError({ kind: 'state', op: 'store', subject: `file ${path}`, what, reason, cause });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
