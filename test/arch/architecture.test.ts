import { strict as assert } from 'node:assert';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { missing, pathsOf, placesOf, type Step, wrongCall } from './call-paths.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
const PATHS = pathsOf(PAGE, '## The four paths');

function read(file: string): string | undefined {
  const path = join(ROOT, file);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

describe('docs/architecture.md', () => {
  it('names only files and functions that exist', () => {
    const places = placesOf(PAGE);
    assert.ok(places.length > 100, `only ${places.length} items found`);
    assert.deepEqual(
      places.flatMap((place) => missing(place, read) ?? []),
      [],
    );
  });

  it('has the four paths', () => {
    assert.deepEqual(
      [...PATHS.keys()].map((title) => title.split(/[ :]/)[0]),
      ['ADD', 'DEL', 'Docker', 'Start'],
    );
  });

  for (const [title, steps] of PATHS)
    it(`${title}: every caller names what it calls, and no call climbs to a higher layer`, () => {
      assert.ok(steps.length > 10, `only ${steps.length} items found`);
      assert.deepEqual(
        steps.flatMap((step) => wrongCall(step, read)),
        [],
      );
    });
});

describe('the check of call paths', () => {
  const files: Readonly<Record<string, string>> = {
    'src/shared/core/a.ts':
      'export async function a(): Promise<void> {\n  // gone();\n  await b();\n}\n\nconst c = 1;\n',
    'src/shared/host/b.ts': 'export function b({\n  x,\n}: X): void {\n  a();\n}\n',
    'src/shared/host/k.ts': 'export class K {\n  #m(): void {\n    n();\n  }\n}\n',
    'cmd/cni-plugin/l.c': 'static int open_it(void) {\n  return 1;\n}\nvoid other(void);\n',
  };
  const readPlanted = (file: string): string | undefined => files[file];
  const stepsOf = (...lines: string[]): readonly Step[] =>
    pathsOf(`\n## P\n\n### One\n\n${lines.join('\n')}\n`, '## P').get('One') ?? [];

  it('accepts declared functions, methods and C functions', () => {
    const places = placesOf('`core/a.ts:a` `core/a.ts:c` `host/b.ts:b` `host/k.ts:K.#m` `cmd/cni-plugin/l.c:open_it`');
    assert.equal(places.length, 5);
    assert.deepEqual(
      places.flatMap((place) => missing(place, readPlanted) ?? []),
      [],
    );
  });

  for (const place of ['core/none.ts:a', 'core/a.ts:b', 'host/k.ts:K.#n', 'host/k.ts:m', 'cmd/cni-plugin/l.c:other'])
    it(`refuses ${place}`, () => {
      assert.equal(placesOf(`\`${place}\``).flatMap((one) => missing(one, readPlanted) ?? []).length, 1);
    });

  it('accepts a call down the layers, by its own name or another', () => {
    const steps = stepsOf('- `core/a.ts:a`', '  - `host/b.ts:b`', '  - `host/k.ts:K.#m` as `b`');
    assert.deepEqual(
      steps.flatMap((step) => wrongCall(step, readPlanted)),
      [],
    );
  });

  it('refuses a call up the layers', () => {
    const found = stepsOf('- `host/b.ts:b`', '  - `core/a.ts:a`').flatMap((step) => wrongCall(step, readPlanted));
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', /core is above host/);
  });

  it('refuses a call that the caller names only in a comment', () => {
    const found = stepsOf('- `core/a.ts:a`', '  - `host/b.ts:gone`').flatMap((step) => wrongCall(step, readPlanted));
    assert.deepEqual(found, ['src/shared/core/a.ts: a does not name gone']);
  });

  it('refuses an item without a function, and one without a caller', () => {
    assert.throws(() => stepsOf('- `core/a.ts`'), /malformed item/);
    assert.throws(() => stepsOf('- `core/a.ts:a`', '    - `host/b.ts:b`'), /malformed item/);
  });
});
