import { strict as assert } from 'node:assert';
import { setImmediate } from 'node:timers/promises';
import type { Core } from '../../src/shared/core/core.ts';
import { createEndpoint } from '../../src/shared/core/endpoints/create-endpoint.ts';
import { deleteEndpoint } from '../../src/shared/core/endpoints/delete-endpoint.ts';
import {
  add,
  addRequest,
  del,
  delRequest,
  fixed,
  makeCore,
  makeFakeHost,
  NOTHING,
  OTHER,
  POD,
  recordsOf,
  refusedWith,
  type Which,
} from '../support/core.ts';

describe('core: the network of endpoints', () => {
  it('exists until its last endpoint is deleted', async () => {
    const host = makeFakeHost();
    const before = host.toString();
    const core = makeCore(host);
    await add(core, { id: 'a' });
    await add(core, { id: 'b', netns: OTHER });
    assert.deepEqual(await del(core, { id: 'a' }), []);
    assert.match(host.toString(), /type bridge/);
    assert.deepEqual(await del(core, { id: 'b', netns: OTHER }), []);
    assert.equal(host.toString(), before);
  });

  it('leaves a shared bridge to the other network, whoever created it', async () => {
    for (const order of [
      ['web', 'other'],
      ['other', 'web'],
    ]) {
      const host = makeFakeHost();
      const before = host.toString();
      const core = makeCore(host);
      await add(core, { network: 'web' });
      await createEndpoint(
        core,
        addRequest({ network: 'other', netns: OTHER }, host.identity, fixed('10.88.0.200/24')),
      );
      const [first = '', second = ''] = order;
      const removal = (network: string) =>
        delRequest(
          { network, netns: network === 'web' ? POD : OTHER },
          host.identity,
          network === 'web' ? undefined : null,
        );
      assert.deepEqual(await deleteEndpoint(core, removal(first)), []);
      assert.match(host.toString(), /type bridge/);
      assert.deepEqual(await deleteEndpoint(core, removal(second)), []);
      assert.equal(host.toString(), before);
      assert.deepEqual(recordsOf(core), NOTHING);
    }
  });

  it('keeps its bridge while a guest is attached, and deletes it after the guest has gone', async () => {
    const host = makeFakeHost();
    const core = makeCore(host);
    const before = host.toString();
    await add(core);
    const guest = { op: 'link.create', ns: 'host', name: 'vm0', link: { kind: 'ifb' } } as const;
    host.apply([guest, { op: 'link.set', ns: 'host', name: 'vm0', set: { master: 'isth0' } }], { host: host.own });
    assert.deepEqual(await del(core), []);
    assert.match(host.toString(), /type bridge/);
    assert.ok(core.logged.some((line) => line.startsWith('network.kept') && line.includes('vm0')));
    host.revert([{ op: 'link.delete', ns: 'host', name: 'vm0' }], { host: host.own });
    await add(core);
    assert.deepEqual(await del(core), []);
    assert.equal(host.toString(), before);
  });

  it('keeps a bridge that existed before, and removes its own addresses from it', async () => {
    const links = [{ name: 'isth0', kind: 'bridge', up: true, bridge: { vlanFiltering: false } }];
    const host = makeFakeHost({
      links,
      addresses: [{ dev: 'isth0', address: 'fd00:99::1/64' }],
      sysctls: { 'net/ipv6/conf/isth0/disable_ipv6': '0', 'net/ipv6/conf/isth0/accept_ra': '0' },
    });
    const before = host.toString();
    const core = makeCore(host);
    await add(core);
    assert.notEqual(host.toString(), before);
    assert.deepEqual(await del(core), []);
    assert.equal(host.toString(), before);
  });

  it('stays locked until all of it is deleted, however long its links take', async () => {
    const host = makeFakeHost();
    const plain = makeCore(host);
    const before = host.toString();
    let resume = (): void => {};
    const waiting = new Promise<void>((resolve) => {
      resume = resolve;
    });
    const removed: string[] = [];
    const core: Core = {
      ...plain,
      removeLink: async ({ name }) => {
        if (name === 'isth0') await waiting;
        host.revert([{ op: 'link.delete', ns: 'host', name }], { host: host.own });
        removed.push(name);
        return undefined;
      },
    };
    await add(core);
    const gone = del(core);
    while (removed.length === 0) await setImmediate();
    await setImmediate();
    assert.deepEqual([...plain.taken].includes('device:isth0'), true);
    resume();
    assert.deepEqual(await gone, []);
    assert.deepEqual([...plain.taken], []);
    assert.deepEqual(removed.at(-1), 'isth0');
    assert.equal(host.toString(), before);
  });

  it('does not move to another bridge while it has other endpoints; alone it does, and leaves nothing', async () => {
    const host = makeFakeHost();
    const before = host.toString();
    const core = makeCore(host);
    const moved: Which = { conf: { bridge: 'isth9' } };
    await add(core, { id: 'a' });
    const asItWas = host.toString();
    await assert.rejects(
      add(core, { ...moved, id: 'b', netns: OTHER }),
      refusedWith('conflict', /network web: is on bridge isth0 with 1 endpoint, but bridge isth9/),
    );
    assert.equal(host.toString(), asItWas);
    assert.deepEqual(recordsOf(core), { networks: ['web'], endpoints: ['cni web a eth0'], leases: 2 });
    await del(core, { id: 'a' });
    await add(core, { ...moved, id: 'b', netns: OTHER });
    assert.ok(!host.toString().includes('isth0'));
    assert.deepEqual(await del(core, { ...moved, id: 'b', netns: OTHER }), []);
    assert.equal(host.toString(), before);
  });
});
