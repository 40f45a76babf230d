import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMPILE_CACHE } from '../support/compile-cache.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const SOURCES = join(import.meta.dirname, '../../cmd/cnm-shim');
const MAIN = join(SOURCES, 'main.ts');

describe('what a verb prints', () => {
  let directory: TempDir;
  beforeEach(() => {
    directory = makeTempDir();
  });
  afterEach(() => directory[Symbol.dispose]());

  function onFullDisk(...args: readonly string[]) {
    const full = openSync('/dev/full', 'w');
    try {
      const { status, stderr } = spawnSync(process.execPath, ['--no-warnings', MAIN, ...args], {
        env: {
          PATH: process.env.PATH ?? '',
          ISTHMUS_STATE_DIR: join(directory.path, 'state'),
          ISTHMUS_RUN_DIR: directory.path,
          ...COMPILE_CACHE,
        },
        encoding: 'utf8',
        stdio: ['ignore', full, 'pipe'],
      });
      return { status, stderr };
    } finally {
      closeSync(full);
    }
  }

  for (const args of [
    'schema conflist',
    'version',
    'version -o json',
    'completion bash',
    '--help',
    'explain --help',
    'help exit-codes',
    'validate netconf-examples/bridge-l2.conflist',
    'explain netconf-examples/bridge-l2.conflist',
    'explain -o json netconf-examples/bridge-l2.conflist',
    'status',
    'status -o json',
  ])
    it(`and has not arrived is a failure: ${args}`, () => {
      const { status, stderr } = onFullDisk(...args.split(' '));
      assert.equal(
        stderr,
        'isthmus: output stdout: it cannot be written: what it has is incomplete (ENOSPC: no space left on device, ' +
          'write). Free some space\n',
      );
      assert.equal(status, 1);
    });

  it('goes through one function, which takes note of a failure', () => {
    const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    assert.ok(files.length > 50);
    const others = files.filter((name) => {
      if (name === 'cli/stdout.ts' || name.startsWith('topology/page/')) return false;
      return /console\.log\(|process\.stdout\.write\(|writeAll\(\s*(?:STDOUT|1)\b/.test(
        readFileSync(join(SOURCES, name), 'utf8'),
      );
    });
    assert.deepEqual(others, []);
  });
});
