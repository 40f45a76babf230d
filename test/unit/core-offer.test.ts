import { strict as assert } from 'node:assert';
import { deleteOffered, offerEndpoint } from '../../src/shared/core/endpoints/offer-endpoint.ts';
import { claimAddress, OWN_SCOPE } from '../../src/shared/core/pools/pools.ts';
import { catchUp, reconcile } from '../../src/shared/core/reconcile.ts';
import { formatAddr, parseAddr } from '../../src/shared/model/addr.ts';
import type { Attachment } from '../../src/shared/model/attachment.ts';
import { hostIfName } from '../../src/shared/model/attachment.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { MemoryDisk } from '../../src/shared/testing/memory-store.ts';
import { makeCore, makeFakeHost, POD, refusedWith, type TestCore } from '../support/core.ts';
import { FailingHost } from '../support/failing-host.ts';
import { BRIDGE, endpointOf, holdNetwork, NETWORK, NETWORK_ID, offerRequest } from '../support/offers.ts';

/** More steps than any offer has. */
const MOST_STEPS = 40;

describe('core: an offered endpoint', () => {
  const progressOf = (number: number) => core.store.endpoints.get(endpointOf(number), 'interface')?.progress;
  let host: FakeHost;
  let disk: MemoryDisk;
  let core: TestCore;

  const offer = (n: number, ...given: Parameters<typeof offerRequest> extends [number, ...infer R] ? R : never) =>
    offerEndpoint(core, offerRequest(n, ...given));
  const leases = (owner?: Attachment): string[] =>
    core.store.leases.list(OWN_SCOPE, owner).map(({ address }) => formatAddr(address));
  const linksOf = () => host.observe(host.own, { links: 'all' }).links;

  beforeEach(() => {
    host = makeFakeHost();
    disk = new MemoryDisk();
    core = makeCore(host, disk);
  });

  it('has its interface in the host, down and without addresses, its peer on the bridge', async () => {
    const { ifName } = endpointOf(2);
    assert.deepEqual(await offer(2), { srcName: ifName, mac: '0a:58:0a:58:00:02' });
    const links = linksOf();
    const peer = links.get(ifName);
    assert.equal(peer?.up, false);
    assert.equal(peer?.mac, '0a:58:0a:58:00:02');
    assert.equal(peer?.master, undefined);
    assert.equal(links.get(hostIfName(endpointOf(2)))?.master, BRIDGE);
    const { addresses } = host.observe(host.own, { addresses: 'all' });
    assert.deepEqual(
      addresses.filter(({ dev }) => dev !== 'lo').map(({ dev, address }) => `${dev} ${address}`),
      [`${BRIDGE} 10.88.0.1/24`, `${BRIDGE} fd00:88::1/64`],
    );
    assert.equal(core.taken.size, 0);
  });

  it('is on record with its addresses, leases, network and time', async () => {
    await offer(2);
    const row = core.store.endpoints.get(endpointOf(2), 'interface');
    assert.equal(row?.progress, 'ready');
    assert.ok(row.kind === 'docker');
    assert.deepEqual(row.addresses, ['10.88.0.2/24', 'fd00:88::2/64']);
    assert.equal(row.dockerNetwork, NETWORK_ID);
    assert.equal(row.createdAt, 1_700_000_000_000);
    assert.deepEqual(leases(endpointOf(2)), ['10.88.0.2', 'fd00:88::2']);
    assert.equal(core.store.networks.get(NETWORK)?.device, BRIDGE);
  });

  it('has the requested MAC', async () => {
    const mac = '02:42:ac:11:00:05';
    assert.equal((await offer(2, { mac })).mac, mac);
    assert.equal(progressOf(2), 'ready');
    assert.equal(linksOf().get(endpointOf(2).ifName)?.mac, mac);
  });

  it('leases nothing on a network with foreign IPAM', async () => {
    await offer(2, { scope: null });
    assert.deepEqual(leases(), []);
    const row = core.store.endpoints.get(endpointOf(2), 'interface');
    assert.deepEqual(row?.kind === 'docker' && row.addresses, ['10.88.0.2/24', 'fd00:88::2/64']);
    assert.deepEqual(await deleteOffered(core, endpointOf(2)), []);
  });

  it('is the same when it is requested again', async () => {
    const first = await offer(2);
    const before = host.toString();
    assert.deepEqual(await offer(2), first);
    assert.deepEqual(await offer(2, { mac: first.mac ?? '', now: 5 }), first);
    assert.equal(host.toString(), before);
  });

  it('is rejected if it exists with other options', async () => {
    await offer(2);
    const before = host.toString();
    const twice = refusedWith(
      'conflict',
      /is on network docker-\w+ already, with 10.88.0.2\/24, fd00:88::2\/64 and MAC/,
    );
    await assert.rejects(offer(2, { families: [4] }), twice);
    await assert.rejects(offer(2, { mac: '02:42:ac:11:00:05' }), twice);
    await assert.rejects(offer(2, { scope: null }), twice);
    assert.equal(host.toString(), before);
    assert.deepEqual(leases(endpointOf(2)), ['10.88.0.2', 'fd00:88::2']);
  });

  it('is rejected with an address of another endpoint, and leaves nothing behind', async () => {
    await offer(2);
    holdNetwork(core);
    const before = host.toString();
    const request = { ...offerRequest(3), addressing: offerRequest(2).addressing };
    await assert.rejects(offerEndpoint(core, request), refusedWith('conflict', /10.88.0.2/));
    assert.equal(host.toString(), before);
    assert.equal(core.store.endpoints.get(endpointOf(3), 'interface'), undefined);
    assert.deepEqual(leases(endpointOf(3)), []);
  });

  it('takes the address that was requested for it', async () => {
    const address = parseAddr('10.88.0.2');
    assert.ok(address);
    const owner: Attachment = { camp: 'cnm', network: OWN_SCOPE, containerId: '0a', ifName: '' };
    core.store.leases.take({ scope: OWN_SCOPE, address, owner, requestedAt: 1, source: 'store' });
    await offer(2);
    assert.deepEqual(leases(endpointOf(2)), ['10.88.0.2', 'fd00:88::2']);
    assert.deepEqual(leases(owner), []);
    assert.throws(
      () => claimAddress(core.store, OWN_SCOPE, address, endpointOf(3)),
      refusedWith('conflict', /10.88.0.2/),
    );
  });

  it('is deleted with everything it created, and with its network if nobody holds that', async () => {
    const before = host.toString();
    await offer(2);
    for (let round = 0; round < 2; round++) assert.deepEqual(await deleteOffered(core, endpointOf(2)), []);
    assert.equal(host.toString(), before);
    assert.deepEqual(core.store.endpoints.list(), []);
    assert.deepEqual(core.store.networks.list(), []);
    assert.deepEqual(leases(), []);
    assert.notEqual(progressOf(2), 'ready');
    assert.equal(core.taken.size, 0);
  });

  it('leaves a network that has a holder', async () => {
    await offer(2);
    holdNetwork(core);
    assert.deepEqual(await deleteOffered(core, endpointOf(2)), []);
    assert.ok(linksOf().has(BRIDGE));
    assert.ok(core.store.networks.get(NETWORK)?.holders);
    await offer(3);
    assert.equal(core.store.networks.get(NETWORK)?.holders?.length, 1);
  });

  it('is deleted from inside a container, and from the host if its record is lost', async () => {
    await offer(2);
    const { ifName } = endpointOf(2);
    moveInto(POD, ifName);
    assert.deepEqual(await deleteOffered(core, endpointOf(2)), []);
    assert.equal(host.observe(host.open(POD), { links: 'all' }).links.size, 1);
    await offer(3);
    core.store.endpoints.delete(endpointOf(3), 'interface');
    assert.deepEqual(await deleteOffered(core, endpointOf(3)), []);
    assert.ok(!linksOf().has(endpointOf(3).ifName));
  });

  it('is created again if its interface is gone', async () => {
    await offer(2);
    const name = hostIfName(endpointOf(2));
    host.apply([{ op: 'link.delete', ns: 'host', name }], { host: host.own });
    await offer(2);
    assert.ok(linksOf().has(endpointOf(2).ifName));
    assert.deepEqual(leases(endpointOf(2)), ['10.88.0.2', 'fd00:88::2']);
  });

  it('restores its bridge if somebody deleted it', async () => {
    await offer(2);
    holdNetwork(core);
    host.apply([{ op: 'link.delete', ns: 'host', name: BRIDGE }], { host: host.own });
    await offer(3);
    assert.equal(linksOf().get(hostIfName(endpointOf(3)))?.master, BRIDGE);
  });

  it('leaves nothing behind if any step fails', async () => {
    const before = host.toString();
    let fails = true;
    for (let at = 0; fails && at < MOST_STEPS; at++) {
      for (const when of ['before', 'after'] as const) {
        const failing = new FailingHost(host, { at, when });
        core = makeCore(failing, disk);
        fails = await offer(2).then(
          () => false,
          () => true,
        );
        if (fails) {
          assert.equal(host.toString(), before, `step ${at}, ${when}`);
          assert.deepEqual([core.store.endpoints.list(), core.store.networks.list(), leases()], [[], [], []]);
        } else {
          assert.ok(at > 5, `${at} steps`);
          assert.deepEqual(await deleteOffered(core, endpointOf(2)), []);
        }
      }
    }
    assert.equal(fails, false);
  });

  it('is reverted by a start, or completed by the next call, after a crash', async () => {
    const before = host.toString();
    for (const next of ['start', 'call'] as const) {
      await offer(2);
      const row = core.store.endpoints.get(endpointOf(2), 'interface');
      assert.ok(row);
      core.store.endpoints.put({ ...row, progress: 'intent' });
      assert.notEqual(progressOf(2), 'ready');
      if (next === 'start') {
        const { endpoints, errors } = await reconcile(core, { tryLock: () => ({ [Symbol.dispose]: () => {} }) });
        assert.deepEqual([endpoints, errors], [1, []]);
      } else {
        await offer(2);
        assert.deepEqual(leases(endpointOf(2)), ['10.88.0.2', 'fd00:88::2']);
        assert.deepEqual(await deleteOffered(core, endpointOf(2)), []);
      }
      assert.equal(host.toString(), before, next);
    }
  });

  it('is rebuilt from the kernel with its addresses after the state was lost', async () => {
    await offer(2);
    core = makeCore(host, new MemoryDisk());
    catchUp(core);
    const row = core.store.endpoints.get(endpointOf(2), 'interface');
    assert.ok(row?.kind === 'recalled');
    assert.equal(row.scope, OWN_SCOPE);
    assert.equal(row.attachment.containerId.length, 64);
    assert.deepEqual(leases(endpointOf(2)), ['10.88.0.2', 'fd00:88::2']);
    assert.deepEqual(await deleteOffered(core, endpointOf(2)), []);
    assert.ok(!linksOf().has(endpointOf(2).ifName));
    assert.deepEqual(leases(), []);
  });

  it('is dropped if an outdated state has it but its interface is gone', async () => {
    const count = { value: 0 };
    core = makeCore(host, disk, count);
    await offer(2);
    host.apply([{ op: 'link.delete', ns: 'host', name: hostIfName(endpointOf(2)) }], { host: host.own });
    count.value += 1;
    catchUp(core);
    assert.notEqual(progressOf(2), 'ready');
    assert.deepEqual(leases(), []);
  });

  /** Moves the same link to another namespace, as dockerd does. */
  function moveInto(path: string, name: string): void {
    const link = host.own.links.get(name);
    assert.ok(link?.peer);
    const pod = host.open(path);
    host.own.links.delete(name);
    pod.links.set(name, link);
    const other = link.peer.ns.links.get(link.peer.name);
    assert.ok(other?.peer);
    other.peer = { ns: pod, name };
  }
});
