import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const FILE = join(import.meta.dirname, '../../cmd/cni-plugin/exit.ts');

/** Runs the function in a process of its own. */
function run(main: string): { readonly status: number | null; readonly stdout: string } {
  const code = `const { exitAfter } = await import(${JSON.stringify(FILE)}); exitAfter(${main}, 'ADD');`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
}

describe('the end of a plugin call', () => {
  it('has the code that the call returns, and prints nothing more', () => {
    for (const code of [0, 1]) {
      const { status, stdout } = run(`async () => ${code}`);
      assert.deepEqual([status, stdout], [code, '']);
    }
  });

  it('is an error if the call waits for something that never comes', () => {
    const { status, stdout } = run('() => new Promise(() => {})');
    assert.equal(status, 1);
    const { code, msg } = JSON.parse(stdout);
    assert.equal(code, 999);
    assert.match(msg, /^ADD .*ended without an answer/);
  });

  it('is an error if the call throws', () => {
    assert.equal(run("() => Promise.reject(new Error('x'))").status, 1);
  });
});
