import { strict as assert } from 'node:assert';
import { basename } from 'node:path';
import { goesBothWays, ONCE, passesOf } from '../../build/passes.ts';
import { testFiles } from '../../build/test-files.ts';

describe('the passes of a test run', () => {
  const filesOf = (via: 'alone' | 'daemon', names: readonly string[] = [], only?: string): string[] =>
    passesOf(names, only)
      .filter((pass) => pass.via === via)
      .flatMap((pass) => pass.names);

  it('run every file once stand-alone, and by a daemon what is not excepted', () => {
    const all = testFiles([]);
    assert.deepEqual(filesOf('alone').sort(), [...all].sort());
    assert.deepEqual(filesOf('daemon').sort(), all.filter(goesBothWays).sort());
    for (const file of ['test/conformance/bad-input.test.ts', 'test/e2e/podman.test.ts', 'test/e2e/cri.test.ts'])
      assert.ok(filesOf('daemon').includes(file), file);
  });

  it('except only files that there are', () => {
    const names = testFiles(['test/conformance', 'test/e2e']).map((file) => basename(file, '.test.ts'));
    assert.deepEqual(
      Object.keys(ONCE).filter((name) => !names.includes(name)),
      [],
    );
  });

  it('are of the files that are named, and of one way where it is asked for', () => {
    const names = ['test/unit/passes.test.ts', 'test/e2e/ctr.test.ts'];
    assert.deepEqual(filesOf('alone', names).sort(), [...names].sort());
    assert.deepEqual(filesOf('daemon', names), ['test/e2e/ctr.test.ts']);
    assert.deepEqual(filesOf('daemon', names, 'alone'), []);
    assert.deepEqual(filesOf('alone', names, 'daemon'), []);
  });
});
