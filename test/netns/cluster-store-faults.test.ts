import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { ClusterStore, Moment } from '../../src/shared/store/cluster/cluster-store.ts';
import { openClusterStore } from '../../src/shared/store/cluster/open.ts';
import { startProxy } from '../support/byte-proxy.ts';
import { type EtcdSite, etcdMissing, makeEtcd, TCP_PORT } from '../support/etcd.ts';
import { skipIf } from '../support/skip.ts';
import { create, creation, hasKey, isSnapshot, watchOf } from '../unit/cluster-store-behaviour.ts';
import { itSurvivesConnections, timed } from '../unit/cluster-store-connections.ts';
import { ofKind } from '../unit/store-behaviour.ts';

const root = '/isthmus/test/v1/';
const open = (...endpoints: readonly string[]): Promise<ClusterStore> =>
  openClusterStore({ kind: 'etcd', endpoints, root });

describe('etcd: connections', function () {
  this.timeout(60_000);
  let etcd: EtcdSite;
  before(async function () {
    skipIf(this, etcdMissing());
    etcd = await makeEtcd({ flags: ['--max-request-bytes', '100000'] });
  });
  after(async () => etcd?.[Symbol.asyncDispose]());

  const socket = (): string => (etcd.endpoints[0] ?? '').replace('unix://', '');

  itSurvivesConnections({
    ...{ open, socket, cuts: [9, 100, 700] },
    endpoints: () => etcd.endpoints,
    directory: () => etcd.directory,
  });

  it('an unknown endpoint, a refused one, a malformed one', async () => {
    using store = await open(`unix://${etcd.directory}/none.sock`);
    const { ms, error } = await timed(() => store.status());
    assert.ok(ofKind('unavailable', /none\.sock: .*ENOENT.*Check that etcd runs/)(error));
    assert.ok(ms < 2_000, `${ms} ms`);
    for (const endpoint of ['10.0.0.1', 'ftp://x:1', 'http://x:99999', 'http://user:word@x:1', 'unix://'])
      await assert.rejects(open(endpoint), ofKind('invalid-config', /not an endpoint/));
    await assert.rejects(open(), ofKind('invalid-config', /empty/));
    using both = await open(`unix://${etcd.directory}/none.sock`, ...etcd.endpoints);
    await both.status();
  });

  it('over TCP: served, refused, or a name that nobody knows', () => {
    /** What a client in the network namespace of etcd prints. */
    const ask = (...endpoints: readonly string[]): readonly string[] => {
      const child = join(import.meta.dirname, '../support/etcd-child.ts');
      const words = [`--net=${etcd.netns}`, process.execPath, '--no-warnings', child, root, ...endpoints];
      return execFileSync('nsenter', words, { encoding: 'utf8', timeout: 20_000 }).split('\n');
    };
    const tcp = `http://127.0.0.1:${TCP_PORT}`;
    assert.equal(ask(tcp)[0], `served by ${tcp}`);
    assert.equal(ask('http://127.0.0.1:9', tcp)[0], `served by ${tcp}`);
    assert.match(
      ask('127.0.0.1:9')[0] ?? '',
      /^list etcd 127\.0\.0\.1:9: connect ECONNREFUSED 127\.0\.0\.1:9\. Check that/,
    );
    assert.match(ask('http://etcd.invalid:2379')[0] ?? '', /^list etcd http:\/\/etcd\.invalid:2379: .*Check the name/);
  });

  it('a value that etcd is configured to refuse', async () => {
    using store = await open(...etcd.endpoints);
    const change = creation(await store.list('none/'), { large: 'x'.repeat(200_000) });
    await assert.rejects(store.commit(change), ofKind('unsupported', /request is too large.*--max-request-bytes/));
  });

  it('a list of several pages is of one moment', async () => {
    using store = await open(...etcd.endpoints);
    const { epoch } = await store.list('none/');
    const block = (index: number) =>
      Object.fromEntries(
        Array.from({ length: 64 }, (_, one) => [`many/${String(index * 64 + one).padStart(5, '0')}`, 'v']),
      );
    for (let index = 0; index < 36; index++) await store.commit(creation({ epoch }, block(index)));
    const [first] = await Promise.all([store.list('many/'), store.commit(creation({ epoch }, { 'many/zzz': 'late' }))]);
    assert.ok([2_304, 2_305].includes(first.entries.size), `${first.entries.size} entries`);
    assert.ok([...first.entries.values()].every(({ version }) => version <= first.at));
    assert.equal((await store.list('many/')).entries.size, 2_305);
  });

  it('a consumer that does not take its changes gets a snapshot instead of all of them', async () => {
    using store = await open(...etcd.endpoints);
    const stop = new AbortController();
    const watched = store.watch('slow/', stop.signal)[Symbol.asyncIterator]();
    assert.equal((await watched.next()).value.kind, 'snapshot');
    const taken = watched.next();
    const { epoch } = await store.list('none/');
    for (let index = 0; index < 250; index++) {
      const entries = Array.from({ length: 64 }, (_, one) => [`slow/${index}/${one}`, 'v']);
      await store.commit(creation({ epoch }, Object.fromEntries(entries)));
    }
    const held = new Set<string>();
    let snapshots = 0;
    for (let next = taken; held.size < 250 * 64; next = watched.next()) {
      const item = (await next).value;
      if (item.kind === 'snapshot') {
        snapshots++;
        held.clear();
        for (const key of item.entries.keys()) held.add(key);
      } else if (item.kind === 'changes') for (const { key } of item.changes) held.add(key);
    }
    assert.equal(snapshots, 1);
    stop.abort();
    assert.equal((await watched.next()).done, true);
  });

  it('a watch from a revision that the store has not reached: it was restored from a copy, so its epoch changes', async () => {
    using store = await open(...etcd.endpoints);
    await create(store, { 'future/1': 'x' });
    await using watched = watchOf(store, 'future/');
    const before = await watched.until('a snapshot', isSnapshot);
    const copy = join(etcd.directory, 'copy.db');
    etcd.ctl('snapshot', 'save', copy);
    for (let index = 2; index < 12; index++) await create(store, { [`future/${index}`]: 'x' });
    await watched.until('the last change', hasKey('future/11'));
    await etcd.members[0]?.restore(copy);
    const after = await watched.until('another snapshot', isSnapshot);
    assert.notEqual(after.epoch, before.epoch);
    assert.deepEqual([...after.entries.keys()], ['future/1']);
    assert.ok(after.at < before.at + 10n);
  });

  it('the same while nobody watches: a store that was seen later than it is gets another epoch', async () => {
    const copy = join(etcd.directory, 'unwatched.db');
    let seen: Moment;
    {
      using store = await open(...etcd.endpoints);
      await create(store, { 'unwatched/1': 'x' });
      etcd.ctl('snapshot', 'save', copy);
      await create(store, { 'unwatched/2': 'x' });
      seen = await store.list('unwatched/');
    }
    const options = { kind: 'etcd', endpoints: etcd.endpoints, root, seen } as const;
    {
      using store = await openClusterStore(options);
      assert.equal((await store.list('')).epoch, seen.epoch, 'nothing is lost');
    }
    await etcd.members[0]?.restore(copy);
    using store = await openClusterStore(options);
    const now = await store.list('unwatched/');
    assert.notEqual(now.epoch, seen.epoch);
    assert.deepEqual([...now.entries.keys()], ['unwatched/1']);
  });

  it('a deleted epoch is noticed while the watch is open', async () => {
    using store = await open(...etcd.endpoints);
    await using watched = watchOf(store, 'epoch-test/');
    const before = await watched.until('a snapshot', isSnapshot);
    etcd.ctl('del', `${root}epoch`);
    const after = await watched.until('another snapshot', isSnapshot);
    assert.notEqual(after.epoch, before.epoch);
  });

  it('is closed by who has just read a change, two hundred times', async () => {
    for (let i = 0; i < 200; i++) {
      using store = await open(...etcd.endpoints);
      await using watched = watchOf(store, 'closed-test/');
      await watched.until('a snapshot', isSnapshot);
      etcd.ctl('del', `${root}epoch`);
      await watched.until('another snapshot', isSnapshot);
    }
  });

  it('leaves no connection and no timer', async () => {
    const path = join(etcd.directory, 'count.sock');
    await using proxy = await startProxy(path, socket());
    const store = await open(`unix://${path}`);
    const session = await store.session(30, new AbortController().signal);
    const stop = new AbortController();
    const items = store.watch('', stop.signal)[Symbol.asyncIterator]();
    await items.next();
    const pending = items.next();
    await store.list('');
    assert.equal(proxy.connections, 1, 'watch, session and calls share a connection');
    store[Symbol.dispose]();
    await session.lost;
    assert.equal((await pending).done, true);
    await assert.rejects(store.status(), ofKind('unavailable', /closed/));
  });
});
