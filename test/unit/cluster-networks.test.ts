import { strict as assert } from 'node:assert';
import { addressesOf, nameKey, networkKey, vniKey } from '../../src/shared/cluster/keys.ts';
import { formatNetwork, type NetworkRecord } from '../../src/shared/cluster/values.ts';
import type { ClusterStore } from '../../src/shared/store/cluster/cluster-store.ts';
import { MemoryCluster } from '../../src/shared/testing/memory-cluster.ts';
import { Machine, networkRequest, type Process, SETTINGS, settled, wrapStore } from '../support/cluster-machine.ts';
import { ofKind } from './store-behaviour.ts';

describe('cluster: networks', () => {
  let place: MemoryCluster;
  let machines: Machine[];
  let a: Process;
  let b: Process;
  const opened: Disposable[] = [];
  const join = async (machine: Machine, changes = {}): Promise<Process> => {
    const process = machine.open(changes);
    opened.push(process);
    await process.join();
    return process;
  };
  beforeEach(async () => {
    place = new MemoryCluster();
    machines = [new Machine(place, 'a'), new Machine(place, 'b')];
    opened.push(...machines);
    [a, b] = [await join(at(0)), await join(at(1))];
  });
  afterEach(() => {
    for (const thing of opened.splice(0).reverse()) thing[Symbol.dispose]();
  });
  const at = (index: number): Machine => machines[index] ?? assert.fail();
  const keysOf = async (prefix: string): Promise<string[]> => [...(await a.store.list(prefix)).entries.keys()];
  const create = async (process: Process, ...request: Parameters<typeof networkRequest>) => {
    const created = await process.cluster.networks.create(networkRequest(...request));
    await settled();
    return created;
  };
  /** Uses the network and takes an address. */
  const attach = async (process: Process, network: string, endpoint: string) => {
    await process.cluster.networks.use(network);
    const claim = await process.cluster.addresses.claim({ network, requested: [], endpoint });
    process.cluster.addresses.settle(claim);
    return claim;
  };

  describe('create', () => {
    it('takes one transaction, and every host has it', async () => {
      const before = at(0).commits;
      const { id, record, isNew } = await create(a, 'web');
      assert.equal(at(0).commits - before, 1);
      assert.deepEqual({ isNew, mtu: record.mtu, state: record.state }, { isNew: true, mtu: 1450, state: 'live' });
      assert.equal(b.cluster.networks.named('web')?.[0], id);
    });

    it('returns the existing network to whoever asks for the same', async () => {
      const { id, record } = await create(a, 'web');
      assert.deepEqual(await create(b, 'web'), { id, record, isNew: false });
      assert.deepEqual(await create(b, 'web', { vni: record.vni, mtu: 1450 }), { id, record, isNew: false });
    });

    it('refuses a contradiction with the existing one, naming both values', async () => {
      const { record } = await create(a, 'web');
      const refuse = async (changes: Parameters<typeof networkRequest>[1], message: RegExp): Promise<void> => {
        await assert.rejects(b.cluster.networks.create(networkRequest('web', changes)), ofKind('conflict', message));
      };
      await refuse({ mode: 'per-host' }, /network web: the cluster has it with mode shared, not per-host/);
      await refuse({ subnets: ['10.8.0.0/24'] }, /pools 10\.9\.0\.0\/24, not 10\.8\.0\.0\/24/);
      await refuse({ vni: record.vni + 1 }, new RegExp(`VNI ${record.vni}, not ${record.vni + 1}`));
      await refuse({ mtu: 1400 }, /MTU 1450, not 1400/);
      await refuse({ options: { ...record.options, flood: true } }, /options .*"flood":false.* not .*"flood":true/);
    });

    it('lets one of several hosts create a name; the others get it', async () => {
      const created = await Promise.all([a, b, a, b].map((one) => create(one, 'web')));
      assert.equal(new Set(created.map(({ id }) => id)).size, 1);
      assert.equal(created.filter(({ isNew }) => isNew).length, 1);
    });

    it('refuses overlapping pools, also created at the same moment, unless both are internal', async () => {
      const outcomes = await Promise.allSettled([
        create(a, 'web', { subnets: ['10.9.0.0/24'] }),
        create(b, 'db', { subnets: ['10.9.0.0/16'] }),
      ]);
      assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')?.reason;
      assert.match(String(failed), /network (web|db): its subnet .* overlaps .* of network (web|db)/);
      const internal = { subnets: ['10.7.0.0/24'], options: { ...networkRequest('x').options, internal: true } };
      await create(a, 'one', internal);
      await create(b, 'two', internal);
      await assert.rejects(create(b, 'three', { subnets: ['10.7.0.0/24'] }), ofKind('conflict', /overlaps/));
    });

    it('chooses VNIs of the range, each once, until there is none', async () => {
      const settings = { ...SETTINGS, lastVni: SETTINGS.firstVni + 2 };
      place = new MemoryCluster();
      const few = new Machine(place, 'few');
      opened.push(few);
      const process = await join(few, { settings });
      const request = (index: number) => networkRequest(`n${index}`, { subnets: [`10.${index}.0.0/24`] });
      const vnis: number[] = [];
      for (const index of [0, 1, 2]) vnis.push((await process.cluster.networks.create(request(index))).record.vni);
      assert.deepEqual(vnis.sort(), [4096, 4097, 4098]);
      await assert.rejects(
        process.cluster.networks.create(request(3)),
        ofKind('exhausted', /network n3: all 3 VNIs from 4096 to 4098 are taken/),
      );
    });

    it('takes a VNI that was asked for; refuses it twice, naming its holder', async () => {
      assert.equal((await create(a, 'web', { vni: 77 })).record.vni, 77);
      const again = create(b, 'db', { vni: 77, subnets: ['10.8.0.0/24'] });
      await assert.rejects(again, ofKind('conflict', /network db: network web has VNI 77/));
    });

    it("takes the least host's MTU, and refuses more with both numbers", async () => {
      const small = new Machine(place, 'small', { mtu: 1400 });
      opened.push(small);
      await join(small);
      await assert.rejects(
        create(a, 'web', { mtu: 1450 }),
        ofKind('conflict', /its MTU is 1450, and host small has room for 1350/),
      );
      assert.equal((await create(a, 'web')).record.mtu, 1350);
      assert.equal((await create(a, 'db', { mtu: 1300, subnets: ['10.8.0.0/24'] })).record.mtu, 1300);
    });

    it('leaves room for ESP where it encrypts', async () => {
      const options = { flood: false, hostAddress: false, internal: false, encrypted: true };
      const { id, record } = await create(a, 'web', { options });
      assert.equal(record.mtu, 1416);
      const small = new Machine(place, 'small', { mtu: 1499 });
      opened.push(small);
      const process = await join(small);
      const message = /its MTU is 1416, and the underlay of host small leaves 1412.*to 1500/;
      await assert.rejects(process.cluster.networks.use(id), ofKind('conflict', message));
      await assert.rejects(
        create(b, 'web'),
        ofKind('conflict', /options .*"encrypted":true.* not .*"encrypted":false/),
      );
    });
  });

  describe('use', () => {
    it('takes one transaction the first time, and none afterwards', async () => {
      const { id } = await create(a, 'web');
      const before = at(0).commits;
      await a.cluster.networks.use(id);
      await a.cluster.networks.use(id);
      assert.equal(at(0).commits - before, 1);
      assert.deepEqual(await keysOf('u/'), [`u/${id}/${at(0).self.id}`]);
    });

    it('takes one transaction for several endpoints that come first together', async () => {
      const { id } = await create(a, 'web');
      const before = at(0).commits;
      await Promise.all([1, 2, 3].map(() => a.cluster.networks.use(id)));
      assert.equal(at(0).commits - before, 1);
    });

    it('is refused to a host whose underlay is too small, with both numbers', async () => {
      const { id } = await create(a, 'web');
      const small = new Machine(place, 'small', { mtu: 1400 });
      opened.push(small);
      const process = await join(small);
      const message = /network web: its MTU is 1450, and the underlay of host small leaves 1350.*to 1500/;
      await assert.rejects(process.cluster.networks.use(id), ofKind('conflict', message));
      assert.deepEqual(await keysOf('u/'), []);
    });

    it('is refused of a network that has gone, or is going', async () => {
      const { id, record } = await create(a, 'web');
      await put(id, record, 'going');
      await assert.rejects(b.cluster.networks.use(id), ofKind('busy', /network web: it is being deleted/));
      await assert.rejects(b.cluster.networks.create(networkRequest('web')), ofKind('busy', /being deleted/));
      await a.cluster.networks.delete(id);
      await settled();
      await assert.rejects(b.cluster.networks.use(id), ofKind('conflict', /no such network/));
    });

    it('is noticed to be refused by a host whose copy is late', async () => {
      const { id } = await create(a, 'web');
      const late = new Machine(place, 'late');
      opened.push(late);
      const process = await join(late);
      await a.cluster.networks.delete(id);
      await assert.rejects(process.cluster.networks.use(id), ofKind('conflict', /the cluster has deleted it|no such/));
      assert.deepEqual(process.local.clusterKeys.list('u/'), []);
    });

    it('frees its key after the last endpoint, by the outbox', async () => {
      const { id } = await create(a, 'web');
      await a.cluster.networks.use(id);
      place.stop();
      a.cluster.networks.leave(id);
      assert.equal(a.cluster.status().outbox, 1);
      place.resume();
      await a.cluster.upkeep.tick();
      assert.deepEqual(await keysOf('u/'), []);
      assert.equal(a.cluster.status().outbox, 0);
      await a.cluster.networks.use(id);
      assert.equal((await keysOf('u/')).length, 1);
    });
  });

  async function put(id: string, record: NetworkRecord, state: 'live' | 'going'): Promise<void> {
    const key = networkKey(id);
    const { epoch, entries } = await a.store.list(key);
    const version = entries.get(key)?.version ?? 0n;
    const value = formatNetwork({ ...record, state });
    await a.store.commit({ epoch, compare: [{ kind: 'version', key, version }], put: [{ key, value }] });
    await settled();
  }

  describe('whose keys are deleted or overwritten by hand', () => {
    /** As another program could. */
    const change = (key: string, value?: string): void => {
      const what = value === undefined ? { delete: [key] } : { put: [{ key, value }] };
      place.commit({ epoch: place.epoch, compare: [], ...what });
    };

    for (const [what, value] of [
      ['missing', undefined],
      ['malformed', '{'.repeat(100_000)],
    ] as const)
      it(`cannot be created again while its name is there and its record is ${what}`, async () => {
        const { id } = await create(a, 'web');
        change(networkKey(id), value);
        await settled();
        const before = at(0).commits;
        const error = await a.cluster.networks.create(networkRequest('web')).catch((thrown: unknown) => thrown);
        assert.match(String(error), new RegExp(`network web: key name/web names network ${id}, .*no valid record`));
        assert.ok(at(0).commits - before <= 2, 'it does not try for ever');
        change(nameKey('web'), '{'.repeat(100_000));
        const other = await a.cluster.networks.create(networkRequest('web')).catch((thrown: unknown) => thrown);
        assert.ok(String(other).length < 1_000);
      });

    for (const key of ['name', 'VNI'])
      it(`is deleted although its ${key} is missing or another network's`, async () => {
        for (const value of [undefined, 'another']) {
          const { id, record } = await create(a, 'web');
          await attach(a, id, 'cni/c1/eth0');
          const lost = key === 'name' ? nameKey('web') : vniKey(record.vni);
          change(lost, value);
          await assert.rejects(b.cluster.networks.delete(id), ofKind('conflict', /network web: host a uses it/));
          a.cluster.addresses.release(id, { endpoint: 'cni/c1/eth0' });
          a.cluster.networks.leave(id);
          await a.cluster.networks.delete(id);
          await settled();
          const left = [...(await keysOf('net/')), ...(await keysOf('name/')), ...(await keysOf('vni/'))];
          assert.deepEqual(left, value === undefined ? [] : [lost]);
          assert.equal(b.cluster.networks.named('web'), undefined);
        }
      });
  });

  describe('delete', () => {
    it('removes every key of an unused network; accepts absence', async () => {
      const { id } = await create(a, 'web');
      await a.cluster.networks.use(id);
      a.cluster.networks.leave(id);
      await a.cluster.networks.delete(id);
      await a.cluster.networks.delete(id);
      await settled();
      assert.deepEqual(await keysOf('net/'), []);
      assert.deepEqual([...(await keysOf('name/')), ...(await keysOf('vni/')), ...(await keysOf('u/'))], []);
      assert.equal(b.cluster.networks.named('web'), undefined);
      assert.equal((await create(b, 'web')).isNew, true);
    });

    it("is refused while others use it, with the hosts' names; nothing changes", async () => {
      const { id } = await create(a, 'web');
      await a.cluster.networks.use(id);
      await attach(b, id, 'cni/c1/eth0');
      a.cluster.networks.leave(id);
      await assert.rejects(a.cluster.networks.delete(id), ofKind('conflict', /network web: host b uses it/));
      const third = new Machine(place, 'c');
      opened.push(third);
      await (await join(third)).cluster.networks.use(id);
      await settled();
      await assert.rejects(a.cluster.networks.delete(id), ofKind('conflict', /network web: hosts b, c use it/));
      assert.equal(a.cluster.networks.named('web')?.[1].state, 'live');
      assert.equal((await keysOf('u/')).length, 2);
    });

    it('is refused if this host has begun to use it meanwhile, and takes nothing of that back', async () => {
      const base = at(0).store();
      const lists = Promise.withResolvers<void>();
      let isSlow = false;
      const list: ClusterStore['list'] = async (prefix) => {
        const found = await base.list(prefix);
        if (isSlow) await lists.promise;
        return found;
      };
      a = await join(at(0), { store: wrapStore(base, { list }) });
      const { id } = await create(a, 'web', { mode: 'per-host', subnets: ['10.9.0.0/16'] });
      isSlow = true;
      const deletion = assert.rejects(a.cluster.networks.delete(id), ofKind('conflict', /host a uses it/));
      await settled();
      await a.cluster.networks.use(id);
      await a.cluster.addresses.ranges(id);
      lists.resolve();
      await deletion;
      assert.deepEqual(
        a.local.clusterKeys.list('').map(({ state }) => state),
        ['held', 'held'],
      );
      assert.deepEqual([(await keysOf('u/')).length, (await keysOf('r/')).length], [1, 1]);
      assert.equal(a.cluster.networks.named('web')?.[1].state, 'live');
    });

    it('deletes a key of this host that has no row, and none of another host', async () => {
      const { id } = await create(a, 'web', { mode: 'per-host', subnets: ['10.9.0.0/16'] });
      await a.cluster.networks.use(id);
      await a.cluster.addresses.ranges(id);
      const [range = ''] = await keysOf('r/');
      const { entries } = await a.store.list('r/');
      const value = entries.get(range)?.value ?? assert.fail('no range');
      a.cluster.networks.leave(id);
      await a.cluster.networks.delete(id);
      const { id: again } = await create(a, 'web', { mode: 'per-host', subnets: ['10.9.0.0/16'] });
      const stray = range.replace(id, again);
      place.commit({ epoch: place.epoch, compare: [], put: [{ key: stray, value }] });
      await assert.rejects(b.cluster.networks.delete(again), ofKind('conflict', /host a uses it/));
      assert.deepEqual(await keysOf('r/'), [stray]);
      await a.cluster.networks.delete(again);
      assert.deepEqual([...(await keysOf('r/')), ...(await keysOf('net/'))], []);
    });

    it('comes by itself for a network whose last user is forgotten, at the second comparison', async () => {
      const { id } = await create(a, 'web');
      const { id: used } = await create(a, 'other', { subnets: ['10.8.0.0/24'] });
      await a.cluster.networks.use(used);
      await attach(b, id, 'cni/c1/eth0');
      await b.silence();
      await a.cluster.forget('b');
      const { epoch } = await a.store.list('net/');
      await a.cluster.upkeep.verify(epoch);
      assert.equal((await keysOf('net/')).length, 2, 'it could be one that somebody has just created');
      await a.cluster.upkeep.verify(epoch);
      assert.deepEqual(await keysOf('net/'), [networkKey(used)]);
      assert.equal((await create(a, 'third')).isNew, true, 'its subnet is free');
    });

    it('is refused while this host has addresses of it', async () => {
      const { id } = await create(a, 'web');
      await attach(a, id, 'cni/c1/eth0');
      await assert.rejects(a.cluster.networks.delete(id), ofKind('conflict', /network web: host a uses it/));
      assert.equal((await keysOf(addressesOf(id))).length, 1);
    });

    it('that stopped half-way is ended by any host', async () => {
      const { id, record } = await create(a, 'web');
      await put(id, record, 'going');
      const { epoch } = await b.store.list('net/');
      await b.cluster.upkeep.verify(epoch);
      assert.deepEqual(await keysOf('net/'), []);
    });

    it('that stopped half-way is undone if somebody uses the network', async () => {
      const { id, record } = await create(a, 'web');
      await attach(b, id, 'cni/c1/eth0');
      await put(id, record, 'going');
      await a.cluster.upkeep.verify((await a.store.list('net/')).epoch);
      await settled();
      assert.equal(a.cluster.networks.named('web')?.[1].state, 'live');
      await attach(b, id, 'cni/c2/eth0');
    });

    it('reaches a host that was away and forgotten meanwhile', async () => {
      const { id } = await create(a, 'web');
      await attach(b, id, 'cni/c1/eth0');
      await b.silence();
      assert.equal(await a.cluster.forget('b'), 3);
      await a.cluster.networks.delete(id);
      await b.join();
      assert.equal(b.cluster.networks.named('web'), undefined);
      assert.equal(b.cluster.remote(id), undefined);
      at(1).now += 20_000;
      await b.cluster.upkeep.tick();
      assert.deepEqual(b.local.clusterKeys.list(''), []);
      assert.deepEqual(await keysOf('a/'), []);
    });
  });
});
