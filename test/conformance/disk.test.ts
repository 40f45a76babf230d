import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type PluginDir, pluginDir, runPlugin } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { bridgeConf, type NetConf } from '../support/netconf.ts';
import { ping } from '../support/ping.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import { injected, pointsOf, straceMissing } from '../support/strace.ts';
import { VIA } from '../support/via.ts';

/** Four addresses, .2 to .5: an address in use that the store lost is allocated again at once. */
const SMALL = { ranges: [[{ subnet: '10.88.0.0/24', rangeEnd: '10.88.0.5' }]] };

describe('disk failures', function () {
  this.timeout(120_000);
  let bin: PluginDir;
  let host: CniHost;
  let config: NetConf;
  let clean: string;

  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(() => {
    host = makeHost(4);
    config = bridgeConf('isthmus', host, { ipam: SMALL });
    add(0);
    del(0);
    clean = kernelOf(host);
    foldLog(database());
  });
  afterEach(() => host?.[Symbol.dispose]());

  const how = (command: 'ADD' | 'DEL', pod: number) => ({ dir: bin.path, name: 'isthmus', command, pod, config });
  const del = (pod: number) => host.ok(how('DEL', pod));
  const add = (pod: number) => {
    const address = host.ok(how('ADD', pod)).ips?.[0]?.address;
    assert.ok(address !== undefined);
    return address;
  };
  const database = () => join(host.stateDir, 'state.db');

  const damages: readonly [string, (path: string) => void][] = [
    ['deleted', (path) => files(path).forEach((file) => void rmSync(file))],
    ['deleted, its -wal left', (path) => rmSync(path)],
    ['truncated to nothing', (path) => truncateAll(path, 0)],
    ['truncated to half a header', (path) => truncateAll(path, 50)],
    ['truncated to a page', (path) => truncateAll(path, 4096)],
    ['truncated in the middle', (path) => truncateAll(path, Math.floor(statSync(path).size / 2) + 17)],
    ['overwritten with garbage', (path) => overwriteAll(path)],
    ['overwritten with a text', (path) => writeFileSync(path, 'this is not a database\n'.repeat(1000))],
    [
      'without its -wal',
      (path) =>
        void files(path)
          .slice(1)
          .forEach((file) => void rmSync(file)),
    ],
    ['beside a -wal of garbage', (path) => writeFileSync(`${path}-wal`, Buffer.alloc(9000, 0x5a))],
    ['in a directory that is gone', () => rmSync(host.stateDir, { recursive: true })],
  ];
  for (const [title, damage] of damages) {
    it(`state.db ${title}: no address in use is allocated again, and every DEL succeeds`, () => {
      const inUse = [add(0), add(1)];
      damage(database());
      const next = add(2);
      assert.ok(!inUse.includes(next), `${next} is in use`);
      ping(host.pod(2), inUse[0] ?? '');
      damage(database());
      for (const pod of [0, 1, 2]) del(pod);
      assert.equal(hostLinks(host), '', 'no interface of a pod is left');
      const again = [add(0), add(1), add(2), add(3)];
      assert.equal(new Set(again).size, 4, 'all four addresses are free');
      for (const pod of [0, 1, 2, 3]) del(pod);
      assert.equal(hostLinks(host), '');
    });
  }

  it('state.db deleted while a pod runs: the last DEL still deletes the bridge', () => {
    add(0);
    rmSync(host.stateDir, { recursive: true });
    add(1);
    for (const pod of [0, 1]) del(pod);
    assertSame(kernelOf(host), clean);
  });

  it('a read-only file system is named as that', () => {
    const made = join(host.stateDir, '../read-only');
    const state = join(made, 'state/of/isthmus');
    const script = `mkdir -p "$1" && mount -t tmpfs -o ro tmpfs "$1" && exec "$2"`;
    const { stdout } = spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', made, join(bin.path, 'isthmus')], {
      input: JSON.stringify(config),
      encoding: 'utf8',
      env: {
        ...{ PATH: process.env.PATH, ISTHMUS_STATE_DIR: state, ISTHMUS_RUN_DIR: join(host.stateDir, 'none') },
        ...{ CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'pod0', CNI_NETNS: host.pod(0).path, CNI_IFNAME: 'eth0' },
        CNI_PATH: bin.path,
      },
    });
    const { code, msg } = JSON.parse(stdout);
    assert.equal(code, 106, stdout);
    assert.match(msg, /state\/of\/isthmus: it cannot be made \(EROFS/);
  });

  if (VIA === 'alone')
    it('a kernel that is too old is named as that', function () {
      skipIf(this, straceMissing());
      const call = injected(host.call(how('ADD', 0)), { syscall: 'getsockopt', nth: 1, what: '' }, 'error=ENOPROTOOPT');
      const { code, stdout } = runPlugin(call);
      assert.equal(code, 1);
      const { code: said, msg, details } = JSON.parse(stdout);
      assert.deepEqual([said, details], [104, 'Use Linux 5.14 or later']);
      assert.match(msg, /kernel: it cannot tell network namespaces apart/);
    });

  it('state.db deleted and the namespace gone: DEL exits 0', () => {
    add(0);
    rmSync(host.stateDir, { recursive: true });
    for (const netns of ['', '/run/netns/isth-gone', undefined]) {
      const { pod: _, ...call } = { ...how('DEL', 0), containerId: 'pod0', ifName: 'eth0' };
      host.ok(netns === undefined ? call : { ...call, netns });
    }
  });

  // strace reads the plugin's system calls; daemon-disk.test.ts covers a daemon's full disk.
  if (VIA === 'alone')
    describe('on a full disk', () => {
      before(function () {
        skipIf(this, straceMissing());
      });

      it('the n-th write of an ADD fails: ADD succeeds or fails cleanly, and DEL leaves nothing', () => {
        const asItWas = host.snapshot();
        const writes = pointsOf(host.call(how('ADD', 0))).before.filter(({ syscall }) => syscall === 'pwrite64');
        del(0);
        assert.ok(writes.length > 3, 'the store writes with pwrite64');
        const failures: string[] = [];
        for (const point of writes.filter((_, i) => i < 6 || i % 4 === 0)) {
          const run = host.run({ ...how('ADD', 0), ...fullDisk(host, how('ADD', 0), point.nth) });
          if (run.code !== 0) {
            assert.ok([5, 106].includes(run.json?.code ?? 0), `${point.what}: ${run.stdout}${run.stderr}`);
            assert.doesNotMatch(host.pod(0).ip('-br', 'link'), /eth0/, point.what);
            failures.push(point.what);
          }
          del(0);
          assertSame(host.snapshot(), asItWas, point.what);
        }
        assert.ok(failures.length > 0, 'a full disk was noticed');
      });

      it('DEL deletes the interface, and the next DEL deletes the rest', () => {
        const asItWas = host.snapshot();
        for (const nth of [1, 2, 4]) {
          add(0);
          const run = host.run({ ...how('DEL', 0), ...fullDisk(host, how('DEL', 0), nth) });
          assert.doesNotMatch(host.pod(0).ip('-br', 'link'), /eth0/, `${run.stdout}${run.stderr}`);
          assert.ok(run.code === 0 || run.json?.code !== 999, run.stdout);
          del(0);
          assertSame(host.snapshot(), asItWas);
        }
      });
    });
});

function fullDisk(host: CniHost, call: Parameters<CniHost['call']>[0], nth: number): { prefix: readonly string[] } {
  const point = { syscall: 'pwrite64', nth, what: '' };
  return { prefix: injected(host.call(call), point, `error=ENOSPC:when=${nth}+`).prefix ?? [] };
}

/** Everything in the namespaces, without the state directory. */
function kernelOf(host: CniHost): string {
  return host.snapshot().split('## state')[0] ?? '';
}

function hostLinks(host: CniHost): string {
  return host.ns.ip('-br', 'link', 'show', 'type', 'veth').trim();
}

/** The database and, after it, those of its companions that exist. */
function files(path: string): string[] {
  const dir = join(path, '..');
  const names = readdirSync(dir).filter((name) => /^state\.db(-wal|-shm)?$/.test(name));
  return names.sort().map((name) => join(dir, name));
}

function truncateAll(path: string, length: number): void {
  for (const file of files(path).filter((name) => !name.endsWith('-shm'))) truncateSync(file, length);
}

function overwriteAll(path: string): void {
  for (const file of files(path)) writeFileSync(file, Buffer.alloc(Math.max(statSync(file).size, 512), 0xa5));
}

/** Checkpoints -wal into the database, so that later writes are in -wal alone. */
function foldLog(path: string): void {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
}
