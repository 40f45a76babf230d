import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Compiled, compile } from '../../build/code-cache.ts';
import { START_OPTIONS } from '../../build/package.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const PROGRAM = `
function early() { return late(); }
function late() { const inner = () => [1, 2, 3].map((n) => n * 7); return inner(); }
module.exports = { run: early };
`;

/** Runs the program as loader.cjs does, with a given text, and tells whether V8 took the code. */
const RUNNER = `
const { readFileSync, writeSync } = require('node:fs');
const { Script } = require('node:vm');
const [source, code] = process.argv.slice(2);
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

describe('code cache', () => {
  let temp: TempDir;
  let compiled: Compiled;
  const file = (name: string): string => join(temp.path, name);
  const run = ({ source, code }: Compiled, ...options: readonly string[]): unknown =>
    JSON.parse(execFileSync(process.execPath, [...options, file('run.cjs'), source, code], { encoding: 'utf8' }));

  before(() => {
    temp = makeTempDir();
    writeFileSync(file('run.cjs'), RUNNER);
    writeFileSync(file('program.cjs'), PROGRAM);
    compiled = compile(file('program.cjs'), file('out'), process.execPath, START_OPTIONS);
  });

  after(() => temp?.[Symbol.dispose]());

  it('is taken by a Node that starts as the executable does', () => {
    assert.deepEqual(run(compiled, ...START_OPTIONS), { refused: false, answer: [7, 14, 21] });
  });

  it('holds every function, also those that run when the program has been loaded', () => {
    // V8 compares the length of the text only, and needs the text for functions that it has no code of.
    const blank = { source: file('blank'), code: compiled.code };
    writeFileSync(blank.source, readFileSync(compiled.source, 'latin1').replace(/./gs, ' '));
    assert.deepEqual(run(blank), { refused: false, answer: [7, 14, 21] });
  });

  it('is refused by a V8 with other flags, and the program runs all the same', () => {
    assert.deepEqual(run(compiled, '--no-opt'), { refused: true, answer: [7, 14, 21] });
  });

  it('refuses a program that is not ASCII', () => {
    writeFileSync(file('other.cjs'), 'module.exports = "→";');
    assert.throws(
      () => compile(file('other.cjs'), file('other'), process.execPath, []),
      /character "→" at 18 is not ASCII/,
    );
  });
});
