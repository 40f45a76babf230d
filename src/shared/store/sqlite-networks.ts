import { formatNetwork, parseNetwork } from './bodies.ts';
import { type Context, textOf } from './sqlite-context.ts';
import type { NetworkRow, NetworkTable } from './store.ts';

/** `networks`: one JSON body for each network of the host. */
export class SqliteNetworks implements NetworkTable {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  get(name: string): NetworkRow | undefined {
    const { host } = this.#context;
    return this.#context.read((file) => {
      const row = file.get('SELECT body FROM networks WHERE host = ? AND name = ?', host, name);
      return row === undefined ? undefined : parseNetwork(textOf(row.body));
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

  list(): NetworkRow[] {
    const { host } = this.#context;
    return this.#context.read((file) =>
      file
        .all('SELECT body FROM networks WHERE host = ? ORDER BY name', host)
        .flatMap((row) => parseNetwork(textOf(row.body)) ?? []),
    );
  }

  broken(): string[] {
    const { host } = this.#context;
    const sql = 'SELECT name, body FROM networks WHERE host = ? ORDER BY name';
    return this.#context.read((file) => {
      const rows = file.all(sql, host).filter(({ body }) => parseNetwork(textOf(body)) === undefined);
      return rows.map(({ name }) => textOf(name));
    });
  }
}
