import { closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { type BlockingOptions, lock } from './locks.ts';
import { MIGRATIONS } from './migrations.ts';

const LOCK = 'state.db';
/** The files of a database, by suffix. */
const PARTS = ['', '-wal', '-shm'] as const;
const KEPT = 3;

/**
 * Creates `state.db` with the whole schema and in WAL mode. Renames it into place once it is complete, so that no other
 * process opens it half made: switching to WAL fails at once, without waiting, while another process has the file open.
 */
export function createFile(stateDir: string, options: BlockingOptions): void {
  using _ = lock(stateDir, LOCK, options);
  const path = join(stateDir, 'state.db');
  if (existsSync(path)) return;
  const draft = `${path}.new`;
  // A call that died here, or an operator who deleted only state.db, leaves these files too. SQLite would replay a foreign
  // log into this database.
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

/** Migrates the database to schema `target`, one transaction for each step. Leaves a later schema unchanged. */
export function migrate(db: DatabaseSync, target: number = MIGRATIONS.length): void {
  for (;;) {
    db.exec('BEGIN IMMEDIATE');
    try {
      // Read again under the lock: another process may have run the step meanwhile.
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
 * Renames the broken `state.db` with that inode, its log and its index to `state.db.corrupt-<ms>`, and keeps the newest
 * three. Returns the new path, or undefined if another process has already renamed it.
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
