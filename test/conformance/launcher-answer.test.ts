import { strict as assert } from 'node:assert';
import { readFileSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ANSWER_BYTES, CLAIM, CLAIM_MS } from '../../src/shared/runtime/cni/protocol.ts';
import { startChild } from '../support/children.ts';
import {
  type LauncherCall,
  type LauncherLab,
  type LauncherRun,
  makeLauncherLab,
  STAND_IN,
} from '../support/launcher-lab.ts';
import { answerFrame, answerHeader, answering, type Peer, startPeer } from '../support/launcher-peer.ts';

const CLAIMED = Buffer.of(CLAIM);
const FRAME = answerFrame(0, '{"ips":[]}', 'a line of the log');
const LARGE = Buffer.alloc(5 << 20, '0123456789abcdef');
const ENDED = 'ended before it answered';
const NONE = 'gave a malformed answer';

/** The daemon's actions after its claim, and the launcher's report of each. */
const BROKEN: Readonly<Record<string, readonly [after: (socket: Socket) => void, words: string]>> = {
  'hangs up': [(socket) => void socket.end(), ENDED],
  'hangs up within the header': [(socket) => void socket.end(FRAME.subarray(0, ANSWER_BYTES - 1)), ENDED],
  'hangs up behind the header': [(socket) => void socket.end(FRAME.subarray(0, ANSWER_BYTES)), ENDED],
  'hangs up within stdout': [(socket) => void socket.end(FRAME.subarray(0, ANSWER_BYTES + 4)), ENDED],
  'hangs up one byte before the end': [(socket) => void socket.end(FRAME.subarray(0, -1)), ENDED],
  'hangs up within 5 MiB': [(socket) => void socket.end(answerFrame(0, LARGE).subarray(0, -1)), ENDED],
  'declines after all': [(socket) => void socket.end('declined, though'), NONE],
  'says garbage': [(socket) => void socket.write(Buffer.alloc(16 << 20, 'garbage')), NONE],
  'answers in another form': [(socket) => void socket.write(Buffer.concat([Buffer.from('A\0\0\x01'), FRAME])), NONE],
  'answers with 100 MB': [(socket) => void socket.write(answerFrame(0, Buffer.alloc(100_000_000, 'x'))), NONE],
  'announces 64 MiB and a byte': [(socket) => void socket.write(answerHeader(0, 64 << 20, 1)), NONE],
  'announces 4 GiB': [(socket) => void socket.write(answerHeader(0, 2 ** 32 - 1, 2 ** 32 - 1)), NONE],
  'says nothing more': [() => {}, 'did not answer within 1 s'],
  'says half of it': [(socket) => void socket.write(FRAME.subarray(0, 20)), 'did not answer within 1 s'],
  'says a byte now and then': [(socket) => trickle(socket, answerFrame(0, LARGE)), 'did not answer within 1 s'],
};

describe('launcher after the claim', function () {
  this.timeout(60_000);
  let lab: LauncherLab;

  before(() => {
    lab = makeLauncherLab();
  });
  after(() => lab?.[Symbol.dispose]());

  const claiming = (then: (socket: Socket) => void): Promise<Peer> =>
    startPeer(lab.runDir, ({ socket }) => {
      socket.write(CLAIMED);
      then(socket);
    });

  for (const [code, stdout, stderr] of [
    [0, '{\n    "cniVersion": "1.0.0"\n}\n', ''],
    [1, '{"code":7}\n', 'level=warn msg=ADD\n'],
    [0, '', ''],
    [0, '', 'only stderr'],
    [255, 'ä\0\xff', '\n'],
  ] as const)
    it(`prints ${JSON.stringify([stdout, stderr])} and exits with ${code}`, async () => {
      using peer = await startPeer(lab.runDir, answering(code, stdout, stderr));
      const run = await lab.run();
      assert.deepEqual([run.code, run.stdout, run.stderr, run.standIn], [code, stdout, stderr, undefined]);
      assert.equal(peer.connections, 1);
    });

  it('prints 5 MiB on each', async () => {
    using _peer = await startPeer(lab.runDir, answering(3, LARGE, LARGE.toString()));
    assertLarge(await lab.run(), 3, LARGE.toString());
  });

  it('prints everything to a non-blocking pipe', async () => {
    using _peer = await startPeer(lab.runDir, answering(3, LARGE));
    const script = 'use Fcntl; fcntl(STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK) or die; exec @ARGV';
    assertLarge(await lab.run({ prefix: ['perl', '-e', script] }), 3, '');
  });

  it('assembles an answer that arrives byte by byte', async () => {
    using _peer = await claiming(async (socket) => {
      for (const byte of FRAME) {
        socket.write(Buffer.of(byte));
        await new Promise(setImmediate);
      }
      socket.end();
    });
    const { code, stdout, stderr } = await lab.run();
    assert.deepEqual([code, stdout, stderr], [0, '{"ips":[]}', 'a line of the log']);
  });

  it('reads claim and answer from one packet, and ignores what follows', async () => {
    using _peer = await startPeer(lab.runDir, ({ socket }) => {
      socket.write(Buffer.concat([CLAIMED, FRAME, Buffer.from('more')]));
    });
    const { code, stdout, stderr } = await lab.run();
    assert.deepEqual([code, stdout, stderr], [0, '{"ips":[]}', 'a line of the log']);
  });

  for (const redirect of ['>&-', '> /dev/full', '| true'])
    it(`fails when stdout cannot be written: ${redirect}`, async () => {
      using _peer = await startPeer(lab.runDir, answering(0, LARGE, 'stderr'));
      const script = `{ "$0"; echo "exit $?" >&2; } ${redirect}`;
      const { stderr, standIn } = await lab.run({ prefix: ['sh', '-c', script] });
      assert.equal(stderr, 'stderrexit 1\n');
      assert.equal(standIn, undefined);
    });

  for (const [title, [then, words]] of Object.entries(BROKEN))
    it(`reports an error and does not run the plugin when the daemon ${title}`, async () => {
      let closed: Promise<unknown> = Promise.reject();
      closed.catch(() => {});
      using _peer = await claiming((socket) => {
        closed = new Promise((resolve) => socket.on('close', resolve));
        then(socket);
      });
      assertFailed(await lab.run({ env: { ISTHMUS_TIMEOUT: '1' } }), words);
      await closed;
    });

  it('reports an error and does not run the plugin when the daemon is killed', async () => {
    const daemon = startChild('launcher-peer-child.ts', lab.runDir, '16', 'hang');
    await daemon.line(/ready/);
    const { done } = lab.start({ command: 'DEL', stdin: '{"cniVersion":"0.3.1","name":"web"}' });
    await daemon.line(/claimed/);
    daemon.process.kill('SIGKILL');
    const run = await done;
    await daemon.end;
    rmSync(join(lab.runDir, 'cni.sock'));
    assert.deepEqual([run.code, run.standIn], [1, undefined]);
    const [msg, details] = [`DEL daemon: ${ENDED}`, "Try again; the daemon's log tells more"];
    assert.deepEqual(run.json, { cniVersion: '0.3.1', code: 11, msg, details });
  });

  it('waits longer for the answer than for the claim', async () => {
    using _peer = await claiming(async (socket) => {
      await sleep(CLAIM_MS + 500);
      socket.end(FRAME);
    });
    const { code, stdout } = await lab.run();
    assert.deepEqual([code, stdout], [0, '{"ips":[]}']);
  });

  it('closes the connection when it is killed', async () => {
    let closed: (value: unknown) => void = () => {};
    const closing = new Promise((resolve) => {
      closed = resolve;
    });
    using _peer = await claiming((socket) => {
      socket.on('close', closed);
      child.kill('SIGTERM');
    });
    const { child, done } = lab.start();
    await closing;
    assert.equal((await done).signal, 'SIGTERM');
  });

  /** The launcher is held for 2 s before or behind its shutdown(2), and the peer says `words` meanwhile. */
  const held = async (where: 'enter' | 'exit', words: Buffer): Promise<{ run: LauncherRun; trace: string }> => {
    const log = join(lab.path, 'log');
    using _peer = await startPeer(lab.runDir, async ({ socket }) => {
      if (where === 'exit') await new Promise((resolve) => socket.resume().on('end', resolve));
      else await sleep(CLAIM_MS + 700);
      socket.write(words);
    });
    const inject = `inject=shutdown:delay_${where}=2000000`;
    const call: LauncherCall = { prefix: ['strace', '-qq', '-o', log, '-e', 'trace=shutdown,recvfrom', '-e', inject] };
    const run = await lab.run(call);
    return { run, trace: readFileSync(log, 'utf8') };
  };

  it('accepts a claim that came just before the connection was shut, with its answer', async () => {
    const { run, trace } = await held('enter', Buffer.concat([CLAIMED, FRAME]));
    assert.match(trace, /^shutdown\(.*\n.*recvfrom\(\d+, "C", 1/);
    assert.deepEqual([run.code, run.stdout, run.standIn], [0, '{"ips":[]}', undefined]);
  });

  it('accepts a claim that came just before the connection was shut, and has no answer', async () => {
    const { run, trace } = await held('enter', CLAIMED);
    assert.match(trace, /^shutdown\(.*\n.*recvfrom\(\d+, "C", 1/);
    assertFailed(run, 'claimed the call too late');
  });

  it('runs the plugin for a claim that came after the connection was shut', async () => {
    const { run, trace } = await held('exit', Buffer.concat([CLAIMED, FRAME]));
    assert.match(trace, /^shutdown\(.*\n.*recvfrom\(.*= 0\n/);
    assert.equal(run.code, STAND_IN);
  });
});

function assertFailed({ code, stdout, json, standIn }: LauncherRun, words: string): void {
  assert.equal(standIn, undefined, 'the plugin was run');
  assert.deepEqual(json, {
    ...{ cniVersion: '1.0.0', code: 11, msg: `ADD daemon: ${words}` },
    details: "Call DEL, then try again; the daemon's log tells more",
  });
  assert.equal(stdout, `${JSON.stringify(json, null, 4)}\n`);
  assert.equal(code, 1);
}

/** Without printing 5 MiB where it is something else. */
function assertLarge({ code, stdout, stderr }: LauncherRun, expected: number, expectedErr: string): void {
  assert.equal(code, expected);
  assert.ok(stdout === LARGE.toString(), `${stdout.length} bytes on stdout`);
  assert.ok(stderr === expectedErr, `${stderr.length} bytes on stderr`);
}

/** Sends one byte per 50 ms until the other end closes. */
function trickle(socket: Socket, bytes: Buffer): void {
  let sent = 0;
  const timer = setInterval(() => socket.write(bytes.subarray(sent, ++sent)), 50);
  socket.on('close', () => clearInterval(timer));
}
