import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { manPages } from '../../build/man.ts';
import { wrapProse } from '../../cmd/cnm-shim/cli/verb.ts';
import { makeProgram } from '../../cmd/cnm-shim/program.ts';
import { COMPILE_CACHE } from '../support/compile-cache.ts';
import { skipIf } from '../support/skip.ts';

const MAIN = join(import.meta.dirname, '../../cmd/cnm-shim/main.ts');
/** Lines of help that nothing can break: a word that is longer, and commands that people copy. */
const WIDEST = 80;

/** Every verb with the words that call it. */
function verbs(command: Command, words: readonly string[] = []): [words: readonly string[], command: Command][] {
  const inner = command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== 'help');
  return [[words, command], ...inner.flatMap((one) => verbs(one, [...words, one.name()]))];
}

/** The whole help of a verb, as it prints it. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (piece) => {
      text += piece;
    },
    getOutHelpWidth: () => WIDEST,
  });
  command.outputHelp();
  return text;
}

describe('help', () => {
  for (const [words, command] of verbs(makeProgram()))
    it(`of "${words.join(' ')}" fits into ${WIDEST} columns`, () => {
      const long = helpOf(command)
        .split('\n')
        .filter((line) => line.length > WIDEST);
      assert.deepEqual(long, []);
    });

  it('follows the columns of a narrow terminal', () => {
    const text =
      'Prints what ADD would do, as commands, and changes nothing at all.\nMore words.\n\nExamples:\n  isthmus explain a b c d\n';
    for (const columns of [40, 60]) {
      const lines = wrapProse(text, columns).split('\n');
      assert.ok(
        lines.every((line) => line.length <= columns),
        lines.join('\n'),
      );
      assert.ok(lines.includes('Examples:') && lines.includes('  isthmus explain a b c d'));
    }
    assert.ok(
      wrapProse(`${'word '.repeat(60)}`, 200)
        .split('\n')
        .every((line) => line.length <= 78),
    );
  });

  for (const [topic, pattern] of [
    ['exit-codes', /^ {2}0 {3}it has done .*^ {2}1 {3}it failed.*^ {2}2 {3}wrong usage/ms],
    ['json', /keys are added, and never removed/],
  ] as const)
    it(`help ${topic} is a page`, () => {
      const words = ['--no-warnings', MAIN, 'help', topic];
      const { status, stdout, stderr } = spawnSync(process.execPath, words, {
        env: { PATH: process.env.PATH ?? '', ...COMPILE_CACHE },
        encoding: 'utf8',
      });
      assert.deepEqual([status, stderr], [0, '']);
      assert.match(stdout, pattern);
    });
});

describe('manual', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'isth-man-'));
    for (const [name, text] of manPages()) writeFileSync(join(directory, name), text);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('has a page for every verb, and one for the configuration', () => {
    const expected = verbs(makeProgram()).map(([words]) => `${['isthmus', ...words].join('-')}.8`);
    assert.deepEqual([...manPages().keys()].toSorted(), [...expected, 'isthmus.conflist.5'].toSorted());
  });

  for (const [tool, words] of [
    ['/usr/bin/mandoc', ['-Tlint', '-Wwarning']],
    ['/usr/bin/man', ['--warnings', '-E', 'UTF-8', '-Tutf8', '-l']],
  ] as const)
    it(`${tool} finds nothing wrong with any page`, function () {
      skipIf(this, existsSync(tool) ? undefined : `there is no ${tool}`);
      for (const name of manPages().keys()) {
        const { status, stderr, stdout } = spawnSync(tool, [...words, join(directory, name)], { encoding: 'utf8' });
        assert.deepEqual([status, stderr], [0, ''], `${name}: ${stderr}`);
        if (tool.endsWith('mandoc')) assert.equal(stdout, '', name);
        else assert.ok(stdout.length > 500, name);
      }
    });

  it('has what the help has', () => {
    const page = manPages().get('isthmus-network-create.8') ?? '';
    for (const text of [
      '\\-\\-subnet',
      'ISTHMUS_STATE_DIR',
      'isthmus network create db \\-\\-internal',
      '.SH "EXIT STATUS"',
    ])
      assert.ok(page.includes(text), text);
    const configuration = manPages().get('isthmus.conflist.5') ?? '';
    assert.match(
      configuration,
      /^\\fBisGateway\\fR\nThe bridge has the gateway's addresses, and the host forwards\. Default: \\fBfalse\\fR\.$/m,
    );
  });
});
