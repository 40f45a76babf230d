import { strict as assert } from 'node:assert';
import { collectGarbage } from '../../src/shared/core/collect-garbage.ts';
import type { Core } from '../../src/shared/core/core.ts';
import { createNetwork, type NetworkRequest } from '../../src/shared/core/networks/create-network.ts';
import { deleteNetwork } from '../../src/shared/core/networks/delete-network.ts';
import { knownNetwork } from '../../src/shared/core/networks/record.ts';
import { reconcile } from '../../src/shared/core/reconcile.ts';
import type { FirewallBackend } from '../../src/shared/model/firewall.ts';
import { OPERATOR } from '../../src/shared/model/owned.ts';
import type { NetworkRow } from '../../src/shared/store/store.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { MemoryDisk } from '../../src/shared/testing/memory-store.ts';
import { add, del, makeCore, makeFakeHost, OTHER, POD, recordsOf, refusedWith } from '../support/core.ts';
import { FailingHost, type FailurePoint } from '../support/failing-host.ts';
import { FakeFirewaller } from '../support/fake-firewaller.ts';
import { addWithSpec, DOCKER, keepRequest, specFor } from '../support/kept-network.ts';
import { dockerRules } from '../support/offers.ts';

const FREE = { [Symbol.dispose]: () => {} };

function stateOf(core: Core): object {
  return { networks: core.store.networks.list(), host: core.host.toString() };
}

/** Asserts that the creation fails with `conflict` and changes nothing. */
async function refused(core: Core, request: NetworkRequest, text: RegExp): Promise<void> {
  const before = stateOf(core);
  await assert.rejects(createNetwork(core, request), refusedWith('conflict', text));
  assert.deepEqual(stateOf(core), before);
}

describe('core: a persistent network', () => {
  let host: FakeHost;
  let core: ReturnType<typeof makeCore>;
  let empty: string;

  beforeEach(() => {
    host = makeFakeHost();
    core = makeCore(host);
    empty = host.toString();
  });

  it('exists without endpoints, with its gateways, until it is released', async () => {
    await createNetwork(core, keepRequest());
    assert.match(host.toString(), /ip link add name isth0/);
    assert.match(host.toString(), /ip addr add 10\.88\.0\.1\/24 brd \+ dev isth0/);
    assert.match(host.toString(), /ip addr add fd00:88::1\/64 dev isth0/);
    const { spec, holders, bootId, device } = core.store.networks.get('web') ?? assert.fail();
    assert.deepEqual([spec, holders, bootId, device], [specFor(), [DOCKER], host.identity.bootId, 'isth0']);
    assert.deepEqual(knownNetwork(core, 'web'), specFor());
    assert.deepEqual(await deleteNetwork(core, 'web', DOCKER), []);
    assert.deepEqual([host.toString(), core.store.networks.list()], [empty, []]);
    assert.deepEqual(await deleteNetwork(core, 'web', DOCKER), []);
  });

  it('enables forwarding and leaves it enabled', async () => {
    const off = makeFakeHost({ sysctls: { 'net/ipv4/ip_forward': '0' } });
    const there = makeCore(off);
    await createNetwork(there, keepRequest());
    await deleteNetwork(there, 'web', DOCKER);
    assert.equal(off.own.sysctls.get('net/ipv4/ip_forward'), '1');
  });

  it('can be created again, which restores missing parts', async () => {
    await createNetwork(core, keepRequest());
    const made = stateOf(core);
    await createNetwork(core, keepRequest());
    assert.deepEqual(stateOf(core), made);
    host.revert([{ op: 'addr.delete', ns: 'host', dev: 'isth0', address: '10.88.0.1/24' }], { host: host.own });
    await createNetwork(core, keepRequest());
    assert.match(host.toString(), /ip addr add 10\.88\.0\.1\/24 brd \+ dev isth0/);
  });

  it('is deleted with one change of the packet filter, as it was created', async () => {
    const filter = new FakeFirewaller();
    const there = { ...core, firewall: (backend: FirewallBackend) => filter.of(backend) };
    await createNetwork(there, keepRequest({ spec: { ...specFor(), rules: dockerRules() } }));
    const length = filter.list().length - filter.list('gateways').length;
    assert.ok(length > 2, `${length} entries`);
    assert.deepEqual(await deleteNetwork(there, 'web', DOCKER), []);
    assert.deepEqual(filter.changes, [`add ${length}`, `remove ${length}`]);
    assert.deepEqual([host.toString(), filter.list()], [empty, []]);
  });

  it('is deleted with its last holder', async () => {
    await createNetwork(core, keepRequest());
    await createNetwork(core, keepRequest({ holder: OPERATOR }));
    assert.deepEqual(core.store.networks.get('web')?.holders, [DOCKER, OPERATOR]);
    assert.deepEqual(await deleteNetwork(core, 'web', DOCKER), []);
    assert.match(host.toString(), /isth0/);
    assert.deepEqual(await deleteNetwork(core, 'web', { kind: 'docker', id: 'nobody' }), []);
    assert.deepEqual(core.store.networks.get('web')?.holders, [OPERATOR]);
    assert.deepEqual(await deleteNetwork(core, 'web', OPERATOR), []);
    assert.equal(host.toString(), empty);
  });

  it('survives its last pod, GC and a daemon start', async () => {
    await createNetwork(core, keepRequest());
    const kept = stateOf(core);
    await addWithSpec(core);
    assert.deepEqual(await del(core), []);
    assert.deepEqual(stateOf(core), kept);
    await addWithSpec(core);
    const garbage = { camp: 'cni', network: 'web', keep: [], interfaces: true } as const;
    assert.deepEqual(await collectGarbage(core, garbage), []);
    assert.deepEqual(stateOf(core), kept);
    const { networks, errors } = await reconcile(core, { tryLock: () => FREE });
    assert.deepEqual([networks, errors], [0, []]);
    assert.deepEqual(stateOf(core), kept);
  });

  it('leaves its pods connected when it is released, and is deleted with the last of them', async () => {
    await createNetwork(core, keepRequest());
    await addWithSpec(core, { id: 'a' });
    const before = host.toString();
    assert.deepEqual(await deleteNetwork(core, 'web', DOCKER), []);
    assert.equal(host.toString(), before);
    assert.equal(core.store.networks.get('web')?.holders, undefined);
    assert.deepEqual(await del(core, { id: 'a' }), []);
    assert.deepEqual([host.toString(), core.store.networks.list()], [empty, []]);
  });

  it('can adopt a network that a pod created, and returns it to the pods', async () => {
    await addWithSpec(core, { id: 'a' });
    const made = core.store.networks.get('web') ?? assert.fail();
    await createNetwork(core, keepRequest());
    assert.deepEqual(core.store.networks.get('web'), { ...made, holders: [DOCKER] });
    await addWithSpec(core, { id: 'b', netns: OTHER });
    assert.deepEqual(await deleteNetwork(core, 'web', DOCKER), []);
    assert.deepEqual(core.store.networks.get('web'), made);
    for (const id of ['a', 'b']) assert.deepEqual(await del(core, { id, netns: id === 'a' ? POD : OTHER }), []);
    assert.equal(host.toString(), empty);
  });

  it('stores its own rows in the same transaction, or creates nothing', async () => {
    const note = (store: Core['store']): void => store.notes.put('seen', 'yes');
    await createNetwork(core, keepRequest({ inTransaction: note }));
    assert.equal(core.store.notes.get('seen'), 'yes');
    const noteDeletion = (store: Core['store']): void => store.notes.put('seen', 'gone');
    await deleteNetwork(core, 'web', DOCKER, noteDeletion);
    assert.equal(core.store.notes.get('seen'), 'gone');
    const refuse = (store: Core['store']): void => {
      store.notes.put('seen', 'half');
      throw new Error('this pool is another one’s');
    };
    await assert.rejects(createNetwork(core, keepRequest({ inTransaction: refuse })), /this pool/);
    assert.deepEqual([host.toString(), core.store.networks.list()], [empty, []]);
    assert.equal(core.store.notes.get('seen'), 'gone');
    await addWithSpec(core);
    const before = stateOf(core);
    await assert.rejects(createNetwork(core, keepRequest({ inTransaction: refuse })), /this pool/);
    assert.deepEqual(stateOf(core), before);
  });

  it('is created completely or not at all, whichever step fails', async () => {
    for (const [at, when] of await failurePoints()) {
      const failing = makeFakeHost();
      const dying = makeCore(new FailingHost(failing, { at, when }));
      await assert.rejects(createNetwork(dying, keepRequest()), refusedWith('kernel', /chosen to fail/));
      assert.equal(failing.toString(), empty, `${when} ${at}`);
      assert.deepEqual(dying.store.networks.list(), []);
    }
  });

  it('is deleted by the next start if its creator crashed at any step', async () => {
    for (const [at, when] of await failurePoints()) {
      const [failing, disk] = [makeFakeHost(), new MemoryDisk()];
      await createDying(failing, disk, { at, when });
      const after = makeCore(failing, disk);
      const { errors } = await reconcile(after, { tryLock: () => FREE });
      assert.deepEqual(errors, []);
      assert.deepEqual([failing.toString(), after.store.networks.list()], [empty, []], `${when} ${at}`);
    }
  });

  it('rejects a second one with conflicting options', async () => {
    await createNetwork(core, keepRequest());
    const again = (spec: NetworkRequest['spec']): NetworkRequest => keepRequest({ holder: OPERATOR, spec });
    const kept = /network web: .*Docker network 0123456789ab/;
    await refused(core, again(specFor('web', { conf: { bridge: 'isth1' } })), kept);
    await refused(core, again(specFor('web', { conf: { bridge: 'isth1' } })), /bridge isth0, but bridge isth1/);
    await refused(
      core,
      again(specFor('web', { subnets: ['10.99.0.0/24'] })),
      /10\.88\.0\.0\/24.*but.*10\.99\.0\.0\/24/,
    );
    const gateway = [{ subnet: '10.88.0.0/24', gateway: '10.88.0.9' }, 'fd00:88::/64'];
    await refused(core, again(specFor('web', { subnets: gateway })), /gateway 10\.88\.0\.1.*but.*10\.88\.0\.9/);
    await refused(core, again(specFor('web', { scope: '/elsewhere/web' })), /networks\/web, but leases in \/elsewhere/);
    await refused(core, again(specFor('web', { allocator: 'docker' })), /built-in IPAM, but addresses of docker/);
    await refused(core, again(specFor('web', { conf: { vlan: 7 } })), /isth0, but bridge isth0 with VLAN 7/);
    await refused(core, again({ options: { driver: 'null' }, ranges: [], routes: [] }), /isth0, but driver null/);
    await createNetwork(core, again(specFor('web', { conf: { mtu: 1400 } })));
    assert.deepEqual(core.store.networks.get('web')?.spec, specFor(), 'it stays what it was');
  });

  it('has bridge and addresses for itself', async () => {
    await addWithSpec(core);
    const other = (parts: Parameters<typeof specFor>[1]): NetworkRequest =>
      keepRequest({ name: 'other', spec: specFor('other', parts) });
    await refused(core, other({ subnets: ['10.99.0.0/24'] }), /network other: bridge isth0 is that of network web/);
    const elsewhere = { conf: { bridge: 'isth1' } };
    await refused(core, other(elsewhere), /subnet 10\.88\.0\.0\/24 overlaps 10\.88\.0\.0\/24 of network web/);
    await refused(
      core,
      other({ ...elsewhere, subnets: ['10.80.0.0/12'] }),
      /10\.80\.0\.0\/12 overlaps 10\.88\.0\.0\/24/,
    );
    await refused(core, other({ ...elsewhere, subnets: ['fd00:88::/112'] }), /fd00:88::\/112 overlaps fd00:88::\/64/);
    await createNetwork(core, other({ ...elsewhere, subnets: ['10.88.1.0/24'] }));
    assert.deepEqual(await deleteNetwork(core, 'other', DOCKER), []);
    assert.deepEqual(await del(core), []);
    await createNetwork(core, other(elsewhere));
    assert.match(host.toString(), /isth1/);
  });

  it('may replace a network that has no users any more, wherever that was', async () => {
    const guest = { op: 'link.create', ns: 'host', name: 'vm0', link: { kind: 'ifb' } } as const;
    await addWithSpec(core);
    host.apply([guest, { op: 'link.set', ns: 'host', name: 'vm0', set: { master: 'isth0' } }], { host: host.own });
    assert.deepEqual(await del(core), []);
    host.revert([{ op: 'link.delete', ns: 'host', name: 'vm0' }], { host: host.own });
    assert.equal(core.store.networks.get('web')?.device, 'isth0', 'kept because of the guest');
    await createNetwork(core, keepRequest({ spec: specFor('web', { conf: { bridge: 'isth1' } }) }));
    assert.doesNotMatch(host.toString(), /isth0/);
    assert.deepEqual(await deleteNetwork(core, 'web', DOCKER), []);
    assert.equal(host.toString(), empty);
  });

  it('has no device with the null driver', async () => {
    const spec = { options: { driver: 'null' }, ranges: [], routes: [] } as const;
    for (const name of ['one', 'two']) await createNetwork(core, keepRequest({ name, spec }));
    assert.equal(host.toString(), empty);
    assert.deepEqual(await deleteNetwork(core, 'one', DOCKER), []);
    assert.deepEqual(
      core.store.networks.list().map(({ name, device, holders }) => ({ name, device, holders })),
      [{ name: 'two', device: '', holders: [DOCKER] }],
    );
    const bridge = keepRequest({ name: 'two', holder: OPERATOR, spec: specFor('two') });
    await refused(core, bridge, /driver null, but bridge isth0/);
    await assert.rejects(
      add(core, { network: 'two' }),
      refusedWith('conflict', /network two: is on driver null kept by/),
    );
    assert.equal(host.toString(), empty);
  });

  it('rejects a pod whose configuration conflicts, and reverts what that pod got', async () => {
    await createNetwork(core, keepRequest());
    const before = stateOf(core);
    const contradictions = [
      [
        { conf: { bridge: 'isth1' } },
        {},
        /network web: is on bridge isth0 kept by Docker network 0123456789ab, but bridge/,
      ],
      [{}, { subnets: ['10.99.0.0/24'] }, /subnet 10\.88\.0\.0\/24, fd00:88::\/64, but subnet 10\.99\.0\.0\/24/],
      [{}, { scope: '/elsewhere/web' }, /leases in .*, but leases in \/elsewhere\/web/],
      [{}, { allocator: 'dhcp' }, /but addresses of dhcp/],
    ] as const;
    for (const [which, parts, text] of contradictions) {
      await assert.rejects(addWithSpec(core, which, parts), refusedWith('conflict', text));
      assert.deepEqual(stateOf(core), before);
      assert.deepEqual(recordsOf(core), { networks: ['web'], endpoints: [], leases: 0 });
    }
    await addWithSpec(core, { conf: { hairpinMode: true } });
    assert.deepEqual(core.store.networks.get('web')?.spec, specFor(), 'the Network stays what it is');
  });

  it('takes over the bridge of another network, whoever created it, and hands it on', async () => {
    for (const first of ['web', 'other']) {
      for (const gone of ['web', 'other']) {
        const pods = { web: { network: 'web' }, other: { network: 'other', netns: OTHER } };
        const order = first === 'web' ? (['web', 'other'] as const) : (['other', 'web'] as const);
        for (const name of order)
          await addWithSpec(core, pods[name], name === 'web' ? {} : { subnets: ['10.89.0.0/24'] });
        await createNetwork(core, keepRequest());
        assert.deepEqual(await del(core, pods.web), []);
        if (gone === 'web') assert.deepEqual(await deleteNetwork(core, 'web', DOCKER), []);
        else assert.deepEqual(await del(core, pods.other), []);
        assert.match(
          host.toString(),
          /ip addr add 10\.88\.0\.1\/24 brd \+ dev isth0/,
          `${first} made it, ${gone} goes`,
        );
        if (gone === 'other') assert.deepEqual(await deleteNetwork(core, 'web', DOCKER), []);
        else assert.deepEqual(await del(core, pods.other), []);
        assert.deepEqual([host.toString(), core.store.networks.list()], [empty, []]);
      }
    }
  });

  it('is created once by concurrent calls', async () => {
    const requests = [OPERATOR, DOCKER].map((holder) => keepRequest({ holder }));
    const waiting: (() => void)[] = [];
    const held = new Set<string>();
    const queued: Core = {
      ...core,
      lock: async (key) => {
        while (held.has(key)) await new Promise<void>((resolve) => waiting.push(resolve));
        held.add(key);
        return {
          [Symbol.dispose]: () => {
            held.delete(key);
            waiting.shift()?.();
          },
        };
      },
    };
    await Promise.all(requests.map((request) => createNetwork(queued, request)));
    assert.deepEqual(core.store.networks.get('web')?.holders, [OPERATOR, DOCKER]);
  });

  /** Every step of a creation, before and after its execution. */
  async function failurePoints(): Promise<[number, FailurePoint['when']][]> {
    const counting = new FailingHost(makeFakeHost());
    await createNetwork(makeCore(counting), keepRequest());
    assert.ok(counting.applied > 4, `${counting.applied} steps`);
    return Array.from({ length: counting.applied }, (_, at) => [
      [at, 'before'],
      [at, 'after'],
    ]).flat() as [number, FailurePoint['when']][];
  }

  /** A creation whose process ends after one of its steps. */
  async function createDying(on: FakeHost, disk: MemoryDisk, point: FailurePoint): Promise<void> {
    const dying = new FailingHost(on, point);
    const alive = makeCore(dying, disk);
    const mortal: Core = Object.create(alive, {
      store: {
        get: () => {
          if (dying.applied > point.at) throw new Error('nobody is there any more');
          return alive.store;
        },
      },
      host: {
        value: Object.create(dying, {
          own: { value: dying.own },
          identity: { value: dying.identity },
          observe: { value: dying.observe.bind(dying) },
          apply: { value: dying.apply.bind(dying) },
          revert: { value: () => [] },
        }),
      },
    });
    await createNetwork(mortal, keepRequest()).catch(() => {});
  }
});

describe('core: spec of a network of pods', () => {
  it('is that of the last ADD, and is written only when it changes', async () => {
    const core = makeCore(makeFakeHost());
    await addWithSpec(core, { id: 'a' });
    assert.deepEqual(core.store.networks.get('web')?.spec, specFor());
    let writes = 0;
    const { networks } = core.store;
    const put = (row: NetworkRow): void => {
      writes++;
      networks.put(row);
    };
    const watching: Core = {
      ...core,
      store: new Proxy(core.store, {
        get: (store, key) => {
          if (key === 'networks') return { ...networks, put };
          const found: unknown = Reflect.get(store, key, store);
          return typeof found === 'function' ? found.bind(store) : found;
        },
      }),
    };
    await addWithSpec(watching, { id: 'b', netns: OTHER });
    assert.equal(writes, 0);
    await del(core, { id: 'b', netns: OTHER });
    await addWithSpec(watching, { id: 'b', netns: OTHER, conf: { hairpinMode: true } });
    assert.equal(writes, 1);
    assert.deepEqual(core.store.networks.get('web')?.spec, specFor('web', { conf: { hairpinMode: true } }));
  });

  it('comes from the configuration files if none is on record', () => {
    const core = {
      ...makeCore(makeFakeHost()),
      configured: (name: string) => (name === 'web' ? specFor() : undefined),
    };
    assert.deepEqual(knownNetwork(core, 'web'), specFor());
    assert.equal(knownNetwork(core, 'other'), undefined);
    assert.equal(knownNetwork(makeCore(makeFakeHost()), 'web'), undefined);
  });
});
