import { strict as assert } from 'node:assert';
import { complete } from '../../cmd/cnm-shim/complete.ts';
import { makeProgram } from '../../cmd/cnm-shim/program.ts';

/** The words that complete the last one of the line. */
function words(...line: readonly string[]): string[] {
  return complete(makeProgram(), line).map((one) => one.split('\t')[0] ?? '');
}

describe('completion', () => {
  it('has every verb, with what it does', () => {
    const lines = complete(makeProgram(), ['']);
    assert.ok(lines.includes('network\tlist, show, create and remove networks'));
    assert.deepEqual(
      words(''),
      makeProgram()
        .createHelp()
        .visibleCommands(makeProgram())
        .map((one) => one.name()),
    );
    assert.ok(!words('').some((word) => word.startsWith('_')));
  });

  it('has verbs of verbs, under each of their names', () => {
    assert.deepEqual(words('network', 'c'), ['create']);
    assert.deepEqual(words('endpoint', ''), ['ls', 'inspect', 'rm', 'help']);
    assert.deepEqual(words('help', 'cluster', 'l'), ['leave']);
  });

  it('has options of the verb, behind operands too', () => {
    assert.ok(words('network', 'create', '--').includes('--subnet'));
    assert.ok(words('network', 'create', 'web', '--sub').includes('--subnet'));
    assert.deepEqual(words('network', 'create', '--sub'), ['--subnet']);
    assert.ok(!words('ports', '--').includes('--subnet'));
    assert.ok(words('network', 'list', '--').includes('--quiet'));
  });

  it('has the choices of an option and of an argument, in each form', () => {
    assert.deepEqual(words('network', 'ls', '-o', ''), ['table', 'json']);
    assert.deepEqual(words('network', 'ls', '--output', 'j'), ['json']);
    assert.deepEqual(words('network', 'ls', '--output=j'), ['--output=json']);
    // As bash splits it.
    assert.deepEqual(words('network', 'ls', '--output', '=', 'j'), ['json']);
    assert.deepEqual(words('network', 'ls', '--output', '='), ['table', 'json']);
    assert.deepEqual(words('completion', ''), ['bash', 'zsh', 'fish']);
  });

  it('asks for files where a file is meant', () => {
    assert.deepEqual(words('validate', ''), [':files']);
    assert.deepEqual(words('explain', '/etc'), [':files']);
    assert.deepEqual(words('explain', '--state-dir', ''), [':files']);
  });

  it('has nothing where nothing is known, and never fails', () => {
    for (const line of [
      ['nonsense', ''],
      ['network', 'create', 'web', ''],
      ['ports', '--port', ''],
      [],

      ['network', 'ls', '--filter', ''],
    ])
      assert.deepEqual(
        words(...line).filter((word) => word !== ''),
        line.length === 0 ? words('') : [],
      );
    assert.deepEqual(words('network', 'rm', '--state-dir', '/nonexistent', ''), []);
  });
});
