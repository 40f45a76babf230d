import { strict as assert } from 'node:assert';
import { rmSync } from 'node:fs';
import { type PluginDir, pluginDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { bridgeConf, type NetConf } from '../support/netconf.ts';
import { makeNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import { distinct, killedAt, pointsOf, type SyscallPoint, straceMissing, type TracedPoint } from '../support/strace.ts';

/** ISTHMUS_CRASH=all tries every point; by default one for each state, and those of the store are thinned out. */
const ALL = process.env.ISTHMUS_CRASH === 'all';

/**
 * kill -9 at every system call that changes something. A process killed before a change leaves the same state as one
 * killed after the previous change, so `before` covers both. Where the call told the kernel something, `after` runs
 * too.
 */
describe('after the plugin was killed', function () {
  this.timeout(600_000);
  let bin: PluginDir;
  let host: CniHost;
  let config: NetConf;
  let clean: string;

  before(function () {
    skipIf(this, straceMissing());
    bin = pluginDir();
    host = makeHost(2);
    config = bridgeConf('isthmus', host, { ipam: DUAL_STACK });
    add();
    del();
    clean = host.snapshot();
  });
  after(() => {
    host?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  // A test that has failed does not take the others with it.
  afterEach(() => [0, 1].forEach((pod) => void host.run(how('DEL', pod))));

  const how = (command: 'ADD' | 'DEL', pod: number) => ({ dir: bin.path, name: 'isthmus', command, pod, config });
  const add = (pod = 0) => host.ok(how('ADD', pod));
  const del = (pod = 0) => host.ok(how('DEL', pod));
  /** The points of a usual call of pod 0. About every tenth call writes back the store's WAL, never two in sequence. */
  const usualPoints = (command: 'ADD' | 'DEL'): Points => {
    const record = () => {
      if (command === 'DEL') add();
      const points = pointsOf(host.call(how(command, 0)));
      if (command === 'ADD') del();
      return points;
    };
    const [first, second] = [record(), record()];
    return first.before.length <= second.before.length ? first : second;
  };
  const addAgain = (point: SyscallPoint) => {
    add();
    del();
    unchanged(clean, point);
  };
  const unchanged = (asItWas: string, point: Pick<SyscallPoint, 'what'>) =>
    assertSame(host.snapshot(), asItWas, point.what);

  it('during the first ADD of a network: DEL leaves nothing, and ADD works', () => {
    matrix(usualPoints('ADD'), (point) => {
      const { signal } = killedAt(host.call(how('ADD', 0)), point);
      del();
      unchanged(clean, point);
      addAgain(point);
      return signal;
    });
  });

  it('during the last DEL of a network: another DEL leaves nothing, and ADD works', () => {
    matrix(usualPoints('DEL'), (point) => {
      add();
      const { signal } = killedAt(host.call(how('DEL', 0)), point);
      del();
      unchanged(clean, point);
      return signal;
    });
    add();
    del();
  });

  it('during an ADD: another pod keeps its network, and the next ADD needs no DEL', () => {
    const kept = add(1);
    const withOther = host.snapshot();
    const points = usualPoints('ADD');
    unchanged(withOther, { what: 'ADD and DEL beside another pod' });
    matrix(kernelOnly(points), (point) => {
      const { signal } = killedAt(host.call(how('ADD', 0)), point);
      const again = host.run(how('ADD', 0));
      if (again.code !== 0) {
        assert.match(again.stdout, /already attached.*\n.*DEL/, point.what);
        del();
        add();
      }
      del();
      unchanged(withOther, point);
      return signal;
    });
    host.ok({ ...how('ADD', 1), command: 'CHECK', config: { ...config, prevResult: kept } });
    del(1);
    assertSame(host.snapshot(), clean);
  });

  it('during a DEL: another pod keeps its network', () => {
    const kept = add(1);
    const withOther = host.snapshot();
    const points = usualPoints('DEL');
    matrix(kernelOnly(points), (point) => {
      add();
      const { signal } = killedAt(host.call(how('DEL', 0)), point);
      del();
      unchanged(withOther, point);
      return signal;
    });
    host.ok({ ...how('ADD', 1), command: 'CHECK', config: { ...config, prevResult: kept } });
    del(1);
    assertSame(host.snapshot(), clean);
  });

  it('during the first call on a machine: DEL and ADD work with any partial state', () => {
    const forget = () => rmSync(host.stateDir, { recursive: true, force: true });
    forget();
    const points = pointsOf(host.call(how('ADD', 0)));
    del();
    unchanged(clean, { what: 'the first ADD and DEL' });
    matrix({ before: ALL ? points.before : points.before.filter((_, i) => i % 2 === 0), after: [] }, (point) => {
      forget();
      const { signal } = killedAt(host.call(how('ADD', 0)), point);
      del();
      unchanged(clean, point);
      addAgain(point);
      return signal;
    });
  });

  it('during an ADD, before the network gets another bridge: DEL leaves neither bridge', () => {
    const { before: points } = pointsOf(host.call(how('ADD', 0)));
    del();
    const point = points.filter(({ syscall }) => syscall.startsWith('send')).at(-1);
    assert.ok(point !== undefined);
    assert.equal(killedAt(host.call(how('ADD', 0)), point).signal, 'SIGKILL');
    const moved = { ...config, bridge: 'isth9' };
    const early = host.run({ ...how('ADD', 1), config: moved });
    if (early.code !== 0) assert.match(early.json?.msg ?? '', /isth0 with 1 endpoint/);
    host.ok({ ...how('DEL', 0), config: moved });
    if (early.code !== 0) host.ok({ ...how('ADD', 1), config: moved });
    assert.match(host.ns.ip('-o', 'link', 'show', 'type', 'veth'), / master isth9 /);
    host.ok({ ...how('DEL', 1), config: moved });
    assertSame(host.snapshot(), clean);
  });

  it('during an ADD, before its network namespace is deleted: DEL leaves nothing', () => {
    const { before: points } = pointsOf(host.call(how('ADD', 0)));
    del();
    const point = points.filter(({ syscall }) => syscall.startsWith('send')).at(-1);
    assert.ok(point !== undefined);
    const lost = makeNetns('p');
    const call = { dir: bin.path, name: 'isthmus', containerId: 'lost', ifName: 'eth0', netns: lost.path, config };
    assert.equal(killedAt(host.call({ ...call, command: 'ADD' }), point).signal, 'SIGKILL');
    lost[Symbol.dispose]();
    host.ok({ ...call, command: 'DEL' });
    assertSame(host.snapshot(), clean);
  });
});

const DUAL_STACK = {
  ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};

interface Points {
  readonly before: readonly TracedPoint[];
  readonly after: readonly TracedPoint[];
}

/** Tries every point and prints how many there were; nine in ten must have been hit, or the run was not like the first. */
function matrix(points: Points, tryPoint: (point: SyscallPoint) => NodeJS.Signals | null): void {
  const told = points.after.filter((_, i) => isTelling(points.before[i]));
  const tried = ALL ? [...points.before, ...points.after] : distinct([...thinned(points.before), ...told]);
  let hit = 0;
  for (const point of tried) if (tryPoint(point) !== null) hit++;
  console.log(`      ${points.before.length} changes, killed at ${hit} of ${tried.length} points`);
  assert.ok(hit > 0 && hit >= tried.length * 0.9, `only ${hit} of ${tried.length} points were hit: ${summary(tried)}`);
}

/** How many points there are of each system call, and the last one. */
function summary(points: readonly SyscallPoint[]): string {
  const names = Map.groupBy(points, ({ syscall }) => syscall);
  const counts = [...names].map(([name, { length }]) => `${length} ${name}`);
  return `${counts.join(', ')}; last ${points.at(-1)?.what ?? ''}`;
}

function isTelling(point: SyscallPoint | undefined): boolean {
  return point !== undefined && /^send|^write/.test(point.syscall);
}

function kernelOnly({ before, after }: Points): Points {
  const telling = before.map(isTelling);
  return { before: before.filter((_, i) => telling[i]), after: after.filter((_, i) => telling[i]) };
}

/** What tells the kernel something, and a third of the rest, which is the store's own business and tested with it. */
function thinned(points: readonly TracedPoint[]): TracedPoint[] {
  return points.filter((point, i) => isTelling(point) || i % 3 === 0);
}
