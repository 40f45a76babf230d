import { strict as assert } from 'node:assert';
import { collectGarbage } from '../../src/shared/core/collect-garbage.ts';
import type { Core } from '../../src/shared/core/core.ts';
import { createEndpoint } from '../../src/shared/core/endpoints/create-endpoint.ts';
import { createNetwork } from '../../src/shared/core/networks/create-network.ts';
import { mendNetworks } from '../../src/shared/core/networks/mend-networks.ts';
import { removeUnusedNetwork } from '../../src/shared/core/networks/remove-network.ts';
import { ensureChainedRules } from '../../src/shared/core/networks/rules.ts';
import { resetEntries } from '../../src/shared/core/reset-entries.ts';
import type { Rules } from '../../src/shared/drivers/rules.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { hostIfName } from '../../src/shared/model/attachment.ts';
import { publishedOf } from '../../src/shared/model/endpoint.ts';
import type { FirewallBackend } from '../../src/shared/model/firewall.ts';
import { entryKey } from '../../src/shared/model/firewall.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { addRequest, attachmentOf, makeCore, makeFakeHost, type TestCore, type Which } from '../support/core.ts';
import { FakeFirewaller } from '../support/fake-firewaller.ts';
import { keepRequest, specFor } from '../support/kept-network.ts';
import { addressesOf, dockerRules } from '../support/offers.ts';

/** Runs `first` once, before the first call that takes the lock `key` gets it. */
function beforeLock(core: TestCore, key: string, first: () => Promise<unknown>): TestCore {
  let pending: typeof first | undefined = first;
  const lock = async (asked: string): Promise<Disposable> => {
    if (asked === key) {
      const run = pending;
      pending = undefined;
      await run?.();
    }
    return await core.lock(asked);
  };
  return { ...core, lock };
}

function tryLockOf({ taken }: TestCore): (key: string) => Disposable {
  return (key) => {
    if (taken.has(key)) throw new NetError({ kind: 'busy', op: 'lock', subject: key, what: 'is held' });
    return { [Symbol.dispose]: () => {} };
  };
}

/** The rules of a network whose endpoint publishes host port 8080. */
function publishing(): Rules {
  return { ...dockerRules(), mappings: [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 }] };
}

function addWithRules(core: Core, which: Which, rules: Rules): Promise<unknown> {
  return createEndpoint(core, { ...addRequest(which, core.host.identity), rules });
}

describe('core: two calls at once', () => {
  let host: FakeHost;
  let core: TestCore;
  let filter: FakeFirewaller;

  beforeEach(() => {
    host = makeFakeHost();
    filter = new FakeFirewaller();
    core = { ...makeCore(host), firewall: (backend: FirewallBackend) => filter.of(backend) };
  });

  /** A network that nobody uses; its deletion stops once its entries are gone, until `finish` is called. */
  async function networkToDelete(): Promise<{
    start: () => Promise<void>;
    finish: () => Promise<readonly NetError[]>;
  }> {
    await createNetwork(core, keepRequest({ spec: { ...specFor(), rules: dockerRules() } }));
    assert.notEqual(filter.list().length, 0);
    const { holders: _, ...unused } = core.store.networks.get('web') ?? assert.fail('no row');
    core.store.networks.put(unused);
    const [removed, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const remove = filter.remove.bind(filter);
    filter.remove = async (entries) => {
      filter.remove = remove;
      const errors = await remove(entries);
      removed.resolve();
      await released.promise;
      return errors;
    };
    let deletion: Promise<readonly NetError[]> = Promise.resolve([]);
    const start = async (): Promise<void> => {
      deletion = removeUnusedNetwork(core, 'web');
      await removed.promise;
    };
    const finish = async (): Promise<readonly NetError[]> => {
      released.resolve();
      return await deletion;
    };
    return { start, finish };
  }

  it('a reset does not restore the entries of a network that is being deleted', async () => {
    const { start, finish } = await networkToDelete();
    await start();
    await resetEntries(core, { tryLock: tryLockOf(core), wait: finish });
    assert.deepEqual(await finish(), []);
    assert.deepEqual(filter.list(), []);
    assert.deepEqual(core.store.networks.list(), []);
  });

  it('a reset removes again what it restored while the deletion of a network began', async () => {
    const { start, finish } = await networkToDelete();
    const reset = filter.reset.bind(filter);
    filter.reset = async (read) => {
      // Read before the deletion begins, and applied afterwards.
      const wanted = read();
      await start();
      await reset(() => wanted);
      assert.notEqual(filter.list().length, 0);
    };
    await resetEntries(core, { tryLock: tryLockOf(core), wait: finish });
    assert.deepEqual(await finish(), []);
    assert.deepEqual(filter.list(), []);
    assert.deepEqual(core.store.networks.list(), []);
  });

  it('GC keeps the interface of an ADD that began while it ran', async () => {
    await addWithRules(core, { id: 'b' }, dockerRules());
    const row = core.store.endpoints.get(attachmentOf({ id: 'b' }), 'interface') ?? assert.fail('no row');
    core.store.endpoints.delete(row.attachment, row.role);
    const observe = host.observe.bind(host);
    // An ADD is on record before its interface exists: whoever sees the interface must see the record.
    host.observe = (ns, query) => {
      if (query.links === 'all') core.store.endpoints.put(row);
      return observe(ns, query);
    };
    const request = { camp: 'cni', network: 'web', keep: [], interfaces: true } as const;
    assert.deepEqual(await collectGarbage(core, request), []);
    assert.ok(host.observe(host.own, { links: 'all' }).links.has(hostIfName(row.attachment)));
  });

  it('a pass leaves alone what another one restored while it waited', async () => {
    const conf = { vlan: 100 };
    await createNetwork(core, keepRequest({ spec: specFor('web', { conf }) }));
    assert.deepEqual(host.revert([{ op: 'link.delete', ns: 'host', name: 'isth0' }], { host: host.own }), []);
    let restored: readonly string[] = [];
    const waiting = beforeLock(core, 'device:isth0', async () => {
      restored = (await mendNetworks(core)).mended;
    });
    assert.deepEqual(await mendNetworks(waiting), { entries: 0, mended: [], errors: [] });
    assert.notEqual(restored.length, 0);
  });

  it('an ADD puts only those ports in force that are on record as its own', async () => {
    await addWithRules(core, { id: 'a' }, publishing());
    const first = attachmentOf({ id: 'a' });
    const second: Which = { id: 'a', network: 'other', ifName: 'eth1', conf: { bridge: 'isth9' } };
    // Its partner, which has the port, leaves while the ADD waits for its bridge.
    const waiting = beforeLock(core, 'device:isth9', async () => {
      core.store.ports.release(first);
      core.store.endpoints.delete(first, 'interface');
    });
    const unrecorded: string[] = [];
    const put = filter.add.bind(filter);
    filter.add = async (entries) => {
      const rows = core.store.endpoints.list('other').flatMap((row) => publishedOf(row)?.entries ?? []);
      const known = new Set(rows.map(entryKey));
      const ports = entries.filter(({ kind }) => kind === 'port').map(entryKey);
      unrecorded.push(...ports.filter((key) => !known.has(key)));
      return await put(entries);
    };
    await addWithRules(waiting, second, publishing());
    assert.deepEqual(unrecorded, []);
  });

  it('a plugin in a chain follows its network to another bridge', async () => {
    await createNetwork(core, keepRequest({ spec: specFor('web') }));
    const row = core.store.networks.get('web') ?? assert.fail('no row');
    core.locked.splice(0);
    const waiting = beforeLock(core, 'device:isth0', async () => {
      core.store.networks.put({ ...row, device: 'isth9' });
    });
    await ensureChainedRules(waiting, 'web', 'isth0', dockerRules(), addressesOf(2, [4]));
    assert.deepEqual(core.locked, ['device:isth0', 'device:isth9']);
    assert.equal(core.store.networks.get('web')?.device, 'isth9');
    assert.equal(core.taken.size, 0);
  });
});
