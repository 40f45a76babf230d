import { closeSync, constants, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fault } from '../errors/fault.ts';
import { hasCode, type NetError } from '../errors/net-error.ts';
import type { HostIdentity } from '../host/host.ts';
import { digest } from '../model/attachment.ts';
import type { LocalStore } from './store.ts';

/** A number beside the database that shows whether the database is the newest version. */
export interface ChangeCount {
  /** The number; 0 before the first change. */
  read(): number;
  write(count: number): void;
}

/** A store, and the counter beside its database. */
export interface Counted {
  readonly store: LocalStore;
  readonly changes: ChangeCount;
}

/** Note: how many times leases and endpoints changed. The counter beside the database holds the same number. */
const COUNT = 'changes';

/** True if the database lost changes that the counter counts. */
export function isBehind({ store, changes }: Counted): boolean {
  return Number(store.notes.get(COUNT) ?? 0) < changes.read();
}

/** Counts a change. Every transaction that changes which addresses are in use calls it. */
export function countChange({ store, changes }: Counted): void {
  const next = Math.max(Number(store.notes.get(COUNT) ?? 0), changes.read()) + 1;
  // Before the commit: a count that is ahead costs one needless pass, one that is behind an address given twice.
  changes.write(next);
  store.notes.put(COUNT, String(next));
}

/** Makes the database count as current. */
export function keepCount({ store, changes }: Counted): void {
  store.notes.put(COUNT, String(changes.read()));
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
export function changeCount(stateDir: string, identity: Pick<HostIdentity, 'hostId'>): ChangeCount & Disposable {
  const file = new CountFile(join(stateDir, 'changes'));
  const bytes = Buffer.alloc(SIZE);
  let place: number | undefined;
  const at = (): number => {
    place ??= placeOf(identity.hostId);
    return place;
  };
  return {
    read: () => file.look((fd) => (readSync(fd, bytes, 0, SIZE, at()) === SIZE ? bytes.readDoubleLE() : 0)) || 0,
    write: (count) => {
      bytes.writeDoubleLE(count);
      file.use((fd) => writeSync(fd, bytes, 0, SIZE, at()));
    },
    [Symbol.dispose]: () => file.close(),
  };
}

/** The first slot belongs to `root`, as in versions that had one number for all hosts. */
function placeOf(hostId: string): number {
  if (hostId === 'root') return 0;
  return SIZE * (1 + (Number.parseInt(digest('changes', hostId).slice(0, 8), 16) % SLOTS));
}

/** Keeps the file open. Opens it again if another file has its path, as after a removal of the state directory. */
class CountFile {
  readonly #path: string;
  #opened: { readonly fd: number; readonly inode: bigint } | undefined;
  /** True if the path was looked at by code that still runs. */
  #isFresh = false;

  constructor(path: string) {
    this.#path = path;
  }

  use<T>(work: (fd: number) => T): T {
    try {
      return work(this.#current());
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  /** The same for a read, also where the file system is mounted read-only. Undefined if there is no file then. */
  look<T>(work: (fd: number) => T): T | undefined {
    try {
      return work(this.#current());
    } catch (cause) {
      if (!hasCode(cause, ['EROFS'])) throw this.#failure(cause);
    }
    try {
      return this.#onReadOnly(work);
    } catch (cause) {
      if (hasCode(cause, ['ENOENT'])) return undefined;
      throw this.#failure(cause);
    }
  }

  /** Keeps nothing open: the file system may be mounted writable again. */
  #onReadOnly<T>(work: (fd: number) => T): T {
    const fd = openSync(this.#path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return work(fd);
    } finally {
      closeSync(fd);
    }
  }

  #failure(cause: unknown): NetError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = 'it cannot be read or written';
    return fault.state('store', `file ${this.#path}`, what, undefined, { reason, cause });
  }

  close(): void {
    if (this.#opened !== undefined) closeSync(this.#opened.fd);
    this.#opened = undefined;
  }

  #current(): number {
    if (this.#isFresh && this.#opened !== undefined) return this.#opened.fd;
    this.#isFresh = true;
    queueMicrotask(() => {
      this.#isFresh = false;
    });
    const inode = statSync(this.#path, { bigint: true, throwIfNoEntry: false })?.ino;
    if (this.#opened !== undefined && this.#opened.inode === inode) return this.#opened.fd;
    this.close();
    const fd = openSync(this.#path, OPEN, 0o600);
    this.#opened = { fd, inode: fstatSync(fd, { bigint: true }).ino };
    return fd;
  }
}
