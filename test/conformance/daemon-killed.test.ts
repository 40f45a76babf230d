import { strict as assert } from 'node:assert';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PluginRun } from '../support/cni.ts';
import {
  assertAbandoned,
  type DaemonBin,
  type DaemonSite,
  daemonBin,
  isAlive,
  makeSite,
  until,
} from '../support/daemon-site.ts';
import { killedAtPoint, tracedPoints } from '../support/daemon-strace.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import { type SyscallPoint, straceMissing } from '../support/strace.ts';

/** ISTHMUS_CRASH=all tries every point in both ways; by default those of the store are thinned out and ways alternate. */
const ALL = process.env.ISTHMUS_CRASH === 'all';

/**
 * kill -9 of the daemon at every system call of its main thread that changes something: before each Op of a call, each
 * write of the store, the claim and the answer. Then either the runtime goes on without a daemon, or another one starts.
 */
describe('after the daemon was killed', function () {
  this.timeout(900_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let clean: string;

  before(async function () {
    skipIf(this, straceMissing());
    bin = daemonBin();
    site = makeSite(bin, { pods: 1, conf: PUBLISHING, ipam: DUAL_STACK });
    await site.start();
    site.ok('ADD');
    site.ok('DEL');
    await site.daemon.end();
    clean = site.host.snapshot();
  });
  after(() => {
    site?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  const netns = () => site.host.ns.path;
  const unchanged = (what: string) => assertSame(site.host.snapshot(), clean, what);

  it('during an ADD', async () => {
    await site.start();
    const points = await tracedPoints(site.daemon.pid, netns(), () => void site.ok('ADD'));
    site.ok('DEL');
    await site.daemon.end();
    await matrix(points, async (point) => {
      await site.start();
      return killedAtPoint(site.daemon.pid, netns(), point, () => site.run('ADD'));
    });
  });

  it('during a DEL', async () => {
    await site.start();
    site.ok('ADD');
    const points = await tracedPoints(site.daemon.pid, netns(), () => void site.ok('DEL'));
    await site.daemon.end();
    await matrix(points, async (point) => {
      await site.start();
      site.ok('ADD');
      return killedAtPoint(site.daemon.pid, netns(), point, () => site.run('DEL'));
    });
  });

  /** Tries every point, and prints how many there were; nine in ten must have been hit, or the run was not like the first. */
  async function matrix(
    points: readonly SyscallPoint[],
    cut: (point: SyscallPoint) => Promise<PluginRun>,
  ): Promise<void> {
    const tried = ALL ? points : points.filter((point, i) => isTelling(point) || i % 5 === 0);
    assert.ok(tried.length > 10, 'strace shows what the daemon does');
    const unanswered: SyscallPoint[] = [];
    let hit = 0;
    for (const [i, point] of tried.entries()) {
      for (const recover of ALL ? [withoutDaemon, withAnother] : [i % 2 === 0 ? withoutDaemon : withAnother]) {
        const run = await cut(point);
        const killed = await hasDied(site.daemon.child);
        if (killed) hit++;
        else await site.daemon.end();
        if (isClaim(point) || !killed) assert.equal(run.code, 0, `${point.what}: ${run.stdout}`);
        else assertAbandoned(run, point.what);
        if (run.code !== 0) unanswered.push(point);
        await recover(point.what);
      }
    }
    const all = tried.length * (ALL ? 2 : 1);
    console.log(`      ${points.length} changes, killed at ${hit} of ${all} points`);
    assert.ok(hit >= all * 0.9, `only ${hit} of ${all} points were hit`);
    assert.ok(unanswered.length >= all * 0.8);
  }

  /** The runtime's next calls: DEL, then ADD. The daemon is dead, so the stand-alone plugin serves both. */
  async function withoutDaemon(what: string): Promise<void> {
    site.ok('DEL');
    unchanged(`${what}; DEL stand-alone`);
    site.ok('ADD');
    site.ok('DEL');
    unchanged(`${what}; ADD and DEL stand-alone`);
  }

  /** Starts another daemon: half-done work is deleted before anybody calls, finished work is complete. */
  async function withAnother(what: string): Promise<void> {
    const daemon = await site.start();
    const found = site.host.snapshot();
    assert.doesNotMatch(found, /\\"progress\\":\\"intent\\"/, what);
    if (!/\\"progress\\":\\"ready\\"/.test(found)) assertSame(found, clean, `${what}; repaired`);
    assert.doesNotMatch(daemon.log(), /level=(warn|error)/, what);
    site.ok('DEL');
    unchanged(`${what}; repaired, and DEL`);
    site.ok('ADD');
    site.ok('DEL');
    await until(() => daemon.served('DEL') === 2);
    await daemon.end();
    unchanged(`${what}; repaired, ADD and DEL`);
  }
});

/**
 * Whether the daemon has been killed. Its last thread may still be in the kernel, closing sockets one after the other,
 * when the launcher has long been told of the end of its own.
 */
async function hasDied(child: ChildProcess): Promise<boolean> {
  if (isAlive(child)) await Promise.race([once(child, 'exit'), sleep(1000)]);
  return !isAlive(child);
}

/** Rules, ports and addresses of both families: every sort of Op that a bridge has. */
const PUBLISHING = {
  ipMasq: true,
  runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
};
const DUAL_STACK = { ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]] };

function isTelling({ syscall }: SyscallPoint): boolean {
  return syscall !== 'pwrite64';
}

/** Without it, nothing is done: the launcher is free to call the stand-alone plugin. */
function isClaim({ what }: SyscallPoint): boolean {
  return what.includes('>, "C", 1,');
}
