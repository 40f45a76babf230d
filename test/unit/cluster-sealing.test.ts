import { strict as assert } from 'node:assert';
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { GENERATION_MS, type SealedHost } from '../../src/shared/cluster/sealing.ts';
import { firstSecrets, formatSecrets, keyOf, parseSecrets, rotated } from '../../src/shared/cluster/secrets.ts';
import { Secret } from '../../src/shared/model/secret.ts';
import { MemoryCluster } from '../../src/shared/testing/memory-cluster.ts';
import { Machine, networkRequest, type Process, settled } from '../support/cluster-machine.ts';
import { ofKind } from './store-behaviour.ts';

const ENCRYPTED = { flood: false, hostAddress: false, internal: false, encrypted: true };
const KEY = 'esp-keys';

describe('cluster: keys of encrypted networks', () => {
  let place: MemoryCluster;
  let [one, two]: Machine[] = [];
  let a: Process;
  let b: Process;
  let id: string;
  const opened: Disposable[] = [];
  const keep = <T extends Disposable>(thing: T): T => {
    opened.push(thing);
    return thing;
  };
  const machine = (which: Machine | undefined): Machine => which ?? assert.fail();
  const join_ = async (which: Machine | undefined): Promise<Process> => {
    const process = keep(machine(which).open());
    await process.join();
    return process;
  };
  const epoch = (process: Process): string => process.cluster.status().epoch ?? assert.fail();
  const add = async (process: Process, endpoint: string): Promise<void> => {
    const claim = await process.cluster.addresses.claim({ network: id, requested: [], endpoint });
    process.cluster.addresses.settle(claim);
    await settled();
  };
  const use = async (process: Process, endpoint: string): Promise<void> => {
    await process.cluster.networks.use(id);
    await process.cluster.encrypt();
    await add(process, endpoint);
  };
  const hosts = ({ cluster }: Process): readonly SealedHost[] => cluster.sealing.hosts();
  const hex = ({ spi, key }: { spi: number; key: Secret }): string =>
    `${spi} ${Buffer.from(key.reveal()).toString('hex')}`;
  const sent = (process: Process): string => hex(hosts(process)[0]?.send ?? assert.fail('no peer'));
  const accepted = (process: Process): string[] => (hosts(process)[0]?.receive ?? []).map(hex);
  const stored = async (): Promise<string> => (await a.store.list(KEY)).entries.get(KEY)?.value ?? '';
  /** Both send what the other accepts. */
  const assertTalking = (): void => {
    assert.ok(accepted(b).includes(sent(a)), 'a to b');
    assert.ok(accepted(a).includes(sent(b)), 'b to a');
    assert.notEqual(sent(a), sent(b));
  };
  const tick = async (process: Process): Promise<void> => {
    await process.cluster.sealing.tick(epoch(process));
    await settled();
  };

  beforeEach(async () => {
    place = new MemoryCluster();
    [one, two] = [keep(new Machine(place, 'a')), keep(new Machine(place, 'b'))];
    [a, b] = [await join_(one), await join_(two)];
    ({ id } = await a.cluster.networks.create(networkRequest('web', { options: ENCRYPTED })));
    await settled();
  });
  afterEach(() => {
    for (const thing of opened.splice(0).reverse()) thing[Symbol.dispose]();
  });

  it('come to be with the first host, and two hosts agree on both directions', async () => {
    assert.equal(await stored(), '');
    assert.equal(a.cluster.status().keys, undefined);
    await use(a, 'cni/a1/eth0');
    assert.deepEqual(hosts(a), [], 'nobody else takes part');
    assert.deepEqual(a.cluster.status().keys, { generation: 1, since: machine(one).now });
    const before = await stored();
    await use(b, 'cni/b1/eth0');
    assert.equal(await stored(), before);
    assertTalking();
    assert.deepEqual([accepted(a).length, hosts(a)[0]?.host], [2, machine(two).self.underlay4]);
  });

  it('are made once, however many hosts begin at a time', async () => {
    await Promise.all([use(a, 'cni/a1/eth0'), use(b, 'cni/b1/eth0')]);
    await settled();
    assertTalking();
    assert.equal(parseSecrets(await stored())?.generation, 1);
  });

  it('are not made on hosts without encrypted networks: no key in the store, no secret in memory', async () => {
    await b.cluster.networks.use(id);
    await add(b, 'cni/b1/eth0');
    assert.equal(await stored(), '');
    await use(a, 'cni/a1/eth0');
    assert.deepEqual(
      [
        hosts(b),
        b.cluster
          .watches()
          .map(({ prefix }) => prefix)
          .includes(KEY),
      ],
      [[], false],
    );
    assert.deepEqual(hosts(a), [], 'b has not said that it takes part');
  });

  it('rotate after twelve hours, by one host; receivers have each key a generation before', async () => {
    await use(a, 'cni/a1/eth0');
    await use(b, 'cni/b1/eth0');
    for (const process of [a, b]) await tick(process);
    const first = await stored();
    for (let generation = 2; generation < 6; generation++) {
      const known = accepted(b);
      for (const each of [machine(one), machine(two)]) each.now += GENERATION_MS;
      // As long as a host does not know of the change, it accepts what the others send already.
      await a.cluster.sealing.tick(epoch(a));
      const early = hex(hosts(a)[0]?.send ?? assert.fail());
      assert.ok(known.includes(early), `generation ${generation}`);
      await settled();
      for (const process of [a, b]) await tick(process);
      assert.equal(parseSecrets(await stored())?.generation, generation);
      assert.equal(b.cluster.status().keys?.generation, generation);
      assertTalking();
      assert.equal(accepted(a).length, 3);
    }
    assert.notEqual(await stored(), first);
  });

  it('rotate once where all hosts try at the same moment', async () => {
    await use(a, 'cni/a1/eth0');
    await use(b, 'cni/b1/eth0');
    for (const process of [a, b]) await tick(process);
    for (const each of [machine(one), machine(two)]) each.now += GENERATION_MS;
    await Promise.all([a, b].map((process) => process.cluster.sealing.tick(epoch(process))));
    await settled();
    assert.equal(parseSecrets(await stored())?.generation, 2);
    assertTalking();
  });

  it('survive wrong clocks: no generation is shorter than ten minutes', async () => {
    await use(a, 'cni/a1/eth0');
    await use(b, 'cni/b1/eth0');
    for (const process of [a, b]) await tick(process);
    // A year apart, both ways.
    machine(one).now += 365 * 24 * 3_600_000;
    let rotations = 0;
    let last = 1;
    for (let minute = 0; minute < 60; minute++) {
      for (const each of [machine(one), machine(two)]) each.now += 60_000;
      for (const process of [a, b]) await tick(process);
      const { generation } = parseSecrets(await stored()) ?? assert.fail();
      if (generation !== last) rotations++;
      last = generation;
    }
    assert.ok(rotations <= 1, `${rotations} in an hour`);
    assertTalking();
  });

  it('stay as they are while the store is away, also for a process that starts meanwhile', async () => {
    await use(a, 'cni/a1/eth0');
    await use(b, 'cni/b1/eth0');
    const [before, others] = [sent(a), accepted(a)];
    await a.cluster.upkeep.save();
    a[Symbol.dispose]();
    place.stop();
    a = keep(machine(one).open());
    assert.deepEqual([sent(a), accepted(a)], [before, others]);
    place.resume();
    await a.join();
    assertTalking();
    assert.equal(sent(a), before);
  });

  it('are kept in a file that only root can read, whatever was there', async () => {
    await use(a, 'cni/a1/eth0');
    writeFileSync(`${machine(one).keptFile()}.draft`, '', { mode: 0o644 });
    chmodSync(`${machine(one).keptFile()}.draft`, 0o644);
    await a.cluster.upkeep.save();
    const { current } = JSON.parse(await stored()) as { current: string };
    assert.ok(readFileSync(machine(one).keptFile(), 'utf8').includes(current));
    assert.equal(statSync(machine(one).keptFile()).mode & 0o777, 0o600);
    a.cluster.sealing.use([1]);
    assert.equal(statSync(join(machine(one).directory.path, 'esp-salt')).mode & 0o777, 0o600);
  });

  it('are forgotten with the last encrypted network', async () => {
    await use(a, 'cni/a1/eth0');
    await use(b, 'cni/b1/eth0');
    const before = sent(a);
    a.cluster.sealing.close();
    await a.cluster.upkeep.save();
    assert.ok(!readFileSync(machine(one).keptFile(), 'utf8').includes(KEY));
    assert.deepEqual(hosts(a), []);
    assert.equal(a.cluster.sealing.isReady, false);
    await settled();
    assert.deepEqual(hosts(b), [], 'the others forget its keys');
    a.cluster.sealing.close();
    await a.cluster.encrypt();
    await settled();
    assert.equal(a.cluster.sealing.isReady, true);
    assertTalking();
    assert.notEqual(sent(a), before, 'packets are counted from 1 again');
  });

  it('are put again where the store lost them', async () => {
    await use(a, 'cni/a1/eth0');
    await use(b, 'cni/b1/eth0');
    const [before, value] = [sent(a), await stored()];
    place.wipe();
    await settled();
    assert.equal(sent(a), before, 'carried');
    for (const process of [a, b]) await process.join();
    await tick(b);
    assert.equal(await stored(), value);
    assert.equal(sent(a), before);
    assertTalking();
  });

  it('begin anew on a host that was rebooted or has another address, and when it asks for it', async () => {
    await use(a, 'cni/a1/eth0');
    await use(b, 'cni/b1/eth0');
    const seen = new Set([sent(a)]);
    const isNew = (): void => {
      assertTalking();
      assert.ok(!seen.has(sent(a)), 'a key is used again');
      seen.add(sent(a));
    };
    a.cluster.sealing.renew();
    await settled();
    isNew();
    await a.cluster.renumber({ underlay4: '192.0.2.201', mtu: 1500 });
    await settled();
    isNew();
    a.cluster.sealing.use([7]);
    assert.equal(a.cluster.sealing.hasUsed(7), true);
    await a.silence();
    a[Symbol.dispose]();
    machine(one).self = { ...machine(one).self, bootId: 'a-boot-2', underlay4: '192.0.2.201' };
    a = await join_(one);
    assert.equal(a.cluster.sealing.hasUsed(7), false);
    assert.deepEqual(hosts(a), [], 'it has no salt of this boot');
    await use(a, 'cni/a2/eth0');
    isNew();
  });

  it('go on after a restart of the process: the same salt, which the others know', async () => {
    await use(a, 'cni/a1/eth0');
    await use(b, 'cni/b1/eth0');
    const before = sent(a);
    a.cluster.sealing.use([7]);
    a[Symbol.dispose]();
    a = await join_(one);
    await a.cluster.encrypt();
    await settled();
    assert.equal(sent(a), before);
    assert.equal(a.cluster.sealing.hasUsed(7), true);
    // A salt that was lost is another one: its keys must not be used again.
    a[Symbol.dispose]();
    rmSync(join(machine(one).directory.path, 'esp-salt'));
    a = await join_(one);
    await a.cluster.encrypt();
    await settled();
    assert.notEqual(sent(a), before);
    assertTalking();
  });

  it('are made anew where an administrator deletes them', async () => {
    await use(a, 'cni/a1/eth0');
    await use(b, 'cni/b1/eth0');
    const [before, value] = [sent(a), await stored()];
    await a.store.commit({ epoch: epoch(a), compare: [{ kind: 'value', key: KEY, value }], delete: [KEY] });
    await settled();
    assert.deepEqual([hosts(a), a.cluster.sealing.isReady], [[], false]);
    for (const process of [a, b]) await process.cluster.encrypt();
    await settled();
    assertTalking();
    assert.notEqual(sent(a), before);
  });

  it('refuse malformed secrets, without showing them', async () => {
    const value = '{"generation":1,"at":0,"current":"c2VjcmV0","next":"c2VjcmV0"}';
    const compare = [{ kind: 'absent', key: KEY } as const];
    await a.store.commit({ epoch: epoch(a), compare, put: [{ key: KEY, value }] });
    await assert.rejects(a.cluster.encrypt(), ofKind('conflict', /key esp-keys: the cluster's secrets are malformed/));
    await settled();
    const said = inspect(machine(one).lines, { depth: 9 });
    assert.match(said, /cluster entry ignored/);
    assert.ok(!said.includes('c2VjcmV0'));
    await assert.rejects(a.cluster.encrypt(), (error: Error) => !error.message.includes('c2VjcmV0'));
  });

  it('show no secret in status, logs, or by inspection', async () => {
    await use(a, 'cni/a1/eth0');
    await use(b, 'cni/b1/eth0');
    machine(one).now += GENERATION_MS;
    await tick(a);
    const { current, next } = JSON.parse(await stored()) as { current: string; next: string };
    const key = sent(a).split(' ')[1] ?? '';
    const said = [a.cluster.status(), machine(one).lines, hosts(a), a.cluster.sealing].map((what) =>
      inspect(what, { depth: 12, showHidden: true }),
    );
    for (const secret of [current, next, key, Buffer.from(current, 'base64').toString('hex')])
      for (const text of [...said, JSON.stringify(hosts(a))]) assert.ok(!text.includes(secret));
  });

  it('need the store', async () => {
    place.stop();
    await assert.rejects(a.cluster.encrypt(), ofKind('unavailable'));
  });
});

describe('secrets', () => {
  it('are text and back', () => {
    const first = firstSecrets(7);
    for (const secrets of [first, rotated(first, 8), rotated(rotated(first, 8), 9)]) {
      const text = formatSecrets(secrets);
      assert.equal(formatSecrets(parseSecrets(text) ?? assert.fail()), text);
    }
    assert.equal(formatSecrets(rotated(first, 8)).includes(Buffer.from(first.next.reveal()).toString('base64')), true);
  });

  for (const text of ['', '{', 'null', '{}', '{"generation":0,"at":0,"current":"","next":""}'])
    it(`refuse ${JSON.stringify(text)}`, () => assert.equal(parseSecrets(text), undefined));

  it('give each direction, host, address and salt keys of its own, from SPI 256', () => {
    const secret = new Secret(Buffer.alloc(32, 1));
    const end = (host: string, address: string, salt: string) => ({ host, address, salt });
    const [a, b] = [end('a', '192.0.2.7', 's'), end('b', '192.0.2.8', 't')];
    const all = [
      keyOf(secret, a, b),
      keyOf(secret, b, a),
      keyOf(secret, { ...a, salt: 'u' }, b),
      keyOf(secret, a, { ...b, salt: 'u' }),
      keyOf(secret, { ...a, address: '192.0.2.9' }, b),
      keyOf(secret, { ...a, host: 'c' }, b),
      keyOf(new Secret(Buffer.alloc(32, 2)), a, b),
    ];
    assert.equal(new Set(all.map(({ spi }) => spi)).size, all.length);
    assert.equal(new Set(all.map(({ key }) => Buffer.from(key.reveal()).toString('hex'))).size, all.length);
    assert.ok(all.every(({ spi, key }) => spi >= 256 && spi < 2 ** 32 && key.reveal().length === 20));
    assert.deepEqual(keyOf(secret, a, b).spi, all[0]?.spi);
  });
});
