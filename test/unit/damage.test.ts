import { strict as assert } from 'node:assert';
import { damageOf } from '../../cmd/cnm-shim/damage.ts';
import { startMending } from '../../cmd/cnm-shim/mending.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { formatChange, type KernelChange } from '../../src/shared/host/changes.ts';
import type { LinuxNamespace } from '../../src/shared/host/linux-namespace.ts';
import { Uplinks } from '../../src/shared/host/uplinks.ts';
import { hostIfName } from '../../src/shared/model/attachment.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { add, attachmentOf, del, makeCore, makeFakeHost, type TestCore } from '../support/core.ts';
import { makePtpScene, type PtpScene, ptpRules } from '../support/ptp.ts';

const PORT = hostIfName(attachmentOf());
const BRIDGE_DELETED: KernelChange = { kind: 'link', event: 'delete', name: 'isth0' };
const PORT_DETACHED: KernelChange = { kind: 'link', event: 'detached', name: PORT };
const GATEWAY_DELETED: KernelChange = { kind: 'address', event: 'delete', name: 'isth0', address: '10.88.0.1/24' };
const RULES_DELETED: KernelChange = { kind: 'nft', event: 'delete', family: 'inet', table: 'isthmus' };
const DELETE_BRIDGE: Op = { op: 'link.delete', ns: 'host', name: 'isth0' };

describe('damageOf', () => {
  let core: TestCore;
  beforeEach(async () => {
    core = makeCore(makeFakeHost());
    await add(core);
  });

  const textsOf = async (...changes: readonly KernelChange[]): Promise<string[]> =>
    (await damageOf(core, changes)).map(formatChange);
  const somebody = (...ops: readonly Op[]): void => core.host.apply(ops, { host: core.host.own });

  it('reports a bridge of a network that is missing or down', async () => {
    somebody({ op: 'link.set', ns: 'host', name: 'isth0', set: { up: false } });
    assert.deepEqual(await textsOf({ ...BRIDGE_DELETED, event: 'down' }), ['link isth0 down']);
    somebody(DELETE_BRIDGE);
    assert.deepEqual(await textsOf(BRIDGE_DELETED), ['link isth0 deleted']);
  });

  it('ignores a link that is correct again, as after an ADD', async () => {
    assert.deepEqual(await textsOf(BRIDGE_DELETED, PORT_DETACHED, { ...PORT_DETACHED, event: 'down' }), []);
  });

  it('reports a port of an endpoint that is down', async () => {
    somebody({ op: 'link.set', ns: 'host', name: PORT, set: { up: false } });
    assert.deepEqual(await textsOf({ ...PORT_DETACHED, event: 'down' }), [`link ${PORT} down`]);
  });

  it('ignores the port of a container whose namespace has ended', async () => {
    somebody({ op: 'link.delete', ns: 'host', name: PORT });
    assert.deepEqual(await textsOf({ ...PORT_DETACHED, event: 'delete' }), []);
  });

  it('ignores links, addresses and routes of other programs', async () => {
    const foreign: readonly KernelChange[] = [
      { ...BRIDGE_DELETED, name: 'docker0' },
      { ...GATEWAY_DELETED, name: 'docker0' },
      { kind: 'route', event: 'delete', name: 'docker0', destination: '172.17.0.0/16' },
    ];
    assert.deepEqual(await textsOf(...foreign), []);
  });

  it('reports an address of a bridge, and anything missing from the packet filter', async () => {
    assert.deepEqual(
      (await textsOf(GATEWAY_DELETED, RULES_DELETED, { kind: 'lost' })).sort(),
      [GATEWAY_DELETED, RULES_DELETED, { kind: 'lost' } as const].map(formatChange).sort(),
    );
  });

  it('reports nothing if no network is on record', async () => {
    await del(core);
    assert.deepEqual(
      await textsOf(BRIDGE_DELETED, PORT_DETACHED, GATEWAY_DELETED, RULES_DELETED, { kind: 'lost' }),
      [],
    );
  });

  it("waits for the end of a running call before it checks that call's objects", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { lock } = core;
    const locked = Promise.withResolvers<string>();
    const waiting = {
      ...core,
      store: core.store,
      lock: async (key: string) => {
        locked.resolve(key);
        await promise;
        return lock(key);
      },
    };
    somebody(DELETE_BRIDGE);
    const damage = damageOf(waiting, [BRIDGE_DELETED]);
    assert.match(await locked.promise, /isth0/);
    core.store.transaction(() => {
      core.store.endpoints.delete(attachmentOf(), 'interface');
      core.store.networks.delete('web');
    });
    resolve();
    assert.deepEqual(await damage, []);
  });
});

describe('damageOf driver ptp', () => {
  let scene: PtpScene;
  beforeEach(async () => {
    scene = makePtpScene();
    await scene.add({}, { rules: ptpRules() });
  });

  const textsOf = async (...changes: readonly KernelChange[]): Promise<string[]> =>
    (await damageOf(scene.core, changes)).map(formatChange);
  const ROUTE_DELETED: KernelChange = { kind: 'route', event: 'delete', name: PORT, destination: '10.7.0.2/32' };
  const ADDRESS_DELETED: KernelChange = { kind: 'address', event: 'delete', name: PORT, address: '10.7.0.1/32' };

  it('reports a host side that is down, or has lost an address or a route of its own', async () => {
    scene.run({ op: 'route.delete', ns: 'host', route: { dst: '10.7.0.2/32', dev: PORT } });
    assert.deepEqual(await textsOf(ROUTE_DELETED), [formatChange(ROUTE_DELETED)]);
    scene.run({ op: 'addr.delete', ns: 'host', dev: PORT, address: '10.7.0.1/32' });
    assert.deepEqual(await textsOf(ADDRESS_DELETED), [formatChange(ADDRESS_DELETED)]);
    scene.run({ op: 'link.set', ns: 'host', name: PORT, set: { up: false } });
    assert.deepEqual(await textsOf({ ...PORT_DETACHED, event: 'down' }), [`link ${PORT} down`]);
  });

  it('ignores a host side that is whole, which is no bridge port, and one that is gone', async () => {
    assert.deepEqual(await textsOf(ROUTE_DELETED, ADDRESS_DELETED, PORT_DETACHED), []);
    scene.run({ op: 'link.delete', ns: 'host', name: PORT });
    assert.deepEqual(await textsOf(ROUTE_DELETED, ADDRESS_DELETED, { ...PORT_DETACHED, event: 'delete' }), []);
  });

  it('reports that its host side is no longer admitted by the filter of others', async () => {
    const CHAIN: KernelChange = { kind: 'chain', table: 'filter' };
    assert.deepEqual(await textsOf(CHAIN), []);
    await scene.filter.remove(scene.filter.list('admit'));
    assert.deepEqual(await textsOf(CHAIN), [formatChange(CHAIN)]);
  });
});

describe('startMending', () => {
  it('logs that it cannot watch the kernel, and continues', async () => {
    const core = makeCore(makeFakeHost());
    const refuse = (): never => {
      throw new NetError({ kind: 'kernel', op: 'socket', subject: 'system call', what: 'it failed', errno: 1 });
    };
    const ns = { within: refuse } as unknown as LinuxNamespace;
    await using _mending = startMending({
      ns,
      log: core.log,
      core: () => core,
      uplinks: new Uplinks(core.host),
      pass: async () => {},
    });
    assert.equal(core.logged.length, 1);
    assert.match(core.logged[0] ?? '', /^watch\.failed .*it failed/);
  });
});
