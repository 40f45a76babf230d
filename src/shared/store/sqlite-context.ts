import type { SQLOutputValue } from 'node:sqlite';
import type { SqliteFile } from './sqlite-file.ts';

/** What the tables of one store share. */
export interface Context {
  readonly host: string;
  /**
   * Runs `work` without a transaction of its own and converts SQLite's errors to NetErrors. `boot` returns the number
   * to read under.
   */
  read<T>(work: (file: SqliteFile, boot: () => number) => T): T;
  /** Runs `work` in the open transaction, or in a new one. `boot` returns the number to write under. */
  write<T>(work: (file: SqliteFile, boot: () => number) => T): T;
}

/** A column that the schema declares as TEXT. */
export function textOf(value: SQLOutputValue | undefined): string {
  if (typeof value !== 'string') throw new TypeError(`text was expected, not ${typeof value}`);
  return value;
}
