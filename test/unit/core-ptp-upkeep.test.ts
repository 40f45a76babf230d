import { strict as assert } from 'node:assert';
import { addChained, deleteChained } from '../../src/shared/core/endpoints/chained.ts';
import { checkEndpoint } from '../../src/shared/core/endpoints/check-endpoint.ts';
import { createEndpoint } from '../../src/shared/core/endpoints/create-endpoint.ts';
import { ownRules } from '../../src/shared/core/networks/rules.ts';
import { catchUp, reconcile } from '../../src/shared/core/reconcile.ts';
import { hostIfName } from '../../src/shared/model/attachment.ts';
import { formatNetwork, parseEndpoint, parseNetwork } from '../../src/shared/store/bodies.ts';
import { prefixOf } from '../support/addresses.ts';
import { attachmentOf, OTHER, POD, refusedWith, type Which } from '../support/core.ts';
import {
  expectationOf,
  fixedAt,
  makePtpScene,
  NO_MASQUERADE,
  type PtpScene,
  ptpRequest,
  ptpRules,
  WEB,
} from '../support/ptp.ts';

const HOST_IF = hostIfName(attachmentOf());
const SECOND: Which = { id: 'b', netns: OTHER };
const onHost = { ns: 'host' } as const;

describe('core: upkeep of driver ptp', () => {
  let scene: PtpScene;
  beforeEach(() => {
    scene = makePtpScene();
  });

  const pass = async () => {
    const tryLock = () => ({ [Symbol.dispose]: () => {} });
    const { errors, ...rest } = await reconcile(scene.core, { tryLock, sweep: true });
    assert.deepEqual(errors, []);
    return rest;
  };

  describe('packet filter', () => {
    it('shares the masquerading of a subnet, and has the rest of each endpoint with the endpoint', async () => {
      await scene.add({}, { rules: ptpRules() });
      await scene.add(SECOND, { rules: ptpRules({ mappings: [WEB] }) });
      const owned = scene.core.store.networks.get('web')?.owned ?? [];
      assert.deepEqual(
        owned.map((one) => one.kind === 'entry' && one.entry.kind),
        ['masquerade', 'masquerade'],
      );
      const devices = scene.filter.list('policy').map((entry) => 'device' in entry && entry.device);
      assert.deepEqual(devices, [HOST_IF, hostIfName(attachmentOf(SECOND))]);
      assert.deepEqual(scene.filter.ports().length, 2);
      await scene.del(SECOND);
      assert.deepEqual(
        scene.filter
          .list()
          .map(({ kind }) => kind)
          .toSorted(),
        ['admit', 'masquerade', 'masquerade', 'policy'],
      );
    });

    it('has the masquerading of a single address with its endpoint', async () => {
      await scene.add({}, { source: fixedAt(['10.8.0.2/32 169.254.1.1']), rules: ptpRules() });
      await scene.add(SECOND, { source: fixedAt(['10.8.0.3/32 169.254.1.1']), rules: ptpRules() });
      assert.equal(scene.filter.list('masquerade').length, 2);
      assert.deepEqual(scene.core.store.networks.get('web')?.owned, []);
      await scene.del(SECOND);
      assert.equal(scene.filter.list('masquerade').length, 1);
    });

    it('lets packets of 127.0.0.0/8 be routed to the host side of a published port', async () => {
      await scene.add({}, { rules: ptpRules({ mappings: [WEB] }) });
      const key = `net/ipv4/conf/${HOST_IF}/route_localnet`;
      assert.equal(scene.host.observe(scene.host.own, { sysctls: [key] }).sysctls.get(key), '1');
    });

    it('has the entries of a later plugin with its part', async () => {
      await scene.add();
      const before = scene.filter.list();
      const [attachment, rules] = [attachmentOf(), ptpRules({ options: NO_MASQUERADE, mappings: [WEB], admit: false })];
      const addressing = { addresses: [{ address: prefixOf('10.7.0.2/24') }], routes: [] };
      const own = ownRules(scene.core, attachment, HOST_IF, rules, addressing);
      assert.deepEqual(own?.entries, [{ kind: 'hairpin', device: HOST_IF, subnet: '10.7.0.0/24' }]);
      assert.equal(ownRules(scene.core, attachment, 'isth0', rules, addressing), undefined);
      const describe = () => ({ kind: 'ports', rules: own }) as const;
      await addChained(scene.core, { attachment, role: 'portmap', netns: POD, describe });
      assert.deepEqual(scene.filter.list('hairpin'), own?.entries);
      assert.deepEqual(await deleteChained(scene.core, { attachment, role: 'portmap' }, POD), []);
      assert.deepEqual(scene.filter.list(), before);
    });
  });

  describe('networks without a device', () => {
    it('are not heirs of each other, and have locks of their own', async () => {
      const rules = ptpRules();
      await scene.add({}, { rules });
      await scene.add({ ...SECOND, network: 'other' }, { source: fixedAt(['10.9.0.2/24 10.9.0.1']), rules });
      assert.equal(scene.filter.list('masquerade').length, 3);
      await scene.del();
      assert.deepEqual(
        scene.filter.list('masquerade').map((entry) => entry.kind === 'masquerade' && entry.subnet),
        ['10.9.0.0/24'],
      );
      assert.deepEqual(
        scene.core.store.networks.list().map(({ name, device, driver }) => [name, device, driver]),
        [['other', '', 'ptp']],
      );
      assert.ok(
        scene.core.locked.includes('network:web') && scene.core.locked.includes('network:other'),
        scene.core.locked.join(),
      );
      assert.ok(!scene.core.locked.includes('device:'));
    });

    it('takes over the network of pods that another plugin attached, with the entries of their ports', async () => {
      const entry = { kind: 'hairpin', device: 'veth12345678', subnet: '10.7.0.0/24' } as const;
      const owned = [{ kind: 'entry', backend: 'nftables', entry }] as const;
      const { bootId } = scene.host.identity;
      scene.core.store.transaction(() => {
        scene.core.store.networks.put({ name: 'web', driver: 'chained', device: 'veth12345678', bootId, owned });
        const sandbox = { path: '/run/netns/old', id: scene.host.own.id };
        const attachment = attachmentOf({ id: 'old' });
        scene.core.store.endpoints.put({ kind: 'ports', role: 'portmap', attachment, progress: 'ready', sandbox });
      });
      await scene.add({}, { rules: ptpRules() });
      const row = scene.core.store.networks.get('web');
      assert.deepEqual([row?.driver, row?.device], ['ptp', '']);
      assert.ok(row?.owned.some((one) => one.kind === 'entry' && one.entry.kind === 'hairpin'));
    });
  });

  describe('CHECK', () => {
    const damages: Readonly<Record<string, readonly [() => unknown, RegExp]>> = {
      'the way to its IPv4 address': [
        () => scene.run({ ...onHost, op: 'route.delete', route: { dst: '10.7.0.2/32', dev: HOST_IF } }),
        /ip route add 10\.7\.0\.2\/32 dev veth/,
      ],
      'the way to its IPv6 address': [
        () => scene.run({ ...onHost, op: 'route.delete', route: { dst: 'fd07::2/128', dev: HOST_IF } }),
        /ip -6 route add fd07::2\/128 dev veth/,
      ],
      'the gateway on the host side': [
        () => scene.run({ ...onHost, op: 'addr.delete', dev: HOST_IF, address: '10.7.0.1/32' }),
        /ip addr add 10\.7\.0\.1\/32 dev veth/,
      ],
      'the masquerading of its subnet': [
        () => scene.filter.remove(scene.filter.list('masquerade')),
        /lacks masquerade /,
      ],
      'the entries of its device': [() => scene.filter.remove(scene.filter.list('hairpin')), /lacks hairpin /],
      'its published port': [() => scene.filter.remove(scene.filter.list('port')), /lacks port /],
      forwarding: [
        () => scene.run({ ...onHost, op: 'sysctl.set', key: 'net/ipv4/ip_forward', value: '0' }),
        /net\/ipv4\/ip_forward=1/,
      ],
    };
    for (const [title, [damage, message]] of Object.entries(damages)) {
      it(`sees that the host lacks ${title}`, async () => {
        const request = ptpRequest({}, scene.host.identity, { rules: ptpRules({ mappings: [WEB] }) });
        const expected = expectationOf(await createEndpoint(scene.core, request));
        await checkEndpoint(scene.core, request, expected);
        await damage();
        await assert.rejects(checkEndpoint(scene.core, request, expected), refusedWith('drift', message));
      });
    }
  });

  it('reads its rows, and refuses those with a value that no reader can use', async () => {
    await scene.add({}, { rules: ptpRules({ mappings: [WEB] }), options: { mtu: 1400 } });
    const [row, network] = [scene.core.store.endpoints.list()[0], scene.core.store.networks.get('web')];
    assert.ok(network !== undefined && row?.kind === 'cni' && row.link.host !== undefined && row.rules !== undefined);
    const { link, rules } = row;
    assert.deepEqual(parseEndpoint(JSON.stringify(row)), row);
    assert.deepEqual(parseNetwork(formatNetwork(network))?.spec?.options, { driver: 'ptp', mtu: 1400 });
    const broken = [
      { ...row, link: { ...link, host: { ...link.host, addresses: ['10.7.0.1'] } } },
      { ...row, link: { ...link, host: { ...link.host, routes: [{ dst: 'default' }] } } },
      { ...row, rules: { ...rules, entries: [{ kind: 'hairpin', device: 'a/b', subnet: '10.7.0.0/24' }] } },
    ];
    for (const one of broken) assert.equal(parseEndpoint(JSON.stringify(one)), undefined);
  });

  describe('restore', () => {
    it('does nothing if nothing is missing', async () => {
      await scene.add({}, { rules: ptpRules({ mappings: [WEB] }) });
      const whole = scene.host.toString();
      assert.deepEqual(await pass(), { endpoints: 0, networks: 0, entries: 0, mended: [] });
      assert.equal(scene.host.toString(), whole);
    });

    it('puts back addresses, ways and entries, and makes the host side no bridge port', async () => {
      await scene.add({}, { rules: ptpRules({ mappings: [WEB] }) });
      const whole = scene.host.toString().split('\n').toSorted();
      const entries = scene.filter.list();
      scene.run(
        { ...onHost, op: 'route.delete', route: { dst: '10.7.0.2/32', dev: HOST_IF } },
        { ...onHost, op: 'addr.delete', dev: HOST_IF, address: 'fd07::1/128' },
        { ...onHost, op: 'link.set', name: HOST_IF, set: { up: false } },
      );
      await scene.filter.remove(entries);
      const { mended } = await pass();
      assert.ok(
        mended.some((line) => line.startsWith('ip route add 10.7.0.2/32')),
        mended.join('\n'),
      );
      assert.deepEqual(scene.host.toString().split('\n').toSorted(), whole);
      assert.deepEqual(scene.filter.list().length, entries.length);
    });

    it('leaves an endpoint alone whose record was lost, and DEL deletes it', async () => {
      await scene.add({}, { rules: ptpRules() });
      const whole = scene.host.toString();
      scene.loseState();
      await catchUp(scene.core);
      await pass();
      assert.equal(scene.host.toString(), whole);
      assert.equal(scene.core.store.endpoints.get(attachmentOf(), 'interface')?.kind, 'recalled');
      // The network is on record again.
      await scene.add(SECOND, { rules: ptpRules() });
      await pass();
      assert.doesNotMatch(scene.host.toString(), /master/);
      assert.deepEqual([...(await scene.del()), ...(await scene.del(SECOND))], []);
      scene.nothingIsLeft();
    });
  });
});
