import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { prefixOf } from '../support/addresses.ts';
import { type Child, startChild } from '../support/children.ts';
import { makeCore, scopeOf } from '../support/core.ts';
import { makeTempDir } from '../support/temp.ts';
import { PoolLab } from './pools-support.ts';
import { network } from './store-behaviour.ts';

describe('core: pools requested by several processes at once', () => {
  const children: Child[] = [];
  afterEach(async () => {
    for (const child of children) child[Symbol.dispose]();
    await Promise.all(children.splice(0).map((child) => child.end));
  });

  it('never overlap, nor do the addresses of containers and pods in one of them', async function () {
    this.timeout(60_000);
    using directory = makeTempDir();
    const gate = join(directory.path, 'gate');
    const core = makeCore(new FakeHost());
    using store = openSqliteStore({ stateDir: directory.path, identity: core.host.identity });
    const spec = {
      options: { driver: 'null' as const },
      ranges: [[{ subnet: prefixOf('10.88.0.0/24') }]],
      routes: [],
      scope: scopeOf(),
    };
    store.networks.put(network('web', { spec }));
    const lab = new PoolLab({ ...core, store });
    const pool = lab.shared();
    for (const what of ['docker', 'pod', 'docker', 'pod'])
      children.push(startChild('pool-child.ts', what, directory.path, gate, pool.id));
    await Promise.all(children.map((child) => child.line(/^ready/)));
    writeFileSync(gate, '');
    assert.deepEqual(await Promise.all(children.map((child) => child.end)), [0, 0, 0, 0]);
    const said = (word: string): string[] =>
      children.flatMap(({ lines }) => lines).filter((line) => line.startsWith(word));
    assert.deepEqual([said('address').length, new Set(said('address')).size], [120, 120]);
    assert.deepEqual([said('pool').length, new Set(said('pool')).size], [10, 10]);
    const holders = store.leases.list(pool.scope).map(({ owner }) => owner.camp);
    assert.deepEqual(holders.toSorted(), [...Array(60).fill('cni'), ...Array(60).fill('cnm')]);
    assert.ok(!lab.leased(pool).some((line) => line.endsWith('requested')));
  });
});
