import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { constants, copyFileSync, linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pluginNames } from '../support/cni.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';
import { isBuiltVersion } from '../support/version.ts';
import { built, daemonFile, pluginFile } from '../support/via.ts';

/** How the executable got its name. */
const WAYS: Readonly<Record<string, (path: string, copy: string) => void>> = {
  'a symbolic link to dist/cni-plugin': (path) => symlinkSync(built(pluginFile), path),
  'a symbolic link to dist/cnm-shim': (path) => symlinkSync(built(daemonFile), path),
  'a copy': (path, copy) => linkSync(copy, path),
};

/** Names that select the plugin, with or without a call. */
const PLUGINS = [...pluginNames.filter((name) => name !== 'isthmus'), 'cni-plugin', 'dhcp', 'cnm-shim.old', 'toString'];

const CALL = { CNI_COMMAND: 'VERSION' };
const CONFIG = '{"cniVersion":"1.0.0"}';

/** What answered: the plugin to a call, the plugin to a person, or the command line. */
function answerOf({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }): string {
  if (stdout.includes('"supportedVersions"')) return 'call';
  // A semantic version: tools parse it.
  if (/^CNI \S+ plugin v\d+\.\d+\.\d+(\+[\w.-]+)?$/m.test(stderr)) return 'plugin';
  if (isBuiltVersion(stdout.trimEnd())) return 'command line';
  if (/^Usage: isthmus /m.test(stdout + stderr)) return 'help';
  return `${stdout}${stderr}`;
}

describe('the one executable', function () {
  this.timeout(60_000);
  let temp: TempDir;
  let copy: string;

  before(() => {
    temp = makeTempDir();
    copy = join(temp.path, 'copy');
    copyFileSync(built(pluginFile), copy, constants.COPYFILE_FICLONE);
  });
  after(() => temp?.[Symbol.dispose]());

  for (const [i, [way, place]] of Object.entries(WAYS).entries())
    describe(`by ${way}`, () => {
      let dir: string;
      before(() => {
        dir = join(temp.path, `${i}`);
        mkdirSync(dir);
        for (const name of [...PLUGINS, 'cnm-shim', 'isthmus']) place(join(dir, name), copy);
      });

      const run = (command: string, env: NodeJS.ProcessEnv, words: readonly string[] = [], argv0 = command): string => {
        const own = { PATH: `${dir}:/usr/bin:/bin`, ...env };
        return answerOf(spawnSync(command, words, { cwd: dir, env: own, input: CONFIG, encoding: 'utf8', argv0 }));
      };

      for (const name of PLUGINS)
        it(`is the plugin as ${name}`, () => {
          assert.equal(run(join(dir, name), CALL), 'call');
          assert.equal(run(join(dir, name), {}), 'plugin');
          assert.equal(run(join(dir, name), {}, ['--version']), 'plugin');
        });

      it('as the plugin, explains itself, and refuses words that it does not know', () => {
        const ended = (...words: readonly string[]) => {
          const { status, stdout, stderr } = spawnSync(join(dir, 'cni-plugin'), words, { env: {}, encoding: 'utf8' });
          return [status, (stdout + stderr).split('\n')[0]];
        };
        for (const words of [['--help'], ['-h'], ['help'], ['reload', '--help']])
          assert.match(ended(...words).join(' '), /^0 The CNI plugin isthmus\./, words.join(' '));
        assert.deepEqual(ended('bogus'), [2, "isthmus: there is no verb 'bogus' here. Try --help"]);
        assert.equal(ended('reload', 'now')[0], 2);
      });

      it('is the command line as cnm-shim, even with the variables of a call', () => {
        for (const env of [{}, CALL]) {
          assert.equal(run(join(dir, 'cnm-shim'), env, ['--version']), 'command line');
          assert.equal(run(join(dir, 'cnm-shim'), env), 'help');
        }
      });

      it('is the plugin as isthmus for a call, and else the command line', () => {
        assert.equal(run(join(dir, 'isthmus'), CALL), 'call');
        assert.equal(run(join(dir, 'isthmus'), CALL, ['--version']), 'command line');
        for (const env of [{}, { CNI_COMMAND: '' }])
          assert.equal(run(join(dir, 'isthmus'), env, ['--version']), 'command line');
        assert.equal(run(join(dir, 'isthmus'), {}), 'help');
        assert.equal(run(join(dir, 'isthmus'), { CNI_COMMAND: '' }), 'plugin');
      });

      it('is the same by a relative path, through PATH, and under another argv[0]', () => {
        for (const prefix of ['./', `../${i}/`, '']) {
          assert.equal(run(`${prefix}bridge`, CALL), 'call', prefix);
          assert.equal(run(`${prefix}cnm-shim`, {}, ['--version']), 'command line', prefix);
          assert.equal(run(`${prefix}isthmus`, {}, ['--version']), 'command line', prefix);
        }
        const named = ['/x/cnm-shim', '', 'loopback'].map((argv0) => run('./bridge', {}, ['--version'], argv0));
        assert.deepEqual(named, ['command line', 'plugin', 'plugin']);
      });

      it('is the command line through a link to a link', () => {
        const link = join(dir, 'outer');
        mkdirSync(link);
        symlinkSync(join(dir, 'cnm-shim'), join(link, 'isthmus'));
        assert.equal(run(join(link, 'isthmus'), {}, ['--version']), 'command line');
        assert.equal(run(join(link, 'isthmus'), CALL), 'call');
      });
    });
});
