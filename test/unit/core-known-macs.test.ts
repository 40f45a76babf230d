import { strict as assert } from 'node:assert';
import { deleteOffered, offerEndpoint } from '../../src/shared/core/endpoints/offer-endpoint.ts';
import { staleAddresses } from '../../src/shared/core/known-macs.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { MemoryDisk } from '../../src/shared/testing/memory-store.ts';
import { arrive, leave, makeQuietCore, type Pod, tune } from '../support/arrivals.ts';
import { makeCore, makeFakeHost, type TestCore } from '../support/core.ts';
import { BRIDGE, endpointOf, NETWORK, offerRequest } from '../support/offers.ts';
import { range } from './ipam-support.ts';

const MAC = '02:00:00:00:00:77';
const [RANGE4, RANGE6] = [range('10.88.0.0/24'), range('fd00:88::/64')];

describe('core: addresses that neighbours may know by another MAC', () => {
  let host: FakeHost;
  let disk: MemoryDisk;
  let core: TestCore;
  let count: number;

  /** The announced addresses of the next pod. */
  const next = async (pod: Partial<Pod> = {}): Promise<readonly string[]> => {
    const { announced } = await arrive(core, host, { id: `p${count++}`, ranges: [RANGE4], ...pod });
    return announced;
  };
  const both = { ranges: [RANGE4, RANGE6] };
  /** The bridge has no address, and so can have several subnets. */
  const noGateway = { conf: { isGateway: false } };
  const other = { ...noGateway, network: 'other', ranges: [range('10.99.0.0/24')] };
  const bridgeOfOthers = { links: [{ name: 'isth0', kind: 'bridge', up: true }] };

  const begin = (own: Parameters<typeof makeFakeHost>[0] = {}): void => {
    host = makeFakeHost(own);
    disk = new MemoryDisk();
    core = makeQuietCore(host, disk);
    count = 0;
  };
  beforeEach(() => begin());

  it('are none on a new bridge whose pods have the MACs that follow from their addresses', async () => {
    await next(both);
    for (let i = 0; i < 3; i++) assert.deepEqual(await next(both), []);
  });

  for (const position of ['first', 'third'] as const)
    it(`are all from the ${position} pod on that has a MAC of its own`, async () => {
      if (position === 'third') for (let i = 0; i < 2; i++) await next();
      const address = position === 'third' ? '10.88.0.4' : '10.88.0.2';
      assert.deepEqual(await next({ mac: MAC }), [address]);
      assert.equal((await next()).length, 1);
      await leave(core, host, { id: 'p0' });
      assert.equal((await next()).length, 1);
    });

  it('are those of IPv6 if the addresses of a pod have different places in their subnets', async () => {
    await next(both);
    // The MAC follows from the IPv4 address.
    assert.deepEqual(await next({ addresses: ['10.88.0.9/24', 'fd00:88::7/64'] }), ['fd00:88::7']);
    assert.deepEqual(await next(both), ['fd00:88::3']);
  });

  it('are those of IPv6 once the IPv4 pool begins again', async () => {
    const small = { ranges: [range('10.88.0.0/24', { end: '10.88.0.4' }), RANGE6] };
    for (let i = 0; i < 3; i++) assert.deepEqual(await next(small), i === 0 ? ['10.88.0.2', 'fd00:88::2'] : []);
    await leave(core, host, { id: 'p1' });
    assert.deepEqual(await next(small), ['fd00:88::5']);
  });

  it('are those of IPv6 if the subnets on the bridge change', async () => {
    const pod = (...addresses: string[]) => next({ ...noGateway, addresses });
    await pod('10.88.0.2/24', 'fd00:88::2/64');
    assert.deepEqual(await pod('10.88.0.3/24', 'fd00:88::3/64'), []);
    assert.deepEqual(await pod('10.99.0.4/24', 'fd00:88::4/64'), ['fd00:88::4']);
    assert.deepEqual(await pod('10.88.0.5/24', 'fd00:88::5/64'), ['fd00:88::5']);
    assert.deepEqual(await pod('10.99.0.6/24'), []);
  });

  it('are none on a bridge that two networks share, with IPv4', async () => {
    await next(noGateway);
    for (let i = 0; i < 2; i++) assert.deepEqual([await next(other), await next(noGateway)], [[], []]);
  });

  it('are those of IPv6 on a bridge that two networks share: the MACs depend on the network', async () => {
    const [one, two] = [
      { network: 'web', addresses: ['fd00:88::9/64'] },
      { network: 'other', addresses: ['fd00:88::9/64'] },
    ];
    await next({ ranges: [RANGE6] });
    assert.deepEqual(await next(one), []);
    await leave(core, host, { id: 'p1' });
    assert.deepEqual(await next(two), ['fd00:88::9']);
    await leave(core, host, { id: 'p2', network: 'other' });
    assert.deepEqual(await next(one), ['fd00:88::9']);
  });

  it("are all after a Docker container with --mac-address on the pods' network", async () => {
    const conf = { network: NETWORK, conf: { bridge: BRIDGE } };
    const pod = (address: string) => next({ ...conf, addresses: [address] });
    await pod('10.88.0.8/24');
    await offerEndpoint(core, offerRequest(2, { families: [4] }));
    assert.deepEqual(await pod('10.88.0.9/24'), []);
    await offerEndpoint(core, offerRequest(3, { families: [4], mac: MAC }));
    assert.deepEqual(await pod('10.88.0.10/24'), ['10.88.0.10']);
    await deleteOffered(core, endpointOf(3));
    assert.deepEqual(await pod('10.88.0.3/24'), ['10.88.0.3']);
  });

  it('are all after a tuning of a MAC', async () => {
    await next();
    assert.deepEqual(await next(), []);
    assert.deepEqual(await tune(core, host, { id: 'p1' }, MAC), []);
    assert.deepEqual(await next(), ['10.88.0.4']);
  });

  it('are those of IPv6 when a tuning sets a MAC: the kernel announces the others', async () => {
    await next(both);
    assert.deepEqual(await tune(core, host, { id: 'p0' }, MAC), ['fd00:88::2']);
  });

  it('are none after a reboot, which the bridge does not outlive', async () => {
    await next();
    await next({ mac: MAC });
    reboot();
    await next();
    assert.deepEqual(await next(), []);
  });

  it('are all after a reboot if another program has made the bridge again', async () => {
    await next();
    assert.deepEqual(await next(), []);
    reboot(bridgeOfOthers);
    for (let i = 0; i < 2; i++) assert.equal((await next()).length, 1);
  });

  it('are all on a bridge of another program', async () => {
    begin(bridgeOfOthers);
    for (let i = 2; i < 5; i++) assert.deepEqual(await next(), [`10.88.0.${i}`]);
  });

  it('are none on a bridge that was deleted with its network and made again', async () => {
    await next({ mac: MAC });
    await leave(core, host, { id: 'p0' });
    assert.equal(host.own.links.has('isth0'), false);
    await next();
    assert.deepEqual(await next(), []);
  });

  it('are all on a bridge that was deleted with its network and made again by another program', async () => {
    await next();
    assert.deepEqual(await next(), []);
    for (const id of ['p0', 'p1']) await leave(core, host, { id });
    host.own.addLink({ name: 'isth0', kind: 'bridge', up: true });
    for (let i = 0; i < 2; i++) assert.equal((await next()).length, 1);
  });

  it('are as before on a bridge that was deleted by hand, whichever network makes it again', async () => {
    await next({ mac: MAC });
    await next();
    await leave(core, host, { id: 'p0' });
    host.apply([{ op: 'link.delete', ns: 'host', name: 'isth0', kind: 'bridge' }], { host: host.own });
    for (let i = 2; i < 4; i++) assert.deepEqual(await next(other), [`10.99.0.${i}`]);
    assert.equal((await next()).length, 1);
  });

  it('count the endpoint of another network that waits for the new bridge', async () => {
    const late = { id: 'late', network: 'other', addresses: ['10.88.0.9/24'], mac: MAC };
    await arrive(core, host, late);
    const [row] = core.store.endpoints.list('other');
    assert.ok(row?.kind === 'cni');
    await leave(core, host, late);
    // Begun by another process, and not yet at the bridge.
    core.store.transaction(() => {
      core.store.endpoints.put({ ...row, progress: 'intent' });
      staleAddresses(core, { ...late, link: row.link });
    });
    await next();
    assert.deepEqual(await next(), ['10.88.0.3']);
  });

  for (const [title, isDropIn, announced] of [
    ['all under the own type', false, ['10.88.0.3']],
    ['none under the drop-in name', true, []],
  ] as const)
    it(`are ${title} if it is unknown whether the bridge has an uplink`, async () => {
      core = makeCore(host, disk);
      await next({ isDropIn });
      assert.deepEqual(await next({ isDropIn }), announced);
    });

  it('are all if the bridge has an uplink', async () => {
    core = { ...core, hasUplink: (bridge) => bridge === 'isth0' };
    await next(both);
    assert.deepEqual(await next(both), ['10.88.0.3', 'fd00:88::3']);
  });

  function reboot(own: Parameters<typeof makeFakeHost>[0] = {}): void {
    host = makeFakeHost(own, { bootId: '00000000-0000-4000-8000-000000000002' });
    core = makeQuietCore(host, disk);
  }
});
