import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTempDir } from '../support/temp.ts';

const MANIFEST = join(import.meta.dirname, '../../package.json');
const SETUP = join(import.meta.dirname, '../../build/setup.mjs');

interface Outcome {
  readonly status: number | null;
  readonly stderr: string;
}

/**
 * Runs the set-up on a machine whose PATH has only the given programs, as shell scripts; `wrapper` is a command that
 * runs it.
 */
function setUp(target: string, programs: Readonly<Record<string, string>>, wrapper: readonly string[] = []): Outcome {
  using temp = makeTempDir();
  for (const [name, script] of Object.entries(programs))
    writeFileSync(join(temp.path, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const [command = '', ...args] = [...wrapper, process.execPath, SETUP, target];
  return spawnSync(command, args, { env: { PATH: temp.path }, encoding: 'utf8' });
}

describe('set-up', () => {
  it('lists what it needs on another distribution, and stops', () => {
    const { status, stderr } = setUp('demo', {});
    assert.equal(status, 1);
    assert.match(stderr, /not Debian .*iproute2 .*libnftables1 .*binutils/);
    assert.doesNotMatch(stderr, /podman/);
  });

  it('reports what is missing without root, and stops', () => {
    // The user namespace makes the process nobody, yet it can read the tree anywhere.
    // The output of dpkg-query on a machine with a single package.
    const { status, stderr } = setUp('test', { 'dpkg-query': 'echo "iproute2 installed"; exit 1' }, [
      '/usr/bin/unshare',
      '-U',
    ]);
    assert.equal(status, 1);
    assert.match(stderr, /not root, and missing: .*podman.*Run: apt-get install/);
    assert.doesNotMatch(stderr, /iproute2/);
  });

  it('needs no distribution packages for npm-only targets', () => {
    const { status, stderr } = setUp('modules', {});
    assert.deepEqual([status, stderr], [0, '']);
  });

  it('runs first in every npm script, with an existing target', () => {
    const { scripts }: { scripts: Record<string, string> } = JSON.parse(readFileSync(MANIFEST, 'utf8'));
    const [, targets = ''] = /Targets: (.*)/.exec(setUp('none', {}).stderr) ?? [];
    for (const [name, script] of Object.entries(scripts)) {
      const [, target = 'build'] = /^node build\/setup\.mjs(?: (\S+))?(?: && |$)/.exec(script) ?? ['', `of ${name}`];
      assert.ok(targets.split(', ').includes(target), `${name}: ${script}`);
    }
  });

  it('rejects an unknown target', () => {
    const { status, stderr } = setUp('tset', {});
    assert.equal(status, 1);
    assert.match(stderr, /no target tset\. Targets: build, demo, test/);
  });
});
