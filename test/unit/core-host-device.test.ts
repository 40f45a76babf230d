import { strict as assert } from 'node:assert';
import type { HostDeviceOptions } from '../../src/shared/config/host-device.ts';
import { checkLone } from '../../src/shared/core/endpoints/check-lone.ts';
import { createLone } from '../../src/shared/core/endpoints/create-lone.ts';
import { deleteEndpoint } from '../../src/shared/core/endpoints/delete-endpoint.ts';
import { reconcile } from '../../src/shared/core/reconcile.ts';
import type { EndpointReport } from '../../src/shared/core/requests.ts';
import { hostDeviceDriver } from '../../src/shared/drivers/lone/host-device.ts';
import type { NetError } from '../../src/shared/errors/net-error.ts';
import type { DeviceNode } from '../../src/shared/model/device-node.ts';
import { parseEndpoint } from '../../src/shared/store/bodies.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import {
  attachmentOf,
  delRequest,
  fixed,
  makeCore,
  makeFakeHost,
  NOTHING,
  OTHER,
  POD,
  pool,
  recordsOf,
  refusedWith,
  type TestCore,
  type Which,
} from '../support/core.ts';
import { deadAfter } from '../support/dead-host.ts';

const NIC = {
  ...{ name: 'nic0', mac: '02:00:00:00:00:31', permMac: '02:00:00:00:00:31', alias: 'a NIC', mtu: 1400, up: true },
  ...{ parentDev: '0000:3b:00.1', parentBus: 'pci' },
};
const PCI: HostDeviceOptions = { driver: 'host-device', by: { kind: 'pciBusID', value: '0000:3b:00.1' } };
const SECOND: Which = { id: 'b', netns: OTHER };

function named(value: string): HostDeviceOptions {
  return { driver: 'host-device', by: { kind: 'device', value } };
}

/** In an order that does not depend on when a namespace was made. */
function linesOf(text: string): string[] {
  return text.split('\n').sort();
}

function nodeOf(changes: Partial<DeviceNode> = {}): DeviceNode {
  return { parents: ['0000:3b:00.1'], interfaces: [], ...changes };
}

function makeHost(): FakeHost {
  const host = makeFakeHost({
    links: [
      { name: 'br9', kind: 'bridge', up: true, bridge: { vlanFiltering: false } },
      { ...NIC, master: 'br9' },
      { name: 'virt0', kind: 'ifb', mac: '02:00:00:00:00:32' },
    ],
    addresses: [{ dev: 'nic0', address: '10.9.0.7/24' }],
    routes: [{ dst: '10.77.0.0/16', gateway: '10.9.0.1', dev: 'nic0', protocol: 3 }],
  });
  const address = { op: 'addr.add', ns: 'host', dev: 'nic0', address: 'fd09::7/64', noDad: true } as const;
  host.apply([address], { host: host.own });
  return host;
}

describe('core: driver host-device', () => {
  let host: FakeHost;
  let core: TestCore;
  let untouched: string;
  beforeEach(() => {
    host = makeHost();
    core = makeCore(host);
    untouched = host.toString();
  });

  const add = (options = named('nic0'), which: Which = {}, node?: DeviceNode, on = core): Promise<EndpointReport> =>
    createLone(on, {
      ...{ attachment: attachmentOf(which), role: 'interface', netns: which.netns ?? POD, ownNamespace: false },
      ...{ aliases: [], driver: hostDeviceDriver(options, node), source: pool(which, host.identity) },
    });
  const del = (which: Which = {}, netns = which.netns ?? POD): Promise<NetError[]> =>
    deleteEndpoint(core, { ...delRequest(which, host.identity), kind: 'moved', netns });
  const linkNames = (path: string): string[] => [...host.open(path).links.keys()];
  const nothingIsLeft = (): void => {
    assert.deepEqual(linesOf(host.toString()), linesOf(untouched));
    assert.deepEqual(recordsOf(core), NOTHING);
  };

  it('records what the device had before it moves it, and a row of it can be read', async () => {
    const { interfaces } = await add();
    assert.deepEqual(interfaces, [{ name: 'eth0', mac: NIC.mac, mtu: 1400, inSandbox: true }]);
    assert.deepEqual(linkNames(POD), ['lo', 'eth0']);
    const row = core.store.endpoints.get(attachmentOf(), 'interface');
    assert.ok(row?.kind === 'lone' && row.link.link.kind === 'moved');
    assert.deepEqual(row.link.link.before, {
      ...{ mac: NIC.mac, mtu: 1400, up: true, alias: 'a NIC', master: 'br9' },
      addresses: [{ address: '10.9.0.7/24' }, { address: 'fd09::7/64' }],
      routes: [{ dst: '10.77.0.0/16', gateway: '10.9.0.1', table: 254, scope: 'global' }],
    });
    assert.deepEqual(parseEndpoint(JSON.stringify(row)), JSON.parse(JSON.stringify(row)));
    assert.deepEqual([...(await del()), ...(await del())], []);
    nothingIsLeft();
  });

  it('hardware whose namespace ended gets its name and its state back', async () => {
    for (const netns of ['', POD]) {
      await add();
      host.removeNamespace(POD);
      assert.ok(host.own.links.has('eth0'), 'the kernel has saved it');
      host.addNamespace(POD);
      assert.deepEqual(await del({}, netns), []);
      nothingIsLeft();
    }
  });

  it('hardware that comes back after its namespace is waited for', async () => {
    await add();
    const [id, lost] = [host.own.id, host.open(POD).links.get('eth0')];
    assert.ok(id !== undefined && lost !== undefined);
    const limbo = host.addNamespace('/run/netns/limbo');
    host.apply([{ op: 'link.move', ns: 'host', name: 'eth0', to: 'sandbox', toName: 'eth0' }], {
      host: host.open(POD),
      sandbox: limbo,
    });
    host.removeNamespace(POD);
    setTimeout(() => host.removeNamespace('/run/netns/limbo'), 100);
    assert.deepEqual(await del({}, ''), []);
    host.addNamespace(POD);
    nothingIsLeft();
  });

  it('DEL succeeds and frees the address where a virtual device went with its namespace', async () => {
    await add(named('virt0'));
    host.removeNamespace(POD);
    assert.deepEqual(await del({}, ''), []);
    assert.deepEqual(recordsOf(core), NOTHING);
    assert.match(core.logged.join('\n'), /device\.gone .*virt0/);
  });

  it('finds hardware in the pod whose name and alias were changed there', async () => {
    await add();
    const sandbox = host.open(POD);
    host.apply(
      [
        { op: 'link.set', ns: 'sandbox', name: 'eth0', set: { alias: 'mine', mac: '02:00:00:00:00:44' } },
        { op: 'link.move', ns: 'sandbox', name: 'eth0', to: 'sandbox', toName: 'net7' },
      ],
      { host: host.own, sandbox },
    );
    assert.deepEqual(await del(), []);
    nothingIsLeft();
  });

  it('finds a virtual device in the pod whose name and alias were changed there, by its MAC', async () => {
    await add(named('virt0'));
    const sandbox = host.open(POD);
    const namespaces = { host: host.own, sandbox };
    host.apply(
      [
        { op: 'link.set', ns: 'sandbox', name: 'eth0', set: { alias: 'mine' } },
        { op: 'link.move', ns: 'sandbox', name: 'eth0', to: 'sandbox', toName: 'net7' },
      ],
      namespaces,
    );
    assert.deepEqual(await del(), []);
    assert.ok(host.own.links.has('virt0'));
    nothingIsLeft();
  });

  it('says what it could not restore, and DEL still succeeds', async () => {
    await add();
    const other = { op: 'link.create', ns: 'host', name: 'br9', link: { kind: 'ifb' } } as const;
    host.apply([{ op: 'link.delete', ns: 'host', name: 'br9' }, other], { host: host.own });
    assert.deepEqual(await del(), []);
    assert.deepEqual(recordsOf(core), NOTHING);
    assert.match(core.logged.join('\n'), /device\.unrestored .*nic0.*br9/);
    assert.equal(host.own.links.get('nic0')?.state.up, true);
    assert.equal(host.own.links.get('nic0')?.state.alias, 'a NIC');
  });

  it('gives a device of one attachment to no other', async () => {
    await add();
    for (const [options, node] of [
      [named('nic0')],
      [{ driver: 'host-device', by: { kind: 'hwaddr', value: NIC.mac } }],
      [PCI, nodeOf()],
    ] as const)
      await assert.rejects(
        add(options, SECOND, node),
        refusedWith('conflict', /link nic0.*container a has it as eth0/),
      );
    assert.deepEqual(await del(), []);
    nothingIsLeft();
  });

  it('takes the one interface of a PCI device, and of a virtio device below one', async () => {
    await add(PCI, {}, nodeOf());
    assert.deepEqual(await del(), []);
    await add(PCI, {}, nodeOf({ parents: ['0000:00:03.0'], interfaces: [{ name: 'nic0', index: 3, mac: NIC.mac }] }));
    assert.deepEqual(await del(), []);
    nothingIsLeft();
  });

  it('refuses what sysfs shows of another namespace, and several interfaces', async () => {
    const [elsewhere, mac] = [nodeOf({ parents: ['x'] }), NIC.mac];
    const interfaces = [{ name: 'nic0', index: 99, mac }];
    await assert.rejects(add(PCI, {}, { ...elsewhere, interfaces }), refusedWith('invalid-config', /no interface in/));
    await assert.rejects(add(PCI, {}, undefined), refusedWith('invalid-config', /no such device/));
    const two = [NIC, { name: 'virt0', mac: '02:00:00:00:00:32' }].map(({ name, mac }) => {
      return { name, mac, index: host.own.links.get(name)?.state.index ?? 0 };
    });
    await assert.rejects(
      add(PCI, {}, nodeOf({ interfaces: two })),
      refusedWith('invalid-config', /finds 2 interfaces: nic0, virt0\. Name one of them/),
    );
    nothingIsLeft();
  });

  it('moves nothing of a device that a program drives, and keeps its addresses', async () => {
    for (const driver of ['vfio-pci', 'uio_pci_generic', 'igb_uio']) {
      const { interfaces, addresses } = await add(PCI, {}, nodeOf({ parents: [], driver }));
      assert.deepEqual(interfaces, [{ name: 'eth0', mac: '', mtu: 0, inSandbox: true }]);
      assert.equal(addresses.length, 2);
      await assert.rejects(add(PCI, SECOND, nodeOf({ driver })), refusedWith('conflict', /device 0000:3b:00\.1/));
      assert.equal(host.toString(), untouched);
      const request = {
        ...({ attachment: attachmentOf(), role: 'interface', netns: POD, ownNamespace: false } as const),
        ...{ aliases: [], driver: hostDeviceDriver(PCI, nodeOf({ driver })), source: pool({}, host.identity) },
      };
      await checkLone(core, request, { interfaces: [], addresses, routes: [] });
      assert.deepEqual(await del(), []);
      nothingIsLeft();
    }
  });

  it('gives the device back after an ADD that fails', async () => {
    const source = fixed('10.8.0.2/24', '10.8.0.2/24');
    const request = { attachment: attachmentOf(), role: 'interface', netns: POD, ownNamespace: false } as const;
    await assert.rejects(
      createLone(core, { ...request, aliases: [], driver: hostDeviceDriver(named('nic0')), source }),
      refusedWith('exists', /10\.8\.0\.2/),
    );
    nothingIsLeft();
  });

  for (const [title, repair] of [
    ['the daemon', async () => (await reconcile(core, { tryLock: () => ({ [Symbol.dispose]: () => {} }) })).errors],
    ['the next DEL', () => del()],
  ] as const)
    it(`is repaired by ${title} after a call that dies between any two steps`, async () => {
      for (let n = 0; ; n++) {
        const dying = { ...core, host: deadAfter(host, n) };
        if (
          await add(named('nic0'), {}, undefined, dying).then(
            () => true,
            () => false,
          )
        )
          break;
        assert.deepEqual(await repair(), [], `step ${n}`);
        nothingIsLeft();
      }
      assert.deepEqual(await del(), []);
      nothingIsLeft();
    });

  it('the daemon names a device again that came back after its DEL', async () => {
    await add();
    const limbo = host.addNamespace('/run/netns/limbo');
    const pod = host.open(POD);
    host.apply([{ op: 'link.move', ns: 'host', name: 'eth0', to: 'sandbox', toName: 'eth0' }], {
      ...{ host: pod, sandbox: limbo },
    });
    assert.deepEqual(await del(), []);
    assert.deepEqual(recordsOf(core), NOTHING);
    host.removeNamespace('/run/netns/limbo');
    assert.ok(host.own.links.has('eth0'));
    await reconcile(core, { tryLock: () => ({ [Symbol.dispose]: () => {} }) });
    assert.equal(host.own.links.get('nic0')?.state.alias, undefined);
    assert.equal(host.own.links.has('eth0'), false);
  });

  it('gives a device back whose record was lost, and deletes none', async () => {
    await add(named('virt0'));
    core = makeCore(host);
    const other = { ...delRequest({ network: 'other' }, host.identity), orphans: 'any', kind: 'ifb' } as const;
    assert.deepEqual(await deleteEndpoint(core, other), []);
    assert.deepEqual(linkNames(POD), ['lo', 'eth0']);
    assert.deepEqual(await del(), []);
    nothingIsLeft();
  });
});
