import { strict as assert } from 'node:assert';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterStore } from '../../src/shared/store/cluster/cluster-store.ts';
import { openClusterStore } from '../../src/shared/store/cluster/open.ts';
import { skipIf } from '../support/skip.ts';
import { makeZooKeeper, type ZooKeeperMember, type ZooKeeperSite, zooKeeperMissing } from '../support/zookeeper.ts';
import { create, creation, hasKey, isBack, isLost, isSnapshot, watchOf } from '../unit/cluster-store-behaviour.ts';
import { createSoon } from '../unit/cluster-store-connections.ts';
import { ofKind } from '../unit/store-behaviour.ts';

const root = '/isthmus/test/v1/';

describe('ZooKeeper: three members', function () {
  this.timeout(90_000);
  let site: ZooKeeperSite;
  let store: ClusterStore;
  before(async function () {
    skipIf(this, zooKeeperMissing());
    site = await makeZooKeeper({ members: 3 });
  });
  after(async () => site?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    store = await openClusterStore({ kind: 'zookeeper', endpoints: site.endpoints, root });
  });
  afterEach(() => store?.[Symbol.dispose]());

  /** The members, the leader first. */
  async function byRole(): Promise<readonly [leader: ZooKeeperMember, ...others: ZooKeeperMember[]]> {
    const texts = await Promise.all(site.members.map((member) => member.describe()));
    const at = texts.findIndex((text) => text.includes('Mode: leader'));
    const leader = site.members[at] ?? assert.fail(`no leader\n${texts.join('\n')}`);
    return [leader, ...site.members.filter((member) => member !== leader)];
  }
  const memberOf = (endpoint: string): ZooKeeperMember =>
    site.members.find((member) => member.endpoint === endpoint) ?? assert.fail(endpoint);

  it('leader killed with commits in flight: none happens twice or out of order, no change is missed', async () => {
    await using watched = watchOf(store, 'k/');
    const { epoch } = await watched.until('a snapshot', isSnapshot);
    const [leader] = await byRole();
    const times: number[] = [];
    let failures = 0;
    for (let index = 0; index < 60; index++) {
      if (index === 20) void leader.kill();
      for (;;) {
        const since = performance.now();
        try {
          const { done } = await store.commit(creation({ epoch }, { [`k/${index}`]: `c${index}` }));
          assert.equal(done, true, `commit ${index} takes its own effect for another's`);
          break;
        } catch (error) {
          failures++;
          assert.ok(failures < 20 && ofKind('unavailable')(error));
        } finally {
          times.push(performance.now() - since);
        }
      }
    }
    assert.ok(Math.max(...times) < 3_100, `${Math.max(...times)} ms`);
    console.log(`      ${failures} calls failed, the longest took ${Math.round(Math.max(...times))} ms`);
    await watched.until('the last change', hasKey('k/59'));
    const puts = watched.items.flatMap((item) => (item.kind === 'changes' ? item.changes.map(({ key }) => key) : []));
    assert.deepEqual(
      puts,
      Array.from({ length: 60 }, (_, index) => `k/${index}`),
    );
    await leader.start();
  });

  it('a stopped follower: calls and watch go on at another member', async () => {
    await create(store, { 'p/1': 'x' });
    await using watched = watchOf(store, 'p/');
    await watched.until('a snapshot', isSnapshot);
    const [leader] = await byRole();
    const { member } = await store.status();
    const stopped = memberOf(member);
    stopped.pause();
    try {
      await createSoon(store, { 'p/3': 'x' }, 20);
      await watched.until('the change made meanwhile', hasKey('p/3'));
      assert.notEqual((await store.status()).member, member);
    } finally {
      stopped.resume();
    }
    assert.ok(leader);
  });

  it('what one member has committed, another one lists', async () => {
    const stores = await Promise.all(
      site.endpoints.map((endpoint) => openClusterStore({ kind: 'zookeeper', endpoints: [endpoint], root })),
    );
    try {
      for (let index = 0; index < 60; index++) {
        const [writer, reader] = [stores[index % 3], stores[(index + 1) % 3]];
        assert.ok(writer !== undefined && reader !== undefined);
        await create(writer, { [`seen/${index}`]: 'x' });
        assert.equal((await reader.list('seen/')).entries.size, index + 1);
        const { epoch } = await reader.list('none/');
        const again = creation({ epoch }, { [`seen/${index}`]: 'y' });
        assert.equal((await reader.commit(again)).done, false);
      }
    } finally {
      for (const one of stores) one[Symbol.dispose]();
    }
  });

  it('a member without quorum: calls fail in time, its watch is lost, then back without a missed change', async () => {
    const [alone, ...others] = site.members;
    assert.ok(alone);
    using cut = await openClusterStore({ kind: 'zookeeper', endpoints: [alone.endpoint], root });
    await create(store, { 'q/1': 'x' });
    await using watched = watchOf(cut, 'q/');
    await watched.until('a snapshot', isSnapshot);
    await create(store, { 'q/2': 'x' });
    await watched.until('a change', hasKey('q/2'));
    for (const member of others) await member.kill();
    try {
      assert.equal((await watched.until('lost', isLost)).error.kind, 'unavailable');
      for (let attempt = 0; attempt < 3; attempt++) {
        const since = performance.now();
        await assert.rejects(cut.list(''), ofKind('unavailable', /it ended the connection|no answer.*has a quorum/));
        assert.ok(performance.now() - since < 3_000);
      }
    } finally {
      await Promise.all(others.map((member) => member.start()));
    }
    await createSoon(store, { 'q/3': 'x' }, 20);
    await watched.until('back', isBack);
    await watched.until('the change', hasKey('q/3'));
    assert.deepEqual([...watched.entries().keys()].sort(), ['q/1', 'q/2', 'q/3']);
  });

  it('a session lives on when its member dies, and not when its host does', async () => {
    const end = new AbortController();
    const session = await store.session(4, end.signal);
    const { epoch } = await store.list('s/');
    const put = [{ key: 's/1', value: 'x', session }];
    await store.commit({ epoch, compare: [{ kind: 'absent', key: 's/1' }], put });
    // Each member dies once, so the session's own does.
    for (const member of site.members) {
      await member.kill();
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      await member.start();
      await createSoon(store, { [`s/after ${member.name}`]: 'x' }, 20);
      assert.ok((await store.list('s/')).entries.has('s/1'), `gone with ${member.name}`);
    }
    end.abort();
    await session.lost;
    assert.ok(!(await store.list('s/')).entries.has('s/1'));

    const host = await openClusterStore({ kind: 'zookeeper', endpoints: site.endpoints, root });
    const other = await host.session(2, new AbortController().signal);
    const own = [{ key: 's/2', value: 'x', session: other }];
    await host.commit({ epoch, compare: [{ kind: 'absent', key: 's/2' }], put: own });
    await using watched = watchOf(store, 's/');
    await watched.until('a snapshot', isSnapshot);
    host[Symbol.dispose]();
    assert.ok((await store.list('s/')).entries.has('s/2'), 'a daemon that restarts is not gone');
    await watched.until('its end', hasKey('s/2'), 10_000);
    assert.ok(!(await store.list('s/')).entries.has('s/2'));
  });

  it('members that are restored from a copy: another epoch', async () => {
    await create(store, { 'r/1': 'x' });
    await using watched = watchOf(store, 'r/');
    const before = await watched.until('a snapshot', isSnapshot);
    const data = (name: string): string => join(site.directory, name, 'data');
    const killAll = (): Promise<unknown> => Promise.all(site.members.map((member) => member.kill()));
    const startAll = (): Promise<unknown> => Promise.all(site.members.map((member) => member.start()));
    await killAll();
    for (const { name } of site.members) cpSync(data(name), `${data(name)}.copy`, { recursive: true });
    await startAll();
    for (let index = 2; index < 8; index++) await createSoon(store, { [`r/${index}`]: 'x' }, 20);
    await watched.until('the last change', hasKey('r/7'));
    await killAll();
    for (const { name } of site.members) {
      rmSync(data(name), { recursive: true });
      cpSync(`${data(name)}.copy`, data(name), { recursive: true });
    }
    await startAll();
    const after = await watched.until('another snapshot', isSnapshot, 30_000);
    assert.notEqual(after.epoch, before.epoch);
    assert.deepEqual([...after.entries.keys()], ['r/1']);
  });
});
