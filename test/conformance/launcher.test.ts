import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CONFIG, type LauncherCall, type LauncherLab, makeLauncherLab, STAND_IN } from '../support/launcher-lab.ts';
import { decline, startPeer } from '../support/launcher-peer.ts';

const MIB = 1 << 20;
const INSTALLED = '/usr/lib/isthmus/cni-plugin';

/** Calls that do not concern the daemon: the plugin gets them unchanged, stdin unread. */
const NO_CALLS: Readonly<Record<string, LauncherCall>> = {
  'no CNI_COMMAND': { command: undefined },
  'an empty CNI_COMMAND': { command: '' },
  'a CNI_COMMAND that does not exist': { command: 'PING' },
  'a CNI_COMMAND in small letters': { command: 'add' },
  'a word on the command line': { command: undefined, args: ['reload'] },
  'a word on the command line besides CNI_COMMAND': { args: ['reload', 'now'] },
};

/** A separate mount namespace, in which `script` runs before the launcher. */
const apart = (script: string, ...words: readonly string[]): readonly string[] => [
  ...['unshare', '-m', 'sh', '-c', `set -e; ${script}; shift ${words.length}; exec "$@"`, 'sh', ...words],
];

/** No plugin is installed. */
const UNINSTALLED = apart('test ! -d "$1" || mount -t tmpfs none "$1"', dirname(INSTALLED));

/** The file in the plugin's place, and the kernel's error for it. */
const NO_PROGRAMS: readonly (readonly [title: string, make: (path: string) => void, reason: string])[] = [
  ['is missing', () => {}, 'No such file or directory'],
  ['cannot be executed', (path) => writeFileSync(path, '', { mode: 0o644 }), 'Permission denied'],
  ['is a directory', (path) => mkdirSync(path), 'Permission denied'],
  ['is text', (path) => writeFileSync(path, 'text', { mode: 0o755 }), 'Exec format error'],
  ['is a link to nothing', (path) => symlinkSync('nothing', path), 'No such file or directory'],
];

const TIMEOUTS = ['0', '-1', '1.5', '1s', ' 5', '+5', '05', '86401', '100000', '99999999999999999999', 'a"b\\\n\u0001'];

describe('launcher without a daemon', function () {
  this.timeout(60_000);
  let lab: LauncherLab;

  before(() => {
    lab = makeLauncherLab();
  });
  beforeEach(() => lab.restore());
  after(() => lab?.[Symbol.dispose]());

  for (const [title, call] of Object.entries(NO_CALLS))
    it(`runs the plugin for ${title}, with stdin unread`, async () => {
      const file = join(lab.path, 'stdin');
      writeFileSync(file, '{"name":"web"}');
      const fd = openSync(file, 'r');
      try {
        const { code, standIn, stdout } = await lab.run({ ...call, stdin: fd, argv0: '/opt/cni/bin/bridge' });
        assert.deepEqual([code, stdout], [STAND_IN, 'stand-in\n']);
        assert.deepEqual(standIn?.argv, ['/opt/cni/bin/bridge', ...(call.args ?? [])]);
        assert.equal(standIn?.fds.get(0), file);
        assert.equal(standIn?.stdin.toString(), '{"name":"web"}');
      } finally {
        closeSync(fd);
      }
    });

  it('runs the plugin when stdin is a device, closed, or a directory', async () => {
    using peer = await startPeer(lab.runDir, decline);
    for (const [redirect, fd0] of [
      ['< /dev/null', '/dev/null'],
      ['< /', '/'],
      ['<&-', undefined],
    ] as const) {
      const { code, standIn } = await lab.run({ prefix: ['sh', '-c', `exec "$0" "$@" ${redirect}`] });
      assert.equal(code, STAND_IN, redirect);
      assert.equal(standIn?.fds.get(0), fd0);
    }
    assert.equal(peer.connections, 0);
  });

  for (const size of [0, 1, 65_536, MIB, MIB + 1, MIB + 2, 3 * MIB])
    it(`passes stdin to the plugin: ${size} bytes`, async () => {
      const stdin = randomBytes(size);
      const { code, standIn } = await lab.run({ stdin });
      assert.equal(code, STAND_IN);
      assert.ok(standIn?.stdin.equals(stdin), `${standIn?.stdin.length} bytes came`);
    });

  it('passes the first 64 MiB of a larger stdin to the plugin', async () => {
    const { code, standIn } = await lab.run({ prefix: ['sh', '-c', 'head -c 200M /dev/zero | exec "$0"'] });
    assert.equal(code, STAND_IN);
    const { length = 0 } = standIn?.stdin ?? {};
    assert.ok(length >= 64 * MIB && length < 68 * MIB, `${length} bytes came`);
  });

  it('passes name and environment to the plugin, with the variables of Node renamed, and no descriptor', async () => {
    const env = {
      B: '2',
      NODE_OPTIONS: '--inspect',
      NODE_PATH: '/x',
      NODENAME: 'n',
      EMPTY: '',
      A: 'ä\nb',
      HOME: undefined,
    };
    const { standIn } = await lab.run({ argv0: 'portmap', env });
    assert.deepEqual(standIn?.argv, ['portmap']);
    assert.deepEqual(standIn?.env, [
      `PATH=${process.env.PATH}`,
      ...['CNI_CONTAINERID=c1', 'CNI_IFNAME=eth0'],
      ...[`ISTHMUS_RUN_DIR=${lab.runDir}`, `ISTHMUS_STATE_DIR=${lab.stateDir}`, 'CNI_COMMAND=ADD'],
      ...['B=2', 'NODE@OPTIONS=--inspect', 'NODE@PATH=/x', 'NODENAME=n', 'EMPTY=', 'A=ä\nb'],
    ]);
    assert.deepEqual([...(standIn?.fds.keys() ?? [])], lab.inherited);
  });

  it("runs the plugin by its own name as `isthmus` without a call, and by the caller's name otherwise", async () => {
    for (const argv0 of ['isthmus', '/opt/cni/bin/isthmus']) {
      const ran = async (call: LauncherCall): Promise<string | undefined> =>
        (await lab.run({ ...call, argv0 })).standIn?.argv[0];
      for (const call of [{ command: undefined }, { command: '' }, { args: ['reload'] }])
        assert.equal(await ran(call), 'cni-plugin', JSON.stringify(call));
      for (const call of [{}, { command: 'PING' }]) assert.equal(await ran(call), argv0, JSON.stringify(call));
    }
    assert.equal((await lab.run({ command: undefined, argv0: 'isthmus2' })).standIn?.argv[0], 'isthmus2');
  });

  it('runs the installed plugin when none is next to it', async () => {
    const layers = join(lab.path, 'layers');
    const script =
      'mkdir "$1"; mount -t tmpfs none "$1"; mkdir "$1/upper" "$1/work" "$1/upper/isthmus"; ' +
      'mv "$2" "$1/upper/isthmus/"; mount -t overlay none -o lowerdir=/usr/lib,upperdir="$1/upper",workdir="$1/work" /usr/lib';
    const record = [
      'sh',
      '-c',
      '"$@"; status=$?; cp /usr/lib/isthmus/cni-plugin.* "$0"; exit $status',
      join(lab.path, 'bin'),
    ];
    const { code, stdout, standIn } = await lab.run({ prefix: [...apart(script, layers, lab.plugin), ...record] });
    assert.deepEqual([code, stdout], [STAND_IN, 'stand-in\n']);
    assert.deepEqual(standIn?.argv, [lab.launcher]);
    assert.equal(standIn?.stdin.toString(), CONFIG);
  });

  for (const [title, make, reason] of NO_PROGRAMS)
    it(`says where it looked when the plugin ${title}`, async () => {
      rmSync(lab.plugin);
      make(lab.plugin);
      const { code, json, stdout } = await lab.run({ prefix: UNINSTALLED });
      assert.deepEqual([code, json?.cniVersion, json?.code], [1, '1.0.0', 11]);
      assert.equal(json?.msg, `ADD plugin: can be run neither as ${lab.plugin} nor as ${INSTALLED} (${reason})`);
      assert.equal(json?.details, 'Install Isthmus anew, or start its daemon');
      assert.equal(stdout, `${JSON.stringify(json, null, 4)}\n`);
    });

  for (const [stdin, version] of [
    ['{"cniVersion":"0.4.0","name":"web"}', '0.4.0'],
    ['{"name":"web"}', '0.1.0'],
    ['{"cniVersion":"7.0.0"}', '1.1.0'],
    ['{', '1.1.0'],
  ] as const)
    it(`answers ${stdin} with an error of ${version}`, async () => {
      rmSync(lab.plugin);
      const { json } = await lab.run({ stdin, command: 'DEL', prefix: UNINSTALLED });
      assert.deepEqual([json?.cniVersion, json?.code], [version, 11]);
    });

  for (const replace of [symlinkSync, linkSync, copyFileSync])
    it(`does not execute itself forever when the plugin is the launcher (${replace.name})`, async () => {
      rmSync(lab.plugin);
      replace(lab.launcher, lab.plugin);
      const { code, json } = await lab.run({ prefix: UNINSTALLED });
      assert.deepEqual([code, json?.code], [1, 11]);
    });

  it('finds the plugin next to it after it was replaced itself', async () => {
    using _peer = await startPeer(lab.runDir, (call) => {
      const newer = join(lab.path, 'bin/newer');
      writeFileSync(newer, '');
      renameSync(newer, lab.launcher);
      decline(call);
    });
    assert.equal((await lab.run()).code, STAND_IN);
  });

  it('waits for the end of stdin no longer than ISTHMUS_TIMEOUT', async () => {
    const { code, json, standIn } = await lab.run({ stdin: 'open', env: { ISTHMUS_TIMEOUT: '1' } });
    assert.deepEqual([code, json?.code, json?.cniVersion, standIn], [1, 5, '1.1.0', undefined]);
    assert.equal(json?.msg, 'ADD stdin: did not end within 1 s');
  });

  for (const value of TIMEOUTS)
    it(`refuses ISTHMUS_TIMEOUT=${JSON.stringify(value)} before it sends anything`, async () => {
      using peer = await startPeer(lab.runDir, decline);
      const { code, json, standIn } = await lab.run({ env: { ISTHMUS_TIMEOUT: value } });
      assert.deepEqual([code, json?.code, json?.cniVersion, standIn], [1, 4, '1.0.0', undefined]);
      assert.equal(json?.msg, `environment ISTHMUS_TIMEOUT=${value}: is not a whole number of seconds from 1 to 86400`);
      assert.equal(json?.details, 'Give one, or leave it out for 60');
      assert.equal(peer.connections, 0);
    });

  it('accepts every other ISTHMUS_TIMEOUT', async () => {
    for (const value of ['', '1', '9', '60', '86399', '86400'])
      assert.equal((await lab.run({ env: { ISTHMUS_TIMEOUT: value } })).code, STAND_IN, value);
  });

  it('truncates a long value in the error', async () => {
    const { json } = await lab.run({ env: { ISTHMUS_TIMEOUT: 'x'.repeat(100_000) } });
    assert.equal(json?.code, 4);
    assert.ok(json?.msg?.includes(`=${'x'.repeat(256)}...: is no`), `${json?.msg}`);
  });
});
