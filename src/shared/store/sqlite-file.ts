import { closeSync, fdatasyncSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { BlockingOptions, Pause } from './locks.ts';
import { SCHEMA_VERSION } from './migrations.ts';
import { isBroken, isCantOpen, newerSchema } from './sqlite-errors.ts';
import { inodeOf, keepLog, logOf } from './sqlite-log.ts';
import { createFile, migrate, setAside } from './sqlite-repair.ts';
import { assertOwnFiles, ensureStateDir } from './state-dir.ts';

export interface FileOptions {
  /** How long to wait for another process's transaction, in milliseconds. */
  readonly waitMs: number;
  /** Pages of the write-ahead log before it is folded into the database, which syncs twice. */
  readonly logPages: number;
  /** How to wait for another process that creates the file or sets it aside. Absent if the thread must not block. */
  readonly pause?: Pause;
  /** True: throws where a file is missing or broken, instead of creating one or setting it aside. Default: false. */
  readonly keeps?: boolean;
}

export type SqlRow = Readonly<Record<string, SQLOutputValue>>;

/** An open database, and the identity of its file. */
interface Connection {
  readonly db: DatabaseSync;
  readonly inode: bigint;
  /** Inode of its write-ahead log. */
  readonly log: bigint | undefined;
  /** Descriptor of the lock that `keepLog` takes. */
  readonly keeper: number;
  readonly statements: Map<string, StatementSync>;
}

/**
 * One open `state.db` of the current schema, with its prepared statements. Throws node:sqlite's own errors. Creates a
 * missing file, migrates an older schema, and sets a broken file aside. Closes the old file before it opens the next:
 * SQLite keeps one index of the log for each file and process, so two connections to a file whose log was replaced
 * would share a wrong one. If opening fails, `ensureOpen` tries again.
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

  /** Returns the first row of the result. */
  get(sql: string, ...values: readonly SQLInputValue[]): SqlRow | undefined {
    return this.#prepare(sql).get(...values);
  }

  all(sql: string, ...values: readonly SQLInputValue[]): SqlRow[] {
    return this.#prepare(sql).all(...values);
  }

  /** Returns how many rows changed. */
  run(sql: string, ...values: readonly SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }

  /** Begins a write transaction on the current `state.db`: another process may have replaced the file. */
  begin(): void {
    for (;;) {
      this.ensureOpen();
      this.#prepare('BEGIN IMMEDIATE').run();
      if (inodeOf(this.#path) === this.#connection?.inode) return;
      this.rollback();
      this.#disconnect();
    }
  }

  /** Runs `work` in a read transaction: SQLite locks the file once, not for each statement. */
  snapshot<T>(work: () => T): T {
    this.#prepare('BEGIN').run();
    try {
      return work();
    } finally {
      this.rollback();
    }
  }

  /** Opens `state.db` again if the file or its log was replaced. Returns true if so. */
  renew(): boolean {
    const known = this.#connection;
    if (known !== undefined && inodeOf(this.#path) === known.inode && inodeOf(logOf(this.#path)) === known.log)
      return false;
    this.#disconnect();
    return this.ensureOpen();
  }

  /** Opens the file if an earlier attempt failed. Returns true if so. */
  ensureOpen(): boolean {
    if (this.#connection !== undefined) return false;
    if (this.#disposed) throw new Error(`${this.#path} has been closed`);
    ensureStateDir(this.#stateDir);
    this.#connection = connect(this.#stateDir, this.#path, this.#options);
    return true;
  }

  /** Commits. Throws if SQLite has already rolled the transaction back (disk full, I/O error). */
  commit(): void {
    this.#prepare('COMMIT').run();
  }

  rollback(): void {
    const db = this.#connection?.db;
    if (db?.isTransaction) db.exec('ROLLBACK');
  }

  /**
   * Syncs committed transactions to disk. `PRAGMA synchronous` cannot change inside a transaction. It would sync the
   * log after each commit; this does the same, and SQLite keeps the log while this connection is open.
   */
  syncLog(): void {
    const fd = openSync(logOf(this.#path), 'r+');
    try {
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Sets the broken file aside and opens a new one. Returns the new path of the broken file. */
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
  assertOwnFiles(stateDir);
  const { db, inode } = openCurrent(stateDir, path, options);
  try {
    return { db, inode, log: inodeOf(logOf(path)), keeper: keepLog(path), statements: new Map() };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Closes the keeper last: see keepLog. */
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

/** A broken file takes two rounds, and other processes may add some. The bound is for a disk that breaks every file. */
function openCurrent(stateDir: string, path: string, options: FileOptions): Opened {
  for (let attempt = 1; ; attempt++) {
    if (inodeOf(path) === undefined && options.keeps !== true) createFile(stateDir, blocking(options));
    const inode = inodeOf(path);
    try {
      const db = openExisting(stateDir, path, options);
      if (inode !== undefined) return { db, inode };
      db.close();
    } catch (error) {
      if (attempt === 5 || options.keeps === true) throw error;
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
    // A file gets its name after its schema, so one without a schema (an empty file) is not ours.
    if (version === 0) throw Object.assign(new Error('file has no schema'), { errcode: 26 });
    if (version < SCHEMA_VERSION) migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Opens an existing file. SQLite's default would create a missing one, empty. */
function openDatabase(path: string, { waitMs }: FileOptions): DatabaseSync {
  const sqlite = process.getBuiltinModule('node:sqlite');
  const uri = `file:${path.replace(/[%?#]/g, encodeURIComponent)}?mode=rw`;
  return new sqlite.DatabaseSync(uri, { timeout: waitMs, enableForeignKeyConstraints: false });
}
