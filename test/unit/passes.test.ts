import { strict as assert } from 'node:assert';
import { basename } from 'node:path';
import {
  goesBothWays,
  ONCE,
  passesOf,
  RUNTIMES,
  recordedTimes,
  runtimePasses,
  SAME_EVERYWHERE,
} from '../../build/passes.ts';
import { testFiles } from '../../build/test-files.ts';

describe('passes of a test run', () => {
  const filesOf = (via: 'alone' | 'daemon', names: readonly string[] = [], only?: string): string[] =>
    passesOf(names, only)
      .filter((pass) => pass.via === via && pass.runtime === undefined)
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

  it('repeat with trixie, stand-alone, a part of what all its passes run', () => {
    const again = passesOf([]).filter(({ runtime }) => runtime !== undefined);
    assert.deepEqual(new Set(again.map(({ via, runtime }) => `${runtime} ${via}`)), new Set(['trixie alone']));
    const files = again.flatMap(({ names }) => names);
    const all = runtimePasses('trixie', [], 'alone').flatMap(({ names }) => names);
    assert.deepEqual(
      files.filter((file) => !all.includes(file)),
      [],
    );
    assert.ok(files.length > 10 && files.length < all.length / 2, `${files.length} of ${all.length}`);
    assert.deepEqual(
      passesOf(['test/e2e/cri.test.ts']).filter(({ runtime }) => runtime !== undefined),
      [],
    );
  });

  for (const runtime of RUNTIMES)
    it(`of ${runtime} run each file once stand-alone, and those of e2e by a daemon too`, () => {
      const passes = runtimePasses(runtime, []);
      const run = (via: string): string[] => passes.filter((pass) => pass.via === via).flatMap(({ names }) => names);
      assert.ok(passes.every((pass) => pass.runtime === runtime && pass.title.startsWith(`${runtime} ${pass.via} `)));
      assert.deepEqual(run('alone').length, new Set(run('alone')).size);
      assert.deepEqual(
        run('daemon').sort(),
        run('alone')
          .filter((file) => /^test\/e2e\//.test(file) && goesBothWays(file))
          .sort(),
      );
      const outside = runtimePasses(runtime, ['test/conformance/crash.test.ts']);
      assert.deepEqual(
        outside.map(({ via, names }) => [via, ...names]),
        [['alone', 'test/conformance/crash.test.ts']],
      );
    });

  it('leave out with other runtimes only existing files', () => {
    const names = testFiles(['test/netns', 'test/e2e']).map((file) => basename(file, '.test.ts'));
    assert.deepEqual(
      Object.keys(SAME_EVERYWHERE).filter((name) => !names.includes(name)),
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
