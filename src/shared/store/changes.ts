import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fault } from '../errors/fault.ts';
import type { HostIdentity } from '../host/host.ts';
import { digest } from '../model/attachment.ts';

/** A number beside the database that shows whether the database is the newest version. */
export interface ChangeCount {
  /** The number; 0 before the first change. */
  read(): number;
  write(count: number): void;
}

const OPEN = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
const SIZE = 8;

/**
 * Number of slots for hosts other than `root`; the file is sparse. Hosts that share a slot only cause each other extra
 * rebuilds.
 */
const SLOTS = 1 << 16;

/**
 * The host's number in `<stateDir>/changes`. Each host has its own slot, because each counts its own rows: with one
 * shared number, a host would rebuild its state after every change of another. Not synced: it matters within one boot
 * only.
 */
export function changeCount(stateDir: string, identity: Pick<HostIdentity, 'hostId'>): ChangeCount {
  const path = join(stateDir, 'changes');
  const bytes = Buffer.alloc(SIZE);
  return {
    read: () => {
      const at = placeOf(identity.hostId);
      return withFile(path, (fd) => (readSync(fd, bytes, 0, SIZE, at) === SIZE ? bytes.readDoubleLE() : 0)) || 0;
    },
    write: (count) => {
      bytes.writeDoubleLE(count);
      withFile(path, (fd) => writeSync(fd, bytes, 0, SIZE, placeOf(identity.hostId)));
    },
  };
}

/** The first slot belongs to `root`, as in versions that had one number for all hosts. */
function placeOf(hostId: string): number {
  if (hostId === 'root') return 0;
  return SIZE * (1 + (Number.parseInt(digest('changes', hostId).slice(0, 8), 16) % SLOTS));
}

function withFile<T>(path: string, work: (fd: number) => T): T {
  let fd: number | undefined;
  try {
    fd = openSync(path, OPEN, 0o600);
    return work(fd);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = 'it cannot be read or written';
    throw fault.state('store', `file ${path}`, what, undefined, { reason, cause });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
