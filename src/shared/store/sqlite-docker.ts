import { parseDockerNetwork, parsePool } from './bodies.ts';
import { type Context, textOf } from './sqlite-context.ts';
import type { DockerNetworkRow, DockerNetworkTable, PoolRow, PoolTable } from './store.ts';

/** `docker_networks`: one JSON body for each network that dockerd created. */
export class SqliteDockerNetworks implements DockerNetworkTable {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  get(id: string): DockerNetworkRow | undefined {
    const { host } = this.#context;
    return this.#context.read((file) => {
      const row = file.get('SELECT body FROM docker_networks WHERE host = ? AND id = ?', host, id);
      return row === undefined ? undefined : parseDockerNetwork(textOf(row.body));
    });
  }

  put(row: DockerNetworkRow): void {
    const { host } = this.#context;
    const sql = `INSERT INTO docker_networks (host, id, body) VALUES (?, ?, ?)
      ON CONFLICT (host, id) DO UPDATE SET body = excluded.body`;
    this.#context.write((file) => file.run(sql, host, row.id, JSON.stringify(row)));
  }

  delete(id: string): void {
    const { host } = this.#context;
    this.#context.write((file) => file.run('DELETE FROM docker_networks WHERE host = ? AND id = ?', host, id));
  }

  list(): DockerNetworkRow[] {
    const { host } = this.#context;
    const sql = 'SELECT body FROM docker_networks WHERE host = ? ORDER BY id';
    return this.#context.read((file) =>
      file.all(sql, host).flatMap((row) => parseDockerNetwork(textOf(row.body)) ?? []),
    );
  }
}

/** `pools`: one JSON body for each pool that dockerd holds. */
export class SqlitePools implements PoolTable {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  get(id: string): PoolRow | undefined {
    const { host } = this.#context;
    return this.#context.read((file) => {
      const row = file.get('SELECT body FROM pools WHERE host = ? AND id = ?', host, id);
      return row === undefined ? undefined : parsePool(textOf(row.body));
    });
  }

  put(row: PoolRow): void {
    const { host } = this.#context;
    const sql = `INSERT INTO pools (host, id, scope, body) VALUES (?, ?, ?, ?)
      ON CONFLICT (host, id) DO UPDATE SET scope = excluded.scope, body = excluded.body`;
    this.#context.write((file) => file.run(sql, host, row.id, row.scope, JSON.stringify(row)));
  }

  delete(id: string): void {
    const { host } = this.#context;
    this.#context.write((file) => file.run('DELETE FROM pools WHERE host = ? AND id = ?', host, id));
  }

  list(scope?: string): PoolRow[] {
    const { host } = this.#context;
    return this.#context.read((file) => {
      const rows =
        scope === undefined
          ? file.all('SELECT body FROM pools WHERE host = ? ORDER BY id', host)
          : file.all('SELECT body FROM pools WHERE host = ? AND scope = ? ORDER BY id', host, scope);
      return rows.flatMap((row) => parsePool(textOf(row.body)) ?? []);
    });
  }
}
