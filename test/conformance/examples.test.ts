import { strict as assert } from 'node:assert';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { useTestHost } from '../support/e2e.ts';
import { EXAMPLES, readList } from '../support/runtime.ts';
import { skipIf } from '../support/skip.ts';
import { EXPECTATIONS } from './example-expectations.ts';
import { makeLab } from './example-lab.ts';

const NAMES = readdirSync(EXAMPLES)
  .filter((file) => file.endsWith('.conflist'))
  .map((file) => file.replace('.conflist', ''));

/** They need several hosts with a store: overlay-examples.test.ts runs them. */
const OVERLAYS = ['overlay-bridged', 'overlay-internal', 'overlay-routed'];

describe('netconf-examples', function () {
  this.timeout(60_000);
  const running = useTestHost();

  it('use distinct names and bridges, so that one host can use all of them', () => {
    const lists = NAMES.map((name) => readList(join(EXAMPLES, `${name}.conflist`)));
    const names = lists.map(({ name }) => name);
    const bridges = lists.flatMap(({ plugins }) => plugins.flatMap(({ bridge }) => bridge ?? []));
    assert.deepEqual(names, [...new Set(names)]);
    assert.deepEqual(bridges, [...new Set(bridges)]);
  });

  it('each has an expectation', () => {
    assert.deepEqual(NAMES.toSorted(), [...Object.keys(EXPECTATIONS), ...OVERLAYS].toSorted());
  });

  for (const name of NAMES) {
    it(`${name}: three lines describe it`, () => {
      const file = join(EXAMPLES, `${name}.md`);
      assert.ok(existsSync(file), `${name}.md is missing`);
      assert.match(readFileSync(file, 'utf8'), /^(\S.*\.\n){3}$/);
    });

    const expectation = EXPECTATIONS[name];
    if (expectation === undefined) continue;
    it(`${name}: ${expectation.what}`, async function () {
      const host = running();
      skipIf(this, expectation.missing?.(host));
      await using lab = makeLab(host, readList(join(EXAMPLES, `${name}.conflist`)), expectation.path);
      lab.runtime.status();
      await expectation.run(lab);
      lab.deleteAll();
    });
  }
});
