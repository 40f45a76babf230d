import { strict as assert } from 'node:assert';
import type { Claim } from '../../src/shared/cluster/addresses.ts';
import { chooseAddress, sliceOf } from '../../src/shared/cluster/choose.ts';
import { addressesOf } from '../../src/shared/cluster/keys.ts';
import type { ClusterNetworks, JoinedNetwork } from '../../src/shared/core/cluster-networks.ts';
import { overlaySource } from '../../src/shared/core/overlay-source.ts';
import { type Addr, formatAddr } from '../../src/shared/model/addr.ts';
import { formatPrefix } from '../../src/shared/model/prefix.ts';
import type { ClusterStore } from '../../src/shared/store/cluster/cluster-store.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { MemoryCluster } from '../../src/shared/testing/memory-cluster.ts';
import { prefixOf } from '../support/addresses.ts';
import {
  addrOf,
  Machine,
  networkRequest,
  type Process,
  rangeOf,
  settled,
  wrapStore,
} from '../support/cluster-machine.ts';
import { ofKind } from './store-behaviour.ts';

describe('cluster: the choice of an address', () => {
  const set = [rangeOf('10.9.0.0/28')];
  const choose = (index: number, count: number, taken: readonly string[] = [], after?: string): string | undefined => {
    const isTaken = (addr: Addr): boolean => taken.includes(formatAddr(addr));
    const found = chooseAddress(set, { index, count }, isTaken, after === undefined ? undefined : addrOf(after));
    return found && formatAddr(found);
  };
  const range = (first: number, last: number): string[] =>
    Array.from({ length: last - first + 1 }, (_, index) => `10.9.0.${first + index}`);

  it("begins in the host's own slice", () => {
    assert.deepEqual([choose(0, 2), choose(1, 2)], ['10.9.0.2', '10.9.0.8']);
  });

  it('goes on after the last one given, and round in its slice', () => {
    assert.equal(choose(1, 2, [], '10.9.0.9'), '10.9.0.10');
    assert.equal(choose(1, 2, [], '10.9.0.14'), '10.9.0.8');
    assert.equal(choose(1, 2, [], '10.9.0.3'), '10.9.0.8', 'the last one was of another slice');
  });

  it('goes on above its slice, then below, when it is full', () => {
    assert.equal(choose(0, 2, range(1, 7)), '10.9.0.8');
    assert.equal(choose(1, 2, range(8, 14)), '10.9.0.2');
    assert.equal(choose(0, 2, range(2, 14)), undefined);
  });

  it('gives every address but network, broadcast and gateway', () => {
    const given: string[] = [];
    for (let next = choose(0, 3, given); next !== undefined; next = choose(0, 3, given)) given.push(next);
    assert.deepEqual(given.sort(), range(2, 14).sort());
  });

  it('knows the place of a host among the others, itself included', () => {
    assert.deepEqual(sliceOf('b', ['c', 'a']), { index: 1, count: 3 });
    assert.deepEqual(sliceOf('b', []), { index: 0, count: 1 });
  });
});

describe('cluster: addresses', () => {
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
  const network = async (...changes: [Parameters<typeof networkRequest>[1]?]): Promise<string> => {
    const { id } = await a.cluster.networks.create(networkRequest('web', ...changes));
    await settled();
    for (const one of [a, b]) await one.cluster.networks.use(id);
    return id;
  };
  const add = async (one: Process, id: string, endpoint: string, ...requested: string[]): Promise<string[]> => {
    const claim = await one.cluster.addresses.claim({ network: id, requested: requested.map(addrOf), endpoint });
    one.cluster.addresses.settle(claim);
    return claim.addresses.map(({ address }) => formatPrefix(address));
  };
  const stored = async (id: string): Promise<string[]> => [...(await a.store.list(addressesOf(id))).entries.keys()];

  it('an ADD takes one transaction, for one family and for two', async () => {
    const id = await network({ subnets: ['10.9.0.0/24', 'fd00:9::/64'] });
    const before = at(0).commits;
    const addresses = await add(a, id, 'cni/c1/eth0');
    assert.equal(at(0).commits - before, 1);
    assert.deepEqual(
      addresses.map((text) => text.split('/')[1]),
      ['24', '64'],
    );
    assert.equal((await stored(id)).length, 2);
    await settled();
    const remote = b.cluster.remote(id);
    assert.ok(remote?.mode === 'shared');
    assert.deepEqual(
      remote.endpoints.map(({ addresses, mac, host }) => [addresses.length, mac.slice(0, 5), host]),
      [[2, '0a:58', '192.0.2.97']],
    );
    assert.deepEqual(remote.pools, ['10.9.0.0/24', 'fd00:9::/64']);
  });

  it('16 ADDs at a time on each of two hosts: no address twice, and no transaction too much', async () => {
    const id = await network();
    const before = at(0).commits + at(1).commits;
    const all = await Promise.all(
      Array.from({ length: 32 }, (_, index) => add(index % 2 ? a : b, id, `cni/c${index}/eth0`)),
    );
    assert.equal(new Set(all.flat()).size, 32);
    assert.equal(at(0).commits + at(1).commits - before, 32);
  });

  it('goes on in the slices of others when its own is full, and names the pool when all is', async () => {
    const id = await network({ subnets: ['10.9.0.0/28'] });
    const machine = new Machine(place, 'last');
    opened.push(machine);
    for (let index = 0; index < 12; index++) await add(index % 2 ? a : b, id, `cni/c${index}/eth0`);
    await settled();
    const process = await join(machine);
    await process.cluster.networks.use(id);
    assert.equal((await add(process, id, 'cni/last/eth0')).length, 1);
    await assert.rejects(
      add(a, id, 'cni/over/eth0'),
      ofKind('exhausted', /network web: no address of 10\.9\.0\.0\/28/),
    );
    assert.equal((await stored(id)).length, 13);
  });

  it('gives a requested address, and refuses one that is taken, with its holder', async () => {
    const id = await network();
    assert.deepEqual(await add(a, id, 'cni/c1/eth0', '10.9.0.77'), ['10.9.0.77/24']);
    const message = /address 10\.9\.0\.77: cni\/c1\/eth0 on a has it in network web/;
    await assert.rejects(add(b, id, 'cni/c2/eth0', '10.9.0.77'), ofKind('conflict', message));
    await settled();
    await assert.rejects(add(b, id, 'cni/c2/eth0', '10.9.0.77'), ofKind('conflict', message));
    await assert.rejects(add(a, id, 'cni/c3/eth0', '10.9.0.77'), ofKind('conflict', /has it in network web/));
    await assert.rejects(add(b, id, 'cni/c2/eth0', '10.9.0.1'), ofKind('invalid-config', /gateway/));
    await assert.rejects(add(b, id, 'cni/c2/eth0', '10.8.0.9'), ofKind('invalid-config', /outside/));
    assert.deepEqual(b.local.clusterKeys.list('a/'), []);
  });

  it('gives all of the families, or none', async () => {
    const id = await network({ subnets: ['10.9.0.0/24', 'fd00:9::/64'] });
    await add(a, id, 'cni/c1/eth0', 'fd00:9::77');
    await assert.rejects(add(b, id, 'cni/c2/eth0', '10.9.0.50', 'fd00:9::77'), ofKind('conflict'));
    assert.equal((await stored(id)).length, 2);
    assert.deepEqual(b.local.clusterKeys.list('a/'), []);
  });

  it('a requested address is free again at once after its DEL here, before the outbox is flushed', async () => {
    const id = await network();
    await add(a, id, 'cni/c1/eth0', '10.9.0.77');
    a.cluster.addresses.release(id, { endpoint: 'cni/c1/eth0' });
    assert.equal(a.cluster.status().outbox, 1);
    await add(a, id, 'cni/c1/eth0', '10.9.0.77');
    await a.cluster.upkeep.tick();
    assert.equal((await stored(id)).length, 1);
  });

  it('a requested address that this host has just released is free, although the watch is late', async () => {
    const base = at(0).store();
    const late = Promise.withResolvers<void>();
    let isLate = false;
    const watch: ClusterStore['watch'] = async function* (prefix, signal) {
      for await (const item of base.watch(prefix, signal)) {
        if (isLate) await late.promise;
        yield item;
      }
    };
    a = await join(at(0), { store: wrapStore(base, { watch }) });
    const id = await network({ subnets: ['10.9.0.0/30'] });
    await add(a, id, 'cni/c1/eth0', '10.9.0.2');
    await settled();
    isLate = true;
    for (const requested of [['10.9.0.2'], []]) {
      a.cluster.addresses.release(id, { endpoint: 'cni/c1/eth0' });
      await a.cluster.upkeep.tick();
      assert.deepEqual(await add(a, id, 'cni/c1/eth0', ...requested), ['10.9.0.2/30']);
    }
    late.resolve();
  });

  it('an ADD that fails in the transaction of its record leaves no address behind', async () => {
    const id = await network();
    const { addresses } = a.cluster;
    const claim = (network: string) => addresses.claim({ network, requested: [], endpoint: 'cni/c1/eth0' });
    const { local } = a;
    const cluster = {
      claim,
      settle: (claim: Claim) => addresses.settle(claim),
      abandon: (claim: Claim) => addresses.abandon(claim),
    } as unknown as ClusterNetworks;
    const joined = { ...networkRequest('web'), options: { network: id, mode: 'shared' } } as unknown as JoinedNetwork;
    const { source, abandon } = await overlaySource(
      { cluster, host: new FakeHost() },
      joined,
      { requested: [], routes: [], dns: {}, scope: '/x/web' },
      { owner: { camp: 'cni', network: 'web', containerId: 'c1', ifName: 'eth0' } },
    );
    assert.throws(() =>
      local.transaction(() => {
        source.acquire(local);
        throw new Error('host port 80 is taken');
      }),
    );
    abandon();
    at(0).now += 20_000;
    await a.cluster.upkeep.tick();
    assert.deepEqual([await stored(id), local.clusterKeys.list('a/')], [[], []]);
  });

  it('a claim is given up with the transaction that would have used it', async () => {
    const id = await network();
    const request = { network: id, requested: [], endpoint: 'cni/c1/eth0' };
    const failed = await a.cluster.addresses.claim(request);
    assert.throws(() =>
      a.local.transaction(() => {
        a.cluster.addresses.settle(failed);
        throw new Error('host port 80 is taken');
      }),
    );
    a.cluster.addresses.abandon(failed);
    const used = await a.cluster.addresses.claim(request);
    a.local.transaction(() => a.cluster.addresses.settle(used));
    a.cluster.addresses.abandon(used);
    at(0).now += 20_000;
    await a.cluster.upkeep.tick();
    assert.deepEqual(
      await stored(id),
      used.rows.map(({ key }) => key),
    );
    assert.deepEqual(
      a.local.clusterKeys.list('a/').map(({ state }) => state),
      ['held'],
    );
  });

  it('of hosts: are given up if this host cannot record them', async () => {
    const local = at(0).local();
    let isFull = false;
    a = await join(at(0), {
      local: {
        ...local,
        transaction: (work: () => unknown, options?: { durable?: boolean }) => {
          if (isFull && options?.durable) throw new Error('no space left');
          return local.transaction(work, options);
        },
      },
    });
    const id = await network();
    isFull = true;
    await assert.rejects(a.cluster.addresses.ofHost(id), /no space left/);
    isFull = false;
    at(0).now += 20_000;
    await a.cluster.upkeep.tick();
    assert.deepEqual(await stored(id), []);
    assert.equal((await a.cluster.addresses.ofHost(id)).length, 1);
  });

  it('DEL only writes to the outbox, also while the store is away; then 64 keys go in one transaction', async () => {
    const id = await network();
    for (let index = 0; index < 70; index++) await add(a, id, `cni/c${index}/eth0`);
    place.stop();
    for (let index = 0; index < 70; index++) a.cluster.addresses.release(id, { endpoint: `cni/c${index}/eth0` });
    assert.equal(a.cluster.status().outbox, 70);
    await assert.rejects(a.cluster.upkeep.tick(), ofKind('unavailable'));
    place.resume();
    const before = at(0).commits;
    await a.cluster.upkeep.tick();
    assert.equal(at(0).commits - before, 2);
    assert.deepEqual(await stored(id), []);
    assert.equal(a.cluster.status().outbox, 0);
  });

  it('answers `unavailable` for a requested address whose earlier claim may still land', async () => {
    const id = await network();
    place.stop();
    await assert.rejects(add(a, id, 'cni/c1/eth0', '10.9.0.77'), ofKind('unavailable'));
    place.resume();
    await assert.rejects(add(a, id, 'cni/c1/eth0', '10.9.0.77'), ofKind('unavailable', /may still change/));
    at(0).now += 11_000;
    await add(a, id, 'cni/c1/eth0', '10.9.0.77');
  });

  it('does not delete what another host has meanwhile', async () => {
    const id = await network();
    await add(a, id, 'cni/c1/eth0', '10.9.0.77');
    await a.silence();
    await b.cluster.forget('a');
    await settled();
    await add(b, id, 'cni/c2/eth0', '10.9.0.77');
    await a.join();
    assert.equal(a.cluster.status().isMember, true);
    a.cluster.addresses.release(id, { endpoint: 'cni/c1/eth0' });
    await a.cluster.upkeep.tick();
    assert.equal((await stored(id)).length, 1);
  });

  it('recognizes its own success when the answer to a transaction is lost', async () => {
    const machine = new Machine(place, 'c');
    opened.push(machine);
    const store = machine.store();
    let isLost = false;
    const commit: typeof store.commit = async (change) => {
      const first = await store.commit(change);
      return isLost ? await store.commit(change) : first;
    };
    const process = await join(machine, { store: wrapStore(store, { commit }) });
    const id = await network();
    await process.cluster.networks.use(id);
    isLost = true;
    assert.equal((await add(process, id, 'cni/c1/eth0')).length, 1);
    assert.equal((await stored(id)).length, 1);
  });

  it('of hosts: one of each set, once, whoever asks at a time', async () => {
    const options = { flood: false, hostAddress: true, internal: false, encrypted: false };
    const id = await network({ options, subnets: ['10.9.0.0/24', 'fd00:9::/64'] });
    for (const { cluster } of [a, b]) await cluster.networks.use(id);
    const commits = at(0).commits;
    const [first, again] = await Promise.all([a.cluster.addresses.ofHost(id), a.cluster.addresses.ofHost(id)]);
    assert.deepEqual(first.map(formatPrefix), again.map(formatPrefix));
    assert.deepEqual(
      first.map(({ length }) => length),
      [24, 64],
    );
    assert.equal(at(0).commits - commits, 1);
    const [other = []] = await Promise.all([b.cluster.addresses.ofHost(id)]);
    assert.notDeepEqual(first.map(formatPrefix), other.map(formatPrefix));
    const entries = await stored(id);
    assert.equal(entries.length, 4);
    await assert.rejects(
      a.cluster.addresses.claim({ network: id, requested: [first[0]?.addr ?? assert.fail()], endpoint: 'cni/c1/eth0' }),
      ofKind('conflict', /has it in network web/),
    );
  });

  it('of hosts: survive a boot, and go with the last use', async () => {
    const options = { flood: false, hostAddress: true, internal: false, encrypted: false };
    const id = await network({ options });
    await a.cluster.networks.use(id);
    const [own] = await a.cluster.addresses.ofHost(id);
    await add(a, id, 'cni/c1/eth0');
    await a.silence();
    at(0).self = { ...at(0).self, bootId: 'a-boot-2' };
    const later = await join(at(0));
    await later.cluster.upkeep.tick();
    assert.equal((await stored(id)).length, 1, 'the endpoint is of the earlier boot');
    place.stop();
    assert.deepEqual(await later.cluster.addresses.ofHost(id), [own], 'without the store');
    place.resume();
    b.cluster.networks.leave(id);
    await b.cluster.upkeep.tick();
    later.cluster.networks.leave(id);
    at(0).now += 11_000;
    await later.cluster.upkeep.tick();
    assert.deepEqual(await stored(id), []);
    await later.cluster.networks.delete(id);
    assert.equal(later.cluster.networks.named('web'), undefined);
  });

  it('ends within 1.4 s without an answer; what lands later is deleted', async () => {
    const machine = new Machine(place, 'slow');
    opened.push(machine);
    const store = machine.store();
    const { promise: late, resolve: land } = Promise.withResolvers<void>();
    let isSlow = false;
    const commit: typeof store.commit = async (change) => {
      if (isSlow) await late;
      return await store.commit(change);
    };
    const process = await join(machine, { store: wrapStore(store, { commit }) });
    const id = await network();
    await process.cluster.networks.use(id);
    isSlow = true;
    const since = performance.now();
    await assert.rejects(
      add(process, id, 'cni/c1/eth0'),
      ofKind('unavailable', /network web: .*did not answer within 1\.4 s/),
    );
    assert.ok(performance.now() - since < 1_600);
    isSlow = false;
    land();
    await settled();
    assert.equal((await stored(id)).length, 1);
    await process.cluster.upkeep.tick();
    assert.deepEqual(await stored(id), []);
    assert.equal(process.cluster.status().outbox, 1, 'it may land once more');
    machine.now += 11_000;
    await process.cluster.upkeep.tick();
    assert.equal(process.cluster.status().outbox, 0);
  });

  it('is refused with `unavailable` while the store is away, and nothing of it stays', async () => {
    const id = await network();
    place.stop();
    await assert.rejects(add(a, id, 'cni/c1/eth0'), ofKind('unavailable', /it is stopped/));
    place.resume();
    at(0).now += 11_000;
    await a.cluster.upkeep.tick();
    assert.deepEqual([await stored(id), a.local.clusterKeys.list('a/')], [[], []]);
  });

  it('an amended address has another MAC and endpoint, in one transaction; an equal one in none', async () => {
    const id = await network();
    await add(a, id, 'cnm/request/', '10.9.0.77');
    const before = at(0).commits;
    await a.cluster.addresses.amend(id, [addrOf('10.9.0.77')], { mac: '02:00:00:00:00:01', endpoint: 'cnm/e1/eth0' });
    await a.cluster.addresses.amend(id, [addrOf('10.9.0.77')], { mac: '02:00:00:00:00:01' });
    assert.equal(at(0).commits - before, 1);
    await settled();
    const remote = b.cluster.remote(id);
    assert.deepEqual(remote?.mode === 'shared' && remote.endpoints.map(({ mac }) => mac), ['02:00:00:00:00:01']);
    await assert.rejects(a.cluster.addresses.amend(id, [addrOf('10.9.0.78')], {}), ofKind('conflict', /does not hold/));
    a.cluster.addresses.release(id, { addresses: [addrOf('10.9.0.77')] });
    await a.cluster.upkeep.tick();
    assert.deepEqual(await stored(id), []);
  });

  it('after a reboot the addresses of the old boot are deleted', async () => {
    const id = await network();
    await add(a, id, 'cni/c1/eth0');
    await a.silence();
    at(0).self = { ...at(0).self, bootId: 'a-boot-2' };
    const after = await join(at(0));
    await after.cluster.upkeep.tick();
    assert.deepEqual(await stored(id), []);
    assert.deepEqual(after.local.clusterKeys.list('a/'), []);
  });

  it('without the local file: keys of the host are found again; those that an endpoint has stay', async () => {
    const id = await network();
    await add(a, id, 'cni/c1/eth0');
    await add(a, id, 'cni/c2/eth0');
    await a.silence();
    at(0).disk.clusterKeys.clear();
    const after = await join(at(0), {
      isUsed: (_: string, { endpoint }: { endpoint: string }) => endpoint === 'cni/c1/eth0',
    });
    await after.cluster.upkeep.tick();
    assert.equal((await stored(id)).length, 1);
    assert.deepEqual(
      after.local.clusterKeys.list('').map(({ state }) => state),
      ['held', 'held'],
    );
  });

  describe('per-host', () => {
    const perHost = async (): Promise<string> =>
      await network({ mode: 'per-host', subnets: ['10.100.0.0/22', 'fd00:100::/64'] });
    const subnets = (sets: Awaited<ReturnType<Process['cluster']['addresses']['ranges']>>): string[] =>
      sets.flat().map(({ subnet }) => formatPrefix(subnet));

    it('leases one range a family, once: no transaction afterwards, and without the store', async () => {
      const id = await perHost();
      const before = at(0).commits;
      const first = await a.cluster.addresses.ranges(id);
      assert.equal(at(0).commits - before, 1);
      assert.match(subnets(first).join(' '), /^10\.100\.[0-3]\.0\/24 fd00:100:.*\/80$/);
      place.stop();
      assert.deepEqual(await a.cluster.addresses.ranges(id), first);
      assert.equal(at(0).commits - before, 1);
    });

    it('leases one range for several endpoints that come first together', async () => {
      const id = await perHost();
      const before = at(0).commits;
      const all = await Promise.all([1, 2, 3].map(() => a.cluster.addresses.ranges(id)));
      assert.equal(at(0).commits - before, 1);
      assert.deepEqual(all[0], all[2]);
    });

    it('keeps its range over a reboot', async () => {
      const id = await perHost();
      const first = await a.cluster.addresses.ranges(id);
      await a.silence();
      at(0).self = { ...at(0).self, bootId: 'a-boot-2' };
      const after = await join(at(0));
      assert.deepEqual(await after.cluster.addresses.ranges(id), first);
    });

    it('gives no range twice, and says when there is none', async () => {
      const id = await perHost();
      const names = ['c', 'd', 'e'].map((name) => new Machine(place, name));
      opened.push(...names);
      const others = await Promise.all(
        names.map(async (machine) => {
          const process = await join(machine);
          await process.cluster.networks.use(id);
          return process;
        }),
      );
      const outcomes = await Promise.allSettled([a, b, ...others].map(({ cluster }) => cluster.addresses.ranges(id)));
      const given = outcomes.flatMap((one) => (one.status === 'fulfilled' ? (subnets(one.value)[0] ?? []) : []));
      assert.equal(new Set(given).size, 4);
      const failed = outcomes.flatMap((one) => (one.status === 'rejected' ? String(one.reason) : []));
      assert.equal(failed.length, 1);
      assert.match(failed[0] ?? '', /network web: hosts have all 4 ranges of \/24 in 10\.100\.0\.0\/22/);
    });

    it('tells the others its range, with the MAC of its device', async () => {
      const id = await perHost();
      const own = subnets(await a.cluster.addresses.ranges(id));
      await settled();
      const remote = b.cluster.remote(id);
      assert.ok(remote?.mode === 'per-host');
      assert.deepEqual(
        remote.hosts.map(({ ranges, host }) => [ranges, host]),
        [[own, '192.0.2.97']],
      );
      assert.match(remote.hosts[0]?.mac ?? '', /^.[26ae]:/);
    });

    it('leases another range once another host has its own', async () => {
      const id = await perHost();
      const first = subnets(await a.cluster.addresses.ranges(id));
      await a.silence();
      await b.cluster.forget('a');
      const others = first.map(prefixOf);
      assert.deepEqual(subnets(await b.cluster.addresses.ranges(id, others)), first);
      await a.join();
      assert.equal(a.cluster.status().conflicts.length, 2);
      const second = subnets(await a.cluster.addresses.ranges(id));
      assert.deepEqual(
        second.filter((range) => first.includes(range)),
        [],
      );
      assert.deepEqual(subnets(await a.cluster.addresses.ranges(id)), second);
    });

    it('leases a range again that it has just left, although the watch is late', async () => {
      const base = at(0).store();
      const late = Promise.withResolvers<void>();
      let isLate = false;
      const watch: ClusterStore['watch'] = async function* (prefix, signal) {
        for await (const item of base.watch(prefix, signal)) {
          if (isLate && prefix.startsWith('r/')) await late.promise;
          yield item;
        }
      };
      a = await join(at(0), { store: wrapStore(base, { watch }) });
      const id = await network({ mode: 'per-host', subnets: ['10.100.0.0/24'] });
      const first = await a.cluster.addresses.ranges(id);
      await settled();
      isLate = true;
      const keys = a.local.clusterKeys.list('r/').map(({ key }) => key);
      a.local.transaction(() => {
        for (const row of a.local.clusterKeys.list('r/')) a.local.clusterKeys.put({ ...row, state: 'released' });
      });
      await a.cluster.upkeep.tick();
      assert.deepEqual(await a.cluster.addresses.ranges(id), first);
      assert.deepEqual([...(await a.store.list('r/')).entries.keys()], keys);
      late.resolve();
    });

    it('frees its range with its last endpoint', async () => {
      const id = await perHost();
      await a.cluster.addresses.ranges(id);
      a.cluster.networks.leave(id);
      await a.cluster.upkeep.tick();
      assert.deepEqual([...(await a.store.list('r/')).entries.keys()], []);
    });
  });
});
