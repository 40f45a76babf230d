import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { COMPILE_CACHE } from '../support/compile-cache.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const MAIN = join(import.meta.dirname, '../../cmd/cnm-shim/main.ts');

describe('isthmus', () => {
  let directory: TempDir;
  beforeEach(() => {
    directory = makeTempDir();
  });
  afterEach(() => directory[Symbol.dispose]());

  function run(args: readonly string[], env: Readonly<Record<string, string>> = {}, prefix: readonly string[] = []) {
    const [file = '', ...rest] = [...prefix, process.execPath, '--no-warnings', MAIN, ...args];
    const { status, stdout, stderr } = spawnSync(file, rest, {
      env: { PATH: process.env.PATH ?? '', ...COMPILE_CACHE, ...env },
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  }

  for (const args of [['version'], ['--version']])
    it(`${args} prints the version`, () => {
      assert.deepEqual(run(args), { status: 0, stdout: `${manifest.version}\n`, stderr: '' });
    });

  it('version --licenses says that only a built executable has them', () => {
    const { status, stdout, stderr } = run(['version', '--licenses']);
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, /only the built executable contains the licences\. Run: npm run build/);
  });

  for (const [args, pattern] of [
    [['--help'], /^Usage: isthmus .*serve \[options\] +run the daemon\n/s],
    [['help', 'serve'], /^Usage: isthmus serve /],
    [
      ['serve', '--help'],
      /--log-level <level>.*"error",\s+"warn", "info", "debug".*--log-format <format>.*--run-dir <dir>.*env:\s+ISTHMUS_RUN_DIR.*--state-dir <dir>.*Examples:.*isthmus serve .*SIGHUP/s,
    ],
  ] as const)
    it(`${args.join(' ')} prints the help`, () => {
      const { status, stdout, stderr } = run(args);
      assert.deepEqual([status, stderr], [0, '']);
      assert.match(stdout, pattern);
    });

  for (const [args, env, pattern] of [
    [[], {}, /^Usage: isthmus/],
    [['sevre'], {}, /unknown command 'sevre'.*Did you mean serve\?/s],
    [['serve', '--verbose'], {}, /unknown option '--verbose'/],
    [['serve', 'now'], {}, /too many arguments/],
    [
      ['serve', '--log-level', 'trace'],
      {},
      /'--log-level <level>' argument 'trace' is invalid.*error, warn, info, debug/,
    ],
    [['serve', '--log-format', 'xml'], {}, /argument 'xml' is invalid.*logfmt, json/],
    [['serve', '--run-dir', 'run'], {}, /'--run-dir <dir>' argument 'run' is invalid.*not an absolute path/],
    [['serve', '--state-dir', 'a'], {}, /argument 'a' is invalid.*not an absolute path/],
    [['serve', '--docker-socket', 'isthmus'], {}, /argument 'isthmus' is invalid.*not an absolute path/],
    [['serve', '--address-pool', '10.99.0.0/16'], {}, /argument '10\.99\.0\.0\/16' is invalid.*as in base=/],
    [['serve'], { ISTHMUS_ADDRESS_POOLS: 'all' }, /value 'all' from env 'ISTHMUS_ADDRESS_POOLS' is invalid/],
    [['serve'], { ISTHMUS_LOG: 'loud' }, /value 'loud' from env 'ISTHMUS_LOG' is invalid/],
    [['serve'], { ISTHMUS_RUN_DIR: 'run' }, /value 'run' from env 'ISTHMUS_RUN_DIR' is invalid/],
    [['serve'], { ISTHMUS_STATE_DIR: 'a' }, /value 'a' from env 'ISTHMUS_STATE_DIR' is invalid/],
  ] as const)
    it(`${[...Object.entries(env).flat(), ...args].join(' ') || 'alone'} is a usage error`, () => {
      const { status, stdout, stderr } = run(args, env);
      assert.deepEqual([status, stdout], [2, '']);
      assert.match(stderr, pattern);
    });

  /** Makes the run directory a file, so that the daemon cannot start here. */
  const atFile = (name: string): string => {
    const path = join(directory.path, name);
    writeFileSync(path, '');
    return path;
  };

  it('treats an empty variable as unset, and prefers an option to a variable', () => {
    const none = { ISTHMUS_DOCKER_SOCKET: '', ISTHMUS_ADDRESS_POOLS: '', ISTHMUS_DOCKER_NAME: '' };
    const env = { ...none, ISTHMUS_LOG: '', ISTHMUS_STATE_DIR: '', ISTHMUS_RUN_DIR: atFile('variable') };
    const named = run(['serve'], env);
    assert.equal(named.status, 1);
    assert.match(named.stderr, /directory \S+\/variable: is not a directory/);
    const { status, stderr } = run(['serve', '--run-dir', atFile('option')], env);
    assert.equal(status, 1);
    assert.match(stderr, /directory \S+\/option: is not a directory/);
  });

  it('loads the daemon only for `serve`', () => {
    const loads = (...args: string[]): boolean => {
      const log = join(directory.path, 'strace');
      run(args, {}, ['strace', '-f', '-e', 'trace=openat', '-o', log]);
      const opened = readFileSync(log, 'utf8');
      assert.match(opened, /cnm-shim\/main\.ts"/);
      return /cnm-shim\/daemon\.ts"/.test(opened);
    };
    assert.equal(loads('serve', '--run-dir', atFile('run')), true);
    assert.equal(loads('--help'), false);
    assert.equal(loads('serve', '--help'), false);
    assert.equal(loads('version'), false);
  });
});
