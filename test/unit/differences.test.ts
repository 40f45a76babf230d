import { strict as assert } from 'node:assert';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RUNTIMES, runtimePasses } from '../../build/passes.ts';
import { REFERENCE_VERSIONS, readDifferences } from '../support/differences.ts';
import { ROOT, readPage } from '../support/docs.ts';

/** A call that defines the tests of a part of a row (test/conformance/unlike-reference.ts). */
interface Comparison {
  readonly file: string;
  readonly id: string;
  /** It has an arm for each release, not one for all. */
  readonly distinguishes: boolean;
}

describe('the rows of docs/differences.md', () => {
  const rows = readDifferences();
  const comparisons = globSync('test/conformance/*.test.ts', { cwd: ROOT }).flatMap(comparisonsOf);

  it('are there, numbered, with the releases at the top', () => {
    const head = `| # | Isthmus | ${REFERENCE_VERSIONS.map((version) => `reference ${version}`).join(' | ')} |`;
    assert.ok(readPage('docs/differences.md').split('\n').includes(head), head);
    assert.ok(rows.length > 15);
    assert.deepEqual(
      rows.map(({ id }) => id),
      rows.map((_, i) => `D${i + 1}`),
    );
    for (const { id, ours, reference } of rows)
      for (const text of [ours, ...Object.values(reference)]) assert.ok(text !== '', id);
  });

  for (const { id, ours, reference } of rows)
    it(`${id} has tests: ${ours}`, () => {
      const own = comparisons.filter((one) => one.id === id);
      assert.ok(own.length > 0, 'no test');
      assert.equal(
        own.some(({ distinguishes }) => distinguishes),
        reference['1.1.1'] !== reference['1.9.1'],
        'the tests tell the releases apart if and only if the page does',
      );
    });

  it('are all that tests are named by', () => {
    const known = rows.map(({ id }) => id);
    assert.deepEqual(
      comparisons.filter(({ id }) => !known.includes(id)),
      [],
    );
  });

  for (const runtime of RUNTIMES)
    it(`are all compared with the release of ${runtime}`, () => {
      const run = runtimePasses(runtime, [], 'alone').flatMap(({ names }) => names);
      const files = new Set(comparisons.map(({ file }) => file));
      assert.deepEqual(
        [...files].filter((file) => !run.includes(file)),
        [],
      );
    });
});

function comparisonsOf(file: string): Comparison[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const calls = text.split(/^ *(?=(?:unlikeReference|defect|driverDefect|filterDefect)\()/m).slice(1);
  return calls.map((call) => {
    const [arms = ''] = call.split(/^ +ours: /m);
    const [, id = call] = /^\w+\('(D\d+)',/.exec(call) ?? [];
    return { file, id, distinguishes: REFERENCE_VERSIONS.every((version) => arms.includes(`'${version}': `)) };
  });
}
