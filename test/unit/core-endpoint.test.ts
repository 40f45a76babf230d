import { strict as assert } from 'node:assert';
import { createEndpoint } from '../../src/shared/core/endpoints/create-endpoint.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import { attachmentDigest, hostIfName } from '../../src/shared/model/attachment.ts';
import {
  add,
  addRequest,
  attachmentOf,
  del,
  fixed,
  HOST_PATH,
  makeCore,
  makeFakeHost,
  NOTHING,
  POD,
  recordsOf,
  refusedWith,
  type Which,
} from '../support/core.ts';

describe('core: an endpoint', () => {
  it('has interfaces, addresses and routes, and is deleted without a trace', async () => {
    const host = makeFakeHost();
    const before = host.toString();
    const core = makeCore(host);
    const report = await add(core);
    const hostIf = hostIfName(attachmentOf());
    assert.deepEqual(
      report.interfaces.map(({ name, mac, mtu, inSandbox }) => [name, mac.length, mtu, inSandbox]),
      [
        ['isth0', 17, 1500, false],
        [hostIf, 17, 1500, false],
        ['eth0', 17, 1500, true],
      ],
    );
    assert.deepEqual(
      report.addresses.map(({ address, gateway }) => [formatAddr(address.addr), gateway && formatAddr(gateway)]),
      [
        ['10.88.0.2', '10.88.0.1'],
        ['fd00:88::2', 'fd00:88::1'],
      ],
    );
    assert.equal(report.interfaces[2]?.mac, '0a:58:0a:58:00:02');
    assert.ok(host.toString().includes('ip -n pod addr add 10.88.0.2/24 brd + dev eth0'));
    assert.deepEqual(await del(core), []);
    assert.equal(host.toString(), before);
    assert.deepEqual(recordsOf(core), NOTHING);
  });

  it('reports no host interface for a VLAN without a gateway', async () => {
    const host = makeFakeHost();
    const core = makeCore(host);
    const request = addRequest({ conf: { vlan: 100 } }, host.identity, null);
    const { interfaces } = await createEndpoint(core, request);
    assert.deepEqual(
      interfaces.map(({ name }) => name),
      ['isth0', hostIfName(attachmentOf()), 'eth0'],
    );
  });

  it('is rejected and unchanged if it exists already', async () => {
    const host = makeFakeHost();
    const core = makeCore(host);
    await add(core);
    const [before, records] = [host.toString(), recordsOf(core)];
    await assert.rejects(add(core), refusedWith('bad-environment', /already attached to network web.*Call DEL first/));
    assert.deepEqual([host.toString(), recordsOf(core)], [before, records]);
  });

  it('does not take the name of an existing interface', async () => {
    const host = makeFakeHost();
    const core = makeCore(host);
    host.addNamespace(POD, { links: [{ name: 'eth0' }] });
    await assert.rejects(
      add(core),
      refusedWith('bad-environment', /CNI_IFNAME=eth0: .*already exists in \/run\/netns\/pod/),
    );
    assert.deepEqual(recordsOf(core), NOTHING);
  });

  it("is rejected in the host's own namespace, unless that is allowed", async () => {
    const host = makeFakeHost();
    const core = makeCore(host);
    const request = addRequest({ netns: HOST_PATH }, host.identity);
    await assert.rejects(createEndpoint(core, request), refusedWith('invalid-namespace', /CNI_NETNS=.*host itself/));
    assert.deepEqual(recordsOf(core), NOTHING);
    await createEndpoint(core, { ...request, ownNamespace: true });
    assert.ok(host.toString().includes('ip addr add 10.88.0.2/24 brd + dev eth0'));
  });

  it('makes way for a new one of the same name once its sandbox is recycled', async () => {
    const host = makeFakeHost();
    const core = makeCore(host);
    await add(core);
    host.addNamespace(POD);
    const { addresses } = await add(core);
    assert.deepEqual(recordsOf(core), { networks: ['web'], endpoints: ['cni web a eth0'], leases: 2 });
    assert.equal(addresses.length, 2);
  });

  it('leaves a new sandbox at its path alone when it is deleted', async () => {
    const host = makeFakeHost();
    const core = makeCore(host);
    await add(core, { id: 'old' });
    host.addNamespace(POD);
    await add(core, { id: 'new' });
    const inNew = () =>
      host
        .toString()
        .split('\n')
        .filter((line) => line.includes('-n pod '));
    const before = inNew();
    assert.ok(before.length > 3);
    assert.deepEqual(await del(core, { id: 'old' }), []);
    assert.deepEqual(inNew(), before);
    assert.deepEqual(recordsOf(core), { networks: ['web'], endpoints: ['cni web new eth0'], leases: 2 });
  });

  it('leaves IPv6 enabled on the loopback interface for the other endpoint of its sandbox', async () => {
    const host = makeFakeHost();
    const core = makeCore(host);
    host.addNamespace(POD, { sysctls: { 'net/ipv6/conf/lo/disable_ipv6': '1' } });
    await add(core);
    const second: Which = { network: 'other', ifName: 'eth1', conf: { bridge: 'isth9' } };
    await createEndpoint(core, addRequest(second, host.identity, fixed('fd00:99::2/64')));
    assert.deepEqual(await del(core), []);
    assert.match(host.toString(), /lo\/disable_ipv6=0/);
  });

  for (const netns of ['', '/run/netns/gone', '/dev/null']) {
    it(`is deleted with CNI_NETNS=${netns}, and a second DEL succeeds`, async () => {
      const host = makeFakeHost();
      const core = makeCore(host);
      await add(core);
      for (const _ of [1, 2]) assert.deepEqual(await del(core, { netns }), []);
      assert.ok(!host.toString().includes('link add'));
      assert.deepEqual(recordsOf(core), NOTHING);
    });
  }

  it("is deleted even if only the interface's name identifies it", async () => {
    const host = makeFakeHost();
    const before = host.toString();
    await add(makeCore(host));
    const empty = makeCore(host);
    assert.deepEqual(await del(empty), []);
    assert.ok(!host.toString().includes('type veth'), 'the interface is gone');
    assert.ok(before.length < host.toString().length, 'whose the bridge is nobody knows');
  });

  it('locks itself, then the device of its network, and nothing else', async () => {
    const core = makeCore(makeFakeHost());
    await add(core);
    await del(core);
    const own = `attachment:${attachmentDigest(attachmentOf())}`;
    assert.deepEqual(core.locked, [own, 'device:isth0', own, 'device:isth0']);
    assert.deepEqual([...core.taken], []);
  });
});
