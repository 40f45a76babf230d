import { strict as assert } from 'node:assert';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { formatAddr } from '../../src/shared/model/addr.ts';
import { pause } from '../../src/shared/runtime/pause.ts';
import { LockQueue, lock } from '../../src/shared/store/locks.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import { type Child, startChild } from '../support/children.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';
import { FIRST_BOOT, ofKind } from './store-behaviour.ts';

const SCRIPT = 'store-child.ts';

describe('store: many processes', () => {
  let directory: TempDir;
  let stateDir: string;
  const children: Child[] = [];
  const start = (...args: string[]): Child => {
    const child = startChild(SCRIPT, ...args);
    children.push(child);
    return child;
  };
  beforeEach(() => {
    directory = makeTempDir();
    stateDir = join(directory.path, 'state');
  });
  afterEach(async () => {
    for (const child of children) child[Symbol.dispose]();
    await Promise.all(children.splice(0).map((child) => child.end));
    directory[Symbol.dispose]();
  });

  it('lets 50 processes open a new store, each with an address of its own', async function () {
    this.timeout(60_000);
    const gate = join(directory.path, 'gate');
    const all = Array.from({ length: 50 }, () => start('add', stateDir, gate));
    await Promise.all(all.map((child) => child.line(/^go/)));
    writeFileSync(gate, '');
    const ends = await Promise.all(all.map((child) => child.end));
    assert.deepEqual(
      ends.filter((code) => code !== 0),
      [],
    );
    const given = all.map((child) => child.lines[1]);
    assert.equal(new Set(given).size, 50);
    assertConsistent(stateDir);
    using store = openSqliteStore({ stateDir, identity: FIRST_BOOT });
    assert.equal(store.leases.list('pool').length, 50);
    assert.deepEqual(leftovers(stateDir), []);
  });

  it('gives no address twice and stays consistent while its processes are killed', async function () {
    this.timeout(60_000);
    const killed: Child[] = [];
    for (let round = 0; round < 5; round++) {
      const some = Array.from({ length: 4 }, () => start('churn', stateDir));
      await Promise.all(some.map((child) => child.line(/^has/)));
      for (const child of some) {
        await setTimeout(Math.random() * 25);
        child.process.kill('SIGKILL');
      }
      await Promise.all(some.map((child) => child.end));
      killed.push(...some);
      assertConsistent(stateDir);
    }
    using store = openSqliteStore({ stateDir, identity: FIRST_BOOT });
    const holders = new Map(
      store.leases.list('pool').map(({ address, owner }) => [formatAddr(address), owner.containerId]),
    );
    const lines = killed.flatMap((child) => child.lines);
    const freed = new Set(lines.filter((line) => line.startsWith('frees')).map((line) => line.split(' ')[1]));
    const said = lines.filter((line) => line.startsWith('has')).map((line) => line.split(' '));
    assert.ok(said.length > 100, `${said.length} addresses were given`);
    for (const [, id, address = ''] of said) if (!freed.has(id)) assert.equal(holders.get(address), id);
    assert.deepEqual(
      new Set(store.endpoints.list().map((row) => row.attachment.containerId)),
      new Set(holders.values()),
    );
  });

  it('runs one lock holder at a time, across processes', async function () {
    this.timeout(60_000);
    mkdirSync(stateDir);
    const counter = join(directory.path, 'counter');
    writeFileSync(counter, '0');
    const all = Array.from({ length: 4 }, () => start('count', stateDir, counter));
    assert.deepEqual(await Promise.all(all.map((child) => child.end)), [0, 0, 0, 0]);
    assert.equal(readFileSync(counter, 'utf8'), '200');
  });

  it('names the lock holder on timeout, and acquires the lock when the holder is killed', async function () {
    this.timeout(30_000);
    mkdirSync(stateDir);
    const child = start('hold', stateDir, 'network web');
    await child.line(/^held/);
    assert.throws(() => lock(stateDir, 'network web', { waitMs: 30, pause }), ofKind('busy', /network web: .* 30 ms/));
    lock(stateDir, 'network db', { waitMs: 0 })[Symbol.dispose]();
    child.process.kill('SIGKILL');
    lock(stateDir, 'network web', { waitMs: 10_000, pause })[Symbol.dispose]();
    await child.end;
  });

  it('is busy at once if the thread must not wait for the process that creates the file', () => {
    mkdirSync(stateDir);
    const held = lock(stateDir, 'state.db');
    assert.throws(() => openSqliteStore({ stateDir, identity: FIRST_BOOT }), ofKind('busy', /state\.db/));
    using store = openSqliteStore({ stateDir, identity: FIRST_BOOT, pause: () => held[Symbol.dispose]() });
    assert.deepEqual(store.endpoints.list(), []);
  });

  it('locks out other callers of the same process', () => {
    mkdirSync(stateDir);
    const held = lock(stateDir, 'a');
    assert.throws(() => lock(stateDir, 'a', { waitMs: 0 }), ofKind('busy'));
    held[Symbol.dispose]();
    held[Symbol.dispose]();
    lock(stateDir, 'a', { waitMs: 0 })[Symbol.dispose]();
    rmSync(stateDir, { recursive: true });
    assert.throws(() => lock(stateDir, 'a'), ofKind('state', /locks/));
  });

  it('locks without blocking, in the order of the callers of one process', async () => {
    mkdirSync(stateDir);
    const queue = new LockQueue(stateDir, { waitMs: 5000 });
    const order: number[] = [];
    const first = await queue.lock('a');
    const others = [1, 2, 3].map(async (i) => {
      using _held = await queue.lock('a');
      order.push(i);
      assert.throws(() => lock(stateDir, 'a', { waitMs: 0 }), ofKind('busy'));
      await setTimeout(1);
    });
    (await queue.lock('b'))[Symbol.dispose]();
    assert.deepEqual(order, []);
    first[Symbol.dispose]();
    await Promise.all(others);
    assert.deepEqual(order, [1, 2, 3]);
    lock(stateDir, 'a', { waitMs: 0 })[Symbol.dispose]();
  });

  it('drops a caller that timed out from the queue', async () => {
    mkdirSync(stateDir);
    const queue = new LockQueue(stateDir, { waitMs: 50 });
    const held = lock(stateDir, 'a');
    await assert.rejects(queue.lock('a'), ofKind('busy', /lock a: /));
    held[Symbol.dispose]();
    const mine = await queue.lock('a');
    const late = queue.lock('a');
    await assert.rejects(late, ofKind('busy'));
    const next = queue.lock('a');
    mine[Symbol.dispose]();
    (await next)[Symbol.dispose]();
  });

  it('locks after another process releases, and other work continues meanwhile', async function () {
    this.timeout(30_000);
    mkdirSync(stateDir);
    const child = start('hold', stateDir, 'network web');
    await child.line(/^held/);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    try {
      const waiting = new LockQueue(stateDir).lock('network web');
      await setTimeout(50);
      child.process.kill('SIGKILL');
      (await waiting)[Symbol.dispose]();
      assert.ok(turns > 0);
    } finally {
      clearInterval(timer);
    }
    await child.end;
  });
});

/** Checks that SQLite finds the file valid, and that `runs` agrees with `leases`. */
function assertConsistent(stateDir: string): void {
  const db = new DatabaseSync(join(stateDir, 'state.db'), { timeout: 10_000 });
  try {
    assert.equal(db.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok');
    const leases = db.prepare('SELECT address FROM leases ORDER BY address').all();
    const values = leases.map(({ address }) => Number.parseInt(String(address).slice(1), 16));
    const expected: [number, number][] = [];
    for (const value of values) {
      const last = expected.at(-1);
      if (last !== undefined && last[1] === value - 1) last[1] = value;
      else expected.push([value, value]);
    }
    const runs = db.prepare('SELECT first, last, length FROM runs ORDER BY first').all();
    const found = runs.map(({ first, last }) => [first, last].map((key) => Number.parseInt(String(key).slice(1), 16)));
    assert.deepEqual(found, expected);
    assert.deepEqual(
      runs.map(({ length }) => length),
      expected.map(([first, last]) => last - first + 1),
    );
  } finally {
    db.close();
  }
}

function leftovers(stateDir: string): string[] {
  return ['state.db.new', 'state.db.new-wal', 'state.db.new-shm'].filter((name) => existsSync(join(stateDir, name)));
}
