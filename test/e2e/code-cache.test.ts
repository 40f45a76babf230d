import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../../build/bundle.ts';
import { type Compiled, type Compiler, compile, compileUsed } from '../../build/code-cache.ts';
import { START_OPTIONS } from '../../build/package.ts';
import { CALLS } from '../../build/warm-up.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const COMPILER: Compiler = { path: process.execPath, options: START_OPTIONS };

const PLUGIN = join(import.meta.dirname, '../../cmd/cni-plugin/main.ts');

const COMMAND_LINE = join(import.meta.dirname, '../../cmd/cnm-shim/main.ts');

const PROGRAM = `
function early() { return late(); }
function late() { const inner = () => [1, 2, 3].map((n) => n * 7); return inner(); }
module.exports = { run: early };
`;

/** Runs the program as loader.cjs does, with a given text, and tells whether V8 took the code. */
const RUNNER = `
const { readFileSync, writeSync } = require('node:fs');
const { Script } = require('node:vm');
const [source, code] = process.argv.splice(2);
const script = new Script(readFileSync(source, 'latin1'), { cachedData: readFileSync(code) });
const made = { exports: {} };
let answer;
try {
  script.runInThisContext()(made, made.exports, require);
  answer = made.exports.run();
} catch (error) {
  answer = error.name;
}
writeSync(1, JSON.stringify({ refused: script.cachedDataRejected, answer }));
`;

/** Tells whether V8 takes the code, without running it. */
const JUDGE = `
const { readFileSync } = require('node:fs');
const [, source, code] = process.argv;
const script = new (require('node:vm').Script)(readFileSync(source, 'latin1'), { cachedData: readFileSync(code) });
process.stdout.write(script.cachedDataRejected ? 'refused' : 'taken');
`;

describe('code cache', () => {
  let temp: TempDir;
  let compiled: Compiled;
  const file = (name: string): string => join(temp.path, name);
  const run = ({ source, code }: Compiled, ...options: readonly string[]): unknown =>
    JSON.parse(
      execFileSync(process.execPath, [...options, file('run.cjs'), source, code], { encoding: 'utf8', stdio: 'pipe' }),
    );

  before(() => {
    temp = makeTempDir();
    writeFileSync(file('run.cjs'), RUNNER);
    writeFileSync(file('program.cjs'), PROGRAM);
    compiled = compile(file('program.cjs'), file('out'), COMPILER);
  });

  after(() => temp?.[Symbol.dispose]());

  it('is used by a Node that starts as the executable does', () => {
    assert.deepEqual(run(compiled, ...START_OPTIONS), { refused: false, answer: [7, 14, 21] });
  });

  it('contains every function, also those that run after the program was loaded', () => {
    // V8 compares the length of the text only, and needs the text for functions that it has no code of.
    const blank = { source: file('blank'), code: compiled.code };
    writeFileSync(blank.source, readFileSync(compiled.source, 'latin1').replace(/./gs, ' '));
    assert.deepEqual(run(blank), { refused: false, answer: [7, 14, 21] });
  });

  it('is rejected by a V8 with other flags, and the program still runs', () => {
    assert.deepEqual(run(compiled, '--no-opt'), { refused: true, answer: [7, 14, 21] });
  });

  it('refuses a program that is not ASCII', () => {
    writeFileSync(file('other.cjs'), 'module.exports = "→";');
    assert.throws(() => compile(file('other.cjs'), file('other'), COMPILER), /character "→" at 18 is not ASCII/);
  });

  describe('with only the functions that calls use', () => {
    const links = (): string => execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' });

    before(function () {
      if (spawnSync('unshare', ['--user', '--map-root-user', '--net', 'true']).status === 0) return;
      console.log('skipped: this kernel allows no user namespaces here');
      this.skip();
    });

    it('is used, is smaller than the full cache, and leaves the machine unchanged', async () => {
      const { program } = await bundle(PLUGIN, file('plugin.cjs'));
      const all = compile(program, file('all'), COMPILER);
      const before = links();
      for (const kind of CALLS) {
        const used = compileUsed(program, file(kind), COMPILER, { calls: kind });
        assert.equal(links(), before, kind);
        assert.ok(used !== undefined, kind);
        assert.ok(statSync(used.code).size < 0.65 * statSync(all.code).size, kind);
        assert.partialDeepStrictEqual(run(used, ...START_OPTIONS), { refused: false }, kind);
      }
    });

    it('is made of the verbs that look, beside a plugin and a daemon, and leaves no process behind', async () => {
      const [{ program: plugin }, { program }] = [
        await bundle(PLUGIN, file('plugin.cjs')),
        await bundle(COMMAND_LINE, file('verbs.cjs')),
      ];
      const all = compile(program, file('all-verbs'), COMPILER);
      const used = compileUsed(program, file('verbs'), COMPILER, { verbsBeside: plugin });
      assert.ok(used !== undefined);
      assert.ok(statSync(used.code).size < 0.4 * statSync(all.code).size);
      const { source, code } = used;
      const judged = execFileSync(process.execPath, [...START_OPTIONS, '-e', JUDGE, source, code], {
        encoding: 'utf8',
      });
      assert.equal(judged, 'taken');
      assert.equal(spawnSync('pgrep', ['-f', program], { encoding: 'utf8' }).stdout, '');
    }).timeout(60_000);

    it('is not created for a plugin whose calls fail', () => {
      writeFileSync(file('failing.cjs'), 'process.exit(3);');
      for (const kind of CALLS)
        assert.equal(compileUsed(file('failing.cjs'), file('failing'), COMPILER, { calls: kind }), undefined, kind);
    });
  });
});
