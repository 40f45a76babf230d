import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const RUNNER = join(import.meta.dirname, '../../build/test.ts');

const SUITES = {
  passes: "it('one', () => {}); it('two', () => {});",
  fails: "it('one', () => {}); it('two', () => { throw new Error('planted'); });",
  hook: "before(() => { throw new Error('planted'); }); it('one', () => {});",
  exits: "it('one', () => {}); it('two', () => process.exit(0)); it('three', () => {});",
  dies: "it('one', () => {}); it('two', () => process.kill(process.pid, 'SIGKILL'));",
  broken: "import './nowhere.ts';",
  kernel: "it('one', function () { console.log('skipped: this kernel has no VLAN filtering'); this.skip(); });",
  reason: "it('one', function () { console.log('skipped: no dnsmasq'); this.skip(); });",
  silent: "it('one', () => {}); it.skip('two', () => {});",
  kernelThenSilent:
    "it('one', function () { console.log('skipped: kernel'); this.skip(); }); it('two', function () { this.skip(); });",
} as const;

describe('closing line of a test run', () => {
  let temp: TempDir;
  before(() => {
    temp = makeTempDir();
    for (const [name, source] of Object.entries(SUITES)) writeFileSync(join(temp.path, `${name}.test.ts`), source);
  });
  after(() => temp?.[Symbol.dispose]());

  const closing = (suite: string, env: NodeJS.ProcessEnv = {}): string => {
    const { CI: _, ...rest } = process.env;
    const { status, stdout } = spawnSync(process.execPath, [RUNNER, join(temp.path, `${suite}.test.ts`)], {
      env: { ...rest, ...env },
      encoding: 'utf8',
    });
    return `${stdout.trimEnd().split('\n').at(-1)} (exit ${status})`;
  };

  const cases: readonly (readonly [suite: string, line: string])[] = [
    ['passes', '2 passed, 0 failed (exit 0)'],
    ['fails', '1 passed, 1 failed (exit 1)'],
    ['hook', '0 passed, 1 failed (exit 1)'],
    ['exits', '1 passed, 1 failed (exit 1)'],
    ['dies', '1 passed, 1 failed (exit 1)'],
    ['broken', '0 passed, 1 failed (exit 1)'],
    ['nowhere', '0 passed, 1 failed (exit 1)'],
    ['silent', '1 passed, 0 failed, 1 skipped (exit 0)'],
  ];
  for (const [suite, line] of cases) it(`of a suite that ${suite}: ${line}`, () => assert.equal(closing(suite), line));

  it('of a runtime that it does not know: 0 passed, 1 failed', () => {
    const { status, stdout } = spawnSync(process.execPath, [RUNNER, '--runtimes', 'buster'], { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stdout, /--runtimes buster: not a runtime\. Runtimes: trixie, sid\n0 passed, 1 failed\n$/);
  });

  const ci: readonly (readonly [suite: string, line: string])[] = [
    ['kernel', '0 passed, 0 failed, 1 skipped (exit 0)'],
    ['reason', '0 passed, 1 failed, 1 skipped (exit 1)'],
    ['silent', '1 passed, 1 failed, 1 skipped (exit 1)'],
    ['kernelThenSilent', '0 passed, 1 failed, 2 skipped (exit 1)'],
  ];
  for (const [suite, line] of ci)
    it(`in CI, reports suite ${suite} as: ${line}`, () => assert.equal(closing(suite, { CI: 'true' }), line));
});
