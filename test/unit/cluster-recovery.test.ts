import { strict as assert } from 'node:assert';
import { addressKey, hostKey, rangeKey } from '../../src/shared/cluster/keys.ts';
import type { RemoteContent } from '../../src/shared/cluster/remote.ts';
import { formatAddress, formatHolder, formatHost } from '../../src/shared/cluster/values.ts';
import type { Camp } from '../../src/shared/model/attachment.ts';
import type { ClusterStore } from '../../src/shared/store/cluster/cluster-store.ts';
import type { LocalStore } from '../../src/shared/store/store.ts';
import { MemoryCluster } from '../../src/shared/testing/memory-cluster.ts';
import { prefixOf } from '../support/addresses.ts';
import { addrOf, Machine, networkRequest, Process, SETTINGS, settled, wrapStore } from '../support/cluster-machine.ts';

describe('cluster: what goes wrong on the way', () => {
  let place: MemoryCluster;
  let one: Machine;
  let other: Machine;
  let a: Process;
  let b: Process;
  const opened: Disposable[] = [];
  const start = async (machine: Machine, store: ClusterStore = machine.store()): Promise<Process> => {
    const process = machine.open({ store });
    opened.push(process);
    await process.join();
    return process;
  };
  const create = async (changes = {}): Promise<string> => {
    const { id } = await a.cluster.networks.create(networkRequest('web', changes));
    await settled();
    for (const process of [a, b]) await process.cluster.networks.use(id);
    await settled();
    return id;
  };
  const add = async (process: Process, network: string, address: string): Promise<void> => {
    const claim = await process.cluster.addresses.claim({ network, requested: [addrOf(address)], endpoint: 'x' });
    process.cluster.addresses.settle(claim);
    await settled();
  };
  /** As another program could. */
  const put = async (key: string, value: string): Promise<void> => {
    const { epoch, entries } = await b.store.list(key);
    const { version } = entries.get(key) ?? {};
    const condition =
      version === undefined ? ({ kind: 'absent', key } as const) : { kind: 'version' as const, key, version };
    assert.ok((await b.store.commit({ epoch, compare: [condition], put: [{ key, value }] })).done);
    await settled();
  };
  const addresses = (content: RemoteContent | undefined): string[] =>
    content?.mode === 'shared' ? content.endpoints.flatMap((endpoint) => endpoint.addresses).sort() : [];
  const ranges = (content: RemoteContent | undefined): string[] =>
    content?.mode === 'per-host' ? content.hosts.flatMap((host) => host.ranges).sort() : [];

  beforeEach(async () => {
    place = new MemoryCluster();
    one = new Machine(place, 'a');
    other = new Machine(place, 'b');
    opened.push(one, other);
    [a, b] = [await start(one), await start(other)];
  });
  afterEach(() => {
    for (const thing of opened.splice(0).reverse()) thing[Symbol.dispose]();
  });

  it('announces another underlay address later, if the store did not answer', async () => {
    place.stop();
    await assert.rejects(a.cluster.renumber({ underlay4: '192.0.2.77', mtu: 1500 }));
    place.resume();
    await settled();
    await a.cluster.upkeep.tick();
    await settled();
    assert.deepEqual(b.cluster.peers(), ['192.0.2.77']);
  });

  it('a host that leaves is not announced again', async () => {
    await a.cluster.leave();
    await settled();
    await a.cluster.upkeep.tick();
    assert.equal((await b.store.list(hostKey(one.self.id))).entries.size, 0);
  });

  it("leaves out another host's entry of an address or a MAC that an endpoint here has", async () => {
    const id = await create();
    await add(a, id, '10.9.0.50');
    const held = a.local.clusterKeys.list('a/')[0];
    await a.silence();
    await b.cluster.forget('a');
    await add(b, id, '10.9.0.50');
    await put(addressKey(id, addrOf('10.9.0.51')), (held?.value ?? '').replace(one.self.id, other.self.id));
    await a.join();
    assert.equal(a.cluster.status().conflicts.length, 1);
    assert.deepEqual(addresses(a.cluster.remote(id)), []);
    a.cluster.addresses.release(id, { endpoint: 'x' });
    assert.deepEqual(addresses(a.cluster.remote(id)), ['10.9.0.50', '10.9.0.51']);
  });

  it('leaves out addresses outside of the pools, and MACs that no interface can have', async () => {
    const id = await create();
    const value = { host: other.self.id, mac: '0a:58:0a:09:00:07', endpoint: 'x', bootId: 'b', claim: '1' };
    await put(addressKey(id, addrOf('10.9.0.7')), formatAddress(value));
    await put(addressKey(id, addrOf('192.0.2.200')), formatAddress({ ...value, mac: '0a:58:0a:09:00:08' }));
    const macs = ['0A-58-0A-09-00-09', '01:00:5e:00:00:01', '00:00:00:00:00:00', '0A:58:0a:09:00:0a'];
    for (const [index, mac] of macs.entries())
      await put(addressKey(id, addrOf(`10.9.0.${20 + index}`)), formatAddress({ ...value, mac }));
    assert.deepEqual(addresses(a.cluster.remote(id)), ['10.9.0.7']);
  });

  it('leaves out ranges outside of the pools, and those that overlap a range of this host', async () => {
    const id = await create({ mode: 'per-host', subnets: ['10.9.0.0/16'], hostLength4: 24 });
    const [own] = (await a.cluster.addresses.ranges(id)).flat();
    const [theirs] = (await b.cluster.addresses.ranges(id)).flat();
    await settled();
    const value = (claim: string): string => formatHolder({ host: other.self.id, name: 'b', claim });
    for (const [index, range] of ['192.0.2.0/25', '192.0.2.128/25', '10.0.0.0/8', '10.9.0.0/16'].entries())
      await put(rangeKey(id, prefixOf(range)), value(String(index)));
    assert.ok(own && theirs);
    await put(rangeKey(id, { addr: own.subnet.addr, length: 25 }), value('5'));
    const found = ranges(a.cluster.remote(id));
    assert.equal(found.length, 1);
    assert.match(found[0] ?? '', /^10\.9\.\d+\.0\/24$/);
  });

  it('has no peer without a canonical underlay address of the family', async () => {
    const record = { name: 'b', bootId: 'b', mtu: 1500, release: '1' };
    for (const underlay4 of ['2001:db8::1', '2001:DB8::1']) {
      await put(hostKey(other.self.id), formatHost({ ...record, underlay4 }));
      assert.deepEqual(a.cluster.peers(), []);
    }
    await put(hostKey(other.self.id), formatHost({ ...record, underlay4: '192.0.2.5' }));
    assert.deepEqual(a.cluster.peers(), ['192.0.2.5']);
  });

  it('what a refused commit found does not return after its deletion', async () => {
    const id = await create();
    const store = one.store();
    const sent = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    let isSlow = false;
    const slow = wrapStore(store, {
      commit: async (change) => {
        const isClaim = isSlow && change.put?.some(({ key }) => key.startsWith('a/')) === true;
        if (isClaim) await sent.promise;
        const outcome = await store.commit(change);
        if (isClaim) await answered.promise;
        return outcome;
      },
    });
    a[Symbol.dispose]();
    a = await start(one, slow);
    await a.cluster.networks.use(id);
    await settled();
    isSlow = true;
    const late = a.cluster.addresses.claim({ network: id, requested: [addrOf('10.9.0.77')], endpoint: 'z' });
    const refused = assert.rejects(late, /has it/);
    await add(b, id, '10.9.0.77');
    sent.resolve();
    await settled();
    b.cluster.addresses.release(id, { endpoint: 'x' });
    await b.cluster.upkeep.tick();
    await settled();
    answered.resolve();
    await refused;
    assert.deepEqual(addresses(a.cluster.remote(id)), []);
  });

  it('lists all again every ten minutes, whatever a watch missed', async () => {
    const id = await create();
    const store = one.store();
    let isDeaf = false;
    const deaf = wrapStore(store, {
      async *watch(prefix, signal) {
        for await (const item of store.watch(prefix, signal)) if (!isDeaf || item.kind !== 'changes') yield item;
      },
    });
    a[Symbol.dispose]();
    a = await start(one, deaf);
    await a.cluster.networks.use(id);
    await settled();
    isDeaf = true;
    await add(b, id, '10.9.0.77');
    await a.cluster.upkeep.tick();
    await settled();
    assert.deepEqual(addresses(a.cluster.remote(id)), []);
    one.now += 600_000;
    await a.cluster.upkeep.tick();
    await settled();
    assert.deepEqual(addresses(a.cluster.remote(id)), ['10.9.0.77']);
  });

  it('after a wipe, a host whose presence is of before keeps its entries', async () => {
    const id = await create();
    const store = one.store();
    let isLate = false;
    const late = wrapStore(store, {
      async *watch(prefix, signal) {
        for await (const item of store.watch(prefix, signal)) if (!isLate || prefix !== 'up/') yield item;
      },
    });
    a[Symbol.dispose]();
    a = await start(one, late);
    await a.cluster.networks.use(id);
    await add(b, id, '10.9.0.77');
    isLate = true;
    place.wipe();
    await settled();
    await a.join();
    await a.cluster.upkeep.tick();
    assert.deepEqual(addresses(a.cluster.remote(id)), ['10.9.0.77']);
  });

  it('a step of the wall clock withdraws nobody', async () => {
    const machine = new Machine(place, 'c');
    opened.push(machine);
    const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
    const real = Date.now;
    let step = 0;
    Date.now = () => real() + step;
    const parts = { local: machine.local(), stateDir: machine.directory.path, self: machine.self };
    const c = new Process({ ...parts, store: machine.store(), settings: SETTINGS, log, graceMs: 60_000 });
    opened.push(c);
    try {
      await a.silence();
      await c.join();
      await c.cluster.upkeep.tick();
      step = 3_600_000;
      await c.cluster.upkeep.tick();
    } finally {
      Date.now = real;
    }
    assert.equal(c.cluster.status().members.find(({ name }) => name === 'a')?.state, 'silent');
  });

  describe('a backup of the store is restored while nobody watches', () => {
    /** A network and an address that are younger than the backup. */
    const restore = async (): Promise<string> => {
      const back = place.backUp();
      const id = await create();
      await add(a, id, '10.9.0.50');
      for (const process of [a, b]) await process.cluster.upkeep.save();
      for (const process of [a, b]) process[Symbol.dispose]();
      await settled();
      back();
      return id;
    };

    it('is noticed by the first host that starts: everything is put back', async () => {
      const id = await restore();
      const { epoch } = place;
      one.now += 60_000;
      a = await start(one);
      assert.notEqual(place.epoch, epoch);
      await a.cluster.upkeep.tick();
      const keys = [...(await a.store.list('')).entries.keys()].filter((key) => key.includes(id));
      assert.deepEqual(keys, [addressKey(id, addrOf('10.9.0.50')), `net/${id}`, `u/${id}/${one.self.id}`]);
      assert.deepEqual(
        a.local.clusterKeys.list('').map(({ state }) => state),
        ['held', 'held'],
      );
    });

    it('is not suspected at a start after an orderly end', async () => {
      await a.cluster.upkeep.save();
      a[Symbol.dispose]();
      const { epoch } = place;
      a = await start(one);
      assert.equal(place.epoch, epoch);
    });
  });

  it('keeps the keys of a network with endpoints, although the cluster has deleted it', async () => {
    const id = await create({ mode: 'per-host', subnets: ['10.9.0.0/16'] });
    await a.cluster.addresses.ranges(id);
    await a.silence();
    await b.cluster.forget('a');
    b.cluster.networks.leave(id);
    await b.cluster.networks.delete(id);
    await settled();
    recordEndpoint(a.local, id);
    await a.join();
    assert.ok(a.local.clusterKeys.list('').every(({ state }) => state === 'held'));
    assert.deepEqual(a.cluster.status().conflicts, [{ key: `net/${id}`, holder: 'nobody' }]);
    const [row] = a.local.endpoints.list();
    assert.ok(row);
    a.local.endpoints.delete(row.attachment, row.role);
    await a.cluster.upkeep.verify(place.epoch);
    assert.ok(a.local.clusterKeys.list('').every(({ state }) => state === 'released'));
  });
});

function recordEndpoint(local: LocalStore, network: string): void {
  const options = { driver: 'overlay', network, mode: 'per-host' };
  const spec = { options, ranges: [], routes: [] };
  const row = { name: 'web', driver: 'overlay', device: 'br', bootId: 'a-boot-1', owned: [], spec };
  local.networks.put(row as unknown as Parameters<typeof local.networks.put>[0]);
  const camp: Camp = 'cni';
  const attachment = { camp, network: 'web', containerId: 'c', ifName: 'eth0' };
  const endpoint = { attachment, bootId: 'a-boot-1', owned: [], addresses: [] };
  local.endpoints.put(endpoint as unknown as Parameters<typeof local.endpoints.put>[0]);
}
