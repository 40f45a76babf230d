import { strict as assert } from 'node:assert';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { ClusterStore, Snapshot } from '../../src/shared/store/cluster/cluster-store.ts';
import { openClusterStore } from '../../src/shared/store/cluster/open.ts';
import { startProxy } from '../support/byte-proxy.ts';
import { skipIf } from '../support/skip.ts';
import { makeZooKeeper, type ZooKeeperMember, type ZooKeeperSite, zooKeeperMissing } from '../support/zookeeper.ts';
import { createZooKeeperClient, endSession } from '../support/zookeeper-client.ts';
import { create, creation, isSnapshot, watchOf } from '../unit/cluster-store-behaviour.ts';
import { itSurvivesConnections, timed } from '../unit/cluster-store-connections.ts';
import { ofKind } from '../unit/store-behaviour.ts';

const root = '/isthmus/test/v1/';
const open = (...endpoints: readonly string[]): Promise<ClusterStore> =>
  openClusterStore({ kind: 'zookeeper', endpoints, root });

describe('ZooKeeper: connections', function () {
  this.timeout(60_000);
  let site: ZooKeeperSite;
  let member: ZooKeeperMember;
  before(async function () {
    skipIf(this, zooKeeperMissing());
    site = await makeZooKeeper();
    [member = assert.fail('no member')] = site.members;
  });
  after(async () => site?.[Symbol.asyncDispose]());

  const socket = (): string => member.endpoint.replace('unix://', '');

  itSurvivesConnections({
    ...{ open, socket, cuts: [3, 60, 300, 1_500] },
    endpoints: () => site.endpoints,
    directory: () => site.directory,
  });

  it('an unknown endpoint, one that speaks something else, a malformed one', async () => {
    using store = await open(`unix://${site.directory}/none.sock`);
    const { ms, error } = await timed(() => store.status());
    assert.ok(ofKind('unavailable', /none\.sock: connect ENOENT.*Check that ZooKeeper runs/)(error));
    assert.ok(ms < 2_000, `${ms} ms`);
    using refused = await open('127.0.0.1:9', '[::1]:9');
    await assert.rejects(
      refused.list(''),
      ofKind('unavailable', /(?=.*127\.0\.0\.1:9: connect ECONNREFUSED)(?=.*\[::1\]:9: connect )/),
    );
    using unknown = await open('zk.invalid:2181');
    await assert.rejects(unknown.list(''), ofKind('unavailable', /zk\.invalid.*Check the name of the endpoint/));
    for (const endpoint of ['10.0.0.1', 'ftp://x:1', 'x:99999', 'x:0', 'u:p@x:1', 'unix://', 'unix://x', 'x:1/chroot'])
      await assert.rejects(open(endpoint), ofKind('invalid-config', /endpoint .*: not an endpoint\. Write HOST:2181/));
    for (const endpoint of ['https://x:1', 'tls://x:1', 'unixs:///x'])
      await assert.rejects(
        open(endpoint),
        ofKind('invalid-config', /TLS is not possible with ZooKeeper\. Run a tunnel/),
      );
    await assert.rejects(open(), ofKind('invalid-config', /empty/));
    using both = await open(`unix://${site.directory}/none.sock`, ...site.endpoints);
    await both.status();
  });

  it('bytes that are no answer end the connection, not the process', async () => {
    const path = join(site.directory, 'other.sock');
    await using _ = await startGarbage(path);
    using store = await open(`unix://${path}`);
    await assert.rejects(store.list(''), ofKind('unavailable', /other\.sock: /));
  });

  it('a change that is too large for a transaction is refused, and the connection stays', async () => {
    using store = await open(...site.endpoints);
    const { epoch } = await store.list('none/');
    const change = creation({ epoch }, { large: 'x'.repeat(600_000) });
    await assert.rejects(
      store.commit(change),
      ofKind('unsupported', /key large: 1\d{6} bytes with its copy in the log/),
    );
    assert.ok((await store.commit(creation({ epoch }, { fits: 'x'.repeat(490_000) }))).done);
    assert.equal((await store.list('fits')).entries.get('fits')?.value.length, 490_000);
  });

  it('a directory is full at 2,000 entries: said with what to do', async () => {
    using store = await open(...site.endpoints);
    const { epoch } = await store.list('none/');
    const block = (at: number, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, one) => [`a/full/${at + one}`, 'v']));
    for (let at = 0; at < 1_984; at += 64) await store.commit(creation({ epoch }, block(at, 64)));
    await store.commit(creation({ epoch }, block(1_984, 15)));
    const beyond = store.commit(creation({ epoch }, block(1_999, 2)));
    await assert.rejects(beyond, ofKind('exhausted', /a\/full\/: it has 2000 entries.*Use etcd for larger networks/));
    assert.ok((await store.commit(creation({ epoch }, block(1_999, 1)))).done);
    assert.equal((await store.list('a/full/')).entries.size, 2_000);
    const { entries } = await store.list('a/full/1999');
    const version = entries.get('a/full/1999')?.version ?? 0n;
    const move = { epoch, compare: [{ kind: 'version', key: 'a/full/1999', version }] } as const;
    assert.ok(
      (await store.commit({ ...move, put: [{ key: 'a/full/1999', value: 'w' }] })).done,
      'what is there changes',
    );
  });

  it('a list while others commit is of one moment', async () => {
    using store = await open(...site.endpoints);
    using other = await open(...site.endpoints);
    const { epoch } = await store.list('none/');
    // Each commit moves a mark from one key to the next: every moment has exactly one.
    await other.commit(creation({ epoch }, { 'mark/000': '' }));
    const stop = new AbortController();
    const moved = (async () => {
      let at = 0;
      for (; !stop.signal.aborted; at++) {
        const [from, to] = [at, at + 1].map((number) => `mark/${String(number).padStart(3, '0')}`);
        assert.ok(from !== undefined && to !== undefined);
        const compare = [{ kind: 'value', key: from, value: '' } as const, { kind: 'absent', key: to } as const];
        await other.commit({ epoch, compare, put: [{ key: to, value: '' }], delete: [from] });
      }
      return at;
    })();
    for (let index = 0; index < 60; index++) {
      const { entries, at } = await store.list('mark/');
      assert.equal(entries.size, 1, [...entries.keys()].join());
      assert.ok([...entries.values()].every(({ version }) => version <= at));
    }
    stop.abort();
    assert.ok((await moved) > 20);
  });

  it('any key and value', async () => {
    using store = await open(...site.endpoints);
    const entries = {
      ...{ '': 'none', '/': 'slash', '..': 'two', '.': 'one', 'a/../b': 'x', 'a//b/': 'y', 'é/ü ß': '€', '%2F': '%' },
      ...{ '\u0000': 'nul', 'x\ny': '', '=': '=', __proto__: 'p', head: 'h', 'log/1': 'l', '😀': '😀' },
    };
    await create(store, entries);
    const found = await store.list('');
    for (const [key, value] of Object.entries(entries)) assert.equal(found.entries.get(key)?.value, value, key);
    assert.deepEqual([...(await store.list('a//')).entries.keys()], ['a//b/']);
    assert.deepEqual([...(await store.list('%2')).entries.keys()], ['%2F']);
  });

  it('directories go with their last entry', async () => {
    using store = await open(...site.endpoints);
    await using client = await createZooKeeperClient(member);
    const { epoch } = await store.list('none/');
    const name = '=gone%2F';
    await store.commit(creation({ epoch }, { 'gone/1': 'x', 'gone/2': 'x' }));
    assert.ok((await client.children(`${root}keys`)).includes(name));
    const drop = (key: string) => ({ epoch, compare: [{ kind: 'value', key, value: 'x' } as const], delete: [key] });
    await store.commit(drop('gone/1'));
    assert.ok((await client.children(`${root}keys`)).includes(name));
    await store.commit(drop('gone/2'));
    assert.ok(!(await client.children(`${root}keys`)).includes(name));
  });

  it('the log keeps about a thousand commits, and a watch that was further behind lists again', async () => {
    using store = await open(...site.endpoints);
    await using client = await createZooKeeperClient(member);
    await using watched = watchOf(store, 'trim/');
    const { epoch } = await watched.until('a snapshot', isSnapshot);
    let value = '';
    await store.commit(creation({ epoch }, { 'trim/1': value }));
    for (let index = 0; index < 1_200; index++) {
      const next = String(index);
      const compare = [{ kind: 'value', key: 'trim/1', value }] as const;
      await store.commit({ epoch, compare, put: [{ key: 'trim/1', value: next }] });
      value = next;
    }
    const kept = await client.children(`${root}log`);
    assert.ok(kept.length >= 1_000 && kept.length < 1_200, `${kept.length} commits`);
    const end = Date.now() + 5_000;
    while (watched.entries().get('trim/1') !== value && Date.now() < end) await new Promise((r) => setTimeout(r, 20));
    assert.equal(watched.entries().get('trim/1'), value);
  });

  for (const name of ['head', 'keys', 'sessions', 'log', ''])
    it(`somebody deletes ${name || 'all'}: another epoch, and the store works again`, async () => {
      using store = await open(...site.endpoints);
      await using client = await createZooKeeperClient(member);
      await create(store, { [`deleted/${name}`]: 'x' });
      await using watched = watchOf(store, 'deleted/');
      const before = await watched.until('a snapshot', isSnapshot);
      await client.deleteAll(`${root}${name}`.replace(/\/$/, ''));
      if (name === 'log') await assert.rejects(create(store, { late: 'x' }), ofKind('unavailable', /lost its data/));
      assert.notEqual((await store.list('deleted/')).epoch, before.epoch);
      const key = `deleted/after ${name}`;
      await create(store, { [key]: 'x' });
      const end = Date.now() + 10_000;
      while (!watched.entries().has(key) && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
      assert.deepEqual(new Map(watched.entries()), valuesOf(await store.list('deleted/')));
    });

  it('sessions: one that the members would not keep is refused; an entry moves from one to another and to none', async () => {
    using store = await open(...site.endpoints);
    const never = new AbortController().signal;
    await assert.rejects(
      store.session(61, never),
      ofKind('unsupported', /grants sessions of 60 s, not 61 s.*maxSessionT/),
    );
    const [one, two] = [await store.session(10, never), await store.session(10, never)];
    const { epoch } = await store.list('none/');
    const put = (session?: typeof one) => [{ key: 'up/1', value: 'x', ...(session && { session }) }];
    const absent = [{ kind: 'absent', key: 'up/1' }] as const;
    const same = [{ kind: 'value', key: 'up/1', value: 'x' }] as const;
    await using watched = watchOf(store, 'up/');
    await watched.until('a snapshot', isSnapshot);
    const sessionNow = async () => (await store.list('up/')).entries.get('up/1')?.session;
    assert.ok((await store.commit({ epoch, compare: absent, put: put(one) })).done);
    assert.equal(await sessionNow(), one.id);
    assert.ok((await store.commit({ epoch, compare: same, put: put(two) })).done);
    assert.equal(await sessionNow(), two.id);
    assert.ok((await store.commit({ epoch, compare: same, put: put() })).done);
    assert.equal(await sessionNow(), undefined);
    assert.ok((await store.commit({ epoch, compare: same, put: put(one) })).done);
    await endSession(member, one.id);
    await one.lost;
    await watched.until(
      'its end',
      (item): item is typeof item =>
        item.kind === 'changes' && item.changes.some(({ kind, key }) => kind === 'delete' && key === 'up/1'),
    );
    assert.equal((await store.list('up/')).entries.size, 0);
  });

  it('leaves no connection and no timer', async () => {
    const path = join(site.directory, 'count.sock');
    await using proxy = await startProxy(path, socket());
    const store = await open(`unix://${path}`);
    const session = await store.session(30, new AbortController().signal);
    const stop = new AbortController();
    const items = store.watch('', stop.signal)[Symbol.asyncIterator]();
    await items.next();
    const pending = items.next();
    await store.list('');
    assert.equal(proxy.connections, 2, 'calls and watches share one, a session has its own');
    store[Symbol.dispose]();
    await session.lost;
    assert.equal((await pending).done, true);
    await assert.rejects(store.status(), ofKind('unavailable', /closed/));
  });
});

const valuesOf = ({ entries }: Snapshot): Map<string, string> =>
  new Map([...entries.values()].map(({ key, value }) => [key, value]));

/** A server that answers everything with bytes of which none is an answer. */
async function startGarbage(path: string): Promise<AsyncDisposable> {
  const bytes = Buffer.from([0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0, 1, 9]);
  const server = createServer((client) => {
    client.on('error', () => {}).on('data', () => client.write(bytes));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
