import { closeSync, fdatasyncSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
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

/** An open database, and which file it is. */
interface Connection {
  readonly db: DatabaseSync;
  readonly inode: bigint;
  /** Of its write-ahead log. */
  readonly log: bigint | undefined;
  /** Descriptor of the lock that `keepLog` describes. */
  readonly keeper: number;
  readonly statements: Map<string, StatementSync>;
}

/**
 * One open `state.db` of the current schema, with its prepared statements. Errors are node:sqlite's own.
 * A file that is missing is made, one of an older schema is migrated, a broken one is set aside.
 * Closes the old file before it opens the next: SQLite keeps one index of the log for each file and process, so two
 * connections to a file whose log was replaced would share a wrong one. If opening fails, `ensureOpen` tries again.
 */
export class SqliteFile {
  readonly #stateDir: string;
  readonly #path: string;
  readonly #options: FileOptions;
  #connection: Connection | undefined;
  #disposed = false;

  constructor(stateDir: string, options: FileOptions) {
    this.#options = options;
    this.#stateDir = stateDir;
    this.#path = join(stateDir, 'state.db');
    this.#connection = connect(stateDir, this.#path, options);
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
      this.ensureOpen();
      this.#prepare('BEGIN IMMEDIATE').run();
      if (inodeOf(this.#path) === this.#connection?.inode) return;
      this.rollback();
      this.#disconnect();
    }
  }

  /** True if another file is `state.db`, or its log, now; it has been opened. */
  renew(): boolean {
    const known = this.#connection;
    if (known !== undefined && inodeOf(this.#path) === known.inode && inodeOf(logOf(this.#path)) === known.log)
      return false;
    this.#disconnect();
    return this.ensureOpen();
  }

  /** True if an earlier opening had failed and the file is open now. */
  ensureOpen(): boolean {
    if (this.#connection !== undefined) return false;
    if (this.#disposed) throw new Error(`${this.#path} has been closed`);
    ensureStateDir(this.#stateDir);
    this.#connection = connect(this.#stateDir, this.#path, this.#options);
    return true;
  }

  /** Throws where SQLite has already taken the transaction back (disk full, I/O error). */
  commit(): void {
    this.#prepare('COMMIT').run();
  }

  rollback(): void {
    const db = this.#connection?.db;
    if (db?.isTransaction) db.exec('ROLLBACK');
  }

  /**
   * What has been committed is on the disk. Not by `PRAGMA synchronous`, which cannot change inside a transaction; it
   * would do the same after each commit: sync the log, which nobody deletes while this connection is open.
   */
  syncLog(): void {
    const fd = openSync(logOf(this.#path), 'r+');
    try {
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** The file is set aside as broken and a fresh one is open; returns the broken one's new path. */
  replace(): string | undefined {
    const broken = this.#connection?.inode;
    this.#disconnect();
    const moved = broken === undefined ? undefined : setAside(this.#stateDir, broken, blocking(this.#options));
    this.ensureOpen();
    return moved;
  }

  close(): void {
    this.#disposed = true;
    this.#disconnect();
  }

  #disconnect(): void {
    const old = this.#connection;
    this.#connection = undefined;
    if (old !== undefined) disconnect(old);
  }

  #prepare(sql: string): StatementSync {
    if (this.#connection === undefined) throw new Error(`${this.#path} is not open`);
    const { db, statements } = this.#connection;
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = db.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  }
}

function connect(stateDir: string, path: string, options: FileOptions): Connection {
  const { db, inode } = openCurrent(stateDir, path, options);
  try {
    return { db, inode, log: inodeOf(logOf(path)), keeper: keepLog(path), statements: new Map() };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** The keeper goes last: see keepLog. */
function disconnect({ db, keeper, statements }: Connection): void {
  statements.clear();
  try {
    db.close();
  } finally {
    closeSync(keeper);
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
    db.exec(`PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = ${options.logPages}`);
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
function openDatabase(path: string, { waitMs }: FileOptions): DatabaseSync {
  const sqlite = process.getBuiltinModule('node:sqlite');
  const uri = `file:${path.replace(/[%?#]/g, encodeURIComponent)}?mode=rw`;
  return new sqlite.DatabaseSync(uri, { timeout: waitMs, enableForeignKeyConstraints: false });
}

/**
 * The last process to close a database folds its write-ahead log in and deletes it, which syncs twice: for calls that
 * follow each other, on every call. node:sqlite cannot switch that off (SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE), but SQLite
 * leaves the log where it cannot have the file for itself; this shared lock, on a description of its own, sees to it.
 * It lives until the descriptor is closed, or the process ends.
 */
function keepLog(path: string): number {
  const fd = openSync(path, 'r');
  try {
    lockRange(fd, SHARED_FIRST, false);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function logOf(path: string): string {
  return `${path}-wal`;
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

function newerSchema(stateDir: string, version: number): NetError {
  return fault.newerSchema(
    'store.open',
    `directory ${stateDir}`,
    `state.db has schema ${version}, this program knows up to ${SCHEMA_VERSION}`,
    'Use the newer version that wrote it, or move state.db away',
  );
}
