import type { ClusterKeyRow, ClusterKeyTable } from './cluster-keys.ts';
import { type Context, textOf } from './sqlite-context.ts';
import type { SqlRow } from './sqlite-file.ts';

const SELECT = 'SELECT key, state, value, until FROM cluster_keys WHERE host = ?';

/** `cluster_keys`: what each host put into the store of its cluster. */
export class SqliteClusterKeys implements ClusterKeyTable {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  get(key: string): ClusterKeyRow | undefined {
    const { host } = this.#context;
    return this.#context.read((file) => {
      const row = file.get(`${SELECT} AND key = ?`, host, key);
      return row === undefined ? undefined : rowOf(row);
    });
  }

  put({ key, state, value, until }: ClusterKeyRow): void {
    const { host } = this.#context;
    const sql = `INSERT INTO cluster_keys (host, key, state, value, until) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (host, key) DO UPDATE SET state = excluded.state, value = excluded.value, until = excluded.until`;
    this.#context.write((file) => file.run(sql, host, key, state, value, until));
  }

  delete(key: string): void {
    const { host } = this.#context;
    this.#context.write((file) => file.run('DELETE FROM cluster_keys WHERE host = ? AND key = ?', host, key));
  }

  list(prefix: string): ClusterKeyRow[] {
    const { host } = this.#context;
    // Keys are ASCII: all that begin with the prefix are below the prefix and DEL.
    const sql = `${SELECT} AND key >= ? AND key < ? ORDER BY key`;
    return this.#context.read((file) => file.all(sql, host, prefix, `${prefix}\x7f`).map(rowOf));
  }

  outbox(): ClusterKeyRow[] {
    const { host } = this.#context;
    return this.#context.read((file) => file.all(`${SELECT} AND state <> 'held' ORDER BY key`, host).map(rowOf));
  }
}

function rowOf(row: SqlRow): ClusterKeyRow {
  const state = row.state === 'claimed' || row.state === 'held' ? row.state : 'released';
  return { key: textOf(row.key), state, value: textOf(row.value), until: Number(row.until) };
}
