import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RequestReader } from '../../cmd/cnm-shim/cni/frames.ts';
import { CONFIG, type LauncherCall, type LauncherLab, makeLauncherLab, STAND_IN } from '../support/launcher-lab.ts';
import { answering, decline, type PeerRequest, startPeer } from '../support/launcher-peer.ts';
import { makeNetns, type TestNetns } from '../support/netns.ts';

const MIB = 1 << 20;

/** The request that the peer received, and the target of the launcher's descriptor at that time. */
interface Seen {
  readonly request: PeerRequest;
  /** Inode number; undefined for -1. */
  readonly netns: number | undefined;
}

describe("launcher's request", function () {
  this.timeout(60_000);
  let lab: LauncherLab;
  let ns: TestNetns;

  before(() => {
    lab = makeLauncherLab();
    ns = makeNetns('launcher');
  });
  after(() => {
    ns?.[Symbol.dispose]();
    lab?.[Symbol.dispose]();
  });

  /** The request of one call, which the peer declines and the stand-in then gets. */
  const seenOf = async (call: LauncherCall): Promise<Seen> => {
    const seen: Seen[] = [];
    let pid: number | undefined;
    using _peer = await startPeer(call.env?.ISTHMUS_RUN_DIR ?? lab.runDir, ({ request, socket }) => {
      const { netnsFd } = request;
      seen.push({ request, netns: netnsFd < 0 ? undefined : statSync(`/proc/${pid}/fd/${netnsFd}`).ino });
      decline({ request, socket });
    });
    const { child, done } = lab.start(call);
    pid = child.pid;
    const { code, standIn } = await done;
    assert.deepEqual([code, seen.length], [STAND_IN, 1]);
    assert.deepEqual([...(standIn?.fds.keys() ?? [])], lab.inherited);
    const [first] = seen;
    if (first === undefined) throw new Error('no request came');
    return first;
  };

  const netnsOf = async (path: string | undefined, more: LauncherCall = {}): Promise<number | undefined> =>
    (await seenOf({ ...more, env: { ...more.env, CNI_NETNS: path } })).netns;
  const inoOf = (path: string): number => statSync(path).ino;

  it('contains the name, the whole environment and stdin of the call', async () => {
    const { request } = await seenOf({
      argv0: '/opt/cni/bin/portmap',
      env: {
        ...{ CNI_ARGS: 'A=1;B=2', CNI_PATH: '', TRACEPARENT: '00-1', TRACESTATE: 's', BAGGAGE: 'b', ISTHMUS_LOG: 'ä' },
        ...{ HOME: '/root', CNICONFIG: 'x', PATHS: 'x', BAGGAGES: 'x', ISTHMUS: 'x', NODE_OPTIONS: 'x' },
      },
    });
    assert.equal(request.argv0, '/opt/cni/bin/portmap');
    assert.equal(request.stdin.toString(), CONFIG);
    assert.deepEqual(request.env, [
      `PATH=${process.env.PATH}`,
      ...['CNI_CONTAINERID=c1', 'CNI_IFNAME=eth0'],
      ...[`ISTHMUS_RUN_DIR=${lab.runDir}`, `ISTHMUS_STATE_DIR=${lab.stateDir}`, 'CNI_COMMAND=ADD'],
      ...['CNI_ARGS=A=1;B=2', 'CNI_PATH=', 'TRACEPARENT=00-1', 'TRACESTATE=s', 'BAGGAGE=b', 'ISTHMUS_LOG=ä'],
      ...['HOME=/root', 'CNICONFIG=x', 'PATHS=x', 'BAGGAGES=x', 'ISTHMUS=x', 'NODE_OPTIONS=x'],
    ]);
  });

  it('is in the form that the daemon reads', async () => {
    const { request } = await seenOf({ argv0: 'bridge', env: { CNI_NETNS: ns.path, CNI_PATH: '/opt/cni/bin' } });
    const received = new RequestReader().push(request.bytes);
    assert.equal(received.kind, 'request');
    const { argv0, env, stdin, netnsFd, stateDir } = received.request;
    assert.deepEqual([argv0, stdin], [request.argv0, request.stdin.toString()]);
    assert.deepEqual(
      Object.entries(env).map((entry) => entry.join('=')),
      request.env,
    );
    assert.equal(netnsFd, request.netnsFd);
    assert.equal(stateDir, `${request.stateDir.dev}:${request.stateDir.ino}`);
  });

  it('has the name isthmus when the launcher was called by no name', async () => {
    const { request } = await seenOf({ prefix: ['perl', '-e', 'exec { $ARGV[0] } ""'] });
    assert.equal(request.argv0, 'isthmus');
    assert.equal(request.stdin.toString(), CONFIG);
  });

  for (const size of [0, MIB, MIB + 1])
    it(`contains stdin of ${size} bytes`, async () => {
      const stdin = randomBytes(size);
      const { request } = await seenOf({ stdin });
      assert.ok(request.stdin.equals(stdin), `${request.stdin.length} bytes came`);
    });

  it('is not sent for a larger stdin or an environment of more than 256 KiB', async () => {
    using peer = await startPeer(lab.runDir, decline);
    assert.equal((await lab.run({ stdin: randomBytes(MIB + 2) })).code, STAND_IN);
    const env = Object.fromEntries([1, 2, 3].map((i) => [`SITE_X${i}`, 'x'.repeat(90_000)]));
    const stdin = randomBytes(MIB);
    const { code, standIn } = await lab.run({ stdin, env });
    assert.equal(code, STAND_IN);
    assert.ok(standIn?.stdin.equals(stdin));
    assert.equal(peer.connections, 0);
  });

  it('names the state directory, unless it is a symbolic link', async () => {
    const { dev, ino } = statSync(lab.stateDir, { bigint: true });
    assert.deepEqual((await seenOf({})).request.stateDir, { dev, ino });
    const missing = (await seenOf({ env: { ISTHMUS_STATE_DIR: join(lab.path, 'none') } })).request;
    assert.deepEqual(missing.stateDir, { dev: 0n, ino: 0n });
    const link = join(lab.path, 'state-link');
    symlinkSync(lab.stateDir, link);
    assert.notEqual((await seenOf({ env: { ISTHMUS_STATE_DIR: link } })).request.stateDir.ino, ino);
  });

  it('goes to the run directory of the call', async () => {
    const moved = join(lab.path, 'moved');
    mkdirSync(moved);
    using other = await startPeer(lab.runDir, decline);
    const { request } = await seenOf({ env: { ISTHMUS_RUN_DIR: moved } });
    assert.ok(request.env.includes(`ISTHMUS_RUN_DIR=${moved}`));
    assert.equal(other.connections, 0);
  });

  it('includes the network namespace of CNI_NETNS', async () => {
    assert.equal(await netnsOf(ns.path), inoOf(ns.path));
    assert.equal(await netnsOf('/proc/self/ns/net'), inoOf('/proc/self/ns/net'));
  });

  it('includes a namespace behind a symbolic link to it or to its directory', async () => {
    const [link, dir] = [join(lab.path, 'ns-link'), join(lab.path, 'dir-link')];
    symlinkSync(ns.path, link);
    symlinkSync('/run/netns', dir);
    assert.equal(await netnsOf(link), inoOf(ns.path));
    assert.equal(await netnsOf(join(dir, ns.name)), inoOf(ns.path));
  });

  it('includes a namespace whose path exists in the mount namespace of the caller only', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'isth-'));
    const script = 'set -e; mount -t tmpfs none "$0"; touch "$0/ns"; mount --bind "$1" "$0/ns"; shift; exec "$@"';
    try {
      const path = join(dir, 'ns');
      const prefix = ['unshare', '-m', 'sh', '-c', script, dir, ns.path];
      assert.equal(await netnsOf(path, { prefix }), inoOf(ns.path));
      assert.equal(statSync(path, { throwIfNoEntry: false }), undefined);
    } finally {
      rmdirSync(dir);
    }
  });

  it('is sent at once without a namespace when CNI_NETNS is not one', async () => {
    const at = (name: string): string => join(lab.path, name);
    execFileSync('mkfifo', [at('fifo')]);
    writeFileSync(at('file'), '');
    for (const path of [
      ...[undefined, '', at('none'), at('fifo'), at('file'), lab.path, '/dev/null', '/dev/tty'],
      ...['/proc/self/ns/mnt', '/proc/self/ns/user', '/proc/self/ns/pid', '/run/netns', 'x'.repeat(5000)],
    ])
      assert.equal(await netnsOf(path), undefined, String(path));
  });

  it('is complete when stdout and stderr are closed, and the answer is discarded', async () => {
    using peer = await startPeer(lab.runDir, answering(0, 'stdout', 'stderr'));
    const { code, signal } = await lab.run({
      prefix: ['sh', '-c', 'exec "$0" >&- 2>&-'],
      env: { CNI_NETNS: ns.path },
    });
    assert.deepEqual([code, signal], [1, null]);
    const [request] = peer.requests;
    assert.equal(request?.stdin.toString(), CONFIG);
    // Any output of the launcher to its stdout would appear here.
    assert.equal(peer.surplus, 0);
  });
});
