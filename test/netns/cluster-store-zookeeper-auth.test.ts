import { strict as assert } from 'node:assert';
import type { ClusterStore } from '../../src/shared/store/cluster/cluster-store.ts';
import { openClusterStore } from '../../src/shared/store/cluster/open.ts';
import { skipIf } from '../support/skip.ts';
import { makeZooKeeper, type ZooKeeperSite, zooKeeperMissing } from '../support/zookeeper.ts';
import { createZooKeeperClient } from '../support/zookeeper-client.ts';
import { create, creation, hasKey, isSnapshot, watchOf } from '../unit/cluster-store-behaviour.ts';
import { ofKind } from '../unit/store-behaviour.ts';

describe('ZooKeeper: users', function () {
  this.timeout(60_000);
  let site: ZooKeeperSite;
  before(async function () {
    skipIf(this, zooKeeperMissing());
    site = await makeZooKeeper();
  });
  after(async () => site?.[Symbol.asyncDispose]());

  const open = (cluster: string, user?: readonly [name: string, password: string]): Promise<ClusterStore> =>
    openClusterStore({
      ...{ kind: 'zookeeper', endpoints: site.endpoints, root: `/isthmus/${cluster}/v1/` },
      ...(user !== undefined && { user: { name: user[0], password: user[1] } }),
    });

  it('what a user creates, nobody else reads or writes', async () => {
    using own = await open('prod', ['isthmus', 'secret:with:colons']);
    using same = await open('prod', ['isthmus', 'secret:with:colons']);
    await create(own, { 'a/1': 'x' });
    await using watched = watchOf(same, 'a/');
    await watched.until('a snapshot', isSnapshot);
    const session = await own.session(10, new AbortController().signal);
    const put = [{ key: 'a/2', value: 'x', session }];
    const { epoch } = await own.list('none/');
    assert.ok((await own.commit({ epoch, compare: [{ kind: 'absent', key: 'a/2' }], put })).done);
    await watched.until('the change', hasKey('a/2'));
    for (const user of [undefined, ['isthmus', 'wrong'], ['other', 'secret:with:colons']] as const) {
      using other = await open('prod', user);
      const denied = ofKind('unavailable', /permission denied\. Use one user and password on all hosts/);
      await assert.rejects(other.list(''), denied);
      await assert.rejects(other.commit(creation({ epoch }, { 'a/3': 'x' })), denied);
      await assert.rejects(other.status(), denied);
    }
    await using client = await createZooKeeperClient({ endpoint: site.endpoints[0] ?? '' });
    for (const node of ['head', 'log', 'keys', 'sessions'])
      await assert.rejects(client.data(`/isthmus/prod/v1/${node}`), /NO_AUTH/);
    await assert.rejects(client.children('/isthmus/prod'), /NO_AUTH/);
  });

  it('clusters of other users stand beside', async () => {
    using prod = await open('first', ['a', 'a']);
    using lab = await open('second', ['b', 'b']);
    using open1 = await open('third');
    for (const store of [prod, lab, open1]) await create(store, { 'a/1': 'x' });
    const epochs = await Promise.all([prod, lab, open1].map(async (store) => (await store.list('')).epoch));
    assert.equal(new Set(epochs).size, 3);
  });

  it('a user with a colon, a root that is no path', async () => {
    await assert.rejects(open('prod', ['a:b', 'c']), ofKind('invalid-config', /user a:b: it contains a colon/));
    await assert.rejects(open('..'), ofKind('invalid-config', /root \/isthmus\/\.\.\/v1\/: not a directory/));
    await assert.rejects(open('a b'), ofKind('invalid-config', /not a directory/));
  });
});
