import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { lockInstall } from '../../cmd/cnm-shim/install/carry-out.ts';
import { prepareInstall, prepareUninstall, whileLocked } from '../../cmd/cnm-shim/install/install.ts';
import { NAMES, type Payload } from '../../cmd/cnm-shim/install/items.ts';
import type { Step } from '../../cmd/cnm-shim/install/plan.ts';
import { pluginName } from '../../src/shared/runtime/cni/names.ts';
import { COMPILE_CACHE } from '../support/compile-cache.ts';
import { withFault } from '../support/dying-files.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const SKELETON = ['etc', 'opt', 'usr/bin', 'usr/lib', 'var/lib'];
const RECORD = '/var/lib/isthmus-install/record.json';

describe('isthmus install', function () {
  this.timeout(60_000);
  let temp: TempDir;
  let root: string;

  beforeEach(() => {
    // In memory: an installation waits for the disk.
    temp = makeTempDir(existsSync('/dev/shm') ? '/dev/shm' : undefined);
    root = makeRoot('root');
  });
  afterEach(() => temp[Symbol.dispose]());

  /** A system with systemd, and with the reference's plugins. */
  function makeRoot(name: string): string {
    const made = join(temp.path, name);
    for (const directory of SKELETON) mkdirSync(join(made, directory), { recursive: true });
    write(made, '/usr/lib/systemd/systemd', 'systemd');
    write(made, '/opt/cni/bin/bridge', 'reference bridge', 0o755);
    write(made, '/opt/cni/bin/portmap', 'reference portmap', 0o700);
    return made;
  }

  function write(at: string, path: string, text: string, mode = 0o644): void {
    mkdirSync(dirname(join(at, path)), { recursive: true });
    writeFileSync(join(at, path), text);
    chmodSync(join(at, path), mode);
  }

  /** What an executable of this version has inside. */
  function payloadOf(version: string): Payload {
    const executable = join(temp.path, `executable-${version}`);
    writeFileSync(executable, `executable ${version}`);
    const bytes = (text: string): Uint8Array => Buffer.from(`${text} ${version}\n`);
    const units = ['isthmus.service', 'isthmus.socket', 'isthmus-docker.socket'];
    return {
      ...{
        executable,
        version,
        launcher: bytes('launcher'),
        licences: bytes('licences'),
        network: bytes('{"name":"web"}'),
      },
      units: Object.fromEntries(units.map((name) => [name, bytes(name)])),
    };
  }

  type Options = Partial<Parameters<typeof prepareInstall>[1]>;

  function install(version = '1', options: Options = {}): readonly Step[] {
    const { carryOut, plan } = prepareInstall(payloadOf(version), { root, ...options });
    carryOut(() => {});
    return plan.steps;
  }

  function uninstall(): readonly Step[] {
    const { carryOut, plan } = prepareUninstall(root);
    carryOut(() => {});
    return plan.steps;
  }

  /** Every file, link and directory below the root, with content and mode. */
  function tree(at = root): Record<string, string> {
    const entries = readdirSync(at, { recursive: true, encoding: 'utf8' }).sort();
    return Object.fromEntries(
      entries.map((name) => {
        const path = join(at, name);
        const found = lstatSync(path);
        if (found.isSymbolicLink()) return [name, `-> ${readlinkSync(path)}`];
        const mode = (found.mode & 0o7777).toString(8);
        return [name, found.isFile() ? `${mode} ${readFileSync(path, 'utf8')}` : `${mode}/`];
      }),
    );
  }

  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  const actions = (steps: readonly Step[], ...wanted: readonly Step['action'][]): string[] =>
    steps.filter(({ action }) => wanted.includes(action)).map(({ action, path }) => `${action} ${path}`);
  const refusal = (what: RegExp, options: Options = {}): void => {
    const before = tree();
    assert.throws(() => install('1', options), what);
    assert.deepEqual(tree(), before);
  };

  it('puts everything in place, with the modes of programs and of files', () => {
    install();
    const found = tree();
    assert.equal(found['usr/lib/isthmus/cni-plugin'], '755 executable 1');
    assert.equal(found['usr/lib/isthmus/cnm-shim'], '-> cni-plugin');
    assert.equal(found['usr/lib/isthmus/LICENSES.txt'], '644 licences 1\n');
    assert.equal(found['usr/bin/isthmus'], '-> /usr/lib/isthmus/cnm-shim');
    assert.equal(found['opt/cni/bin/isthmus'], '755 launcher 1\n');
    assert.equal(found['opt/cni/bin/loopback'], '-> isthmus');
    assert.equal(found['opt/cni/bin/bridge'], '755 reference bridge');
    assert.equal(found['etc/cni/net.d/10-web.conflist'], '644 {"name":"web"} 1\n');
    assert.equal(found['etc/systemd/system/isthmus.socket'], '644 isthmus.socket 1\n');
    const wants = 'etc/systemd/system/sockets.target.wants';
    assert.equal(found[`${wants}/isthmus.socket`], '-> /etc/systemd/system/isthmus.socket');
    assert.equal(
      found['etc/systemd/system/multi-user.target.wants/isthmus.service'],
      '-> /etc/systemd/system/isthmus.service',
    );
    assert.deepEqual(
      Object.keys(found).filter((name) => name.includes('new')),
      [],
    );
  });

  it('knows every name that the executable answers to', () => {
    assert.deepEqual(
      NAMES.filter((name) => pluginName(name) !== name),
      [],
    );
  });

  it('run again changes nothing, and says so', () => {
    install('1', { names: ['bridge'] });
    const before = tree();
    const steps = install();
    assert.deepEqual(tree(), before);
    assert.deepEqual(new Set(steps.map(({ action }) => action)), new Set(['keep']));
  });

  it('of another version replaces programs and units, keeps names and network, and copies nothing of its own', () => {
    install('1', { names: ['bridge'] });
    const steps = install('2');
    assert.equal(read('/usr/lib/isthmus/cni-plugin'), 'executable 2');
    assert.equal(read('/opt/cni/bin/isthmus'), 'launcher 2\n');
    assert.equal(read('/etc/systemd/system/isthmus.service'), 'isthmus.service 2\n');
    assert.equal(read('/etc/cni/net.d/10-web.conflist'), '{"name":"web"} 1\n');
    assert.equal(readlinkSync(join(root, '/opt/cni/bin/bridge')), 'isthmus');
    assert.deepEqual(actions(steps, 'put back', 'remove'), []);
    assert.ok(steps.every((step) => !('backup' in step) || !step.backup));
  });

  it('uninstalled leaves what was there before', () => {
    const before = tree();
    install('1', { names: NAMES });
    install('2');
    uninstall();
    assert.deepEqual(tree(), before);
  });

  it('puts a reference plugin back when it is no longer named', () => {
    install('1', { names: ['bridge', 'portmap'] });
    assert.deepEqual(actions(install('1', { names: ['portmap'] }), 'put back', 'remove'), [
      'put back /opt/cni/bin/bridge',
    ]);
    assert.equal(tree()['opt/cni/bin/bridge'], '755 reference bridge');
    install('1', { names: [] });
    assert.equal(tree()['opt/cni/bin/portmap'], '700 reference portmap');
  });

  it('keeps the newest of what it replaces: a package may have put the reference there again', () => {
    install('1', { names: ['bridge'] });
    rmSync(join(root, '/opt/cni/bin/bridge'));
    write(root, '/opt/cni/bin/bridge', 'newer reference', 0o755);
    assert.deepEqual(actions(install(), 'replace'), ['replace /opt/cni/bin/bridge']);
    uninstall();
    assert.equal(read('/opt/cni/bin/bridge'), 'newer reference');
  });

  it('leaves what others have changed since, and says so', () => {
    install('1', { names: ['bridge'] });
    rmSync(join(root, '/opt/cni/bin/bridge'));
    write(root, '/opt/cni/bin/bridge', 'newer reference');
    write(root, '/etc/systemd/system/isthmus.service', 'mine');
    assert.deepEqual(actions(uninstall(), 'leave').sort(), [
      'leave /etc/systemd/system/isthmus.service',
      'leave /opt/cni/bin/bridge',
    ]);
    assert.equal(read('/opt/cni/bin/bridge'), 'newer reference');
    assert.equal(read('/etc/systemd/system/isthmus.service'), 'mine');
    assert.equal(existsSync(join(root, RECORD)), false);
  });

  for (const name of ['05-other.conf', '87-podman-bridge.conflist', '10-web.conflist', 'a.json'])
    it(`adds no network beside ${name}, which stays`, () => {
      write(root, `/etc/cni/net.d/${name}`, 'theirs');
      const steps = install();
      assert.deepEqual(readdirSync(join(root, '/etc/cni/net.d')), [name]);
      assert.ok(actions(steps, 'keep').includes(`keep /etc/cni/net.d/${name}`));
      uninstall();
      assert.equal(read(`/etc/cni/net.d/${name}`), 'theirs');
    });

  it('leaves a changed network as it is, also when it is uninstalled', () => {
    install();
    write(root, '/etc/cni/net.d/10-web.conflist', 'mine');
    install('2');
    uninstall();
    assert.equal(read('/etc/cni/net.d/10-web.conflist'), 'mine');
    assert.match(read(RECORD), /10-web\.conflist/);
  });

  it('does not bring a network back that the operator has removed', () => {
    install();
    rmSync(join(root, '/etc/cni/net.d/10-web.conflist'));
    install('2');
    assert.deepEqual(readdirSync(join(root, '/etc/cni/net.d')), []);
  });

  it('--no-daemon removes the units, and the next run without options keeps it so', () => {
    install();
    install('1', { daemon: false });
    install('2');
    assert.equal(existsSync(join(root, '/etc/systemd/system/isthmus.service')), false);
    install('2', { daemon: true });
    assert.equal(existsSync(join(root, '/etc/systemd/system/isthmus.service')), true);
  });

  it('places no units where there is no systemd', () => {
    rmSync(join(root, '/usr/lib/systemd'), { recursive: true });
    const { systemd } = prepareInstall(payloadOf('1'), { root });
    install();
    assert.deepEqual([systemd, existsSync(join(root, '/etc/systemd'))], ['absent', false]);
  });

  it("serves the directory of the distribution's own runtimes too, if there is one", () => {
    write(root, '/usr/lib/cni/bridge', 'reference bridge', 0o755);
    install('1', { names: ['bridge'] });
    const found = tree();
    assert.equal(found['usr/lib/cni/isthmus'], '-> /opt/cni/bin/isthmus');
    assert.equal(found['usr/lib/cni/bridge'], '-> isthmus');
    assert.equal(found['usr/lib/cni/loopback'], '-> isthmus');
    uninstall();
    assert.deepEqual(readdirSync(join(root, '/usr/lib/cni')), ['bridge']);
  });

  it('leaves the files of a package alone: it places names and network only', () => {
    write(root, '/usr/lib/isthmus/packaged', 'deb');
    write(root, '/usr/lib/isthmus/cni-plugin', 'packaged');
    const payload = { ...payloadOf('1'), executable: join(root, '/usr/lib/isthmus/cni-plugin') };
    const { carryOut, plan } = prepareInstall(payload, { root, names: ['bridge'] });
    carryOut(() => {});
    assert.deepEqual(actions(plan.steps, 'install', 'replace'), [
      'replace /opt/cni/bin/bridge',
      'install /opt/cni/bin/loopback',
      'install /etc/cni/net.d/10-web.conflist',
    ]);
    uninstall();
    assert.equal(read('/usr/lib/isthmus/cni-plugin'), 'packaged');
    refusal(/a package has installed isthmus/);
  });

  describe('changes nothing, and says why,', () => {
    for (const missing of SKELETON)
      it(`where the root has no ${missing}`, () => {
        rmSync(join(root, missing), { recursive: true });
        refusal(new RegExp(`directory ${root}/${missing}: there is no such directory\\. Make or mount it`));
      });

    it('for a root that is missing', () => {
      refusal(/nowhere: there is no such directory\. Give the root of a system as --root/, {
        root: join(root, 'nowhere'),
      });
    });

    it('where a file is in the place of a directory', () => {
      write(root, '/etc/cni', 'a file');
      refusal(/directory .*\/etc\/cni: it is a file/);
    });

    it('where a directory is in the place of a file', () => {
      mkdirSync(join(root, '/usr/lib/isthmus/cni-plugin'), { recursive: true });
      refusal(/path \/usr\/lib\/isthmus\/cni-plugin: a directory is there/);
    });

    it('where a link leads out of the root', () => {
      rmSync(join(root, 'opt'), { recursive: true });
      symlinkSync(makeRoot('other'), join(root, 'opt'));
      refusal(/directory .*\/opt: it leads to .*\/other, out of .*\/root/);
    });

    it('where the record is broken', () => {
      write(root, RECORD, '{"items": [{"path": "/../x"}]}');
      refusal(/record\.json: it cannot be read .*Copies of what was replaced are in/);
    });

    it('where the record names a plugin by a path', () => {
      const names = ['../../evil'];
      write(root, RECORD, JSON.stringify({ version: '0', daemon: false, names, items: [], directories: [] }));
      refusal(/record\.json: it cannot be read /);
    });

    it('while another installation is under way', async () => {
      using _ = lockInstall(root);
      await assert.rejects(
        whileLocked(root, async () => void install()),
        /another installation is under way/,
      );
    });
  });

  it('leaves nothing of its own after a refusal', async () => {
    mkdirSync(join(root, '/usr/lib/isthmus/cni-plugin'), { recursive: true });
    const before = tree();
    await assert.rejects(whileLocked(root, async () => void install()));
    assert.deepEqual(tree(), before);
  });

  it('to be undone that is not there says so, and leaves the root as it was', () => {
    const before = tree();
    const main = join(import.meta.dirname, '../../cmd/cnm-shim/main.ts');
    for (const [more, end] of [
      [[], ''],
      [['--dry-run'], 'this was a dry run: nothing has been changed\n'],
    ] as const) {
      const words = ['--no-warnings', main, 'uninstall', '--root', root, ...more];
      const told = execFileSync(process.execPath, words, {
        encoding: 'utf8',
        env: { PATH: process.env.PATH ?? '', ...COMPILE_CACHE },
      });
      assert.equal(told, `isthmus is not installed below ${root}: nothing is to be removed\n${end}`);
    }
    assert.deepEqual(tree(), before);
  });

  it("replaces somebody else's command, and puts it back", () => {
    write(root, '/usr/bin/isthmus', 'another program', 0o755);
    assert.ok(actions(install(), 'replace').includes('replace /usr/bin/isthmus'));
    uninstall();
    assert.equal(tree()['usr/bin/isthmus'], '755 another program');
  });

  /** Runs `work` with each of its changes failing in turn; `check` looks after each. */
  function atEachChange(
    fault: { code: string } | { killed: true },
    work: () => void,
    check: (nth: number) => void,
  ): number {
    for (let nth = 0; ; nth++) {
      rmSync(root, { recursive: true });
      root = makeRoot('root');
      prepare();
      const { hit } = withFault({ nth, ...fault }, work);
      if (!hit) return nth;
      check(nth);
    }
  }
  let prepare: () => void = () => {};

  for (const [what, before, work] of [
    ['the first installation', () => {}, () => install('1', { names: ['bridge', 'portmap'] })],
    ['an upgrade', () => install('1', { names: ['bridge'] }), () => install('2', { names: ['portmap'] })],
    ['the uninstallation', () => install('1', { names: ['bridge'] }), () => uninstall()],
  ] as const) {
    it(`killed at any change of ${what}, is completed by the next run, and undone by uninstall`, () => {
      const clean = tree();
      prepare = () => void before();
      prepare();
      work();
      const complete = tree();
      let undo = false;
      const check = (nth: number): void => {
        for (const name of ['bridge', 'portmap'])
          assert.ok(existsSync(join(root, '/opt/cni/bin', name)), `${name} at ${nth}`);
        if (undo) uninstall();
        else work();
        assert.deepEqual(tree(), undo ? clean : complete, `after change ${nth}`);
      };
      const points = atEachChange({ killed: true }, work, check);
      assert.ok(points > 20, `${points} changes`);
      undo = true;
      atEachChange({ killed: true }, work, check);
    });
  }

  it('a full disk at any change before the files in use are replaced changes nothing', () => {
    prepare = () => void install('1', { names: ['bridge'] });
    prepare();
    const before = tree();
    let unchanged = 0;
    atEachChange(
      { code: 'ENOSPC' },
      () => install('2', { names: ['bridge', 'portmap'] }),
      () => {
        if (JSON.stringify(tree()) === JSON.stringify(before)) unchanged++;
      },
    );
    assert.ok(unchanged > 20, `${unchanged} points`);
    const fail = (): void => void install('2');
    assert.equal(withFault({ nth: 2, code: 'ENOSPC' }, () => assert.throws(fail, /ENOSPC.*Make room/)).hit, true);
  });
});
