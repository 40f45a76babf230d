import { closeSync, fdatasyncSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import { NetError } from '../errors/net-error.ts';
import { lockRange } from '../netlink/sys.ts';
import type { BlockingOptions, Pause } from './locks.ts';
import { SCHEMA_VERSION } from './migrations.ts';
import { isBroken, isCantOpen } from './sqlite-errors.ts';
import { createFile, migrate, setAside } from './sqlite-repair.ts';
import { ensureStateDir } from './state-dir.ts';

export interface FileOptions {
  /** How long to wait for another process's transaction, in milliseconds. */
  readonly waitMs: number;
  /** Pages of the write-ahead log before it is folded into the database, which syncs twice. */
  readonly logPages: number;
  /** How to wait for another process that makes or sets aside the file; absent where the thread must not block. */
  readonly pause?: Pause;
}

export type SqlRow = Readonly<Record<string, SQLOutputValue>>;

/** First byte of the range that SQLite's SHARED lock covers (os.h: PENDING_BYTE + 2). */
const SHARED_FIRST = 0x40000002n;

/**
 * One open `state.db` of the current schema, with its prepared statements. Errors are node:sqlite's own.
 * A file that is missing is made, one of an older schema is migrated, a broken one is set aside.
 */
export class SqliteFile {
  readonly #stateDir: string;
  readonly #path: string;
  readonly #options: FileOptions;
  readonly #statements = new Map<string, StatementSync>();
  #db: DatabaseSync;
  #inode: bigint;
  /** Of its write-ahead log. */
  #log: bigint | undefined;
  #keeper: number;

  constructor(stateDir: string, options: FileOptions) {
    this.#options = options;
    this.#stateDir = stateDir;
    this.#path = join(stateDir, 'state.db');
    ({ db: this.#db, inode: this.#inode } = openCurrent(stateDir, this.#path, options));
    this.#log = inodeOf(this.#logPath);
    this.#keeper = keepLog(this.#path);
  }

  get #logPath(): string {
    return `${this.#path}-wal`;
  }

  /** The first row of the answer. */
  get(sql: string, ...values: readonly SQLInputValue[]): SqlRow | undefined {
    return this.#prepare(sql).get(...values);
  }

  all(sql: string, ...values: readonly SQLInputValue[]): SqlRow[] {
    return this.#prepare(sql).all(...values);
  }

  /** How many rows were changed. */
  run(sql: string, ...values: readonly SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }

  /** A write transaction is open, on the file that is `state.db` now: another process may have put a new one there. */
  begin(): void {
    for (;;) {
      this.#prepare('BEGIN IMMEDIATE').run();
      if (inodeOf(this.#path) === this.#inode) return;
      this.rollback();
      this.reopen();
    }
  }

  /** True where another file is `state.db`, or its log, now; it has been opened. */
  renew(): boolean {
    if (inodeOf(this.#path) === this.#inode && inodeOf(this.#logPath) === this.#log) return false;
    this.reopen();
    return true;
  }

  /** Throws where SQLite has already taken the transaction back (disk full, I/O error). */
  commit(): void {
    this.#prepare('COMMIT').run();
  }

  rollback(): void {
    if (this.#db.isOpen && this.#db.isTransaction) this.#db.exec('ROLLBACK');
  }

  /**
   * What has been committed is on the disk. Not by `PRAGMA synchronous`, which cannot change inside a transaction; it
   * would do the same after each commit: sync the log, which nobody deletes while this connection is open.
   */
  syncLog(): void {
    const fd = openSync(this.#logPath, 'r+');
    try {
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** The file is set aside as broken and a fresh one is open; returns the broken one's new path. */
  replace(): string | undefined {
    this.close();
    const moved = setAside(this.#stateDir, this.#inode, blocking(this.#options));
    this.reopen();
    return moved;
  }

  reopen(): void {
    this.close();
    ensureStateDir(this.#stateDir);
    ({ db: this.#db, inode: this.#inode } = openCurrent(this.#stateDir, this.#path, this.#options));
    this.#log = inodeOf(this.#logPath);
    this.#keeper = keepLog(this.#path);
  }

  /** The keeper goes last: see keepLog. */
  close(): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
    if (this.#keeper >= 0) closeSync(this.#keeper);
    this.#keeper = -1;
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function blocking({ pause }: FileOptions): BlockingOptions {
  return pause === undefined ? {} : { pause };
}

interface Opened {
  readonly db: DatabaseSync;
  readonly inode: bigint;
}

/** A broken file takes two rounds; others may come between. The bound is for a disk that breaks every file. */
function openCurrent(stateDir: string, path: string, options: FileOptions): Opened {
  for (let attempt = 1; ; attempt++) {
    if (inodeOf(path) === undefined) createFile(stateDir, blocking(options));
    const inode = inodeOf(path);
    try {
      const db = openExisting(stateDir, path, options);
      if (inode !== undefined) return { db, inode };
      db.close();
    } catch (error) {
      if (attempt === 5) throw error;
      if (isBroken(error) && inode !== undefined) setAside(stateDir, inode, blocking(options));
      else if (!isCantOpen(error) || inodeOf(path) !== undefined) throw error;
    }
  }
}

function openExisting(stateDir: string, path: string, options: FileOptions): DatabaseSync {
  const db = openDatabase(path, options);
  try {
    const version = Number(db.prepare('PRAGMA user_version').get()?.user_version);
    if (version > SCHEMA_VERSION) throw newerSchema(stateDir, version);
    // Files get their name with the schema in them: without one (an empty file) this is none of ours.
    if (version === 0) throw Object.assign(new Error('file has no schema'), { errcode: 26 });
    if (version < SCHEMA_VERSION) migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** A connection to a file that exists; with SQLite's own default a missing one would be made, empty. */
function openDatabase(path: string, { waitMs, logPages }: FileOptions): DatabaseSync {
  const sqlite = process.getBuiltinModule('node:sqlite');
  const uri = `file:${path.replace(/[%?#]/g, encodeURIComponent)}?mode=rw`;
  const db = new sqlite.DatabaseSync(uri, { timeout: waitMs, enableForeignKeyConstraints: false });
  db.exec(`PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = ${logPages}`);
  return db;
}

/**
 * The last process to close a database folds its write-ahead log in and deletes it, which syncs twice: for calls that
 * follow each other, on every call. node:sqlite cannot switch that off (SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE), but SQLite
 * leaves the log where it cannot have the file for itself; this shared lock, on a description of its own, sees to it.
 * It lives until the descriptor is closed, or the process ends.
 */
function keepLog(path: string): number {
  const fd = openSync(path, 'r');
  lockRange(fd, SHARED_FIRST, false);
  return fd;
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

function newerSchema(stateDir: string, version: number): NetError {
  return new NetError({
    kind: 'newer-schema',
    op: 'store.open',
    subject: `directory ${stateDir}`,
    what: `state.db has schema ${version}, this program knows up to ${SCHEMA_VERSION}`,
    hint: 'Use the newer version that wrote it, or move state.db away',
  });
}
