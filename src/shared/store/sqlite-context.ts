import type { SQLOutputValue } from 'node:sqlite';
import type { SqliteFile } from './sqlite-file.ts';

/** What the tables of one store share. */
export interface Context {
  readonly host: string;
  /** Runs `work` as it is, with SQLite's errors turned into NetErrors. `boot` gives the number to read under. */
  read<T>(work: (file: SqliteFile, boot: () => number) => T): T;
  /** Runs `work` in the open transaction, or in one of its own. `boot` gives the number to write under. */
  write<T>(work: (file: SqliteFile, boot: () => number) => T): T;
}

/** A column that the schema declares as TEXT. */
export function textOf(value: SQLOutputValue | undefined): string {
  if (typeof value !== 'string') throw new TypeError(`text was expected, not ${typeof value}`);
  return value;
}
