import { strict as assert } from 'node:assert';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** Calls that block a thread until another process acts. */
const BLOCKING = /\b(?:Atomics\.wait(?!Async)|spawnSync|execFileSync|execSync)\b/;

/**
 * May block: a process that lives for one call or one verb, and what the daemon writes when it has nothing left to do.
 */
const MAY_BLOCK = /^(src\/shared\/runtime\/pause|cmd\/cnm-shim\/(line-sink|install\/services))\.ts$/;

/** The lines of a module that block, without comments. */
function blockingLines(source: string): string[] {
  return source
    .split('\n')
    .map((line) => line.replace(/^\s*(?:\/?\*|\/\/).*/, ''))
    .filter((line) => BLOCKING.test(line));
}

describe('blocking calls', () => {
  it('occur only where the process lives for one call, or ends', () => {
    const files = globSync('{src,cmd}/**/*.ts', { cwd: ROOT });
    assert.ok(files.length > 10, `only ${files.length} modules found below ${ROOT}`);
    const found = files
      .filter((file) => !MAY_BLOCK.test(file))
      .flatMap((file) =>
        blockingLines(readFileSync(join(ROOT, file), 'utf8')).map((line) => `${file}: ${line.trim()}`),
      );
    assert.deepEqual(found, []);
  });

  it('are detected anywhere in a line', () => {
    for (const line of [
      'Atomics.wait(nobody, 0, 0, 5);',
      "const { spawnSync } = process.getBuiltinModule('node:child_process');",
      "import { execFileSync } from 'node:child_process';",
      "  return cp.execSync('true');",
    ])
      assert.deepEqual(blockingLines(line), [line]);
    assert.deepEqual(blockingLines('await Atomics.waitAsync(x, 0, 0).value;\n// spawnSync waits.\n * execSync'), []);
  });
});
