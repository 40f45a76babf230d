import { closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { type BlockingOptions, lock } from './locks.ts';
import { MIGRATIONS } from './migrations.ts';

const LOCK = 'state.db';
/** What belongs to a database file, by the end of its name. */
const PARTS = ['', '-wal', '-shm'] as const;
const KEPT = 3;

/**
 * `state.db` exists, with the whole schema and in WAL mode. It gets its name when it is complete, so that no other
 * process meets it half made: switching to WAL fails at once, without waiting, while somebody else has the file open.
 */
export function createFile(stateDir: string, options: BlockingOptions): void {
  using _ = lock(stateDir, LOCK, options);
  const path = join(stateDir, 'state.db');
  if (existsSync(path)) return;
  const draft = `${path}.new`;
  // Also left by a call that died here, or by somebody who deleted state.db alone: a log of another database would be
  // replayed into this one.
  for (const part of PARTS) {
    rmSync(draft + part, { force: true });
    rmSync(path + part, { force: true });
  }
  closeSync(openSync(draft, 'wx', 0o600));
  const sqlite = process.getBuiltinModule('node:sqlite');
  const db = new sqlite.DatabaseSync(draft);
  try {
    db.exec('PRAGMA journal_mode = WAL');
    migrate(db);
  } finally {
    db.close();
  }
  renameSync(draft, path);
  syncDirectory(stateDir);
}

/** The database has schema `target`, step by step, each step in a transaction; a later one stays as it is. */
export function migrate(db: DatabaseSync, target: number = MIGRATIONS.length): void {
  for (;;) {
    db.exec('BEGIN IMMEDIATE');
    try {
      // Read again with the lock held: another process may have taken the step meanwhile.
      const version = Number(db.prepare('PRAGMA user_version').get()?.user_version);
      const step = version < target ? MIGRATIONS[version] : undefined;
      if (typeof step === 'string') db.exec(step);
      else step?.(db);
      if (step !== undefined) db.exec(`PRAGMA user_version = ${version + 1}`);
      db.exec('COMMIT');
      if (step === undefined) return;
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
}

/**
 * The broken `state.db` with that inode is called `state.db.corrupt-<ms>`, as are its log and index; the newest three
 * are kept. Returns its path, or undefined where another process has moved it already.
 */
export function setAside(stateDir: string, inode: bigint, options: BlockingOptions): string | undefined {
  using _ = lock(stateDir, LOCK, options);
  const path = join(stateDir, 'state.db');
  if (statSync(path, { bigint: true, throwIfNoEntry: false })?.ino !== inode) return undefined;
  let stamp = Date.now();
  while (existsSync(corruptPath(path, stamp))) stamp++;
  const target = corruptPath(path, stamp);
  for (const part of PARTS) {
    if (existsSync(path + part)) renameSync(path + part, target + part);
  }
  prune(stateDir);
  syncDirectory(stateDir);
  return target;
}

function corruptPath(path: string, stamp: number): string {
  return `${path}.corrupt-${stamp}`;
}

function prune(stateDir: string): void {
  const stamps = readdirSync(stateDir)
    .map((name) => Number(/^state\.db\.corrupt-(\d+)$/.exec(name)?.[1]))
    .filter((stamp) => stamp > 0)
    .sort((a, b) => b - a);
  for (const stamp of stamps.slice(KEPT)) {
    for (const part of PARTS) rmSync(corruptPath(join(stateDir, 'state.db'), stamp) + part, { force: true });
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
