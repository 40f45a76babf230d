import { strict as assert } from 'node:assert';
import { basename } from 'node:path';
import { goesBothWays, ONCE, passesOf, recordedTimes } from '../../build/passes.ts';
import { testFiles } from '../../build/test-files.ts';

describe('passes of a test run', () => {
  const filesOf = (via: 'alone' | 'daemon', names: readonly string[] = [], only?: string): string[] =>
    passesOf(names, only)
      .filter((pass) => pass.via === via)
      .flatMap((pass) => pass.names);

  it('run every file once stand-alone, and once by a daemon unless it is excepted', () => {
    const all = testFiles([]);
    assert.deepEqual(filesOf('alone').sort(), [...all].sort());
    assert.deepEqual(filesOf('daemon').sort(), all.filter(goesBothWays).sort());
    for (const file of ['test/conformance/bad-input.test.ts', 'test/e2e/podman.test.ts', 'test/e2e/cri.test.ts'])
      assert.ok(filesOf('daemon').includes(file), file);
  });

  it('except only existing files', () => {
    const names = testFiles(['test/conformance', 'test/e2e']).map((file) => basename(file, '.test.ts'));
    assert.deepEqual(
      Object.keys(ONCE).filter((name) => !names.includes(name)),
      [],
    );
  });

  it('are sorted longest first, and short files of one suite share a process', () => {
    const files = ['test/unit/ops.test.ts', 'test/unit/log.test.ts', 'test/netns/host.test.ts', 'test/e2e/ctr.test.ts'];
    const times = {
      'alone test/netns/host.test.ts': 40,
      'alone test/e2e/ctr.test.ts': 3,
      'daemon test/e2e/ctr.test.ts': 9,
    };
    assert.deepEqual(
      passesOf(files, undefined, times).map(({ via, names }) => [via, ...names]),
      [
        ['alone', 'test/netns/host.test.ts'],
        ['daemon', 'test/e2e/ctr.test.ts'],
        ['alone', 'test/e2e/ctr.test.ts'],
        ['alone', 'test/unit/ops.test.ts', 'test/unit/log.test.ts'],
      ],
    );
  });

  it('use recorded times of existing files, in the ways that those run', () => {
    const known = passesOf([]).flatMap(({ via, names }) => names.map((name) => `${via} ${name}`));
    assert.deepEqual(
      Object.keys(recordedTimes()).filter((key) => !known.includes(key)),
      [],
    );
  });

  it('contain only the named files, and only one way on request', () => {
    const names = ['test/unit/passes.test.ts', 'test/e2e/ctr.test.ts'];
    assert.deepEqual(filesOf('alone', names).sort(), [...names].sort());
    assert.deepEqual(filesOf('daemon', names), ['test/e2e/ctr.test.ts']);
    assert.deepEqual(filesOf('daemon', names, 'alone'), []);
    assert.deepEqual(filesOf('alone', names, 'daemon'), []);
  });
});
