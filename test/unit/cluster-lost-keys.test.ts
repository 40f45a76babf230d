import { strict as assert } from 'node:assert';
import { hostKey, presenceKey } from '../../src/shared/cluster/keys.ts';
import type { ClusterStore } from '../../src/shared/store/cluster/cluster-store.ts';
import { MemoryCluster } from '../../src/shared/testing/memory-cluster.ts';
import { addrOf, Machine, networkRequest, type Process, settled, wrapStore } from '../support/cluster-machine.ts';
import { ofKind } from './store-behaviour.ts';

describe('cluster: keys of a host, deleted or overwritten by hand', () => {
  let place: MemoryCluster;
  let one: Machine;
  let other: Machine;
  let a: Process;
  let b: Process;
  let end: AbortController;
  let running: Promise<void>;
  const opened: Disposable[] = [];
  const open = (machine: Machine, store: ClusterStore = machine.store()): Process => {
    const process = machine.open({ store });
    opened.push(process);
    return process;
  };
  /** As another program could. */
  const change = async (key: string, value?: string): Promise<void> => {
    const what = value === undefined ? { delete: [key] } : { put: [{ key, value }] };
    place.commit({ epoch: place.epoch, compare: [], ...what });
    await settled();
  };
  const keysOf = async (prefix: string): Promise<string[]> => [...(await a.store.list(prefix)).entries.keys()];
  const stateOfB = (): string | undefined => a.cluster.status().members.find(({ name }) => name === 'b')?.state;
  const runB = async (store?: ClusterStore): Promise<void> => {
    b = open(other, store);
    end = new AbortController();
    running = b.cluster.run(end.signal);
    await until(() => b.cluster.isMember);
    await settled();
  };
  const use = async (changes = {}): Promise<string> => {
    const { id } = await a.cluster.networks.create(networkRequest('web', changes));
    await settled();
    for (const process of [a, b]) await process.cluster.networks.use(id);
    await settled();
    return id;
  };

  beforeEach(async () => {
    place = new MemoryCluster();
    one = new Machine(place, 'a');
    other = new Machine(place, 'b');
    opened.push(one, other);
    a = open(one);
    await a.join();
    await runB();
  });
  afterEach(async () => {
    end.abort();
    await running;
    for (const thing of opened.splice(0).reverse()) thing[Symbol.dispose]();
  });

  for (const [what, keyOf] of [
    ['presence', presenceKey],
    ['record', hostKey],
  ] as const)
    for (const value of [undefined, '{']) {
      const how = value === undefined ? 'deleted' : 'overwritten';
      it(`its ${what}, ${how}: it joins again, and the others know it as before`, async function () {
        this.timeout(10_000);
        await change(keyOf(other.self.id), value);
        await until(() => stateOfB() === 'present' && a.cluster.peers().length === 1);
        await settled();
        assert.equal(b.cluster.isMember, true);
        assert.deepEqual([stateOfB(), a.cluster.peers()], ['present', ['192.0.2.98']]);
      });
    }

  it('its address: it is put again at once if it is missing, else it is a conflict', async function () {
    this.timeout(10_000);
    const id = await use();
    const claim = await b.cluster.addresses.claim({ network: id, requested: [addrOf('10.9.0.51')], endpoint: 'x' });
    b.cluster.addresses.settle(claim);
    await settled();
    const [key = ''] = await keysOf('a/');
    for (const value of [undefined, '{']) {
      await change(key, value);
      if (value === undefined) await until(() => place.list(key).entries.size === 1);
      else await until(() => b.cluster.status().conflicts.length === 1);
    }
    assert.deepEqual(
      b.local.clusterKeys.list('a/').map(({ state }) => state),
      ['held'],
      'what runs is not removed',
    );
  });

  it('its range: it is put again at once', async function () {
    this.timeout(10_000);
    const id = await use({ mode: 'per-host', subnets: ['10.9.0.0/16'] });
    await b.cluster.addresses.ranges(id);
    await settled();
    const [key = ''] = await keysOf('r/');
    await change(key);
    await until(() => place.list(key).entries.size === 1);
  });

  it('an address that it has released itself is not put again, and nothing is compared', async () => {
    const id = await use();
    const claim = await b.cluster.addresses.claim({ network: id, requested: [], endpoint: 'x' });
    b.cluster.addresses.settle(claim);
    await settled();
    b.cluster.addresses.release(id, { endpoint: 'x' });
    await b.cluster.upkeep.tick();
    await settled();
    const before = other.commits;
    await b.cluster.upkeep.tick();
    assert.equal(other.commits, before);
    assert.deepEqual(await keysOf('a/'), []);
  });

  it('its presence, which it has deleted itself before it could not leave: the others know it again', async function () {
    this.timeout(10_000);
    end.abort();
    await running;
    const store = other.store();
    let isAway = true;
    const commit: ClusterStore['commit'] = async (asked) => {
      if (isAway && asked.delete?.includes(hostKey(other.self.id))) throw place.unavailable('commit');
      return await store.commit(asked);
    };
    await runB(wrapStore(store, { commit }));
    await assert.rejects(b.cluster.leave(), ofKind('unavailable', /it is stopped/));
    isAway = false;
    await settled();
    await until(() => stateOfB() === 'present');
    await b.cluster.leave();
    end.abort();
    await running;
    await settled();
    assert.equal(stateOfB(), undefined);
    assert.deepEqual(await keysOf(hostKey(other.self.id)), []);
  });
});

async function until(isTrue: () => boolean): Promise<void> {
  for (const end = Date.now() + 5_000; !isTrue(); ) {
    assert.ok(Date.now() < end, 'not in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
