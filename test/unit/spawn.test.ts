import { strict as assert } from 'node:assert';
import { runProgram } from '../support/spawn.ts';

describe('the runner of programs', () => {
  it('returns what all processes of a program print, at the same time too', () => {
    const numbers = Array.from({ length: 16 }, (_, i) => `${i}`);
    for (let i = 0; i < 50; i++) {
      const printed = runProgram('sh', ['-c', `for i in ${numbers.join(' ')}; do echo $i & done; wait`]);
      assert.deepEqual(printed.trim().split('\n').sort(), [...numbers].sort());
    }
  });

  it('throws what a program says when it fails', () => {
    assert.throws(() => runProgram('sh', ['-c', 'echo out; echo err >&2; exit 3']), {
      ...{ status: 3, stdout: 'out\n', stderr: 'err\n' },
    });
  });
});
