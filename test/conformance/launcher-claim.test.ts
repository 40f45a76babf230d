import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { ANSWER, CLAIM, DECLINE } from '../../src/shared/runtime/cni/protocol.ts';
import { type Child, standStill, startChild } from '../support/children.ts';
import { CONFIG, type LauncherCall, type LauncherLab, makeLauncherLab, STAND_IN } from '../support/launcher-lab.ts';
import {
  answerFrame,
  answering,
  type Peer,
  type PeerCall,
  type PeerOptions,
  startPeer,
} from '../support/launcher-peer.ts';

const NOBODY = 65534;
const LARGE = randomBytes(1 << 20);

type Serve = (call: PeerCall) => void;

/** Peers that do not claim the call: it is the plugin's. */
const NO_CLAIMS: Readonly<Record<string, Serve>> = {
  'declines it': ({ socket }) => void socket.end(Buffer.of(DECLINE)),
  'declines it with words': ({ socket }) => void socket.write(`${String.fromCharCode(DECLINE)}the daemon is ending`),
  'says NUL': ({ socket }) => void socket.end(Buffer.of(0)),
  'answers without a claim': ({ socket }) => void socket.end(answerFrame(0, 'stdout')),
  'claims in its second byte': ({ socket }) => void socket.end(Buffer.of(ANSWER, CLAIM)),
  'says garbage': ({ socket }) => void socket.write(Buffer.alloc(16 << 20, 'garbage')),
  'hangs up': ({ socket }) => void socket.destroy(),
  'ends its side': ({ socket }) => void socket.end(),
  'says nothing': () => {},
};

const declineUnread = (socket: Socket): void => void socket.pause().write(Buffer.of(DECLINE));

/** Peers that do not even read the request. */
const NO_READERS: Readonly<Record<string, (socket: Socket) => void>> = {
  'reads nothing': (socket) => void socket.pause(),
  'hangs up at once': (socket) => void socket.destroy(),
  'declines before it reads': declineUnread,
};

describe('launcher before the claim', function () {
  this.timeout(60_000);
  let lab: LauncherLab;
  let closed: Promise<void>[];

  before(() => {
    lab = makeLauncherLab();
  });
  beforeEach(() => {
    closed = [];
  });
  after(() => lab?.[Symbol.dispose]());

  /** A peer of which `closed` tells when its connections are. */
  const start = (serve: Serve, { connected = () => {}, ...options }: PeerOptions = {}): Promise<Peer> =>
    startPeer(lab.runDir, serve, {
      ...options,
      connected: (socket) => {
        closed.push(new Promise((resolve) => socket.on('close', () => resolve())));
        connected(socket);
      },
    });

  const leftToPlugin = async (call: LauncherCall = {}): Promise<void> => {
    const { code, stdout, stderr, standIn } = await lab.run(call);
    assert.deepEqual([code, stdout, stderr], [STAND_IN, 'stand-in\n', '']);
    assert.deepEqual(standIn?.argv, [call.argv0 ?? lab.launcher]);
    assert.ok(standIn?.stdin.equals(Buffer.isBuffer(call.stdin) ? call.stdin : Buffer.from(CONFIG)));
    assert.deepEqual([...(standIn?.fds.keys() ?? [])], lab.inherited);
  };

  /** A call of which strace writes down the `syscalls`. */
  const traced = (syscalls: string): { call: LauncherCall; trace: () => string } => {
    const log = join(lab.path, 'log');
    const prefix = ['strace', '-qq', '-o', log, '-e', `trace=${syscalls}`];
    return { call: { prefix }, trace: () => readFileSync(log, 'utf8') };
  };

  for (const [title, serve] of Object.entries(NO_CLAIMS))
    it(`runs the plugin when the daemon ${title}`, async () => {
      using peer = await start(serve);
      await leftToPlugin({ argv0: 'bridge' });
      await Promise.all(closed);
      assert.equal(peer.connections, 1);
    });

  for (const [title, connected] of Object.entries(NO_READERS))
    it(`runs the plugin for a large call when the daemon ${title}`, async () => {
      using peer = await start(() => assert.fail('the request was read'), { connected });
      await leftToPlugin({ stdin: LARGE });
      assert.equal(peer.connections, 1);
    });

  it('does not wait when the daemon declines before it has read everything', async () => {
    using _peer = await start(() => assert.fail('the request was read'), { connected: declineUnread });
    const { call, trace } = traced('sendto,shutdown');
    await leftToPlugin({ ...call, stdin: LARGE });
    assert.match(trace(), /^sendto\(.* = \d+\n$/);
  });

  it('runs the plugin when no daemon can listen', async () => {
    const at = (name: string): string => join(lab.path, name);
    for (const name of ['file', 'dir', 'loop']) mkdirSync(at(name));
    writeFileSync(at('file/cni.sock'), '');
    mkdirSync(at('dir/cni.sock'));
    symlinkSync('cni.sock', at('loop/cni.sock'));
    for (const dir of [
      lab.runDir,
      at('none'),
      at('file'),
      at('dir'),
      at('loop'),
      at('file/cni.sock'),
      '/',
      'x'.repeat(9000),
    ])
      await leftToPlugin({ env: { ISTHMUS_RUN_DIR: dir } });
  });

  it('runs the plugin when the daemon died and its socket remains', async () => {
    const daemon = startChild('launcher-peer-child.ts', lab.runDir, '16', 'serve');
    await daemon.line(/ready/);
    assert.equal((await lab.run()).stdout, 'served');
    daemon.process.kill('SIGKILL');
    await daemon.end;
    await leftToPlugin();
    rmSync(join(lab.runDir, 'cni.sock'));
  });

  it('connects to a path of 107 bytes, and to none that is longer', async () => {
    const base = join(lab.path, 'long');
    const dirOf = (length: number): string => join(base, 'd'.repeat(length - base.length - '//cni.sock'.length));
    for (const length of [106, 107]) {
      const dir = dirOf(length);
      mkdirSync(dir, { recursive: true });
      using _peer = await startPeer(dir, answering(0, 'served'));
      assert.equal((await lab.run({ env: { ISTHMUS_RUN_DIR: dir } })).stdout, 'served');
    }
    const { call, trace } = traced('connect');
    await leftToPlugin({ ...call, env: { ISTHMUS_RUN_DIR: dirOf(108) } });
    assert.equal(trace(), '');
  });

  it('ignores a relative path', async () => {
    using peer = await start(answering(0, 'served'));
    const prefix = ['sh', '-c', `cd ${lab.path}; exec "$0"`];
    await leftToPlugin({ prefix, env: { ISTHMUS_RUN_DIR: 'run' } });
    await leftToPlugin({ prefix, env: { ISTHMUS_STATE_DIR: 'state' } });
    assert.equal(peer.connections, 0);
    assert.equal((await lab.run({ prefix })).stdout, 'served');
  });

  it("sends root's calls to root's daemon only, and another user's to root's or their own", async () => {
    for (const [caller, daemon, served] of [
      [0, NOBODY, false],
      [NOBODY, NOBODY, true],
      [NOBODY, 0, true],
    ] as const) {
      process.seteuid?.(daemon);
      const starting = start(answering(0, 'served'));
      process.seteuid?.(0);
      using _peer = await starting;
      chownSync(join(lab.runDir, 'cni.sock'), caller, -1);
      chownSync(join(lab.path, 'bin'), caller, -1);
      const run = await lab.run({ uid: caller });
      assert.equal(run.stdout, served ? 'served' : 'stand-in\n', `${caller} calls ${daemon}`);
    }
  });

  describe('when the daemon is stopped', () => {
    let daemon: Child;
    beforeEach(async () => {
      daemon = startChild('launcher-peer-child.ts', lab.runDir, '1', 'serve');
      await daemon.line(/ready/);
      standStill(daemon.process.pid ?? assert.fail('not started'));
    });
    afterEach(async () => {
      daemon.process.kill('SIGKILL');
      await daemon.end;
      rmSync(join(lab.runDir, 'cni.sock'), { force: true });
    });

    it('runs the plugin, and the daemon cannot claim the call later', async () => {
      await leftToPlugin();
      daemon.process.kill('SIGCONT');
      await daemon.line(/refused/);
      assert.deepEqual(daemon.lines, ['ready', 'refused']);
      assert.equal((await lab.run()).stdout, 'served');
      await daemon.line(/claimed/);
    });

    it('runs the plugin at once when the queue is full', async () => {
      const sockets = await fill(join(lab.runDir, 'cni.sock'));
      try {
        const { call, trace } = traced('connect,shutdown');
        await leftToPlugin(call);
        assert.match(trace(), /^connect\(.*EAGAIN.*\n$/);
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    });
  });
});

/** Connections until the kernel takes no more. */
async function fill(path: string): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  for (let i = 0; i < 100; i++) {
    const socket = connect(path);
    sockets.push(socket);
    const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      socket.on('error', resolve).on('connect', () => resolve(undefined));
    });
    if (error?.code === 'EAGAIN') return sockets;
    if (error !== undefined) throw error;
  }
  throw new Error('the queue does not fill up');
}
