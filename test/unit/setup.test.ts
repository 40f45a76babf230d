import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTempDir } from '../support/temp.ts';

const ROOT = join(import.meta.dirname, '../..');
const MANIFEST = join(ROOT, 'package.json');
const SETUP = join(ROOT, 'build/setup.mjs');
/** Debian 12's. */
const OLDEST = join(ROOT, 'test/oldest-node/node_modules/.bin/node');

interface Outcome {
  readonly status: number | null;
  readonly stderr: string;
}

/**
 * Runs the set-up on a machine whose PATH has only the given programs, as shell scripts; `wrapper` is a command that
 * runs it, with Node and its options.
 */
function setUp(
  target: string,
  programs: Readonly<Record<string, string>>,
  wrapper: readonly string[] = [process.execPath],
): Outcome {
  using temp = makeTempDir();
  writeTools(temp.path, programs);
  const [command = '', ...args] = [...wrapper, SETUP, target];
  return spawnSync(command, args, { env: { PATH: temp.path }, encoding: 'utf8' });
}

function writeTools(directory: string, programs: Readonly<Record<string, string>>): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, script] of Object.entries(programs))
    writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/** Returns a new directory with what the set-up reads of a clone. */
function makeClone(parent: string): string {
  const clone = join(parent, 'clone');
  for (const name of ['src', 'cmd', 'build', 'test/oldest-node']) mkdirSync(join(clone, name), { recursive: true });
  const manifests = ['', 'test/oldest-node/'].flatMap((name) => [`${name}package.json`, `${name}package-lock.json`]);
  for (const file of ['build/setup.mjs', 'build/packages.mjs', ...manifests])
    copyFileSync(join(ROOT, file), join(clone, file));
  return clone;
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
      process.execPath,
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

  describe('with the Node of Debian 12', () => {
    it('is that Node', () => {
      const { stdout } = spawnSync(OLDEST, ['--version'], { encoding: 'utf8' });
      assert.equal(stdout, 'v18.13.0\n');
    });

    it('finds everything installed', () => {
      const { status, stderr } = setUp('modules', {}, [OLDEST]);
      assert.deepEqual([status, stderr], [0, '']);
    });

    for (const target of ['demo', 'test', 'docker-plugin', 'compilers', 'build'])
      it(`sets up a clone for ${target}, and builds it with the Node that it has installed`, () => {
        using temp = makeTempDir();
        const clone = makeClone(temp.path);
        const [tools, log] = [join(temp.path, 'tools'), join(temp.path, 'log')];
        writeTools(tools, {
          'dpkg-query': 'shift 3; for name; do echo "$name installed"; done',
          sh: `echo "sh \${1#${clone}/}" >>${log}`,
          npm: `echo "npm $1 in $PWD" >>${log}; /bin/ln -s ${ROOT}\${PWD#${clone}}/node_modules`,
        });
        const build = `import { appendFileSync } from 'node:fs';
appendFileSync('${log}', \`build by \${process.version}\\n\`);`;
        writeFileSync(join(clone, 'build/build.ts'), build);
        const { status, stderr } = spawnSync(OLDEST, [join(clone, 'build/setup.mjs'), target], {
          env: { PATH: tools },
          encoding: 'utf8',
        });
        assert.deepEqual([status, stderr], [0, '']);
        assert.deepEqual(readFileSync(log, 'utf8').trim().split('\n'), [
          ...(target === 'test' ? ['sh test/support/sdk-plugin/build.sh'] : []),
          `npm ci in ${clone}`,
          ...(target === 'test' ? [`npm ci in ${clone}/test/oldest-node`] : []),
          ...(target === 'compilers' ? [] : [`build by ${process.version}`]),
        ]);
      });
  });

  it('stops on an older Node before it reads anything, and says what it needs', () => {
    const older = "data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'16.20.2'}})";
    const { status, stderr } = setUp('demo', {}, [process.execPath, `--import=${older}`]);
    assert.deepEqual(
      [status, stderr],
      [1, `set-up: needs Node 18 or later to begin with, this is ${process.version}\n`],
    );
  });

  it('rejects an unknown target', () => {
    const { status, stderr } = setUp('tset', {});
    assert.equal(status, 1);
    assert.match(stderr, /no target tset\. Targets: build, demo, test/);
  });
});
