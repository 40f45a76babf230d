import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { collectGarbage } from '../../src/shared/core/collect-garbage.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import type { LocalStore } from '../../src/shared/store/store.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import {
  add,
  attachmentOf,
  del,
  makeCore,
  makeFakeHost,
  OTHER,
  pool,
  recordsOf,
  type TestCore,
} from '../support/core.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

describe('core: an endpoint with a broken row', () => {
  let directory: TempDir;
  let host: FakeHost;
  let store: LocalStore;
  let core: TestCore;
  const broken = { id: 'a' };
  const sound = { id: 'b', netns: OTHER };
  const claim = { protocol: 'tcp', hostPort: 8080, owner: attachmentOf(broken) } as const;

  beforeEach(async () => {
    directory = makeTempDir();
    host = makeFakeHost();
    store = openSqliteStore({ stateDir: directory.path, identity: host.identity });
    core = { ...makeCore(host), store };
    await add(core, broken);
    await add(core, sound);
    store.ports.take(claim);
    const db = new DatabaseSync(join(directory.path, 'state.db'));
    db.exec(`UPDATE endpoints SET body = '{' WHERE container = 'a'`);
    db.close();
  });
  afterEach(() => {
    store[Symbol.dispose]();
    directory[Symbol.dispose]();
  });

  const assertOnlySound = (): void => {
    assert.deepEqual(recordsOf(core), { networks: ['web'], endpoints: ['cni web b eth0'], leases: 2 });
    assert.deepEqual([store.endpoints.broken(), store.ports.list()], [[], []]);
  };

  it('can be deleted, with its interface, addresses and ports', async () => {
    const before = makeFakeHost();
    assert.deepEqual(await del(core, broken), []);
    assertOnlySound();
    assert.deepEqual(await del(core, sound), []);
    assert.equal(host.toString(), before.toString());
  });

  it('is collected unless its attachment is alive', async () => {
    const keep = [attachmentOf(sound), attachmentOf(broken)];
    const request = { camp: 'cni', network: 'web', source: pool(sound, host.identity), interfaces: true } as const;
    assert.deepEqual(await collectGarbage(core, { ...request, keep }), []);
    assert.equal(store.endpoints.broken().length, 1);
    assert.deepEqual(await collectGarbage(core, { ...request, keep: [attachmentOf(sound)] }), []);
    assertOnlySound();
    assert.match(core.logged.join(), /record\.broken .*"container":"a"/);
  });

  it('can be added again', async () => {
    assert.deepEqual(await del(core, broken), []);
    await add(core, broken);
    assert.deepEqual(store.endpoints.broken(), []);
  });

  it('does not affect other endpoints', async () => {
    assert.deepEqual(await del(core, sound), []);
    await add(core, sound);
    assert.deepEqual(
      store.endpoints.list().map(({ attachment }) => attachment.containerId),
      ['b'],
    );
  });
});
