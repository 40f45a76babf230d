import { strict as assert } from 'node:assert';
import { setImmediate } from 'node:timers/promises';
import type { Core } from '../../src/shared/core/core.ts';
import { createEndpoint } from '../../src/shared/core/endpoints/create-endpoint.ts';
import { deleteEndpoint } from '../../src/shared/core/endpoints/delete-endpoint.ts';
import { createNetwork } from '../../src/shared/core/networks/create-network.ts';
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
import { addWithSpec, keepRequest, specFor } from '../support/kept-network.ts';

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

describe('core: two networks on one bridge', () => {
  const web: Which = { id: 'a' };
  const other: Which = { id: 'b', network: 'other', netns: OTHER };
  const clash =
    /ADD network other: subnet \S+ on bridge isth0 overlaps \S+ of network web.*: one address would go to two containers\. Give one of them another subnet, .* or use the name web for both/;

  it('refuses the second if both give an address of one subnet, and changes nothing', async () => {
    const overlapping = [
      ['10.88.0.0/24'],
      ['10.0.0.0/8'],
      ['10.88.0.128/25'],
      ['fd00:88::/48'],
      ['10.7.0.0/24', 'fd00:88::1:0/112'],
      [{ subnet: '10.88.0.0/24', rangeStart: '10.88.0.200' }],
    ];
    for (const subnets of overlapping) {
      const core = makeCore(makeFakeHost());
      await addWithSpec(core, web);
      const [lines, records] = [core.host.toString(), recordsOf(core)];
      await assert.rejects(addWithSpec(core, other, { subnets }), refusedWith('conflict', clash));
      assert.deepEqual([core.host.toString(), recordsOf(core)], [lines, records]);
      await addWithSpec(core, { ...web, id: 'c', netns: OTHER });
    }
  });

  it('refuses a network that would take the addresses of a Docker network, and names it', async () => {
    const core = makeCore(makeFakeHost());
    await createNetwork(core, keepRequest());
    await assert.rejects(addWithSpec(core, other), refusedWith('conflict', clash));
    await assert.rejects(
      addWithSpec(core, other),
      refusedWith('conflict', /of network web \(Docker network 0123456789ab\)/),
    );
    await addWithSpec(core, web);
  });

  it('refuses a subnet whose addresses endpoints have whose network was rebuilt without its spec', async () => {
    const core = makeCore(makeFakeHost());
    await addWithSpec(core, web);
    const { spec: _, ...recalled } = core.store.networks.get('web') ?? assert.fail();
    core.store.networks.put(recalled);
    await assert.rejects(addWithSpec(core, other), refusedWith('conflict', /overlaps addresses of network web/));
  });

  it('accepts ranges of one subnet that do not meet, VLANs, and another bridge', async () => {
    const range = (rangeStart: string, rangeEnd: string) => [{ subnet: '10.88.0.0/24', rangeStart, rangeEnd }];
    const pairs = [
      [{ subnets: range('10.88.0.10', '10.88.0.99') }, { subnets: range('10.88.0.100', '10.88.0.200') }],
      [{ conf: { vlan: 5 } }, { conf: { vlan: 6 } }],
      [{}, { conf: { bridge: 'isth9' } }],
      [{ scope: '/shared' }, { scope: '/shared' }],
    ] as const;
    for (const [first, second] of pairs) {
      const core = makeCore(makeFakeHost());
      const [one, two] = [web, other].map((which) => addRequest(which, core.host.identity, null));
      await createEndpoint(core, { ...(one ?? assert.fail()), spec: specFor('web', first) });
      await createEndpoint(core, { ...(two ?? assert.fail()), spec: specFor('other', second) });
    }
  });

  it('gives the subnet to the second once the endpoints of the first are gone, then refuses the first', async () => {
    const core = makeCore(makeFakeHost());
    await addWithSpec(core, web);
    const guest = { op: 'link.create', ns: 'host', name: 'vm0', link: { kind: 'ifb' } } as const;
    const join = { op: 'link.set', ns: 'host', name: 'vm0', set: { master: 'isth0' } } as const;
    core.host.apply([guest, join], { host: core.host.own });
    assert.deepEqual(await del(core, web), []);
    assert.deepEqual(recordsOf(core), { networks: ['web'], endpoints: [], leases: 0 });
    await addWithSpec(core, other);
    await assert.rejects(
      addWithSpec(core, web),
      refusedWith('conflict', /ADD network web: subnet \S+ on bridge isth0 overlaps \S+ of network other/),
    );
  });

  it('goes on with two that clashed before an upgrade, whose endpoints are live', async () => {
    const core = makeCore(makeFakeHost());
    await addWithSpec(core, web);
    await addWithSpec(core, other, { subnets: ['10.7.0.0/24'] });
    const row = core.store.networks.get('other') ?? assert.fail();
    core.store.networks.put({ ...row, spec: { ...specFor('other'), allocator: 'of an older release' } });
    await addWithSpec(core, { ...other, id: 'c', netns: POD, ifName: 'eth1' });
    await addWithSpec(core, { ...web, id: 'd', netns: OTHER, ifName: 'eth1' });
  });
});
