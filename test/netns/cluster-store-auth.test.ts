import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import type { ClusterStore } from '../../src/shared/store/cluster/cluster-store.ts';
import { openClusterStore } from '../../src/shared/store/cluster/open.ts';
import type { EtcdTls, EtcdUser } from '../../src/shared/store/etcd/options.ts';
import { type Authority, makeAuthority } from '../support/certificates.ts';
import { type EtcdSite, etcdMissing, makeEtcd } from '../support/etcd.ts';
import { skipIf } from '../support/skip.ts';
import { create, hasKey, isSnapshot, watchOf } from '../unit/cluster-store-behaviour.ts';
import { ofKind } from '../unit/store-behaviour.ts';

const root = '/isthmus/test/v1/';
const PASSWORD = 'right';

/** Turns authentication on: `isthmus` may use the cluster's prefix, and nothing else. */
function enableAuth(etcd: EtcdSite): void {
  for (const words of [
    'user add root:admin',
    'user grant-role root root',
    'role add isthmus',
    `role grant-permission isthmus --prefix=true readwrite ${root}`,
    `user add isthmus:${PASSWORD}`,
    'user grant-role isthmus isthmus',
    'auth enable',
  ])
    try {
      etcd.ctl(...words.split(' '));
    } catch (error) {
      if (!String(error).includes('already exists')) throw error;
    }
}

describe('etcd: user and password', function () {
  this.timeout(60_000);
  let etcd: EtcdSite;
  const open = (user?: EtcdUser, under = root): Promise<ClusterStore> =>
    openClusterStore({ kind: 'etcd', endpoints: etcd.endpoints, root: under, ...(user && { user }) });
  before(async function () {
    skipIf(this, etcdMissing());
    etcd = await makeEtcd({ flags: ['--auth-token-ttl', '2'] });
    using store = await open({ name: 'isthmus', password: PASSWORD });
    await create(store, { 'before/1': 'authentication is off: user and password do no harm' });
    enableAuth(etcd);
  });
  after(async () => etcd?.[Symbol.asyncDispose]());

  it('serves its user below the prefix, and not beside it', async () => {
    using store = await open({ name: 'isthmus', password: PASSWORD });
    await create(store, { 'a/1': 'x' });
    assert.deepEqual([...(await store.list('a/')).entries.keys()], ['a/1']);
    using beside = await open({ name: 'isthmus', password: PASSWORD }, '/isthmus/other/v1/');
    await assert.rejects(beside.list(''), ofKind('unavailable', /permission denied.*Grant the user/));
    await using watched = watchOf(beside, '');
    assert.equal((await watched.until('lost', (item) => item.kind === 'lost')).kind, 'lost');
  });

  it('renews an expired token, for calls, watches and sessions', async () => {
    using store = await open({ name: 'isthmus', password: PASSWORD });
    const end = new AbortController();
    const session = await store.session(15, end.signal);
    await using watched = watchOf(store, 'expired/');
    await watched.until('a snapshot', isSnapshot);
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    await Promise.all([create(store, { 'expired/1': 'x' }), create(store, { 'expired/2': 'x' }), store.list('')]);
    await watched.until('one change', hasKey('expired/2'));
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    await using later = watchOf(store, 'expired/');
    assert.equal((await later.until('a snapshot', isSnapshot)).entries.size, 2);
    await create(store, { 'expired/3': 'x' });
    await later.until('a change', hasKey('expired/3'));
    assert.ok(later.items.every(({ kind }) => kind !== 'lost'));
    end.abort();
    await session.lost;
  });

  it('names what is wrong with user or password', async () => {
    using wrong = await open({ name: 'isthmus', password: 'wrong' });
    const since = performance.now();
    await assert.rejects(
      wrong.list(''),
      ofKind('unavailable', /^list etcd unix:.*authentication failed.*Check user name and password/),
    );
    assert.ok(performance.now() - since < 3_000);
    await assert.rejects(
      wrong.session(10, new AbortController().signal),
      ofKind('unavailable', /authentication failed/),
    );
    using nobody = await open();
    await assert.rejects(nobody.list(''), ofKind('unavailable', /user name is empty.*Grant the user/));
  });

  it('does not print the password', async () => {
    using wrong = await open({ name: 'isthmus', password: 'v3rysecret' });
    const error = await wrong.list('').catch((thrown: unknown) => thrown);
    const { inspect } = await import('node:util');
    assert.doesNotMatch(inspect(error, { depth: 9 }), /v3rysecret/);
  });
});

describe('etcd: certificates', function () {
  this.timeout(60_000);
  let etcd: EtcdSite;
  let authority: Authority | undefined;
  const authorities = (): Authority => {
    assert.ok(authority);
    return authority;
  };
  const open = (tls: EtcdTls, user?: EtcdUser): Promise<ClusterStore> =>
    openClusterStore({
      ...{ kind: 'etcd', endpoints: etcd.endpoints, root, tls: { serverName: 'localhost', ...tls } },
      ...(user && { user }),
    });
  before(async function () {
    skipIf(this, etcdMissing());
    etcd = await makeEtcd({
      tls(directory) {
        authority = makeAuthority(directory);
        const path = (name: string): string => join(directory, name);
        const server = ['--cert-file', path('ca-server.pem'), '--key-file', path('ca-server.key')];
        return [...server, '--trusted-ca-file', path('ca.pem'), '--client-cert-auth'];
      },
    });
    enableAuth(etcd);
  });
  after(async () => etcd?.[Symbol.asyncDispose]());

  it('the CN of the client certificate is the user', async () => {
    const { ca, client } = authorities();
    using store = await open({ ca, client: client('isthmus') });
    await create(store, { 'cn/1': 'x' });
    await using watched = watchOf(store, 'cn/');
    await watched.until('a snapshot', isSnapshot);
    await create(store, { 'cn/2': 'x' });
    await watched.until('a change', hasKey('cn/2'));
    using stranger = await open({ ca, client: client('stranger') });
    await assert.rejects(stranger.list(''), ofKind('unavailable', /permission denied.*CN of the client certificate/));
  });

  it('user and password with a certificate that names another CN', async () => {
    const { ca, client } = authorities();
    using store = await open({ ca, client: client('somehost') }, { name: 'isthmus', password: PASSWORD });
    await create(store, { 'both/1': 'x' });
  });

  it('a certificate that etcd refuses, none at all, and an etcd that we do not trust', async () => {
    const { ca, client } = authorities();
    const other = makeAuthority(etcd.directory, 'other');
    for (const [what, tls] of [
      ['of another authority', { ca, client: other.client('isthmus') }],
      ['none', { ca }],
    ] as const) {
      using store = await open(tls);
      const since = performance.now();
      await assert.rejects(store.list(''), ofKind('unavailable', /^list etcd unixs:/), what);
      assert.ok(performance.now() - since < 2_000);
    }
    using distrusting = await open({ ca: other.ca, client: client('isthmus') });
    await assert.rejects(
      distrusting.list(''),
      ofKind('unavailable', /certificate.*Check CA, client certificate and key/),
    );
    using misnamed = await open({ ca, client: client('isthmus'), serverName: 'elsewhere' });
    await assert.rejects(misnamed.list(''), ofKind('unavailable', /altnames|alt names|elsewhere/i));
  });
});
