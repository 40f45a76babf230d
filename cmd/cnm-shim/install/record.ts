import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fault } from '../../../src/shared/errors/fault.ts';
import { hasCode } from '../../../src/shared/errors/net-error.ts';
import { parseJson } from '../../../src/shared/model/json.ts';
import { writeFile } from './files.ts';
import type { Part } from './items.ts';

/**
 * Holds the record, and what was replaced. Not below /var/lib/isthmus: that is the state, which an operator may delete.
 */
export const INSTALL_DIR = '/var/lib/isthmus-install';
const RECORD = `${INSTALL_DIR}/record.json`;
const REPLACED = `${INSTALL_DIR}/replaced`;

/** One path of an installation. */
export interface RecordedItem {
  readonly path: string;
  readonly part: Part;
  /** What was put there: see `sumOf`. */
  readonly sum: string;
  /** True if a copy of what was there before is kept. */
  readonly replaced?: boolean;
  /** True before the item is in place; a crash leaves it so. */
  readonly pending?: boolean;
  /** Of a pending item: what an earlier installation put there. */
  readonly former?: string;
}

/** What an installation has put in place, and with which options. */
export interface InstallRecord {
  readonly version: string;
  readonly names: readonly string[];
  readonly daemon: boolean;
  readonly items: readonly RecordedItem[];
  /** Directories that it made, outermost first. */
  readonly directories: readonly string[];
}

/** Where what was at the path is kept. */
export function backupOf(path: string): string {
  return `${REPLACED}${path}`;
}

export function hasRecord(root: string): boolean {
  return existsSync(join(root, RECORD));
}

/** Returns undefined if nothing has been installed. Throws NetError `state` for a record that cannot be read. */
export function readRecord(root: string): InstallRecord | undefined {
  const file = join(root, RECORD);
  try {
    const found = parseJson(readFileSync(file, 'utf8'));
    if (isRecord(found)) return found;
    throw new SyntaxError('it is no record of an installation');
  } catch (cause) {
    if (hasCode(cause, ['ENOENT'])) return undefined;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint = `Move it away. Copies of what was replaced are in ${join(root, REPLACED)}`;
    throw fault.state('install', `file ${file}`, 'it cannot be read', hint, { reason, cause });
  }
}

/** The record is on disk, or the former one still is. */
export function writeRecord(root: string, record: InstallRecord): void {
  const file = join(root, RECORD);
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  writeFile(file, `${JSON.stringify(record, null, 2)}\n`, 0o644);
}

/** Nothing of an installation is on record, and no copy is kept. */
export function removeRecord(root: string): void {
  rmSync(join(root, INSTALL_DIR), { recursive: true, force: true });
}

function isRecord(value: unknown): value is InstallRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { version, names, daemon, items, directories } = value as Partial<Record<keyof InstallRecord, unknown>>;
  return (
    typeof version === 'string' &&
    typeof daemon === 'boolean' &&
    isTexts(names) &&
    names.every((name) => /^[\w.-]+$/.test(name)) &&
    isTexts(directories) &&
    directories.every(isPath) &&
    Array.isArray(items) &&
    items.every((item) => isPath(item?.path) && typeof item.part === 'string' && typeof item.sum === 'string')
  );
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith('/') && !value.split('/').includes('..');
}
