import { type Addr, formatAddr } from '../model/addr.ts';
import type { Attachment, Camp } from '../model/attachment.ts';
import { given } from '../model/given.ts';
import { type Context, textOf } from './sqlite-context.ts';
import type { SqliteFile, SqlRow } from './sqlite-file.ts';
import type { Lease, LeaseTable, Run } from './store.ts';
import { addressKey, addressOfKey, leaseLost, leaseTaken, neighbour } from './taken.ts';

const COLUMNS = 'scope, address, camp, network, container, interface, source, requested_at';

/** A row of `runs`. */
interface RunRow {
  readonly first: string;
  readonly last: string;
  readonly length: number;
}

/** `leases`, and `runs`, which every lease and release keeps maximal with at most three row changes. */
export class SqliteLeases implements LeaseTable {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  runAt(scope: string, address: Addr): Run | undefined {
    return this.#context.read((file, boot) => {
      const run = runOf(file, boot(), scope, addressKey(address));
      return run && { first: addressOfKey(run.first), last: addressOfKey(run.last) };
    });
  }

  at(scope: string, address: Addr): Lease | undefined {
    return this.#context.read((file, boot) => leaseAt(file, boot(), scope, addressKey(address)));
  }

  any(scope: string): boolean {
    const sql = 'SELECT 1 FROM leases WHERE boot = ? AND scope = ? LIMIT 1';
    return this.#context.read((file, boot) => file.get(sql, boot(), scope) !== undefined);
  }

  take(lease: Lease): void {
    const { scope, address, owner, source, requestedAt = null } = lease;
    const { camp, network, containerId, ifName } = owner;
    this.#context.write((file, boot) => {
      const number = boot();
      const sql = `INSERT INTO leases (boot, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`;
      const key = addressKey(address);
      if (file.run(sql, number, scope, key, camp, network, containerId, ifName, source, requestedAt) === 0)
        throw leaseTaken(lease, holderOf(file, number, scope, key));
      joinRuns(file, number, scope, address);
    });
  }

  list(scope: string, owner?: Attachment): Lease[] {
    const all = `SELECT ${COLUMNS} FROM leases WHERE boot = ? AND scope = ? ORDER BY address`;
    // For the order alone SQLite would read every row of the scope.
    const mine = `SELECT ${COLUMNS} FROM leases INDEXED BY leases_by_owner WHERE boot = ? AND scope = ?
      AND container = ? AND interface = ? AND network = ? AND camp = ? ORDER BY address`;
    return this.#context.read((file, boot) => {
      if (owner === undefined) return file.all(all, boot(), scope).map(leaseOf);
      const { camp, network, containerId, ifName } = owner;
      return file.all(mine, boot(), scope, containerId, ifName, network, camp).map(leaseOf);
    });
  }

  reassign(scope: string, address: Addr, from: Attachment, to: Pick<Lease, 'owner' | 'requestedAt'>): void {
    const sql = `UPDATE leases SET camp = ?, network = ?, container = ?, interface = ?, requested_at = ?
      WHERE boot = ? AND scope = ? AND address = ? AND camp = ? AND network = ? AND container = ? AND interface = ?`;
    const words = ({ camp, network, containerId, ifName }: Attachment): string[] => [
      camp,
      network,
      containerId,
      ifName,
    ];
    this.#context.write((file, boot) => {
      const number = boot();
      const key = addressKey(address);
      if (file.run(sql, ...words(to.owner), to.requestedAt ?? null, number, scope, key, ...words(from)) > 0) return;
      throw leaseLost(scope, address, leaseAt(file, number, scope, key));
    });
  }

  release(scope: string, address: Addr): void {
    this.#context.write((file, boot) => {
      const number = boot();
      const sql = 'DELETE FROM leases WHERE boot = ? AND scope = ? AND address = ?';
      if (file.run(sql, number, scope, addressKey(address)) > 0) splitRun(file, number, scope, address);
    });
  }

  count(scope: string, first: Addr, last: Addr): number {
    const [low, high] = [addressKey(first), addressKey(last)];
    if (low > high) return 0;
    return this.#context.read((file, boot) => {
      const number = boot();
      const sql = 'SELECT total(length) AS sum FROM runs WHERE boot = ? AND scope = ? AND first BETWEEN ? AND ?';
      const begun = Number(file.get(sql, number, scope, low, high)?.sum);
      const across = runOf(file, number, scope, low);
      const before = across !== undefined && across.first < low ? across : undefined;
      const end = runOf(file, number, scope, high);
      // The first run may begin before the interval, and the last one end after it. They may be the same run.
      const head = before === undefined ? 0 : distance(low, before.last) + 1;
      const tail = end === undefined ? 0 : distance(high, end.last);
      return begun + head - tail;
    });
  }
}

function runOf(file: SqliteFile, boot: number, scope: string, key: string): RunRow | undefined {
  const sql = `SELECT first, last, length FROM runs WHERE boot = ? AND scope = ? AND first <= ?
    ORDER BY first DESC LIMIT 1`;
  const row = file.get(sql, boot, scope, key);
  if (row === undefined || textOf(row.last) < key) return undefined;
  return { first: textOf(row.first), last: textOf(row.last), length: Number(row.length) };
}

/** Joins a newly leased `address` with the runs on both sides of it. */
function joinRuns(file: SqliteFile, boot: number, scope: string, address: Addr): void {
  const key = addressKey(address);
  const left = beside(file, boot, scope, neighbour(address, -1n));
  const right = beside(file, boot, scope, neighbour(address, 1n));
  const length = (left?.length ?? 0) + 1 + (right?.length ?? 0);
  const last = right?.last ?? key;
  if (right !== undefined) deleteRun(file, boot, scope, right.first);
  if (left === undefined) insertRun(file, boot, scope, { first: key, last, length });
  else resizeRun(file, boot, scope, { first: left.first, last, length });
}

/** Splits the run of a newly released `address` into the parts on both sides of it. */
function splitRun(file: SqliteFile, boot: number, scope: string, address: Addr): void {
  const key = addressKey(address);
  const run = runOf(file, boot, scope, key);
  const [before, after] = [neighbour(address, -1n), neighbour(address, 1n)];
  if (run === undefined) return;
  const left = distance(run.first, key);
  const right = distance(key, run.last);
  if (left === 0 || before === undefined) deleteRun(file, boot, scope, run.first);
  else resizeRun(file, boot, scope, { first: run.first, last: addressKey(before), length: left });
  if (right > 0 && after !== undefined)
    insertRun(file, boot, scope, { first: addressKey(after), last: run.last, length: right });
}

function beside(file: SqliteFile, boot: number, scope: string, address: Addr | undefined): RunRow | undefined {
  return address && runOf(file, boot, scope, addressKey(address));
}

function insertRun(file: SqliteFile, boot: number, scope: string, { first, last, length }: RunRow): void {
  const sql = 'INSERT INTO runs (boot, scope, first, last, length) VALUES (?, ?, ?, ?, ?)';
  file.run(sql, boot, scope, first, last, length);
}

function resizeRun(file: SqliteFile, boot: number, scope: string, { first, last, length }: RunRow): void {
  const sql = 'UPDATE runs SET last = ?, length = ? WHERE boot = ? AND scope = ? AND first = ?';
  file.run(sql, last, length, boot, scope, first);
}

function deleteRun(file: SqliteFile, boot: number, scope: string, first: string): void {
  file.run('DELETE FROM runs WHERE boot = ? AND scope = ? AND first = ?', boot, scope, first);
}

/** The number of addresses from one key to a higher one. Within a run, that is at most the number of leases. */
function distance(from: string, to: string): number {
  return Number(addressOfKey(to).value - addressOfKey(from).value);
}

function leaseAt(file: SqliteFile, boot: number, scope: string, key: string): Lease | undefined {
  const sql = `SELECT ${COLUMNS} FROM leases WHERE boot = ? AND scope = ? AND address = ?`;
  const row = file.get(sql, boot, scope, key);
  return row === undefined ? undefined : leaseOf(row);
}

/** The existing lease of the address. */
function holderOf(file: SqliteFile, boot: number, scope: string, key: string): Lease {
  const lease = leaseAt(file, boot, scope, key);
  if (lease === undefined) throw new Error(`lease of ${formatAddr(addressOfKey(key))} is there and is not`);
  return lease;
}

function leaseOf(row: SqlRow): Lease {
  const camp: Camp = row.camp === 'cnm' ? 'cnm' : 'cni';
  const owner = {
    camp,
    network: textOf(row.network),
    containerId: textOf(row.container),
    ifName: textOf(row.interface),
  };
  const source = row.source === 'file' ? 'file' : 'store';
  const requestedAt = row.requested_at === null ? undefined : Number(row.requested_at);
  const address = addressOfKey(textOf(row.address));
  return { scope: textOf(row.scope), address, owner, source, ...given({ requestedAt }) };
}
