import { strict as assert } from 'node:assert';
import type { ClusterStore } from '../../src/shared/store/cluster/cluster-store.ts';
import { openClusterStore } from '../../src/shared/store/cluster/open.ts';
import { type EtcdMember, type EtcdSite, etcdMissing, makeEtcd } from '../support/etcd.ts';
import { skipIf } from '../support/skip.ts';
import { create, creation, hasKey, isBack, isLost, isSnapshot, watchOf } from '../unit/cluster-store-behaviour.ts';
import { createSoon } from '../unit/cluster-store-connections.ts';
import { ofKind } from '../unit/store-behaviour.ts';

const root = '/isthmus/test/v1/';

/** Of etcdctl. Ids have 64 bits and lose some here, all in the same way. */
interface StatusAnswer {
  readonly Endpoint: string;
  readonly Status: { readonly leader?: number; readonly header: { readonly member_id: number } };
}

describe('etcd: three members', function () {
  this.timeout(90_000);
  let etcd: EtcdSite;
  let store: ClusterStore;
  before(async function () {
    skipIf(this, etcdMissing());
    etcd = await makeEtcd({ members: 3 });
  });
  after(async () => etcd?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    store = await openClusterStore({ kind: 'etcd', endpoints: etcd.endpoints, root });
  });
  afterEach(() => store?.[Symbol.dispose]());

  /** The member that leads, when there is one. */
  async function leader(): Promise<EtcdMember> {
    for (let attempt = 0; attempt < 50; attempt++) {
      const answers: readonly StatusAnswer[] = JSON.parse(etcd.ctl('endpoint', 'status', '-w', 'json'));
      const found = answers.find(({ Status: { leader, header } }) => leader !== 0 && leader === header.member_id);
      const member = etcd.members.find(({ endpoint }) => endpoint === found?.Endpoint);
      if (member !== undefined) return member;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('no leader');
  }

  it('leader killed with commits in flight: none fails or takes 3 s, none happens twice, no change is missed', async () => {
    await using watched = watchOf(store, 'k/');
    const { epoch } = await watched.until('a snapshot', isSnapshot);
    const killed = await leader();
    const times: number[] = [];
    const calls: Promise<unknown>[] = [];
    for (let index = 0; index < 60; index++) {
      if (index === 20) void killed.kill();
      const since = performance.now();
      const call = store.commit(creation({ epoch }, { [`k/${index}`]: `c${index}` })).then(({ done }) => {
        times.push(performance.now() - since);
        assert.equal(done, true, `commit ${index} takes its own effect for another's`);
      });
      call.catch(() => {});
      calls.push(call);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const outcomes = await Promise.allSettled(calls);
    const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? String(outcome.reason) : []));
    assert.deepEqual(failures, []);
    assert.ok(Math.max(...times) < 3_000, `${Math.max(...times)} ms`);
    await create(store, { 'k/end': 'x' });
    await watched.until('the last change', hasKey('k/end'));
    const puts = watched.items.flatMap((item) => (item.kind === 'changes' ? item.changes.map(({ key }) => key) : []));
    assert.equal(puts.length, 61, 'every key once');
    assert.equal(new Set(puts).size, 61);
    await killed.start();
  });

  it('a stopped member: calls and watch go on at another one', async () => {
    await create(store, { 'p/1': 'x' });
    await using watched = watchOf(store, 'p/');
    await watched.until('a snapshot', isSnapshot);
    await create(store, { 'p/2': 'x' });
    await watched.until('a change', hasKey('p/2'));
    const { member } = await store.status();
    const stopped = etcd.members.find(({ endpoint }) => endpoint === member);
    stopped?.pause();
    try {
      await createSoon(store, { 'p/3': 'x' }, 10);
      await watched.until('the change made meanwhile', hasKey('p/3'));
      assert.notEqual((await store.status()).member, member);
    } finally {
      stopped?.resume();
    }
  });

  it('a member without quorum: calls fail in time, its watch is lost, then back without a missed change', async () => {
    const [alone, ...others] = etcd.members;
    assert.ok(alone);
    using cut = await openClusterStore({ kind: 'etcd', endpoints: [alone.endpoint], root });
    await create(store, { 'q/1': 'x' });
    await using watched = watchOf(cut, 'q/');
    await watched.until('a snapshot', isSnapshot);
    await create(store, { 'q/2': 'x' });
    await watched.until('a change', hasKey('q/2'));
    for (const member of others) await member.kill();
    try {
      const { error } = await watched.until('lost', isLost);
      assert.equal(error.kind, 'unavailable');
      for (let attempt = 0; attempt < 3; attempt++) {
        const since = performance.now();
        await assert.rejects(cut.list(''), ofKind('unavailable', /no leader|no answer|timed out/));
        assert.ok(performance.now() - since < 3_000);
      }
    } finally {
      await Promise.all(others.map((member) => member.start()));
    }
    await createSoon(store, { 'q/3': 'x' }, 10);
    await watched.until('back', isBack);
    await watched.until('the change', hasKey('q/3'));
    assert.deepEqual([...watched.entries().keys()].sort(), ['q/1', 'q/2', 'q/3']);
  });

  it('a session lives on when its member dies', async () => {
    const end = new AbortController();
    const session = await store.session(4, end.signal);
    const { epoch } = await store.list('s/');
    const put = [{ key: 's/1', value: 'x', session }];
    await store.commit({ epoch, compare: [{ kind: 'absent', key: 's/1' }], put });
    const { member } = await store.status();
    const dead = etcd.members.find(({ endpoint }) => endpoint === member);
    await dead?.kill();
    try {
      await new Promise((resolve) => setTimeout(resolve, 7_000));
      assert.equal((await store.list('s/')).entries.size, 1);
    } finally {
      await dead?.start();
    }
    end.abort();
    await session.lost;
    assert.equal((await store.list('s/')).entries.size, 0);
  });
});
