import { strict as assert } from 'node:assert';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { catchUp } from '../../src/shared/core/reconcile.ts';
import { hostId } from '../../src/shared/model/attachment.ts';
import { changeCount, countChange } from '../../src/shared/store/changes.ts';
import { MemoryDisk, MemoryStore } from '../../src/shared/testing/memory-store.ts';
import { makeCore, makeFakeHost, type TestCore } from '../support/core.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';
import { FIRST_BOOT, OTHER_HOST } from './store-behaviour.ts';

describe('store: change counter', () => {
  let directory: TempDir;
  beforeEach(() => {
    directory = makeTempDir();
  });
  afterEach(() => directory[Symbol.dispose]());

  it('starts at 0 and is separate for each host', () => {
    const hosts = ['root', 'nested', 'boot:4026531840', ''].map((text) =>
      changeCount(directory.path, { hostId: hostId(text) }),
    );
    assert.deepEqual(
      hosts.map((count) => count.read()),
      [0, 0, 0, 0],
    );
    for (const [i, count] of hosts.entries()) count.write(i + 5);
    assert.deepEqual(
      hosts.map((count) => count.read()),
      [5, 6, 7, 8],
    );
  });

  it("takes the root host's value from a version that had one counter for all hosts", () => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(41);
    writeFileSync(join(directory.path, 'changes'), bytes);
    assert.equal(changeCount(directory.path, FIRST_BOOT).read(), 41);
    assert.equal(changeCount(directory.path, OTHER_HOST).read(), 0);
  });

  it('is 0 if the file is truncated', () => {
    const count = changeCount(directory.path, FIRST_BOOT);
    count.write(5);
    truncateSync(join(directory.path, 'changes'), 4);
    assert.equal(count.read(), 0);
  });

  it('does not make a host rebuild its state when another one on the directory changes', () => {
    const disk = new MemoryDisk();
    const core = (identity: typeof FIRST_BOOT): TestCore => ({
      ...makeCore(makeFakeHost()),
      store: new MemoryStore(identity, disk),
      changes: changeCount(directory.path, identity),
    });
    const [one, other] = [core(FIRST_BOOT), core(OTHER_HOST)];
    catchUp(one);
    catchUp(other);
    for (let i = 0; i < 3; i++) countChange(one);
    other.store.transaction = () => assert.fail('rebuilt');
    catchUp(other);
    one.store.transaction = () => assert.fail('rebuilt');
    catchUp(one);
    one.changes.write(one.changes.read() + 1);
    assert.throws(() => catchUp(one), /rebuilt/);
  });
});
