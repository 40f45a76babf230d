import { strict as assert } from 'node:assert';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

/**
 * The text is what test/golden/<name>.<extension> holds. With UPDATE_GOLDEN=1 the file is written instead: look at the
 * difference before it is committed.
 */
export function assertGolden(name: string, text: string, extension = 'txt'): void {
  const file = new URL(`../golden/${name}.${extension}`, import.meta.url);
  if (process.env.UPDATE_GOLDEN === '1') {
    mkdirSync(new URL('.', file), { recursive: true });
    writeFileSync(file, text);
  }
  assert.equal(text, readFileSync(file, 'utf8'));
}
