import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pluginCommand } from '../support/docker-plugin.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';
import { makeVerbs } from '../support/verbs.ts';

/** Prints what the shell offers behind `line`, one word a line. */
const SHELLS: Readonly<Record<'bash' | 'fish', (line: string) => string[]>> = {
  bash: (line) => [
    'bash',
    '--norc',
    '-c',
    `source <(isthmus completion bash)
     COMP_WORDS=(${line.replace(/ $/, " ''")}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMP_LINE='${line}'; COMP_POINT=${line.length}
     complete -p isthmus >/dev/null && _isthmus isthmus && printf '%s\\n' "\${COMPREPLY[@]}"`,
  ],
  fish: (line) => ['fish', '-N', '-c', `source (isthmus completion fish | psub); complete -C '${line}'`],
};

/** Types the line and a tab into an interactive zsh; prints what stands on the line then. */
const ZSH = `zmodload zsh/zpty
zpty -b shell zsh -f -i
zpty -w shell "PS1='READY> '; stty columns 200; autoload -Uz compinit; compinit -u -d $ZDOTDIR/dump"
zpty -w shell "isthmus completion zsh >$ZDOTDIR/_isthmus; source $ZDOTDIR/_isthmus; zle -N show; show() { print -r -- \\"LINE[\\$BUFFER]\\" }; bindkey '^X' show"
zpty -n -w shell $'PLACEHOLDER\\t\\x18'
repeat 250; do
  while zpty -r -t shell line; do [[ $line == LINE* ]] && print -r -- \${line#LINE} && break 2; done
  sleep 0.1
done
zpty -d shell`;

describe('completion in a shell', function () {
  this.timeout(60_000);
  let directory: TempDir;
  let host: TestNetns;
  let env: Readonly<Record<string, string>>;

  before(async function () {
    skipIf(this, netnsMissing());
    directory = makeTempDir();
    host = makeNetns('c');
    const [bin, stateDir] = ['bin', 'state'].map((name) => join(directory.path, name)) as [string, string];
    mkdirSync(bin);
    writeFileSync(join(bin, 'isthmus'), `#!/bin/sh\nexec ${pluginCommand().join(' ')} "$@"\n`);
    chmodSync(join(bin, 'isthmus'), 0o755);
    const verbs = makeVerbs({ stateDir, netns: host.path });
    for (const name of ['web', 'webshop', 'db']) await verbs.ok('network', 'create', name);
    env = {
      ...{ PATH: `${bin}:${process.env.PATH ?? ''}`, HOME: directory.path, ZDOTDIR: directory.path, TERM: 'dumb' },
      ...{ ISTHMUS_STATE_DIR: stateDir, ISTHMUS_DOCKER_HOST: 'none' },
    };
  });
  after(() => {
    host?.[Symbol.dispose]();
    directory?.[Symbol.dispose]();
  });

  const ask = (command: readonly string[]): string[] => {
    const words = [`--net=${host.path}`, '--', ...command];
    const { status, stdout, stderr } = spawnSync('nsenter', words, { env, encoding: 'utf8', timeout: 30_000 });
    assert.deepEqual([status, stderr], [0, ''], stdout);
    return stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')[0] ?? '']));
  };

  for (const shell of ['bash', 'fish'] as const)
    for (const [line, expected] of [
      ['isthmus net', ['network']],
      ['isthmus network ', ['ls', 'inspect', 'create', 'rm', 'help']],
      ['isthmus network inspect web', ['web', 'webshop']],
      ['isthmus network create --gat', ['--gateway']],
      ['isthmus network ls -o ', ['table', 'json']],
      ['isthmus completion z', ['zsh']],
      ['isthmus ports ', []],
    ] as const)
      it(`${shell} completes "${line}"`, function () {
        skipIf(this, existsSync(`/usr/bin/${shell}`) ? undefined : `there is no ${shell}`);
        assert.deepEqual(ask(SHELLS[shell](line)).toSorted(), [...expected].toSorted());
      });

  it('asks for files where a file is meant', () => {
    const told = ask(['bash', '--norc', '-c', 'isthmus __complete -- validate /etc/cni']);
    assert.deepEqual(told, [':files']);
  });

  for (const [line, expected] of [
    ['isthmus netw', '[isthmus network ]'],
    ['isthmus network inspect d', '[isthmus network inspect db ]'],
    ['isthmus network create --gat', '[isthmus network create --gateway ]'],
  ] as const)
    it(`zsh completes "${line}"`, function () {
      skipIf(this, existsSync('/usr/bin/zsh') ? undefined : 'there is no zsh');
      const [shown] = ask(['zsh', '-f', '-c', ZSH.replace('PLACEHOLDER', line)]);
      assert.equal(shown?.replaceAll(/\r/g, ''), expected);
    });

  it('says nothing without a state, and without rights', () => {
    const before = env;
    env = { ...env, ISTHMUS_STATE_DIR: '/nonexistent' };
    assert.deepEqual(ask(['isthmus', '__complete', '--', 'network', 'rm', '']), []);
    env = before;
  });
});
