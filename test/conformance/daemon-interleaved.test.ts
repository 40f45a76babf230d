import { strict as assert } from 'node:assert';
import { copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CniAnswer, expectOk, type PluginRun, startPlugin } from '../support/cni.ts';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite, type SiteCall, until } from '../support/daemon-site.ts';
import {
  ALONE,
  atOnce,
  BACKENDS,
  filterOf,
  hasInterface,
  isPublished,
  portOf,
  publishing,
  recordedEndpoints,
  reload,
  slowed,
} from '../support/interleaved.ts';
import { ownCall, runSteps, stepsOf } from '../support/random-calls.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import { injected, pointsOf, straceMissing } from '../support/strace.ts';
import { makeTempDir } from '../support/temp.ts';

/**
 * Two programs work on one network at once, on kernel objects: the schedules that once lost interfaces and host ports.
 * The same for every pair of operations, on a host in memory: test/property/schedules.
 */
describe('the daemon and the stand-alone plugin interleave', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let clean: string;

  before(function () {
    skipIf(this, straceMissing());
    bin = daemonBin();
  });
  after(() => bin?.[Symbol.dispose]());
  afterEach(() => site?.[Symbol.dispose]());

  /** A site whose network has been there once, so that what stays behind for good is part of `clean`. */
  function makeUsed(pods: number, conf: object = {}): void {
    site = makeSite(bin, { pods, conf: { cniVersion: '1.1.0', ipMasq: true, ...conf } });
    for (const command of ['ADD', 'DEL'] as const) site.ok(command, { ...ALONE, ...publishing(site, 0) });
    clean = site.host.snapshot();
  }

  const unchanged = (what: string): void => assertSame(site.host.snapshot(), clean, what);
  const check = (call: SiteCall & { config: object }, prevResult: CniAnswer): void =>
    void site.ok('CHECK', { ...call, config: { ...call.config, prevResult } });

  it('recovery keeps the interface of a pod that its runtime attached again meanwhile', async () => {
    makeUsed(INTERRUPTED + 1);
    site.ok('ADD', { ...ALONE, pod: 0 });
    await interrupt();
    const interrupted = recordedEndpoints(site).filter(({ progress }) => progress === 'intent');
    assert.ok(interrupted.length > INTERRUPTED * 0.8, `only ${interrupted.length} ADDs left an intent`);

    const started = site.start({ prefix: slowed(5) });
    const results = new Map<number, PluginRun>();
    const pods = interrupted.map(({ containerId }) => Number(containerId.slice('pod'.length))).reverse();
    const again = (pod: number) => async (): Promise<void> => {
      const via = pod % 2 === 0 ? ALONE : {};
      expectOk(await site.begin('DEL', { ...via, pod }).done);
      results.set(pod, await site.begin('ADD', { ...via, pod }).done);
    };
    await sleep(200);
    await atOnce(4, pods.map(again));
    await started;

    for (const [pod, { code, stdout, json = {} }] of results) {
      assert.equal(code, 0, `ADD ${pod}: ${stdout}`);
      assert.ok(hasInterface(site, pod), `ADD ${pod} answered 0, and eth0 is gone`);
      check({ pod, config: site.config }, json);
    }
    for (let pod = 0; pod <= INTERRUPTED; pod++) site.ok('DEL', { pod });
    await site.daemon.end();
    unchanged('every pod deleted');
  });

  /** kill -9 of stand-alone ADDs before their last message to the kernel. */
  async function interrupt(): Promise<void> {
    const { before } = pointsOf(site.call('ADD', { ...ALONE, pod: 1 }));
    site.ok('DEL', { ...ALONE, pod: 1 });
    const last = before.findLast(({ syscall }) => syscall.startsWith('send')) ?? assert.fail('no message');
    const adds = Array.from({ length: INTERRUPTED }, (_, i) => async () => {
      const call = site.call('ADD', { ...ALONE, pod: i + 1 });
      await startPlugin(injected(call, last, `signal=SIGKILL:when=${last.nth}`)).done;
    });
    await atOnce(4, adds);
  }

  for (const [backend, conf] of Object.entries(BACKENDS)) {
    it(`a reload publishes no port of a pod that is being deleted (${backend})`, async () => {
      makeUsed(PODS, conf);
      await site.start();
      for (let round = 0; round < ROUNDS; round++) {
        const adds = Array.from({ length: PODS }, (_, pod) => site.begin('ADD', publishing(site, pod)).done);
        (await Promise.all(adds)).forEach(expectOk);
        assert.deepEqual(publishedOf(filterOf(site)), PORTS, `round ${round}: every port is published`);
        const reloaded = reload(site, slowed(1 + 2 * round));
        const dels = Array.from({ length: PODS }, async (_, pod) => {
          await sleep(20 * pod);
          site.daemon.child.kill('SIGHUP');
          return await site.begin('DEL', { ...(pod % 2 === 0 ? ALONE : {}), ...publishing(site, pod) }).done;
        });
        (await Promise.all(dels)).forEach(expectOk);
        expectOk(await reloaded);
        // A reset by the tools of iptables outlasts a DEL: it takes out again what was deleted meanwhile.
        const isClear = () => publishedOf(filterOf(site)).length === 0;
        await until(isClear, `round ${round}: no port leads to a deleted pod`, 1);
      }
      await site.daemon.end();
      unchanged('every pod deleted');
    });

    it(`a reload keeps the port of a pod that is being added (${backend})`, async () => {
      makeUsed(PODS, conf);
      await site.start();
      for (let round = 0; round < ROUNDS / 2; round++) {
        const reloaded = reload(site, slowed(3 + 3 * round));
        const adds = Array.from({ length: PODS }, async (_, pod) => {
          await sleep(20 * pod);
          site.daemon.child.kill('SIGHUP');
          return await site.begin('ADD', { ...(pod % 2 === 0 ? ALONE : {}), ...publishing(site, pod) }).done;
        });
        const added = (await Promise.all(adds)).map(expectOk);
        expectOk(await reloaded);
        for (const [pod, answer] of added.entries()) {
          const address = answer.ips?.[0]?.address.split('/')[0] ?? assert.fail('no address');
          const { config, ...call } = publishing(site, pod);
          const checked = { ...call, config: { ...config, prevResult: answer } };
          const isInForce = () =>
            isPublished(filterOf(site), portOf(pod), address) && site.run('CHECK', checked).code === 0;
          await until(isInForce, `round ${round}: port ${portOf(pod)} leads to ${address}, and CHECK passes`, 1);
          site.ok('DEL', publishing(site, pod));
        }
      }
      await site.daemon.end();
      unchanged('every pod deleted');
    });
  }

  it('two programs do forty random things at once: records, kernel and packet filter agree at the end', async () => {
    makeUsed(RANDOM.pods);
    const start = Date.now();
    let seed = 0;
    while (Date.now() - start < RANDOM.milliseconds) {
      seed++;
      await site.start();
      const { lines, answers } = await runSteps(site, stepsOf(seed, RANDOM.steps, RANDOM.pods), RANDOM.atOnce);
      // It ends once no pass is under way, and puts nothing back afterwards.
      await site.daemon.end();
      try {
        agree(answers);
      } catch (error) {
        throw new Error(`seed ${seed}:\n${lines.join('\n')}`, { cause: error });
      }
    }
    console.log(`      ${seed} seeds`);
  });

  /** What is there is what a site has where the same pods are attached one after the other, and nothing besides. */
  function agree(answers: ReadonlyMap<number, CniAnswer>): void {
    const rows = recordedEndpoints(site);
    assert.ok(
      rows.every(({ progress }) => progress === 'ready'),
      JSON.stringify(rows),
    );
    const attached = rows.map(({ containerId }) => Number(containerId.slice('pod'.length))).sort();
    for (const pod of attached) check(ownCall(site, pod), answers.get(pod) ?? assert.fail(`no ADD of pod ${pod}`));
    const found = site.host.snapshot();
    for (const pod of attached) site.ok('DEL', ownCall(site, pod));
    unchanged('every pod deleted');
    for (const pod of attached) site.ok('ADD', { ...ALONE, ...ownCall(site, pod) });
    assertSame(found, site.host.snapshot(), 'pods attached one after the other');
    for (const pod of attached) site.ok('DEL', ownCall(site, pod));
    unchanged('every pod deleted again');
  }

  for (const [title, who] of [
    ['the next ADD, without a daemon', 'plugin'],
    ['a daemon that starts', 'daemon'],
  ] as const) {
    for (const [backend, conf] of Object.entries(BACKENDS))
      it(`a state that lost its log, seen by ${title}, frees the ports of pods that are gone (${backend})`, async () => {
        makeUsed(4, conf);
        const gone = publishing(site, 0);
        site.ok('ADD', { ...ALONE, ...gone });
        using older = keepState(site);
        // What the log held.
        const unknown = { ...ALONE, ...publishing(site, 1) };
        site.ok('ADD', unknown);
        older.restore();
        site.host.pod(0).ip('link', 'delete', 'eth0');

        if (who === 'daemon') await site.start();
        const next = { ...publishing(site, 2, portOf(0)), ...(who === 'daemon' ? {} : ALONE) };
        const answer = site.ok('ADD', next);
        const address = answer.ips?.[0]?.address.split('/')[0] ?? assert.fail('no address');
        assert.ok(isPublished(filterOf(site), portOf(0), address));
        check(next, answer);
        site.ok('DEL', gone);
        check(next, answer);
        site.ok('DEL', next);
        assert.ok(!isPublished(filterOf(site), portOf(0)), 'no rule is left');
        site.ok('DEL', unknown);
        assert.ok(!isPublished(filterOf(site), portOf(1)), 'no rule of the pod that was recalled is left');
        if (who === 'daemon') await site.daemon.end();
        unchanged('every pod deleted');
      });
  }
});

const INTERRUPTED = 30;
const RANDOM = { pods: 6, steps: 40, atOnce: 5, milliseconds: 10_000 };
const PODS = 10;
const ROUNDS = 5;
const PORTS = Array.from({ length: PODS }, (_, pod) => portOf(pod));

/** Which of the pods' host ports lead anywhere. */
function publishedOf(filter: string): number[] {
  return PORTS.filter((port) => isPublished(filter, port));
}

/** Puts the database back as it is now; the count of changes beside it goes on, as it does where a log is lost. */
function keepState({ host: { stateDir } }: DaemonSite): Disposable & { restore(): void } {
  const dir = makeTempDir();
  const files = () => readdirSync(stateDir).filter((name) => name.startsWith('state.db'));
  for (const name of files()) copyFileSync(join(stateDir, name), join(dir.path, name));
  return {
    restore: () => {
      for (const name of files()) rmSync(join(stateDir, name));
      for (const name of readdirSync(dir.path)) copyFileSync(join(dir.path, name), join(stateDir, name));
      assert.ok(existsSync(join(stateDir, 'changes')));
    },
    [Symbol.dispose]: () => dir[Symbol.dispose](),
  };
}
