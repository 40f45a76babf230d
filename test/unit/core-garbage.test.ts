import { strict as assert } from 'node:assert';
import { collectGarbage } from '../../src/shared/core/collect-garbage.ts';
import { catchUp } from '../../src/shared/core/reconcile.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import { attachmentDigest } from '../../src/shared/model/attachment.ts';
import {
  add,
  attachmentOf,
  del,
  makeCore,
  makeFakeHost,
  NOTHING,
  OTHER,
  pool,
  recordsOf,
  scopeOf,
  type TestCore,
  type Which,
} from '../support/core.ts';

describe('core: lost state', () => {
  it('is rebuilt from the interfaces, and no address is given twice', async () => {
    const host = makeFakeHost();
    const before = host.toString();
    await add(makeCore(host), { id: 'a' });
    const core = makeCore(host);
    catchUp(core);
    assert.deepEqual(recordsOf(core), { networks: ['web'], endpoints: ['cni web a eth0'], leases: 2 });
    const { addresses } = await add(core, { id: 'b', netns: OTHER });
    assert.equal(formatAddr(addresses[0]?.address.addr ?? assert.fail()), '10.88.0.3');
    assert.deepEqual(await del(core, { id: 'a' }), []);
    assert.deepEqual(await del(core, { id: 'b', netns: OTHER }), []);
    assert.equal(host.toString(), before);
    assert.deepEqual(recordsOf(core), NOTHING);
  });

  it('is rebuilt once, and again if the state is out of date', async () => {
    const host = makeFakeHost();
    const count = { value: 0 };
    await add(makeCore(host, undefined, count), { id: 'a' });
    const core = makeCore(host, undefined, count);
    catchUp(core);
    core.store.endpoints.delete(attachmentOf({ id: 'a' }), 'interface');
    catchUp(core);
    assert.deepEqual(recordsOf(core), { networks: ['web'], endpoints: [], leases: 2 }, 'nothing is rebuilt twice');
    count.value += 1;
    catchUp(core);
    assert.deepEqual(recordsOf(core), { networks: ['web'], endpoints: ['cni web a eth0'], leases: 2 });
  });

  it('does not adopt interfaces of other programs', () => {
    const host = makeFakeHost({
      links: [
        { name: 'veth0', kind: 'veth', alias: 'isthmus cni net=web if=eth0 id=a' },
        { name: 'br9', kind: 'bridge', alias: 'isthmus bridge' },
        { name: 'eth9', alias: 'isthmus cni net=web if=eth0 ip=10.88.0.9 id=b' },
      ],
    });
    const core = makeCore(host);
    catchUp(core);
    assert.deepEqual(recordsOf(core), NOTHING);
  });
});

describe('core: GC', () => {
  const collect = (core: TestCore, keep: readonly Which[], which: Which = {}) =>
    collectGarbage(core, {
      camp: 'cni',
      network: which.network ?? 'web',
      keep: keep.map(attachmentOf),
      interfaces: true,
      source: pool(which, core.host.identity),
    });

  it('deletes unlisted attachments and keeps listed ones, other camps and other networks', async () => {
    const host = makeFakeHost();
    const core = makeCore(host);
    await add(core, { id: 'kept' });
    await add(core, { id: 'gone', netns: OTHER });
    await add(core, { id: 'gone', ifName: 'eth1', netns: OTHER, network: 'other', conf: { bridge: 'isth9' } });
    await add(core, { id: 'docker', camp: 'cnm', ifName: 'eth2', netns: OTHER });
    assert.deepEqual(await collect(core, [{ id: 'kept' }, { id: 'never heard of' }]), []);
    assert.deepEqual(recordsOf(core), {
      networks: ['other', 'web'],
      endpoints: ['cni other gone eth1', 'cni web kept eth0', 'cnm web docker eth2'],
      leases: 6,
    });
    assert.deepEqual(await collect(core, []), []);
    assert.deepEqual(recordsOf(core), {
      networks: ['other', 'web'],
      endpoints: ['cni other gone eth1', 'cnm web docker eth2'],
      leases: 4,
    });
    assert.match(host.toString(), /ip link add name isth0 /);
  });

  it('deletes the network with its last endpoint', async () => {
    const host = makeFakeHost();
    const before = host.toString();
    const core = makeCore(host);
    await add(core, { id: 'a' });
    await add(core, { id: 'b', netns: OTHER });
    assert.deepEqual(await collect(core, []), []);
    assert.equal(host.toString(), before);
    assert.deepEqual(recordsOf(core), NOTHING);
  });

  it('deletes leases without an endpoint and interfaces without a record', async () => {
    const host = makeFakeHost();
    await add(makeCore(host), { id: 'a' });
    const core = makeCore(host);
    const owner = attachmentOf({ id: 'crashed' });
    const source = pool({ id: 'crashed' }, host.identity);
    if (source.kind === 'local') source.acquire(core.store);
    assert.equal(core.store.leases.list(scopeOf(), owner).length, 2);
    assert.deepEqual(await collect(core, []), []);
    assert.equal(core.store.leases.list(scopeOf()).length, 0);
    assert.ok(!host.toString().includes('type veth'));
  });

  it('continues after an attachment that it cannot delete, and reports it', async () => {
    const host = makeFakeHost();
    const core = makeCore(host);
    await add(core, { id: 'a' });
    await add(core, { id: 'b', netns: OTHER });
    core.taken.add(`attachment:${attachmentDigest(attachmentOf({ id: 'a' }))}`);
    const errors = await collect(core, []);
    assert.deepEqual(
      errors.map(({ kind }) => kind),
      ['busy'],
    );
    assert.deepEqual(recordsOf(core), { networks: ['web'], endpoints: ['cni web a eth0'], leases: 2 });
  });
});
