import { strict as assert } from 'node:assert';
import { type PluginDir, pluginDir, runPluginAsync } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { bridgeConf, type NetConf } from '../support/netconf.ts';
import { ping } from '../support/ping.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import { heldAt, pointsOf, type SyscallPoint, straceMissing } from '../support/strace.ts';

/** Seconds that one call is held: the other has started, and has come to where it waits, long before. */
const HOLD = 0.6;
const MOST = process.env.ISTHMUS_CRASH === 'all' ? Number.POSITIVE_INFINITY : 5;

describe('overlapping calls', function () {
  this.timeout(120_000);
  let bin: PluginDir;
  let host: CniHost;
  let config: NetConf;
  let clean: string;
  let telling: SyscallPoint[];

  before(function () {
    skipIf(this, straceMissing());
    bin = pluginDir();
    host = makeHost(2);
    config = bridgeConf('isthmus', host);
    host.ok(how('ADD', 0));
    host.ok(how('DEL', 0));
    clean = host.snapshot();
    telling = spread(pointsOf(host.call(how('ADD', 0))).before.filter(({ syscall }) => /^(send|write)/.test(syscall)));
    host.ok(how('DEL', 0));
    assert.ok(telling.length > 2, 'an ADD tells the kernel several things');
  });
  after(() => {
    host?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });
  afterEach(() => assertSame(host.snapshot(), clean));

  const how = (command: 'ADD' | 'DEL' | 'CHECK', pod: number, conf: unknown = config) => ({
    dir: bin.path,
    name: 'isthmus',
    command,
    pod,
    config: conf,
  });

  it('DEL during a running ADD of the same attachment: nothing is left, whichever finishes first', async () => {
    for (const point of telling) {
      const adding = await heldAt(host.call(how('ADD', 0)), point, HOLD);
      const deleted = await runPluginAsync(host.call(how('DEL', 0)));
      const added = await adding.done;
      assert.equal(deleted.code, 0, `${point.what}: ${deleted.stdout}`);
      assert.ok(added.code === 0 || added.json?.code !== 999, `${point.what}: ${added.stdout}`);
      assertSame(host.snapshot(), clean, `${point.what}: ADD said ${added.stdout}`);
    }
  });

  it('two ADDs of one attachment at once: exactly one succeeds', async () => {
    const runs = await Promise.all([0, 1, 2].map(() => runPluginAsync(host.call(how('ADD', 0)))));
    assert.deepEqual(runs.map(({ code }) => code).sort(), [0, 1, 1], runs.map(({ stdout }) => stdout).join());
    const kept = runs.find(({ code }) => code === 0)?.json;
    host.ok(how('CHECK', 0, { ...config, prevResult: kept }));
    host.ok(how('DEL', 0));
  });

  it('two ADDs of a network at once, the first of which fails: the second keeps its bridge', async () => {
    const failing = bridgeConf('isthmus', host, { ipam: { routes: [{ dst: '192.0.2.0/24', gw: '203.0.113.1' }] } });
    for (const point of telling) {
      const first = await heldAt(host.call(how('ADD', 0, failing)), point, HOLD);
      const second = await runPluginAsync(host.call(how('ADD', 1)));
      const failed = await first.done;
      assert.notEqual(failed.code, 0, 'the first fails');
      assert.equal(second.code, 0, `${point.what}: ${second.stdout}`);
      ping(host.pod(1), '10.88.0.1');
      host.ok(how('CHECK', 1, { ...config, prevResult: second.json }));
      host.ok(how('DEL', 0, failing));
      ping(host.pod(1), '10.88.0.1');
      host.ok(how('DEL', 1));
      assertSame(host.snapshot(), clean, point.what);
    }
  });

  it('the last DEL of a network while another pod is added: the pod has its bridge', async () => {
    host.ok(how('ADD', 0));
    const points = pointsOf(host.call(how('DEL', 0))).before.filter(({ syscall }) => syscall.startsWith('send'));
    for (const point of points) {
      host.ok(how('ADD', 0));
      const deleting = await heldAt(host.call(how('DEL', 0)), point, HOLD);
      const added = await runPluginAsync(host.call(how('ADD', 1)));
      const deleted = await deleting.done;
      assert.deepEqual([deleted.code, added.code], [0, 0], `${point.what}: ${deleted.stdout}${added.stdout}`);
      ping(host.pod(1), '10.88.0.1');
      host.ok(how('DEL', 1));
      assertSame(host.snapshot(), clean, point.what);
    }
  });

  it('a runtime that aborts ADD (SIGTERM): nothing is left after DEL', async () => {
    for (const point of telling) {
      const adding = await heldAt(host.call(how('ADD', 0)), point, HOLD);
      adding.child.kill('SIGTERM');
      await adding.done;
      host.ok(how('DEL', 0));
      assertSame(host.snapshot(), clean, point.what);
    }
  });
});

/** At most MOST of the points, from the first to the last. */
function spread(points: readonly SyscallPoint[]): SyscallPoint[] {
  const step = Math.max(1, (points.length - 1) / (MOST - 1));
  return points.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step));
}
