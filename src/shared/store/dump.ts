import { join } from 'node:path';
import { formatAddr } from '../model/addr.ts';
import { isObject, parseJson } from '../model/json.ts';
import type { SqlRow } from './sqlite-file.ts';
import { assertFile } from './state-dir.ts';
import { addressOfKey } from './taken.ts';

/** One row of a table: text that is JSON as its value, addresses as people write them. */
export type DumpedRow = Readonly<Record<string, unknown>>;

/** Every table of the state by name, and its version. */
export interface Dump {
  readonly schema: number;
  readonly tables: Readonly<Record<string, readonly DumpedRow[]>>;
}

/** Columns that hold an address as a sortable key. */
const ADDRESSES: Readonly<Record<string, readonly string[]>> = { leases: ['address'], runs: ['first', 'last'] };
/** The address or range at the end of a cluster's key, `a/<network>/0a640205`. */
const HEX = /(?<=\/)([0-9a-f]{8}|[0-9a-f]{32})(?=(?:-\d+)?$)/;
/** Milliseconds to wait for another process's transaction. */
const WAIT_MS = 5000;

/**
 * Reads all rows of the state, of whatever version, in one transaction. Neither repairs nor migrates nor creates
 * anything: what is broken can be looked at. Throws node:sqlite's errors,
 * and Error for what is no file.
 */
export function dumpState(stateDir: string): Dump {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const path = join(stateDir, 'state.db');
  assertFile(path);
  using db = new DatabaseSync(path, { readOnly: true, timeout: WAIT_MS });
  db.exec('BEGIN');
  const schema = Number(db.prepare('PRAGMA user_version').get()?.user_version);
  const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
  const tables = names.map(({ name }) => {
    const table = String(name);
    const rows = db.prepare(`SELECT * FROM "${table.replaceAll('"', '""')}"`).all();
    return [table, rows.map((row) => readable(row, ADDRESSES[table] ?? []))] as const;
  });
  return { schema, tables: Object.fromEntries(tables) };
}

function readable(row: SqlRow, addresses: readonly string[]): DumpedRow {
  const cells = Object.entries(row).map(([column, value]) => {
    if (typeof value === 'bigint') return [column, String(value)];
    if (value instanceof Uint8Array) return [column, Buffer.from(value).toString('hex')];
    if (typeof value !== 'string') return [column, value];
    if (addresses.includes(column)) return [column, addressText(value)];
    return [
      column,
      column === 'key' ? value.replace(HEX, (_, hex: string) => addressText(`${familyOf(hex)}${hex}`)) : parsed(value),
    ];
  });
  return Object.fromEntries(cells);
}

function familyOf(hex: string): 4 | 6 {
  return hex.length === 8 ? 4 : 6;
}

function addressText(key: string): string {
  return /^(?:4[0-9a-f]{8}|6[0-9a-f]{32})$/.test(key) ? formatAddr(addressOfKey(key)) : key;
}

/** The object that the text is, or the text. */
function parsed(text: string): unknown {
  if (!text.startsWith('{')) return text;
  try {
    const value: unknown = parseJson(text);
    return isObject(value) ? value : text;
  } catch {
    return text;
  }
}
