import { strict as assert } from 'node:assert';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DaemonBin, daemonBin } from '../support/daemon-site.ts';
import { etcdMissing } from '../support/etcd.ts';
import { type Member, makeOverlay, type Overlay } from '../support/overlay-site.ts';
import { skipIf } from '../support/skip.ts';

interface Status {
  readonly cluster: string;
  readonly file: string;
  readonly isMember: boolean;
  readonly obstacle?: string;
  readonly members: readonly { readonly name: string; readonly id: string; readonly state: string }[];
  readonly networks: readonly {
    readonly name: string;
    readonly mode: string;
    readonly entries: number;
    readonly drift?: number;
  }[];
  readonly watches: readonly { readonly prefix: string; readonly lost?: { readonly why: string } }[];
  readonly outbox: number;
}

interface Inspected {
  readonly overlay?: { readonly mode: string; readonly vni: number; readonly mtu: number };
  readonly remote?: readonly { readonly host: string; readonly underlay: string; readonly addresses: string[] }[];
}

const MODES = [
  ['shared', '10.100.0.0/16'],
  ['per-host', '10.101.0.0/16'],
] as const;

describe('the verbs for clusters', function () {
  this.timeout(90_000);
  let bin: DaemonBin;
  let overlay: Overlay;
  let a: Member;
  let b: Member;

  before(function () {
    skipIf(this, etcdMissing());
    bin = daemonBin();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(async () => {
    overlay = await makeOverlay(bin, { hosts: 2, pods: 1 });
    [a, b] = overlay.members as [Member, Member];
  });
  afterEach(async () => await overlay?.[Symbol.asyncDispose]());

  const status = ({ verbs }: Member): Promise<Status> => verbs.json<Status>('cluster', 'status');
  const statesOf = async (member: Member): Promise<string> =>
    (await status(member)).members.map(({ name, state }) => `${name} ${state}`).join(', ');
  /** Waits for what a verb says. */
  const soon = async (what: () => Promise<boolean>, seconds = 15): Promise<void> => {
    const end = Date.now() + seconds * 1000;
    while (!(await what())) assert.ok(Date.now() < end, 'not in time');
  };
  const bothJoined = async (): Promise<void> => {
    await Promise.all([a.start(), b.start()]);
    await soon(async () => (await statesOf(a)) === 'host-a present, host-b present');
    await soon(async () => (await statesOf(b)) === 'host-a present, host-b present');
  };

  it('status and network inspect: hosts, networks, remote endpoints and drift', async () => {
    await bothJoined();
    for (const [mode, subnet] of MODES) {
      const web = overlay.network(`web-${mode}`, { mode }, { subnet });
      const [[local = ''], [remote = '']] = [a.add(0, web), b.add(0, web)];
      const { isMember, cluster, file, outbox, watches } = await status(a);
      assert.deepEqual([isMember, cluster, file], [true, 'test', a.file]);
      // What the network before released may still be under way.
      if (mode === 'shared') assert.equal(outbox, 0);
      assert.ok(watches.length >= 4 && watches.every(({ lost }) => lost === undefined));
      await soon(async () =>
        (await status(a)).networks.some(
          ({ name, entries, drift, ...one }) =>
            name === `web-${mode}` && one.mode === mode && entries === 2 && drift === 0,
        ),
      );
      const [found] = await a.verbs.json<Inspected[]>('network', 'inspect', `web-${mode}`);
      assert.deepEqual([found?.overlay?.mode, found?.overlay?.mtu], [mode, 1450]);
      const [there, ...others] = found?.remote ?? [];
      assert.deepEqual([there?.host, there?.underlay, others], ['host-b', b.address, []]);
      if (mode === 'shared') assert.deepEqual(there?.addresses, [remote]);
      else assert.ok(there?.addresses[0]?.startsWith(remote.replace(/\d+$/, '')), `${remote}: ${there?.addresses}`);
      const table = await a.verbs.ok('network', 'inspect', '-o', 'table', `web-${mode}`);
      assert.match(table, new RegExp(`^web-${mode} +${mode} +${found?.overlay?.vni} +1450 +vx-`, 'm'));
      assert.match(table, new RegExp(`^web-${mode} +host-b +${b.address} `, 'm'));
      assert.ok(table.includes(local), table);
      const text = await a.verbs.ok('cluster', 'status');
      assert.match(text, /^test +host-a +member +(\d+)\/\1 +\d+$/m);
      assert.match(text, new RegExp(`^web-${mode} +${mode} +2 +0 +0$`, 'm'));
      for (const member of [a, b]) member.del(0, web);
    }
  });

  it('leave: refused while endpoints are here, then deletes keys and file', async () => {
    await bothJoined();
    for (const [mode, subnet] of MODES) {
      const web = overlay.network(`web-${mode}`, { mode }, { subnet });
      a.add(0, web);
      await a.verbs.refused(['cluster', 'leave'], 1, new RegExp(`web-${mode}.* endpoints here.*Remove`));
      assert.ok(existsSync(a.file));
      a.del(0, web);
    }
    const { id } = (await status(a)).members.find(({ name }) => name === 'host-a') ?? assert.fail();
    await a.verbs.refused(
      ['cluster', 'leave', '--force'],
      1,
      /it is a member, so its keys can be deleted.*Leave --force out/,
    );
    assert.match(await a.verbs.ok('cluster', 'leave'), /^\S+ deleted\. Restart the daemon/);
    assert.equal(existsSync(a.file), false);
    assert.ok(!overlay.etcd.ctl('get', '--prefix', '--keys-only', '/isthmus/').includes(id));
    assert.equal((await status(a)).isMember, false);
    await soon(async () => (await statesOf(b)) === 'host-b present');
    await a.site.daemon.end();
    assert.equal(existsSync(join(a.site.host.stateDir, 'cluster-copy')), false);
  });

  it('a daemon that stops ends its session: the others see it at once, and it can start again', async () => {
    await bothJoined();
    await b.site.daemon.end();
    // Its session would live for 30 s.
    await soon(async () => (await statesOf(a)) === 'host-a present, host-b silent', 5);
    await b.start();
    await soon(async () => (await statesOf(a)) === 'host-a present, host-b present');
    await overlay.etcd.members[0]?.pause();
    await b.site.daemon.end();
    assert.match(b.site.daemon.log(), /daemon\.stop/);
    await overlay.etcd.members[0]?.resume();
  });

  it('forget: refused for a host that is there, deletes the keys of one that is not', async () => {
    await bothJoined();
    const web = overlay.network('web', { mode: 'shared' });
    b.add(0, web);
    await a.verbs.refused(['cluster', 'forget', 'host-b'], 1, /it is in the cluster.*cluster leave/);
    await a.verbs.refused(['cluster', 'forget', 'host-z'], 1, /knows no such host.*cluster status/);
    const { id } = (await status(a)).members.find(({ name }) => name === 'host-b') ?? assert.fail();
    await b.site.daemon.end('SIGKILL');
    // As at the end of its session, without the 30 s.
    overlay.etcd.ctl('del', `/isthmus/test/v1/up/${id}`);
    await soon(async () => (await statesOf(a)) === 'host-a present, host-b silent');
    assert.match(await a.verbs.ok('cluster', 'forget', 'host-b'), /^host-b: \d+ keys deleted$/m);
    await soon(async () => (await statesOf(a)) === 'host-a present');
    assert.ok(!overlay.etcd.ctl('get', '--prefix', '--keys-only', '/isthmus/').includes(id));
  });

  it('status: says why this host is no member', async () => {
    await overlay.etcd.members[0]?.kill();
    await a.site.start({ env: { ISTHMUS_CLUSTER: a.file } });
    await soon(async () => (await status(a)).obstacle !== undefined);
    const { isMember, watches } = await status(a);
    assert.equal(isMember, false);
    assert.ok(watches.some(({ lost }) => lost !== undefined && lost.why !== ''));
    const text = await a.verbs.ok('cluster', 'status');
    assert.match(text, /^test +host-a +not a member: \S/m);
    await a.verbs.refused(['cluster', 'forget', 'host-b'], 1, /is not in its cluster/);
    await a.verbs.refused(['cluster', 'leave'], 1, /is not in its cluster/);
    await a.verbs.ok('cluster', 'leave', '--force');
    assert.equal(existsSync(a.file), false);
    // The daemon that still runs does not join again, and keeps nothing.
    await overlay.etcd.members[0]?.start();
    await sleep(3_000);
    assert.equal((await status(a)).isMember, false);
    await a.site.daemon.end();
    assert.equal(existsSync(join(a.site.host.stateDir, 'cluster-copy')), false);
  });

  it('without a daemon, or with a file that it refuses, all but join say so', async () => {
    const silent = /cluster\.sock: no daemon that belongs to a cluster serves it.*Start the daemon/;
    for (const verb of [['status'], ['leave'], ['forget', 'host-b']])
      await a.verbs.refused(['cluster', ...verb], 1, silent);
    writeFileSync(a.file, '{}');
    await a.start();
    await a.verbs.refused(['cluster', 'status'], 2, new RegExp(`${a.file} \\.name: it is missing`));
  });

  it('join: writes what the daemon takes, and keeps the file of another cluster', async () => {
    const endpoints = overlay.etcd.endpoints.join(',');
    const file = join(dirname(a.file), 'etc/cluster.json');
    const named = (name: string, ...more: readonly string[]): string[] => {
      const needed = ['--name', name, '--etcd', endpoints, '--underlay', 'up0'];
      return ['cluster', 'join', ...needed, '--file', file, ...more];
    };
    assert.match(await a.verbs.ok(...named('test', '--host-name', 'host-a')), /^\S+ written\. Restart the daemon/);
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), {
      ...{ name: 'test', etcd: { endpoints: overlay.etcd.endpoints } },
      ...{ underlay: 'up0', hostName: 'host-a' },
    });
    const before = readFileSync(file, 'utf8');
    await a.verbs.refused(named('other'), 1, /it is that of cluster test.*--force/);
    await a.verbs.refused(named('test', '--underlay', 'none0'), 2, /cluster\.json: \.underlay=none0 is no address/);
    await a.verbs.refused(named('te st'), 2, /\.name="te st": it is not a name of/);
    await a.verbs.refused(named('test', '--cert', '/nonexistent'), 2, /\.etcd\.cert and \.etcd\.key go together/);
    const zooKeeper = (...more: readonly string[]): string[] => {
      return ['cluster', 'join', '--name', 'test', '--underlay', 'up0', '--file', file, ...more];
    };
    const member = ['--zookeeper', '10.0.0.1:2181'];
    await a.verbs.refused(zooKeeper(), 2, /\.etcd: it is missing\. Add it, or zookeeper/);
    await a.verbs.refused(named('test', ...member), 2, /\.etcd and \.zookeeper exclude each other/);
    await a.verbs.refused(zooKeeper(...member, '--ca', '/ca'), 2, /\.zookeeper\.ca: TLS is not possible/);
    await a.verbs.refused(zooKeeper('--zookeeper', 'https://x:1'), 2, /endpoint https:\/\/x:1: TLS is not possible/);
    await a.verbs.refused(zooKeeper('--zookeeper', 'x:1/root'), 2, /endpoint x:1\/root: not an endpoint/);
    await a.verbs.refused(zooKeeper(...member, '--user', 'u'), 2, /\.zookeeper\.user and \.zookeeper\.passwordFile go/);
    const password = [...member, '--user', 'u', '--password-file', '/nonexistent'];
    await a.verbs.refused(zooKeeper(...password), 2, /\.zookeeper\.passwordFile=\/nonexistent: it cannot be read/);
    await a.verbs.refused(named('test', '--etcd', 'ftp://x'), 2, /endpoint ftp:\/\/x: not an endpoint/);
    await a.verbs.refused(named('test', '--ca', '/nonexistent'), 2, /\.etcd\.ca=\/nonexistent: it cannot be read/);
    assert.equal(readFileSync(file, 'utf8'), before);
    await a.verbs.ok(...zooKeeper(...member));
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), {
      ...{ name: 'test', zookeeper: { endpoints: ['10.0.0.1:2181'] }, underlay: 'up0' },
    });
    await a.verbs.ok(...named('other', '--force'));
    await a.verbs.ok(...named('other', '--port', '8472', '--vnis', '5000-6000'));
    await a.site.start({ env: { ISTHMUS_CLUSTER: file } });
    await soon(async () => (await status(a)).isMember);
    assert.equal((await status(a)).cluster, 'other');
  });
});
