import { strict as assert } from 'node:assert';
import { createLone } from '../../src/shared/core/endpoints/create-lone.ts';
import { deleteOffered, offerEndpoint, recordOffered } from '../../src/shared/core/endpoints/offer-endpoint.ts';
import { isOfferGone, placeOffered } from '../../src/shared/core/endpoints/placed-offers.ts';
import { createNetwork } from '../../src/shared/core/networks/create-network.ts';
import { deleteNetwork } from '../../src/shared/core/networks/delete-network.ts';
import { OWN_SCOPE } from '../../src/shared/core/pools/pools.ts';
import { reconcile } from '../../src/shared/core/reconcile.ts';
import { loneDriver } from '../../src/shared/drivers/lone/drivers.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import type { LinkState } from '../../src/shared/model/link.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { FakeHost, type FakeOptions } from '../../src/shared/testing/fake-host.ts';
import { MemoryDisk } from '../../src/shared/testing/memory-store.ts';
import { makeCore, refusedWith, type TestCore } from '../support/core.ts';
import { FailingHost } from '../support/failing-host.ts';
import { ipvlan, macvlan, networkRequest, offered, parentedOffer } from '../support/parented.ts';

const SANDBOX = '/run/isth-sandbox';
const MOST_STEPS = 20;

function fakeHost(more: FakeOptions = {}): FakeHost {
  const own = {
    links: [
      { name: 'up0', mtu: 1500, up: true },
      { name: 'up1', mtu: 1500, up: true },
    ],
  };
  return new FakeHost({ own, namespaces: { [SANDBOX]: {} }, ...more });
}

describe('core: networks on a parent', () => {
  let host: FakeHost;
  let core: TestCore;
  let bare: string;

  const start = (more?: FakeOptions): void => {
    host = fakeHost(more);
    core = makeCore(host);
    bare = host.toString();
  };
  const linksOf = (of = host): ReadonlyMap<string, LinkState> => of.observe(of.own, { links: 'all' }).links;
  const create = (...request: Parameters<typeof networkRequest>) => createNetwork(core, networkRequest(...request));
  const remove = async (id = 'a'): Promise<void> =>
    assert.deepEqual(await deleteNetwork(core, `docker-${id}`, { kind: 'docker', id }), []);
  const pass = (on = core) => reconcile(on, { tryLock: () => ({ [Symbol.dispose]: () => {} }) });
  const move = (to: 'host' | 'sandbox', [name, toName]: readonly [string, string]): void => {
    const op: Op = { op: 'link.move', ns: to === 'host' ? 'sandbox' : 'host', name, to, toName };
    host.apply([op], { host: host.own, sandbox: host.open(SANDBOX) });
  };
  const nothingLeft = (what: string): void => {
    assert.equal(host.toString(), bare, what);
    assert.deepEqual([core.store.networks.list(), core.store.endpoints.list()], [[], []], what);
    assert.equal(core.taken.size, 0, what);
  };

  beforeEach(() => start());

  for (const options of [macvlan(), macvlan({ mode: 'passthru' }), ipvlan({ mode: 'l3' })])
    it(`change nothing of a parent that the host has: ${options.driver} ${options.mode}`, async () => {
      await create(options);
      assert.equal(host.toString(), bare);
      const [row] = core.store.networks.list();
      assert.deepEqual([row?.device, row?.owned], ['up0', []]);
      await remove();
      nothingLeft('removed');
    });

  it('make a VLAN of the parent, and delete it with the last network on it', async () => {
    const options = macvlan({ master: 'up0.10' });
    await create(options, 'a', '10.5.0.0/25');
    const made = linksOf().get('up0.10');
    assert.deepEqual([made?.kind, made?.vlan?.id, made?.up], ['vlan', 10, true]);
    await create(options, 'b', '10.5.0.128/25');
    await remove('a');
    assert.ok(linksOf().has('up0.10'), 'the other network needs it');
    await remove('b');
    nothingLeft('both removed');
  });

  it('make a VLAN and the host access on it, restore both, and delete both with the last network on it', async () => {
    const vlan = macvlan({ master: 'up0.10' });
    const access = (last: number, route: string) => ({
      ...vlan,
      hostAccess: { addresses: [`10.5.0.${last}`], routes: [route] },
    });
    const shims = () => [...linksOf().keys()].filter((name) => name.startsWith('shim'));
    await create(access(126, '10.5.0.0/25'), 'a', '10.5.0.0/25');
    const [shim = ''] = shims();
    assert.equal(linksOf().get(shim)?.linkIndex, linksOf().get('up0.10')?.index);
    const made = host.toString();
    host.apply([{ op: 'link.delete', ns: 'host', name: 'up0.10' }], { host: host.own });
    assert.deepEqual(shims(), [], 'it went with its parent');
    await pass();
    assert.equal(host.toString(), made);
    await create(access(254, '10.5.0.128/25'), 'b', '10.5.0.128/25');
    assert.equal(shims().length, 2);
    await remove('a');
    assert.equal(shims().length, 1);
    assert.ok(linksOf().has('up0.10'), 'the other network needs it');
    await remove('b');
    nothingLeft('both removed');
  });

  it('leave a VLAN that the host has, or that was made anew by another', async () => {
    const vlan = (): Op => ({
      op: 'link.create',
      ns: 'host',
      name: 'up0.10',
      link: { kind: 'vlan', dev: 'up0', id: 10 },
    });
    host.apply([vlan()], { host: host.own });
    await create(macvlan({ master: 'up0.10' }));
    await remove();
    assert.ok(linksOf().has('up0.10'), 'found');
    await create(macvlan({ master: 'up0.11' }));
    const name = 'up0.11';
    const link = { kind: 'vlan', dev: 'up0', id: 11 } as const;
    host.apply(
      [
        { op: 'link.delete', ns: 'host', name },
        { op: 'link.create', ns: 'host', name, link },
      ],
      { host: host.own },
    );
    await remove();
    assert.ok(linksOf().has(name), 'made anew');
  });

  it('keep a VLAN that they made while others have links on it', async () => {
    await create(macvlan({ master: 'up0.10' }));
    const link = { kind: 'macvlan', dev: 'up0.10', mode: 'bridge' } as const;
    host.apply([{ op: 'link.create', ns: 'host', name: 'guest', link }], { host: host.own });
    await remove();
    assert.ok(linksOf().has('guest'));
    host.apply([{ op: 'link.delete', ns: 'host', name: 'guest' }], { host: host.own });
    assert.equal((await pass()).networks, 1);
    nothingLeft('the guest has gone');
  });

  it('refuse a VLAN that the host has under another name', async () => {
    const link = { kind: 'vlan', dev: 'up0', id: 10 } as const;
    host.apply([{ op: 'link.create', ns: 'host', name: 'office', link }], { host: host.own });
    bare = host.toString();
    const text = /VLAN 10 of up0 may exist under another name/;
    await assert.rejects(create(macvlan({ master: 'up0.10' })), refusedWith('exists', text));
    nothingLeft('refused');
  });

  it('make a link that leads nowhere', async () => {
    const options = { ...macvlan({ master: 'dm-1' }), made: { kind: 'dummy' }, internal: true } as const;
    await create(options);
    assert.equal(linksOf().get('dm-1')?.kind, 'dummy');
    await remove();
    nothingLeft('removed');
  });

  for (const [first, second, text] of [
    [macvlan(), ipvlan(), /parent=up0: network docker-a .*with macvlan: a parent has one kind/],
    [ipvlan(), macvlan(), /with ipvlan: a parent has one kind\. Choose another parent, such as a VLAN: up0\.10/],
    [macvlan(), macvlan({ mode: 'passthru' }), /with mode bridge: mode passthru needs a parent for itself/],
    [macvlan({ mode: 'passthru' }), macvlan(), /with mode passthru: mode passthru needs a parent for itself/],
    [ipvlan(), ipvlan({ mode: 'l3' }), /with mode l2 and flag bridge: a parent has one of each/],
    [ipvlan(), ipvlan({ flag: 'vepa' }), /with mode l2 and flag bridge/],
  ] as const)
    it(`refuse ${second.driver} ${second.mode} beside ${first.driver} ${first.mode}`, async () => {
      await create(first);
      const before = host.toString();
      await assert.rejects(create(second, 'b', '10.6.0.0/24'), refusedWith('conflict', text));
      assert.equal(host.toString(), before);
      assert.equal(core.store.networks.list().length, 1);
      await create({ ...second, master: 'up1' }, 'b', '10.6.0.0/24');
    });

  it('refuse addresses that another network of the parent gives, not those of another parent', async () => {
    await create(macvlan());
    const overlap = /docker-a .*with addresses of 10\.5\.0\.0\/24, which overlap: give each an --ip-range/;
    await assert.rejects(create(macvlan({ mode: 'private' }), 'b', '10.5.0.0/25'), refusedWith('conflict', overlap));
    await create(macvlan({ master: 'up1' }), 'b', '10.5.0.0/25');
    await create(macvlan(), 'c', '10.6.0.0/24');
  });

  it('refuse a parent that a pod has with another kind', async () => {
    const driver = loneDriver(macvlan({ mode: 'passthru' }));
    const attachment = { camp: 'cni', network: 'lan', containerId: 'pod', ifName: 'eth0' } as const;
    const request = {
      attachment,
      driver,
      role: 'interface',
      netns: SANDBOX,
      ownNamespace: false,
      aliases: [],
    } as const;
    await createLone(core, request);
    await assert.rejects(create(ipvlan()), refusedWith('conflict', /parent=up0: pod pod is on it, with macvlan/));
    await assert.rejects(create(macvlan()), refusedWith('conflict', /pod pod is on it, with mode passthru/));
  });

  for (const [options, kind, text] of [
    [macvlan({ master: 'nope' }), 'invalid-config', /parent=nope: there is no such interface on this host\. Give an/],
    [macvlan({ master: 'lo' }), 'invalid-config', /parent=lo: is loopback/],
    [macvlan({ master: 'lo.10' }), 'invalid-config', /parent=lo\.10: lo is loopback, which has no VLANs/],
    [macvlan({ master: 'nope.10' }), 'invalid-config', /parent=nope\.10: .*nor nope to make VLAN 10 of/],
    [
      macvlan({ master: 'up0.0' }),
      'invalid-config',
      /parent=up0\.0: .*there can be no VLAN 0 to make\. Give a VLAN of 1 to 4094/,
    ],
    [macvlan({ master: 'up0.4095' }), 'invalid-config', /no VLAN 4095 to make/],
    [
      macvlan({ mtu: 1501 }),
      'invalid-config',
      /mtu=1501: is over 1500, the MTU of its parent up0\. Choose at most 1500/,
    ],
    [macvlan({ master: 'up0.10', mtu: 9000 }), 'invalid-config', /mtu=9000: is over 1500, the MTU of up0/],
    [macvlan({ master: 'down0.10' }), 'conflict', /parent=down0\.10: down0 is down.*Set down0 up first/],
    [macvlan({ master: 'port' }), 'conflict', /parent=port: is a port of br0.*Give br0, or take port out/],
  ] as const)
    it(`refuse ${JSON.stringify(options)}`, async () => {
      const ops: Op[] = [
        { op: 'link.create', ns: 'host', name: 'br0', link: { kind: 'bridge' } },
        { op: 'link.create', ns: 'host', name: 'down0', link: { kind: 'ifb' } },
        { op: 'link.create', ns: 'host', name: 'port', link: { kind: 'ifb' }, master: 'br0' },
      ];
      host.apply(ops, { host: host.own });
      bare = host.toString();
      await assert.rejects(create(options), refusedWith(kind, text));
      nothingLeft('refused');
    });

  for (const [kind, options] of [
    ['ipvlan', ipvlan()],
    ['macvlan', macvlan()],
    ['vlan', macvlan({ master: 'up0.10' })],
    ['dummy', { ...ipvlan({ master: 'di-1' }), made: { kind: 'dummy' } }],
  ] as const)
    it(`name the kind that the kernel lacks, and leave nothing: ${kind}`, async () => {
      start({ lacks: [kind] });
      await assert.rejects(
        create(options),
        refusedWith('unsupported', new RegExp(`this kernel has no ${kind} \\(CONFIG_`)),
      );
      nothingLeft('refused');
    });

  it('leave nothing, whichever step fails', async () => {
    const options = macvlan({ master: 'up0.10' });
    for (let at = 0; at < MOST_STEPS; at++) {
      for (const when of ['before', 'after'] as const) {
        start();
        const failing = new FailingHost(host, { at, when });
        core = { ...makeCore(failing), host: failing };
        const ends = await create(options).then(
          () => true,
          () => false,
        );
        if (ends) return assert.ok(at > 2, `${at} steps`);
        nothingLeft(`${when} step ${at}`);
      }
    }
    assert.fail('it never came to its end');
  });

  it('come back after a reboot, as soon as their parent does', async () => {
    const disk = new MemoryDisk();
    core = makeCore(host, disk);
    const options = macvlan({ master: 'up0.10' });
    await create(options);
    const empty = new FakeHost({ identity: { bootId: 'next' } });
    const early = makeCore(empty, disk);
    const { errors } = await pass(early);
    assert.match(errors.map(({ message }) => message).join(), /parent=up0\.10: .*nor up0 to make VLAN 10 of/);
    await assert.rejects(offerEndpoint(early, parentedOffer(options)), refusedWith('invalid-config', /nor up0/));
    assert.deepEqual(early.store.endpoints.list(), []);
    const late = fakeHost({ identity: { bootId: 'next' } });
    const after = makeCore(late, disk);
    await offerEndpoint(after, parentedOffer(options));
    assert.equal(linksOf(late).get('up0.10')?.up, true);
    assert.deepEqual(await deleteOffered(after, offered(2)), []);
    assert.deepEqual(await deleteNetwork(after, 'docker-a', { kind: 'docker', id: 'a' }), []);
    assert.equal(late.toString(), bare);
  });

  it('come back at the start of the daemon', async () => {
    await create(macvlan({ master: 'up0.10' }));
    const before = host.toString();
    host.apply([{ op: 'link.delete', ns: 'host', name: 'up0.10' }], { host: host.own });
    const { errors, mended } = await pass();
    assert.deepEqual(errors, []);
    assert.match(mended.join(), /up0\.10/);
    assert.equal(host.toString(), before);
  });

  describe('endpoints', () => {
    const { ifName } = offered(2);
    const offer = (options = macvlan(), n = 2, mac?: string) =>
      offerEndpoint(core, parentedOffer(options, n, 'a', mac));
    const remains = async (n = 2): Promise<void> => assert.deepEqual(await deleteOffered(core, offered(n)), []);

    it('wait on the host, down, until dockerd moves them', async () => {
      const { srcName, mac } = await offer();
      const link = linksOf().get(srcName);
      assert.deepEqual([srcName, link?.kind, link?.mac, link?.up], [ifName, 'macvlan', mac, false]);
      assert.deepEqual(await offer(), { srcName, mac });
      await assert.rejects(
        offer(macvlan(), 2, '02:00:00:00:00:01'),
        refusedWith('conflict', /with 10\.5\.0\.2\/24 and MAC/),
      );
      await remains();
      nothingLeft('deleted');
    });

    it('have no MAC to tell where it is that of the parent, except one that is requested in mode passthru', async () => {
      const mac = '02:00:00:00:00:01';
      assert.deepEqual(await offer(ipvlan()), { srcName: ifName });
      await remains();
      assert.deepEqual(await offer(macvlan({ mode: 'passthru' })), { srcName: ifName });
      await remains();
      assert.deepEqual(await offer(macvlan({ mode: 'passthru' }), 2, mac), { srcName: ifName, mac });
      await remains();
    });

    it('are recorded again where their record was lost, with their leases, and never count as gone', async () => {
      const request = { ...parentedOffer(macvlan()), scope: OWN_SCOPE };
      await offerEndpoint(core, request);
      move('sandbox', [ifName, 'eth0']);
      core = makeCore(host);
      await recordOffered(core, request);
      await recordOffered(core, request);
      const [row] = core.store.endpoints.list();
      assert.ok(row && !isOfferGone(core, row));
      assert.deepEqual(
        core.store.leases.list(OWN_SCOPE, offered(2)).map(({ address }) => formatAddr(address)),
        ['10.5.0.2'],
      );
      const other = { ...parentedOffer(macvlan(), 3), scope: OWN_SCOPE, addressing: request.addressing };
      await assert.rejects(recordOffered(core, other), refusedWith('conflict', /10\.5\.0\.2/));
      move('host', ['eth0', ifName]);
      await remains();
      nothingLeft('deleted');
    });

    it('have no MAC that the parent or another interface on it has', async () => {
      const mac = '02:00:00:00:00:01';
      await offer(macvlan(), 2, mac);
      await assert.rejects(
        offer(macvlan(), 3, mac),
        refusedWith('conflict', /MAC 02:00:00:00:00:01: endpoint \w+ has it/),
      );
      const parent = linksOf().get('up0')?.mac ?? '';
      await assert.rejects(offer(macvlan(), 3, parent), refusedWith('conflict', /its parent has it, on up0/));
      assert.equal(core.store.endpoints.list().length, 1);
      await offerEndpoint(core, parentedOffer(macvlan({ master: 'up1' }), 3, 'b', mac));
    });

    for (const [where, then] of [
      ['inside its container', () => move('sandbox', [ifName, 'eth0'])],
      [
        'back on the host, under another name',
        () => {
          move('sandbox', [ifName, 'eth0']);
          move('host', ['eth0', 'dev3']);
        },
      ],
    ] as const)
      it(`are found by their alias ${where}`, async () => {
        await offer();
        await offer(macvlan(), 3);
        await placeOffered(core, offered(2), SANDBOX);
        then();
        const row = core.store.endpoints.get(offered(2), 'interface');
        assert.ok(row);
        assert.equal(isOfferGone(core, row), false);
        await pass();
        assert.equal(core.store.endpoints.list().length, 2, 'a pass keeps them');
        await remains(2);
        assert.equal(host.open(SANDBOX).links.has('eth0'), false);
        assert.ok(linksOf().has(offered(3).ifName), 'the other stays');
        await remains(3);
        nothingLeft('deleted');
      });

    it('are gone with their container or their parent, and then deleted without an error', async () => {
      for (const end of [
        () => host.removeNamespace(SANDBOX),
        () => host.apply([{ op: 'link.delete', ns: 'host', name: 'up0', kind: 'dummy' }], { host: host.own }),
      ]) {
        host = fakeHost({ own: { links: [] } });
        core = makeCore(host);
        host.apply([{ op: 'link.create', ns: 'host', name: 'up0', link: { kind: 'dummy' } }], { host: host.own });
        await offer();
        await placeOffered(core, offered(2), SANDBOX);
        move('sandbox', [ifName, 'eth0']);
        end();
        const row = core.store.endpoints.get(offered(2), 'interface');
        assert.ok(row);
        assert.equal(isOfferGone(core, row), true);
        await remains();
        assert.deepEqual(core.store.endpoints.list(), []);
      }
    });

    it('are not gone where their sandbox cannot be looked into', async () => {
      for (const path of ['/isth/none/of/these', '/run/isth-file']) {
        start({ files: ['/run/isth-file'] });
        await offer();
        await placeOffered(core, offered(2), path);
        move('sandbox', [ifName, 'eth0']);
        const row = core.store.endpoints.get(offered(2), 'interface');
        assert.ok(row && !isOfferGone(core, row), path);
      }
    });

    it('are deleted without a record, by their alias; a stranger of that name stays', async () => {
      await offer();
      core.store.endpoints.delete(offered(2), 'interface');
      await remains();
      assert.equal(linksOf().has(ifName), false);
      const link = { kind: 'macvlan', dev: 'up0', mode: 'bridge' } as const;
      host.apply([{ op: 'link.create', ns: 'host', name: ifName, link }], { host: host.own });
      await deleteOffered(core, offered(2));
      assert.ok(linksOf().has(ifName));
    });

    it('leave nothing, whichever step fails', async () => {
      for (const when of ['before', 'after'] as const) {
        start();
        const failing = new FailingHost(host, { at: 0, when });
        core = { ...makeCore(failing), host: failing };
        await assert.rejects(offer(), refusedWith('kernel', /was chosen to fail/));
        nothingLeft(when);
      }
    });

    it('that a dead call left are deleted by the next pass', async () => {
      await offer();
      const row = core.store.endpoints.get(offered(2), 'interface');
      assert.ok(row);
      core.store.endpoints.put({ ...row, progress: 'intent' });
      assert.equal((await pass()).endpoints, 1);
      nothingLeft('reverted');
    });
  });
});
