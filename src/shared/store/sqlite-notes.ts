import { type Context, textOf } from './sqlite-context.ts';
import type { NoteTable } from './store.ts';

/** `notes`: text by key, for each host. */
export class SqliteNotes implements NoteTable {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  get(key: string): string | undefined {
    const { host } = this.#context;
    return this.#context.read((file) => {
      const row = file.get('SELECT value FROM notes WHERE host = ? AND key = ?', host, key);
      return row === undefined ? undefined : textOf(row.value);
    });
  }

  put(key: string, value: string): void {
    const { host } = this.#context;
    const sql = `INSERT INTO notes (host, key, value) VALUES (?, ?, ?)
      ON CONFLICT (host, key) DO UPDATE SET value = excluded.value`;
    this.#context.write((file) => file.run(sql, host, key, value));
  }

  delete(key: string): void {
    const { host } = this.#context;
    this.#context.write((file) => file.run('DELETE FROM notes WHERE host = ? AND key = ?', host, key));
  }

  keys(prefix: string): string[] {
    const { host } = this.#context;
    const sql = 'SELECT key FROM notes WHERE host = ? AND key BETWEEN ? AND ? ORDER BY key';
    return this.#context.read((file) => file.all(sql, host, prefix, prefix + LAST).map(({ key }) => textOf(key)));
  }
}

/** Comes after every character that a key has. */
const LAST = '\u{10ffff}';
