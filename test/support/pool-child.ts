/**
 * A separate process that requests pools and addresses: `docker|pod <stateDir> <gate> <pool id>`. It prints `ready`,
 * waits for the file `gate`, then prints `pool <subnet>` or `address <address>` for each allocation.
 */
import { existsSync, writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { pause } from '../../src/shared/runtime/pause.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { range } from '../unit/ipam-support.ts';
import { PoolLab, poolsOn } from '../unit/pools-support.ts';
import { makeCore } from './core.ts';

const ADDRESSES = 30;
const POOLS = 5;

const [what = '', stateDir = '', gate = '', pool = ''] = process.argv.slice(2);
const say = (line: string): void => void writeSync(1, `${line}\n`);
const core = makeCore(new FakeHost());
using store = openSqliteStore({ stateDir, pause, identity: core.host.identity });
const lab = new PoolLab({ ...core, store });
const row = store.pools.get(pool);
if (row === undefined) throw new Error(`there is no pool ${pool}`);
say('ready');
while (!existsSync(gate)) await setTimeout(1);
for (let i = 0; i < ADDRESSES; i++) {
  const id = `${what}${process.pid}-${i}`;
  if (what === 'pod') {
    say(`address ${lab.pod(id, [[range(row.subnet)]])}`);
    continue;
  }
  if (i < POOLS) say(`pool ${poolsOn(lab.core).ask().subnet}`);
  const address = lab.ask(row);
  lab.claim(row, address.replace(/\/.*/, ''), id);
  say(`address ${address}`);
}
