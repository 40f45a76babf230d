import { strict as assert } from 'node:assert';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** The function itself, copies of values that were never text, and the page in a browser. */
const MAY_PARSE =
  /^(src\/shared\/(model\/json|config\/published-schema|testing\/memory-store)|cmd\/cnm-shim\/topology\/page\/.*)\.ts$/;

describe('JSON', () => {
  it('is parsed by parseJson only, which leaves no half of a surrogate pair', () => {
    const files = globSync('{src,cmd}/**/*.ts', { cwd: ROOT });
    const callers = files.filter((file) => /\bJSON\.parse\(/.test(readFileSync(join(ROOT, file), 'utf8')));
    assert.ok(callers.includes('src/shared/model/json.ts'), `${files.length} modules found below ${ROOT}`);
    assert.deepEqual(
      callers.filter((file) => !MAY_PARSE.test(file)),
      [],
    );
  });
});
