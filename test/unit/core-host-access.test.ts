import { strict as assert } from 'node:assert';
import type { MacvlanOptions } from '../../src/shared/config/macvlan.ts';
import type { NetworkSpec } from '../../src/shared/config/network-spec.ts';
import { checkLone } from '../../src/shared/core/endpoints/check-lone.ts';
import { createLone } from '../../src/shared/core/endpoints/create-lone.ts';
import { deleteEndpoint } from '../../src/shared/core/endpoints/delete-endpoint.ts';
import { createNetwork } from '../../src/shared/core/networks/create-network.ts';
import { deleteNetwork } from '../../src/shared/core/networks/delete-network.ts';
import { networkDriverOf } from '../../src/shared/core/networks/record.ts';
import { poolSource } from '../../src/shared/core/pool-source.ts';
import { catchUp, reconcile } from '../../src/shared/core/reconcile.ts';
import type { EndpointReport, LoneRequest } from '../../src/shared/core/requests.ts';
import { macvlanDriver } from '../../src/shared/drivers/lone/macvlan.ts';
import { shimName } from '../../src/shared/drivers/lone/shim.ts';
import type { NetError } from '../../src/shared/errors/net-error.ts';
import { OPERATOR } from '../../src/shared/model/owned.ts';
import { formatNetwork, parseNetwork } from '../../src/shared/store/bodies.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { MemoryDisk } from '../../src/shared/testing/memory-store.ts';
import { addrOf } from '../support/addresses.ts';
import {
  attachmentOf,
  delRequest,
  makeCore,
  makeFakeHost,
  NOTHING,
  OTHER,
  POD,
  recordsOf,
  refusedWith,
  scopeOf,
  type TestCore,
  type Which,
} from '../support/core.ts';
import { deadAfter } from '../support/dead-host.ts';
import { range } from './ipam-support.ts';

const SUBNET = '10.88.0.0/29';
const ACCESS = { addresses: ['10.88.0.6'], routes: [SUBNET] };
const OPTIONS: MacvlanOptions = { driver: 'macvlan', master: 'up0', mode: 'bridge', linkInContainer: false };
const SHARED: MacvlanOptions = { ...OPTIONS, hostAccess: ACCESS };
const SHIM = shimName('web');
const SECOND: Which = { id: 'b', netns: OTHER };

function specOf(options = SHARED): NetworkSpec {
  return { options, ranges: [[{ subnet: range(SUBNET).subnet }]], scope: scopeOf(), routes: [] };
}

function makeHost(bootId = 'boot'): FakeHost {
  return makeFakeHost({ links: [{ name: 'up0', mac: '02:00:00:00:00:31', mtu: 1500, up: true }] }, { bootId });
}

function requestOf(host: FakeHost, which: Which, options = SHARED, requested: readonly string[] = []): LoneRequest {
  const driver = networkDriverOf(options, 'web');
  const reserved = options.hostAccess === undefined ? [] : options.hostAccess.addresses.map(addrOf);
  const spec = { sets: [[range(SUBNET)]], requested: requested.map(addrOf), reserved, routes: [], dns: {} };
  return {
    ...{ attachment: attachmentOf(which), role: 'interface', netns: which.netns ?? POD, ownNamespace: false },
    ...{ aliases: [], driver: macvlanDriver(options) },
    source: poolSource({ ...spec, scope: scopeOf() }, attachmentOf(which), host.identity),
    ...(driver && { onHost: { driver, driverName: 'macvlan', spec: specOf(options) } }),
  };
}

describe('core: host access', () => {
  let host: FakeHost;
  let core: TestCore;
  let untouched: string;
  beforeEach(() => {
    host = makeHost();
    core = makeCore(host);
    untouched = host.toString();
  });

  const add = (which: Which = {}, options = SHARED, requested: readonly string[] = []): Promise<EndpointReport> =>
    createLone(core, requestOf(host, which, options, requested));
  const del = (which: Which = {}): Promise<NetError[]> =>
    deleteEndpoint(core, { ...delRequest(which, host.identity), kind: 'macvlan' });
  const shims = (): string[] => [...host.own.links.keys()].filter((name) => name.startsWith('shim'));
  const tryLock = () => ({ [Symbol.dispose]() {} });

  it('comes with the first endpoint, serves all, and goes with the last', async () => {
    const given = [await add(), await add(SECOND)].map(({ addresses: [one] }) => one?.address.addr.value);
    assert.deepEqual(given, [addrOf('10.88.0.2').value, addrOf('10.88.0.3').value]);
    assert.deepEqual(shims(), [SHIM]);
    const row = core.store.networks.get('web') ?? assert.fail();
    assert.deepEqual(row.owned, [{ kind: 'link', name: SHIM, link: 'macvlan' }]);
    assert.deepEqual(await del(), []);
    assert.deepEqual(shims(), [SHIM]);
    assert.deepEqual(await del(SECOND), []);
    assert.equal(host.toString(), untouched);
    assert.deepEqual(recordsOf(core), NOTHING);
  });

  it('a row of its network can be read', async () => {
    await add();
    const row = core.store.networks.get('web') ?? assert.fail();
    assert.deepEqual(parseNetwork(formatNetwork(row)), row);
  });

  it('keeps its address from endpoints, by what is on record too', async () => {
    await add();
    const asks = add(SECOND, OPTIONS, ['10.88.0.6']);
    await assert.rejects(asks, refusedWith('conflict', /10\.88\.0\.6.*for the host itself/));
    for (const [i, last] of ['3', '4', '5'].entries()) {
      const { addresses } = await add({ id: `c${i}`, ifName: `eth${i + 1}` }, OPTIONS);
      assert.equal(addresses[0]?.address.addr.value, addrOf(`10.88.0.${last}`).value);
    }
    await assert.rejects(add(SECOND, OPTIONS), refusedWith('exhausted', /4 of 4/));
  });

  it('is refused where an endpoint has its address, and nothing changes', async () => {
    await add({}, OPTIONS, ['10.88.0.6']);
    const [before, records] = [host.toString(), recordsOf(core)];
    await assert.rejects(add(SECOND), refusedWith('conflict', /10\.88\.0\.6: address already in use: container a/));
    assert.equal(host.toString(), before);
    assert.deepEqual(recordsOf(core), records);
  });

  for (const [title, repair] of [
    ['a DEL', () => del()],
    ['the daemon', async () => (await reconcile(core, { tryLock })).errors],
  ] as const)
    it(`is removed by ${title} after a call that dies between any two steps`, async () => {
      let steps = 0;
      for (; ; steps++) {
        const dying = { ...core, host: deadAfter(host, steps) };
        const isDead = await createLone(dying, requestOf(host, {})).then(
          () => false,
          () => true,
        );
        if (!isDead) break;
        assert.deepEqual(await repair(), [], `step ${steps}`);
        assert.equal(host.toString(), untouched, `step ${steps}`);
        assert.deepEqual(recordsOf(core), NOTHING);
      }
      assert.ok(steps > 8, `${steps} steps`);
    });

  it('is mended after a daemon that dies between any two steps of mending', async () => {
    await add();
    const made = host.toString();
    for (let steps = 0; steps < 8; steps++) {
      host.apply([{ op: 'link.delete', ns: 'host', name: SHIM }], { host: host.own });
      await reconcile({ ...core, host: deadAfter(host, steps) }, { tryLock }).catch(() => {});
      assert.deepEqual((await reconcile(core, { tryLock })).errors, [], `step ${steps}`);
      assert.equal(host.toString(), made, `step ${steps}`);
    }
  });

  it('CHECK and the reconciler see that it is gone; the reconciler makes it again', async () => {
    await add();
    const check = () => checkLone(core, requestOf(host, {}), { interfaces: [], addresses: [], routes: [] });
    await check();
    const made = host.toString();
    host.apply([{ op: 'link.delete', ns: 'host', name: SHIM }], { host: host.own });
    await assert.rejects(check, refusedWith('drift', /network web: the host lacks.*ip link add/));
    const { mended, errors } = await reconcile(core, { tryLock });
    assert.deepEqual(errors, []);
    assert.match(mended.join('\n'), new RegExp(`^ip link add name ${SHIM} `, 'm'));
    assert.equal(host.toString(), made);
    await check();
  });

  it('of a network that somebody holds needs no endpoint, and comes back after a reboot', async () => {
    const disk = new MemoryDisk();
    core = makeCore(host, disk);
    await createNetwork(core, { name: 'web', holder: OPERATOR, spec: specOf() });
    assert.deepEqual(shims(), [SHIM]);
    const made = host.toString();
    host = makeHost('next');
    core = makeCore(host, disk);
    assert.deepEqual(shims(), []);
    assert.deepEqual((await reconcile(core, { tryLock })).errors, []);
    assert.equal(host.toString(), made);
    assert.deepEqual(await deleteNetwork(core, 'web', OPERATOR), []);
    assert.equal(host.toString(), untouched);
  });

  it('waits for a parent that comes later', async () => {
    const disk = new MemoryDisk();
    core = makeCore(host, disk);
    await createNetwork(core, { name: 'web', holder: OPERATOR, spec: specOf() });
    const made = host.toString();
    host = makeFakeHost({}, { bootId: 'next' });
    core = makeCore(host, disk);
    const { errors } = await reconcile(core, { tryLock });
    assert.match(errors.map(({ message }) => message).join('\n'), /up0/);
    host.own.addLink({ name: 'up0', mtu: 1500, up: true });
    assert.deepEqual((await reconcile(core, { tryLock })).errors, []);
    assert.equal(host.toString().split('\n').length, made.split('\n').length);
    assert.deepEqual(shims(), [SHIM]);
  });

  it('does not outlive a lost state', async () => {
    await add();
    core = makeCore(host);
    await catchUp(core);
    assert.equal(core.store.networks.get('web')?.device, SHIM);
    assert.deepEqual((await reconcile(core, { tryLock })).errors, []);
    assert.deepEqual(shims(), []);
  });
});
