import { formatNetwork, parseNetwork } from './bodies.ts';
import { type Context, textOf } from './sqlite-context.ts';
import type { SqlRow } from './sqlite-file.ts';
import type { NetworkRow, NetworkTable } from './store.ts';

/** `networks`: one JSON body for each network of the host. */
export class SqliteNetworks implements NetworkTable {
  readonly #context: Context;
  /** Rows by their body: a call reads the same few several times, and each costs 30 µs to check. */
  readonly #parsed = new Map<string, NetworkRow>();

  constructor(context: Context) {
    this.#context = context;
  }

  get(name: string): NetworkRow | undefined {
    const { host } = this.#context;
    return this.#context.read((file) => {
      const row = file.get('SELECT body FROM networks WHERE host = ? AND name = ?', host, name);
      return row === undefined ? undefined : this.#networkOf({ ...row, name });
    });
  }

  put(row: NetworkRow): void {
    const { host } = this.#context;
    const sql = `INSERT INTO networks (host, name, body) VALUES (?, ?, ?)
      ON CONFLICT (host, name) DO UPDATE SET body = excluded.body`;
    this.#context.write((file) => file.run(sql, host, row.name, formatNetwork(row)));
  }

  delete(name: string): void {
    const { host } = this.#context;
    this.#context.write((file) => file.run('DELETE FROM networks WHERE host = ? AND name = ?', host, name));
  }

  list(device?: string): NetworkRow[] {
    const { host } = this.#context;
    const all = 'SELECT name, body FROM networks WHERE host = ? ORDER BY name';
    const some = `SELECT name, body FROM networks INDEXED BY networks_by_device
      WHERE host = ? AND CASE WHEN json_valid(body) THEN body ->> '$.device' END = ? ORDER BY name`;
    return this.#context.read((file) => {
      const rows = device === undefined ? file.all(all, host) : file.all(some, host, device);
      return rows.flatMap((row) => this.#networkOf(row) ?? []);
    });
  }

  broken(): string[] {
    const { host } = this.#context;
    const sql = 'SELECT name, body FROM networks WHERE host = ? ORDER BY name';
    return this.#context.read((file) => {
      const rows = file.all(sql, host).filter((row) => this.#networkOf(row) === undefined);
      return rows.map(({ name }) => textOf(name));
    });
  }

  /** Undefined for a broken body, and for one that is about another network than its row. */
  #networkOf(row: SqlRow): NetworkRow | undefined {
    const body = textOf(row.body);
    const found = this.#parsed.get(body) ?? parseNetwork(body);
    if (found?.name !== textOf(row.name)) return undefined;
    if (this.#parsed.size >= MAX_PARSED) this.#parsed.clear();
    this.#parsed.set(body, found);
    return found;
  }
}

const MAX_PARSED = 64;
