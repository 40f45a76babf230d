import { strict as assert } from 'node:assert';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot } from '../../build/runtimes.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const PROVISION = join(import.meta.dirname, '../support/runtimes/provision.sh');

/** In place of what fetches packages. debootstrap makes the directories of a root, and ends as FAIL says. */
const TOOLS: Readonly<Record<string, string>> = {
  'apt-get': '[ "$1" = update ] || echo mirror://machine/debian/',
  'apt-config': '[ "$1" = shell ] || echo \'Acquire::http::Proxy "mirror://proxy/";\'',
  debootstrap: `echo "$@" >>"$LOG"
    [ "$FAIL" != debootstrap ] || exit 7
    cd "$(dirname "$3")" && mkdir "$3" && cd "$3"
    mkdir -p etc/apt/apt.conf.d etc/dpkg/dpkg.cfg.d usr/sbin proc dev var/lib/apt/lists
    [ "$FAIL" != kill ] || kill -KILL $PPID`,
  chroot: 'echo "$@" >>"$LOG"; [ "$FAIL" != packages ]',
};

describe('provision.sh', () => {
  let temp: TempDir;
  beforeEach(() => {
    temp = makeTempDir();
    mkdirSync(join(temp.path, 'bin'));
    for (const [name, script] of Object.entries(TOOLS))
      writeFileSync(join(temp.path, 'bin', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  });
  afterEach(() => temp?.[Symbol.dispose]());

  const cache = (): string => join(temp.path, 'cache');
  const calls = (): string[] => {
    const log = join(temp.path, 'log');
    return existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : [];
  };
  /** The script's end; '' if it succeeded. */
  const provision = (root: string, fail = ''): string => {
    const env = { PATH: `${temp.path}/bin:${process.env.PATH}`, LOG: join(temp.path, 'log'), FAIL: fail };
    const ran = spawnSync('sh', [PROVISION, 'trixie', join(cache(), root), 'one', 'two'], { env, encoding: 'utf8' });
    return ran.status === 0 ? '' : `${ran.signal ?? ran.status}: ${ran.stderr}`;
  };

  it("makes the root from the machine's mirror, with the way that the machine has to it, and only once", () => {
    assert.equal(provision('trixie-1'), '');
    const root = join(cache(), 'trixie-1');
    assert.match(calls()[0] ?? '', /^--variant=minbase trixie \S+ mirror:\/\/machine\/debian\/$/);
    assert.match(calls()[1] ?? '', / apt-get .* install one two$/);
    assert.match(readFileSync(join(root, 'etc/apt/apt.conf.d/machine'), 'utf8'), /"mirror:\/\/proxy\/"/);
    assert.deepEqual([readdirSync(join(root, 'dev')), readdirSync(join(root, 'proc'))], [[], []]);
    const made = calls().length;
    assert.equal(provision('trixie-1', 'debootstrap'), '');
    assert.equal(calls().length, made);
  });

  for (const fail of ['debootstrap', 'packages', 'kill'])
    it(`leaves no root if it ends early (${fail}), and makes it the next time`, () => {
      assert.notEqual(provision('trixie-1', fail), '');
      assert.ok(!existsSync(join(cache(), 'trixie-1')));
      assert.equal(provision('trixie-1'), '');
      assert.deepEqual(readdirSync(cache()), ['trixie-1']);
    });

  it('removes earlier roots of the suite, but those that are in use', async () => {
    assert.equal(provision('trixie-1'), '');
    mkdirSync(join(cache(), 'sid-1'));
    const use = ['--shared', '--no-fork', join(cache(), 'trixie-1'), 'sh', '-c', 'echo locked; read line'];
    const user = spawn('flock', use, { stdio: ['pipe', 'pipe', 'ignore'] });
    const ended = once(user, 'exit');
    try {
      await once(user.stdout, 'data');
      assert.equal(provision('trixie-2'), '');
      assert.deepEqual(readdirSync(cache()).sort(), ['sid-1', 'trixie-1', 'trixie-2']);
    } finally {
      user.stdin.end();
      await ended;
    }
    assert.equal(provision('trixie-3'), '');
    assert.deepEqual(readdirSync(cache()).sort(), ['sid-1', 'trixie-3']);
  });
});

describe('enter.sh', () => {
  let temp: TempDir;
  let child: ChildProcess | undefined;

  before(() => {
    temp = makeTempDir();
    for (const dir of ['dev', 'etc', 'mnt', 'opt', 'proc', 'root', 'run', 'sys', 'tmp', 'usr/bin', 'var'])
      mkdirSync(join(temp.path, dir), { recursive: true });
    symlinkSync('usr/bin', join(temp.path, 'bin'));
    cpSync('/bin/busybox', join(temp.path, 'bin/busybox'));
    for (const applet of ['cat', 'ls', 'rmdir', 'sh', 'touch', 'umount'])
      symlinkSync('busybox', join(temp.path, 'bin', applet));
  });
  after(() => temp?.[Symbol.dispose]());
  afterEach(() => child?.kill('SIGKILL'));

  /** The first output of a shell in the root that then waits. */
  const enter = async (script: string): Promise<string> => {
    const [command = '', ...args] = inRoot(temp.path, ['/bin/sh', '-c', `${script}; echo end; read line`]);
    child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    for await (const chunk of child.stdout ?? []) {
      said += chunk;
      if (said.endsWith('end\n')) break;
    }
    return said.slice(0, -'end\n'.length);
  };

  it('keeps the pid, begins in the checkout, and shows nothing of the machine but its kernel', async () => {
    const said = await enter('echo $$; cat package.json; pwd; ls / /tmp');
    assert.equal(said.split('\n')[0], String(child?.pid));
    assert.match(said, /"name": "isthmus"/);
    const list = 'bin dev etc isthmus mnt opt proc root run sys tmp usr var';
    assert.ok(said.endsWith(`/isthmus\n/:\n${list.replaceAll(' ', '\n')}\n\n/tmp:\n`), said);
  });

  it('is the root of its mount namespace, to which nsenter leads', async () => {
    await enter('true');
    const listed = execFileSync('nsenter', [`--target=${child?.pid}`, '--mount', '--', '/bin/ls', '/']).toString();
    assert.match(listed, /^isthmus$/m);
  });

  it('lets nothing into the root, and leaves no mount', async () => {
    const said = await enter(
      'touch /new /root/new /run/new; for dir in etc opt usr var; do touch /$dir/new 2>&1; done',
    );
    assert.equal(said.match(/Read-only file system/g)?.length, 4, said);
    assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(temp.path), 'a mount on the machine');
    const ended = once(child ?? assert.fail(), 'exit');
    child?.stdin?.end();
    await ended;
    assert.deepEqual(
      ['', 'root', 'run', 'mnt', 'etc']
        .flatMap((dir) => readdirSync(join(temp.path, dir)))
        .filter((name) => name === 'new'),
      [],
    );
    assert.deepEqual(readdirSync(join(temp.path, 'mnt')), []);
  });
});
