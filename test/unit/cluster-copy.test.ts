import { strict as assert } from 'node:assert';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { forgetCopy, loadCopy } from '../../src/shared/cluster/kept.ts';
import { Silence } from '../../src/shared/cluster/silence.ts';
import { formatHolder } from '../../src/shared/cluster/values.ts';
import { MemoryCluster } from '../../src/shared/testing/memory-cluster.ts';
import { addrOf, Machine, networkRequest, type Process, settled } from '../support/cluster-machine.ts';
import { ofKind } from './store-behaviour.ts';

describe('cluster: the copy', () => {
  let place: MemoryCluster;
  let machines: Machine[];
  let a: Process;
  let b: Process;
  let id: string;
  const opened: Disposable[] = [];
  const at = (index: number): Machine => machines[index] ?? assert.fail();
  const join = async (machine: Machine, changes = {}): Promise<Process> => {
    const process = machine.open(changes);
    opened.push(process);
    await process.join();
    return process;
  };
  const add = async (one: Process, endpoint: string, ...requested: string[]): Promise<void> => {
    const claim = await one.cluster.addresses.claim({ network: id, requested: requested.map(addrOf), endpoint });
    one.cluster.addresses.settle(claim);
    await settled();
  };
  /** `10.9.0.5 via 192.0.2.98` of each remote endpoint. */
  const seen = ({ cluster }: Process): string[] => {
    const remote = cluster.remote(id);
    if (remote?.mode !== 'shared') return [];
    return remote.endpoints.map(({ addresses, host }) => `${addresses.join(' ')} via ${host}`).sort();
  };
  const B1 = '10.9.0.51 via 192.0.2.98';
  beforeEach(async () => {
    place = new MemoryCluster();
    machines = [new Machine(place, 'a'), new Machine(place, 'b')];
    opened.push(...machines);
    [a, b] = [await join(at(0)), await join(at(1))];
    ({ id } = await a.cluster.networks.create(networkRequest('web')));
    await settled();
    for (const one of [a, b]) await one.cluster.networks.use(id);
    await add(b, 'cni/b1/eth0', '10.9.0.51');
  });
  afterEach(() => {
    for (const thing of opened.splice(0).reverse()) thing[Symbol.dispose]();
  });

  it('tells which network changed', async () => {
    const networks: (string | undefined)[] = [];
    const machine = new Machine(place, 'c');
    opened.push(machine);
    const process = await join(machine, { changed: (network: string | undefined) => networks.push(network) });
    assert.equal(process.cluster.remote(id), undefined, 'it does not use the network');
    await process.cluster.networks.use(id);
    networks.length = 0;
    await add(b, 'cni/b2/eth0');
    assert.deepEqual(networks, [id]);
    process.cluster.networks.leave(id);
    assert.equal(process.cluster.remote(id), undefined);
    assert.deepEqual(
      process.cluster.watches().map(({ prefix }) => prefix),
      ['host/', 'up/', 'net/'],
    );
  });

  it('follows an address that moves to another host', async () => {
    const machine = new Machine(place, 'c');
    opened.push(machine);
    const c = await join(machine);
    await c.cluster.networks.use(id);
    b.cluster.addresses.release(id, { endpoint: 'cni/b1/eth0' });
    await b.cluster.upkeep.tick();
    await add(c, 'cni/c1/eth0', '10.9.0.51');
    assert.deepEqual(seen(a), ['10.9.0.51 via 192.0.2.99']);
    assert.deepEqual(seen(b), ['10.9.0.51 via 192.0.2.99']);
  });

  it("a silent host's entries stay; forgetting it removes them; a host that is there is not forgotten", async () => {
    await assert.rejects(a.cluster.forget('b'), ofKind('conflict', /host b: it is in the cluster/));
    await assert.rejects(a.cluster.forget('nobody'), ofKind('conflict', /no such host/));
    await b.silence();
    assert.deepEqual(seen(a), [B1]);
    assert.equal(await a.cluster.forget('b'), 3);
    await settled();
    assert.deepEqual([seen(a), a.cluster.peers()], [[], []]);
    await b.join();
    await settled();
    assert.deepEqual(seen(a), [B1], 'it is back, and has put all that it holds');
  });

  it('a host leaves once it has no endpoints, and nothing of it stays', async () => {
    await assert.rejects(b.cluster.leave(), ofKind('conflict', /host b: it has endpoints of network web/));
    b.cluster.addresses.release(id, { endpoint: 'cni/b1/eth0' });
    await b.cluster.leave();
    await settled();
    assert.deepEqual([seen(a), a.cluster.peers()], [[], []]);
    assert.deepEqual(
      a.cluster.status().members.map(({ name }) => name),
      ['a'],
    );
    assert.deepEqual(b.local.clusterKeys.list(''), []);
  });

  it('a host that leaves puts no key again, whatever it carries', async () => {
    b.cluster.addresses.release(id, { endpoint: 'cni/b1/eth0' });
    const leaving = b.cluster.leave();
    assert.equal(b.cluster.isMember, false);
    await assert.rejects(b.cluster.networks.use(id), ofKind('unavailable', /it leaves its cluster/));
    await leaving;
    const left = [...(await a.store.list('')).entries.keys()].filter((key) => key.includes(at(1).self.id));
    assert.deepEqual(left, []);
  });

  it('a host does not leave while a call is under way, or if a commit may still land', async () => {
    b.cluster.addresses.release(id, { endpoint: 'cni/b1/eth0' });
    b.cluster.networks.leave(id);
    await b.cluster.upkeep.tick();
    const using = b.cluster.networks.use(id);
    await assert.rejects(b.cluster.leave(), ofKind('busy', /host b: a call of it uses a network/));
    await using;
    assert.equal(b.cluster.isMember, true);
    const late = { key: `u/${id}/late`, value: 'x', state: 'released', until: at(1).now + 10_000 } as const;
    b.local.clusterKeys.put(late);
    await assert.rejects(b.cluster.leave(), ofKind('unavailable', /may arrive late.*Try again in 10 s/));
    await b.cluster.networks.use(id);
    at(1).now += 10_000;
    await b.cluster.leave();
    assert.deepEqual(b.local.clusterKeys.list(''), []);
  });

  it('a host that could not leave is a member as before', async () => {
    b.cluster.addresses.release(id, { endpoint: 'cni/b1/eth0' });
    place.stop();
    await assert.rejects(b.cluster.leave(), ofKind('unavailable', /it is stopped/));
    place.resume();
    await settled();
    await b.cluster.networks.use(id);
    assert.equal((await a.store.list('u/')).entries.size, 2);
  });

  it('forgets a host of which only keys are there, by its name or its id', async () => {
    const { epoch } = await a.store.list('');
    for (const host of ['c', '00000000-0000-4000-8000-ccccccccccc0']) {
      const key = `u/${id}/00000000-0000-4000-8000-ccccccccccc0`;
      const value = formatHolder({ host: '00000000-0000-4000-8000-ccccccccccc0', name: 'c', claim: 'x' });
      await a.store.commit({ epoch, compare: [{ kind: 'absent', key }], put: [{ key, value }] });
      assert.equal(await a.cluster.forget(host), 1, host);
    }
    await assert.rejects(a.cluster.forget('c'), ofKind('conflict', /no such host/));
    assert.equal((await a.store.list('u/')).entries.size, 2);
  });

  it('withdraws the entries of the only silent host after the grace time; they are back with it', async () => {
    await b.silence();
    await a.cluster.upkeep.tick();
    at(0).now += 59_000;
    await a.cluster.upkeep.tick();
    assert.deepEqual(seen(a), [B1]);
    at(0).now += 1_000;
    await a.cluster.upkeep.tick();
    assert.deepEqual([seen(a), a.cluster.peers()], [[], []]);
    assert.equal(a.cluster.status().members.find(({ name }) => name === 'b')?.state, 'withdrawn');
    await b.join();
    await a.cluster.upkeep.tick();
    assert.deepEqual(seen(a), [B1]);
  });

  it('keeps the entries while the store is away, however long', async () => {
    place.stop();
    await settled();
    for (let minute = 0; minute < 5; minute++) {
      at(0).now += 60_000;
      await a.cluster.upkeep.tick().catch(() => {});
    }
    assert.deepEqual(seen(a), [B1]);
    assert.match(a.cluster.status().watches.at(-1)?.lost?.why ?? '', /it is stopped/);
  });

  it('a reboot without the store knows what the process before knew', async () => {
    await a.cluster.upkeep.save();
    assert.deepEqual(at(0).lines, []);
    assert.deepEqual(readdirSync(dirname(at(0).keptFile())), ['cluster-copy']);
    place.stop();
    const after = at(0).open();
    opened.push(after);
    assert.deepEqual(seen(after), [B1]);
    assert.deepEqual(after.cluster.peers(), ['192.0.2.98']);
    b.cluster.addresses.release(id, { endpoint: 'cni/b1/eth0' });
    place.resume();
    await b.cluster.upkeep.tick();
    await settled();
    assert.deepEqual(seen(after), [], 'the first snapshot replaces it');
  });

  it('the kept copy is written at most every five seconds, and ignored if it is not whole', async () => {
    const before = readText(at(0).keptFile());
    await a.cluster.upkeep.tick();
    const first = readText(at(0).keptFile());
    assert.notEqual(first, before);
    await add(b, 'cni/b2/eth0', '10.9.0.52');
    await a.cluster.upkeep.tick();
    assert.equal(readText(at(0).keptFile()), first);
    at(0).now += 5_000;
    await a.cluster.upkeep.tick();
    const second = readText(at(0).keptFile());
    assert.match(second, /0a090034/);
    assert.ok(loadCopy(at(0).keptFile()));
    for (const length of [0, 10, second.length - 1]) {
      truncateSync(at(0).keptFile(), length);
      assert.equal(loadCopy(at(0).keptFile()), undefined, `${length} bytes`);
    }
    writeFileSync(at(0).keptFile(), 'isthmus cluster copy 2\n');
    assert.equal(loadCopy(at(0).keptFile()), undefined);
  });

  it('what changes while the kept copy is written: the file is whole, and has what has stayed', async () => {
    ({ id } = await a.cluster.networks.create(networkRequest('large', { subnets: ['10.8.0.0/16'] })));
    await settled();
    for (const one of [a, b]) await one.cluster.networks.use(id);
    const addresses = Array.from({ length: 2_500 }, (_, i) => `10.8.${100 + Math.floor(i / 250)}.${1 + (i % 250)}`);
    for (const [i, address] of addresses.entries()) await add(b, `cni/c${i}/eth0`, address);
    const saving = a.cluster.upkeep.save();
    for (const i of [0, 1_200, 2_400]) b.cluster.addresses.release(id, { endpoint: `cni/c${i}/eth0` });
    await b.cluster.upkeep.tick();
    await settled();
    await saving;
    const kept = new Set(loadCopy(at(0).keptFile())?.entries.map(([key]) => key));
    const stayed = addresses.filter((_, i) => ![0, 1_200, 2_400].includes(i));
    const keyOf = (address: string): string =>
      `a/${id}/${address
        .split('.')
        .map((byte) => Number(byte).toString(16).padStart(2, '0'))
        .join('')}`;
    assert.deepEqual(
      stayed.filter((address) => !kept.has(keyOf(address))),
      [],
    );
  });

  it('a store that loses its data while the kept copy is written leaves the one of before', async () => {
    await a.cluster.upkeep.save();
    const before = readText(at(0).keptFile());
    await add(b, 'cni/b2/eth0', '10.9.0.52');
    const saving = a.cluster.upkeep.save();
    place.wipe();
    await settled();
    await saving;
    assert.equal(readText(at(0).keptFile()), before);
    assert.deepEqual(readdirSync(dirname(at(0).keptFile())), ['cluster-copy']);
  });

  it('a kept copy that cannot be written is said once, leaves no part, and is written once it can be', async () => {
    const file = at(0).keptFile();
    mkdirSync(file);
    for (let i = 0; i < 3; i++) {
      at(0).now += 5_000;
      await a.cluster.upkeep.tick();
      assert.deepEqual(readdirSync(dirname(file)), ['cluster-copy']);
    }
    assert.deepEqual(
      at(0).lines.map(({ event }) => event),
      ['cluster copy not kept'],
    );
    rmdirSync(file);
    at(0).now += 5_000;
    await a.cluster.upkeep.tick();
    assert.match(readText(file), /0a090033/);
  });

  it('is forgotten with the part that a killed process left', () => {
    const file = at(0).keptFile();
    for (const path of [file, `${file}.draft`]) writeFileSync(path, 'secret\n');
    forgetCopy(dirname(file));
    assert.deepEqual(readdirSync(dirname(file)), []);
  });

  describe('the store loses its data', () => {
    const wipe = async (): Promise<void> => {
      place.wipe();
      await settled();
    };

    it('nothing leaves the tables; everybody puts back what it has; then the copies equal the store', async () => {
      await add(a, 'cni/a1/eth0', '10.9.0.11');
      await wipe();
      assert.deepEqual(seen(a), [B1]);
      await a.join();
      await a.cluster.upkeep.tick();
      assert.deepEqual(seen(a), [B1], 'b has not put back anything');
      await b.join();
      await a.cluster.upkeep.tick();
      assert.deepEqual([seen(a), seen(b)], [[B1], ['10.9.0.11 via 192.0.2.97']]);
      assert.equal((await a.store.list('a/')).entries.size, 2);
      assert.equal((await a.store.list('u/')).entries.size, 2);
      assert.equal((await a.store.list('vni/')).entries.size, 1);
      assert.ok(a.cluster.status().networks.every(({ carried }) => carried === 0));
    });

    it('an address that was released meanwhile leaves the tables once its host is back', async () => {
      await add(b, 'cni/b2/eth0', '10.9.0.52');
      await wipe();
      b.cluster.addresses.release(id, { endpoint: 'cni/b2/eth0' });
      await a.join();
      assert.equal(seen(a).length, 2);
      await b.join();
      await a.cluster.upkeep.tick();
      assert.deepEqual(seen(a), [B1]);
    });

    it('an address that another host has is a conflict: reported, and nothing is removed', async () => {
      const machine = new Machine(place, 'c');
      opened.push(machine);
      await b.silence();
      await wipe();
      // A host that knew nothing of the address.
      const c = await join(machine);
      await a.join();
      await c.cluster.networks.use(id);
      await add(c, 'cni/c1/eth0', '10.9.0.51');
      await b.join();
      assert.deepEqual(
        b.cluster.status().conflicts.map(({ holder }) => holder),
        ['c'],
      );
      assert.ok(at(1).lines.some(({ level, event }) => level === 'error' && event === 'cluster conflict'));
      assert.deepEqual(
        b.local.clusterKeys.list('a/').map(({ state }) => state),
        ['held'],
      );
      b.cluster.addresses.release(id, { endpoint: 'cni/b1/eth0' });
      await b.cluster.upkeep.tick();
      assert.equal((await a.store.list('a/')).entries.size, 1, "the other's is there");
      assert.equal(b.cluster.status().outbox, 0);
    });

    it('does not give an address that a host had which is not back yet', async () => {
      await wipe();
      await a.join();
      const free = Array.from({ length: 20 }, (_, index) => `cni/x${index}/eth0`);
      for (const endpoint of free) await add(a, endpoint);
      await assert.rejects(add(a, 'cni/y/eth0', '10.9.0.51'), ofKind('conflict', /cni\/b1\/eth0 on b has it/));
    });

    it('what nobody puts back leaves after the grace time', async () => {
      await b.silence();
      await wipe();
      await a.join();
      await a.cluster.upkeep.tick();
      assert.equal(seen(a).length, 1);
      at(0).now += 61_000;
      await a.cluster.upkeep.tick();
      assert.deepEqual([seen(a), a.cluster.peers()], [[], []]);
    });

    it('is not taken for the deletion of its networks', async () => {
      const { epoch } = await a.store.list('net/');
      place.wipe();
      await assert.rejects(a.cluster.upkeep.verify(epoch), ofKind('unavailable', /lost its data/));
      assert.ok(a.local.clusterKeys.list('').every(({ state }) => state === 'held'));
    });
  });
});

describe('cluster: silence', () => {
  const look = (silence: Silence, now: number, silent: readonly string[], isHealthy = true): string[] => {
    silence.observe({ now, isHealthy, hosts: ['b', 'c', 'd'], isPresent: (host) => !silent.includes(host) });
    return [...silence.withdrawn];
  };

  it('withdraws the only silent host after the whole grace time', () => {
    const silence = new Silence(10);
    assert.deepEqual(look(silence, 0, ['b']), []);
    assert.deepEqual(look(silence, 9, ['b']), []);
    assert.deepEqual(look(silence, 10, ['b']), ['b']);
    assert.deepEqual(look(silence, 11, []), []);
  });

  it('begins anew when the store was away, or another host was silent', () => {
    const silence = new Silence(10);
    look(silence, 0, ['b']);
    look(silence, 9, ['b'], false);
    assert.deepEqual(look(silence, 12, ['b']), []);
    assert.deepEqual(look(silence, 15, ['b', 'c']), []);
    assert.deepEqual(look(silence, 24, ['b']), []);
    assert.deepEqual(look(silence, 33, ['b']), []);
    assert.deepEqual(look(silence, 34, ['b']), ['b']);
  });

  it('withdraws nobody while several are silent, and a second one after the first', () => {
    const silence = new Silence(10);
    look(silence, 0, ['b', 'c']);
    assert.deepEqual(look(silence, 100, ['b', 'c']), []);
    look(silence, 101, ['b']);
    assert.deepEqual(look(silence, 111, ['b']), ['b']);
    look(silence, 112, ['b', 'c']);
    assert.deepEqual(look(silence, 122, ['b', 'c']), ['b', 'c']);
  });
});

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
