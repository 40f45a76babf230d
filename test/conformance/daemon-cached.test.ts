import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { attachmentKey } from '../../src/shared/core/apply.ts';
import { lock } from '../../src/shared/store/locks.ts';
import { CHANGES, keepDatabase, RUN_DIR } from '../support/behind-changes.ts';
import { type Course, callOf, courseOf, NAMED, PODS, type Step } from '../support/behind-courses.ts';
import { expectOk } from '../support/cni.ts';
import { type DaemonBin, daemonBin, makeSite } from '../support/daemon-site.ts';
import { FUZZ_MS } from '../support/fuzz/run.ts';
import { BACKENDS } from '../support/interleaved.ts';
import { type TwinCall, Twins, twinOf } from '../support/twins.ts';

/**
 * The daemon keeps facts of the kernel and of files between calls: what the packet filter holds at a generation, open
 * files of /proc, bridges with an uplink, the database, its counter and its locks. Each is a cache, which is right if it
 * cannot be noticed.
 *
 * Two hosts are built alike, with the same calls and the same changes by others. The names of interfaces, MACs, addresses
 * and rows follow from the calls alone, so the hosts differ in the names of namespaces and directories only. On one host,
 * a daemon runs from the first call to the last. On the other it is killed before each change and started after it, so it
 * has no fact from before the change. If both answer alike, and both hosts become alike in all that calls and passes can
 * change, no fact from before the change was used.
 *
 * A daemon that starts restores what is missing. The one that runs is told to do the same (SIGHUP): before the call, or
 * after a call that comes at once. There the other host has no daemon yet, and its stand-alone plugin answers, which is
 * a process that has just started too. It knows of no uplink and may announce more, so frames are compared otherwise.
 */
describe('what the daemon remembers is not noticed when others change it', function () {
  this.timeout(120_000 + FUZZ_MS);
  let bin: DaemonBin;

  before(() => {
    bin = daemonBin();
  });
  after(() => bin?.[Symbol.dispose]());

  it('a daemon answers like one that has just started, and leaves the same host', async () => {
    const end = performance.now() + FUZZ_MS;
    let seed = FIRST_SEED;
    let done = 0;
    for (; performance.now() < end; seed++) {
      const course: string[] = [];
      try {
        done += await run(courseOf(seed), course, end);
      } catch (error) {
        throw new Error(`seed ${seed} (ISTHMUS_FUZZ_SEED repeats it):\n${course.join('\n')}\n${error}`, {
          cause: error,
        });
      }
    }
    console.log(`      ${done} changes, seeds ${FIRST_SEED} to ${seed - 1}`);
  });

  for (const [title, steps] of Object.entries(NAMED))
    it(title, async () => {
      await run({ backend: 'nftables', isDual: false, steps }, [], Number.POSITIVE_INFINITY);
    });

  for (const change of ['locks deleted', 'locks replaced', 'state directory made again'])
    it(`${change}: a call of the daemon waits for a lock that a plugin took since`, async () => {
      using site = makeSite(bin, { pods: 1, conf: { cniVersion: '1.1.0' } });
      await site.start();
      for (const command of ['ADD', 'DEL'] as const) site.ok(command);
      CHANGES[change]?.(twinOf(site));
      const key = attachmentKey({ camp: 'cni', network: site.config.name, containerId: 'pod0', ifName: 'eth0' });
      const held = lock(site.host.stateDir, key);
      const { done } = site.begin('ADD');
      const first = await Promise.race([done, sleep(WAIT_MS, 'waits')]);
      held[Symbol.dispose]();
      expectOk(await done);
      assert.equal(first, 'waits');
    });

  /** Returns how many changes there were. */
  async function run({ backend, isDual, steps }: Course, course: string[], end: number): Promise<number> {
    course.push(`${backend}, ${isDual ? 'dual stack' : 'IPv4'}`);
    const conf = { cniVersion: '1.1.0', ipMasq: true, ...BACKENDS[backend] };
    using twins = new Twins(bin, { pods: PODS, conf, ipam: isDual ? DUAL_STACK : {} });
    await Promise.all(twins.both.map(({ site }) => site.start()));
    for (const pod of [0, 1, 2]) await sameAnswers(twins, callOf({ does: 'attach or delete', pod }));
    twins.both.forEach(keepDatabase);
    let done = 0;
    for (const step of steps) {
      if (performance.now() > end && done > 0) break;
      course.push(`${step.changes.join(' + ')}; ${step.isAtOnce ? 'at once ' : ''}${step.does} pod${step.pod}`);
      await runStep(twins, step);
      done += step.changes.length;
    }
    return done;
  }

  async function runStep(twins: Twins, step: Step): Promise<void> {
    const call = callOf(step);
    await twins.stopFresh();
    for (const twin of [twins.fresh, twins.old])
      for (const name of step.changes) (CHANGES[name] ?? assert.fail(name))(twin);
    if (step.isAtOnce) {
      const [old, fresh] = await twins.callAtOnce(call);
      assert.equal(old, fresh, 'the answer of the daemon that ran, at once');
    } else {
      await twins.fresh.site.start();
      await twins.settleOld();
      await twins.assertSame('after the repair');
      await sameAnswers(twins, call);
    }
    await twins.assertSame('after the call');
    if (!step.changes.includes(RUN_DIR)) return;
    await twins.old.site.daemon.end();
    await twins.old.site.start();
  }

  async function sameAnswers(twins: Twins, call: TwinCall): Promise<void> {
    const [old, fresh] = await twins.call(call);
    assert.deepEqual(old, fresh, 'the answer of the daemon that ran');
  }
});

/** Milliseconds in which a call that waits for a lock must not answer. */
const WAIT_MS = 250;
/** The same each time by default, as the courses of daemon-interleaved are. */
const FIRST_SEED = Number(process.env.ISTHMUS_FUZZ_SEED ?? 1);
const DUAL_STACK = {
  ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};
