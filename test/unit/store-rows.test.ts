import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseAddr } from '../../src/shared/model/addr.ts';
import { hostId } from '../../src/shared/model/attachment.ts';
import { parseMac } from '../../src/shared/model/mac.ts';
import { parsePrefix } from '../../src/shared/model/prefix.ts';
import { parseDockerNetwork, parseEndpoint, parseNetwork, parsePool } from '../../src/shared/store/bodies.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import { makeTempDir } from '../support/temp.ts';

const PARSERS = {
  endpoints: parseEndpoint,
  networks: parseNetwork,
  docker_networks: parseDockerNetwork,
  pools: parsePool,
};
type Table = keyof typeof PARSERS;
type Path = readonly string[];

/** Returns the bodies of a recorded host with every kind of row, as this release stores them. */
function recordedBodies(): { readonly table: Table; readonly body: unknown }[] {
  using temp = makeTempDir();
  const path = join(temp.path, 'state.db');
  const sql = readFileSync(join(import.meta.dirname, '..', 'fixtures', 'state', 'schema-3.sql'), 'utf8');
  const old = new DatabaseSync(path);
  old.exec(`PRAGMA journal_mode = WAL;\n${sql}`);
  old.close();
  using store = openSqliteStore({ stateDir: temp.path, identity: { hostId: hostId('h'), bootId: 'b', bootedAt: 0 } });
  assert.deepEqual(store.endpoints.list(), []);
  using db = new DatabaseSync(path);
  return (Object.keys(PARSERS) as Table[]).flatMap((table) =>
    db
      .prepare(`SELECT body FROM ${table}`)
      .all()
      .map(({ body }) => ({ table, body: JSON.parse(String(body)) })),
  );
}

/** The paths of all values below `value` that are neither object nor array. */
function leavesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...path, key]));
}

function valueAt(body: unknown, path: Path): unknown {
  return path.reduce((at, key) => (at as Record<string, unknown>)[key], body);
}

function withValue(body: unknown, path: Path, value: unknown): unknown {
  const copy = structuredClone(body);
  const owner = valueAt(copy, path.slice(0, -1)) as Record<string, unknown>;
  owner[path.at(-1) ?? ''] = value;
  return copy;
}

/** A value of the same type that no reader of the fact can use; undefined for free text and flags. */
function unusable(value: unknown): unknown {
  if (typeof value === 'number') return -1;
  if (typeof value !== 'string') return undefined;
  const isNetworkValue = [parseAddr, parsePrefix, parseMac].some((parse) => parse(value) !== undefined);
  return isNetworkValue ? ':' : undefined;
}

describe('store: rows', () => {
  const bodies = recordedBodies();
  const soundness = (table: Table, body: unknown): boolean => PARSERS[table](JSON.stringify(body)) !== undefined;

  it('are sound in a recorded host, of every table and of every kind of endpoint', () => {
    assert.deepEqual(
      bodies.filter(({ table, body }) => !soundness(table, body)),
      [],
    );
    const kinds = bodies.filter(({ table }) => table === 'endpoints').map(({ body }) => valueAt(body, ['kind']));
    assert.deepEqual([...new Set(kinds)].sort(), [
      'bandwidth',
      'cni',
      'docker',
      'firewall',
      'ports',
      'recalled',
      'tuning',
    ]);
  });

  it('are broken if any address, prefix, MAC or number in them is unusable', () => {
    const accepted: string[] = [];
    let tried = 0;
    for (const { table, body } of bodies) {
      for (const path of leavesOf(body)) {
        const bad = unusable(valueAt(body, path));
        if (bad === undefined) continue;
        tried++;
        if (soundness(table, withValue(body, path, bad))) accepted.push(`${table} ${path.join('.')}`);
      }
    }
    assert.ok(tried > 150, `${tried} values`);
    assert.deepEqual([...new Set(accepted)].sort(), []);
  });

  it('are broken if any value has another type', () => {
    const accepted: string[] = [];
    for (const { table, body } of bodies) {
      for (const path of leavesOf(body)) {
        if (soundness(table, withValue(body, path, { x: [null] }))) accepted.push(`${table} ${path.join('.')}`);
      }
    }
    assert.deepEqual([...new Set(accepted)].sort(), []);
  });
});
