/**
 * A separate process that uses a store: `<what> <stateDir> [<argument>]`. It prints `go` when it begins, then one line
 * for each thing done.
 */
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { allocate } from '../../src/shared/ipam/allocate.ts';
import { release } from '../../src/shared/ipam/leases.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import { pause } from '../../src/shared/runtime/pause.ts';
import { lock } from '../../src/shared/store/locks.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import { range } from '../unit/ipam-support.ts';
import { attachment, endpoint, FIRST_BOOT } from '../unit/store-behaviour.ts';

const [what = '', stateDir = '', argument = ''] = process.argv.slice(2);
const SCOPE = 'pool';
const say = (line: string): void => void writeSync(1, `${line}\n`);
const sets = [[range('10.0.0.0/14')]];

/** One address taken, and an endpoint stored with it, in one transaction. */
function add(store: ReturnType<typeof openSqliteStore>, id: string): string {
  return store.transaction(() => {
    const [given] = allocate(store, { scope: SCOPE, sets, requested: [], owner: attachment(id) });
    store.endpoints.put(endpoint(id));
    return given === undefined ? '' : formatAddr(given.address.addr);
  });
}

/** True if it succeeds; prints its NetError. */
function attempt(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof NetError) say(`error ${error.kind} ${error.message}`);
    return false;
  }
}

say('go');
switch (what) {
  case 'add': {
    // All begin when the file appears, so that they overlap.
    while (!existsSync(argument)) await setTimeout(1);
    using store = openSqliteStore({ stateDir, pause, identity: FIRST_BOOT });
    say(add(store, `p${process.pid}`));
    break;
  }
  case 'churn': {
    using store = openSqliteStore({ stateDir, pause, identity: FIRST_BOOT });
    for (let i = 0; ; i++) {
      const id = `p${process.pid}-${i}`;
      say(`has ${id} ${add(store, id)}`);
      if (i % 3 !== 0) continue;
      say(`frees ${id}`);
      store.transaction(() => {
        release(store, SCOPE, attachment(id));
        store.endpoints.delete(attachment(id), 'interface');
      });
    }
  }
  case 'hold': {
    const held = lock(stateDir, argument, { pause });
    say('held');
    await setTimeout(60_000);
    held[Symbol.dispose]();
    break;
  }
  case 'fill': {
    // Rows until the disk is full; then what is there can still be read, and removed.
    using store = openSqliteStore({ stateDir, pause, identity: FIRST_BOOT });
    let stored = 0;
    try {
      for (; ; stored++) store.endpoints.put(endpoint(`c${stored}`, { sandbox: { path: 'x'.repeat(2000), id: '' } }));
    } catch (error) {
      say(`error ${error instanceof NetError ? `${error.kind} ${error.message}` : String(error)}`);
    }
    say(`stored ${stored} listed ${store.endpoints.list().length}`);
    break;
  }
  case 'descriptors': {
    // Opening takes several descriptors. It fails at each of them in turn, then works.
    using store = openSqliteStore({ stateDir, identity: FIRST_BOOT });
    store.notes.put('a', 'b');
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    renameSync(stateDir, `${stateDir}.away`);
    writeFileSync(stateDir, '');
    attempt(() => store.refresh());
    rmSync(stateDir);
    renameSync(`${stateDir}.away`, stateDir);
    const taken: number[] = [];
    attempt(() => {
      for (;;) taken.push(openSync('/dev/null', 'r'));
    });
    let failures = 0;
    while (!attempt(() => store.notes.get('a'))) {
      failures++;
      closeSync(taken.pop() ?? -1);
    }
    for (const fd of taken) closeSync(fd);
    store.notes.put('a', 'c');
    say(`works after ${failures}`);
    say(open() === before ? 'descriptors kept' : `${before} descriptors before, ${open()} after`);
    break;
  }
  case 'count': {
    for (let i = 0; i < 50; i++) {
      using _ = lock(stateDir, 'counter', { pause });
      writeFileSync(argument, String(Number(readFileSync(argument, 'utf8')) + 1));
    }
    break;
  }
}
