import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseHost, parsePresence } from '../../src/shared/cluster/values.ts';
import { MemoryCluster } from '../../src/shared/testing/memory-cluster.ts';
import { Machine, type Process, SETTINGS, settled, wrapStore } from '../support/cluster-machine.ts';
import { ofKind } from './store-behaviour.ts';

describe('cluster: membership', () => {
  let place: MemoryCluster;
  const opened: Disposable[] = [];
  const machine = (name: string, changes = {}): Machine => keep(new Machine(place, name, changes));
  const keep = <T extends Disposable>(thing: T): T => {
    opened.push(thing);
    return thing;
  };
  const joined = async (one: Machine): Promise<Process> => {
    const process = keep(one.open());
    await process.join();
    return process;
  };
  const states = ({ cluster }: Process): string[] =>
    cluster.status().members.map(({ name, state }) => `${name} ${state}`);
  beforeEach(() => {
    place = new MemoryCluster();
  });
  afterEach(() => {
    for (const thing of opened.splice(0).reverse()) thing[Symbol.dispose]();
  });

  it('shows each host to the others: present, then silent, then present again', async () => {
    const [a, b] = [await joined(machine('a')), await joined(machine('b'))];
    assert.deepEqual(states(a), ['a present', 'b present']);
    assert.deepEqual(a.cluster.peers(), ['192.0.2.98']);
    await b.silence();
    assert.deepEqual(states(a), ['a present', 'b silent']);
    assert.deepEqual(a.cluster.peers(), ['192.0.2.98'], 'its packets are still welcome');
    await b.join();
    assert.deepEqual(states(a), ['a present', 'b present']);
  });

  it('joins in one session, however often the store fails meanwhile, and tells the others no more than once', async () => {
    const a = await joined(machine('a'));
    const one = machine('b');
    const store = one.store();
    let failures = 0;
    let sessions = 0;
    const flaky = wrapStore(store, {
      session: async (ttl, signal) => {
        sessions++;
        return await store.session(ttl, signal);
      },
      list: async (prefix) => {
        // What is listed after the presence was put.
        if (prefix !== 'u/' || failures === 3) return await store.list(prefix);
        failures++;
        throw place.unavailable('list');
      },
    });
    const process = keep(one.open({ store: flaky }));
    const changes: string[] = [];
    const end = new AbortController();
    void (async () => {
      for await (const item of a.store.watch(`up/${one.self.id}`, end.signal))
        if (item.kind === 'changes')
          changes.push(...item.changes.map((change) => (change.kind === 'put' ? change.value : 'gone')));
    })();
    const running = process.cluster.membership.stay(process.session.signal);
    while (!process.cluster.isMember) await sleep(10);
    await settled();
    end.abort();
    assert.deepEqual([failures, sessions], [3, 1]);
    assert.deepEqual(
      changes.map((text) => parsePresence(text)?.isReady),
      [false, true],
    );
    assert.equal(process.cluster.status().obstacle, undefined);
    process.session.abort();
    await running;
  });

  it('ends its session when it stops, and does not wait for a store that is away', async () => {
    const a = await joined(machine('a'));
    const one = machine('b');
    let isAway = false;
    const lost = Promise.withResolvers<void>();
    const store = one.store();
    const slow = wrapStore(store, {
      session: async (ttl, signal) => {
        const session = await store.session(ttl, signal);
        return { ...session, lost: isAway ? lost.promise : session.lost };
      },
    });
    for (isAway of [false, true]) {
      const process = keep(one.open({ store: slow }));
      const running = process.cluster.membership.stay(process.session.signal);
      while (!process.cluster.isMember) await sleep(10);
      await settled();
      assert.deepEqual(states(a), ['a present', 'b present']);
      process.session.abort();
      await running;
      await settled();
      assert.deepEqual(states(a), ['a present', 'b silent']);
      assert.deepEqual(
        one.lines.filter(({ event }) => event === 'cluster session ended'),
        [],
      );
    }
  });

  it('writes the settings once; refuses others with both values', async () => {
    await joined(machine('a'));
    const refused = async (settings: object, message: RegExp): Promise<void> => {
      const process = keep(machine('b').open({ settings: { ...SETTINGS, ...settings } }));
      await assert.rejects(process.join(), ofKind('conflict', message));
      assert.match(process.cluster.status().obstacle ?? '', message);
    };
    await refused({ port: 8472 }, /UDP port: 8472 on host b, 4789 in the cluster/);
    await refused({ underlay: 6 }, /underlay: IPv6 on host b, IPv4 in the cluster/);
    await refused({ lastVni: 5000 }, /VNI range: 4096-5000 on host b, 4096-4999 in the cluster/);
    await joined(machine('c'));
  });

  it('refuses a second live host with the same id, with both names and boots', async () => {
    const a = machine('a');
    await joined(a);
    const copy = keep(machine('copy', { id: a.self.id }).open());
    const message = new RegExp(
      `host copy: host a is in the cluster with the same id ${a.self.id} .*copy-boot-1 and a-boot-1`,
    );
    await assert.rejects(copy.join(), ofKind('conflict', message));
  });

  it('replaces its own session of the same boot: its process died and started again', async () => {
    const a = machine('a');
    const before = await joined(a);
    const after = await joined(a);
    await before.silence();
    assert.deepEqual(states(after), ['a present'], 'the end of the old session changes nothing');
  });

  it('lets a quick reboot in once its old session has ended', async () => {
    const a = machine('a');
    const before = await joined(a);
    a.self = { ...a.self, bootId: 'a-boot-2' };
    const after = keep(a.open());
    await assert.rejects(after.join(), ofKind('conflict', /host a: another boot of it is in the cluster.*wait 30 s/));
    await before.silence();
    await after.join();
    assert.deepEqual(states(after), ['a present']);
  });

  it('rewrites one key for another underlay address, and peers see it', async () => {
    const machines = [machine('a'), machine('b')];
    const [a, b] = await Promise.all(machines.map(joined));
    assert.ok(a && b && machines[1]);
    const commits = machines[1].commits;
    await b.cluster.renumber({ underlay4: '192.0.2.200', mtu: 1500 });
    await settled();
    assert.equal(machines[1].commits - commits, 1);
    assert.deepEqual(a.cluster.peers(), ['192.0.2.200']);
    await b.cluster.renumber({ underlay4: '192.0.2.200', mtu: 1500 });
    assert.equal(machines[1].commits - commits, 1, 'nothing to rewrite');
  });

  it('answers `unavailable` with the reason until it has joined', async () => {
    place.stop();
    const a = keep(machine('a').open());
    await assert.rejects(a.cluster.networks.use('n'), ofKind('unavailable', /has not joined|it is stopped/));
    await assert.rejects(a.join(), ofKind('unavailable'));
    await settled();
    assert.match(a.cluster.status().obstacle ?? '', /it is stopped/);
    assert.match(a.cluster.status().watches[0]?.lost?.why ?? '', /it is stopped/);
    place.resume();
    await a.join();
    assert.equal(a.cluster.status().isMember, true);
    assert.equal(a.cluster.status().obstacle, undefined);
    assert.ok(a.cluster.status().watches.every(({ lost }) => lost === undefined));
  });

  it('joins again by itself after its session is lost, and after the store lost its data', async function () {
    this.timeout(10_000);
    const a = keep(machine('a').open());
    const end = new AbortController();
    const running = a.cluster.run(end.signal);
    try {
      await until(() => a.cluster.status().isMember);
      const { entries } = await a.store.list('up/');
      place.endSession([...entries.values()][0]?.session ?? '');
      await until(() => !a.cluster.status().isMember);
      await until(() => a.cluster.status().isMember);
      const { epoch } = a.cluster.status();
      place.wipe();
      await until(() => a.cluster.status().epoch !== epoch && a.cluster.status().isMember);
      assert.equal((await a.store.list('host/')).entries.size, 1);
    } finally {
      end.abort();
      await running;
    }
  });

  it('ignores what it did not write, and says so once', async () => {
    const a = machine('a');
    const process = await joined(a);
    const { epoch } = await process.store.list('host/');
    for (const value of ['{', 'null'])
      await process.store.commit({
        epoch,
        compare: value === '{' ? [{ kind: 'absent', key: 'host/x' }] : [{ kind: 'value', key: 'host/x', value: '{' }],
        put: [{ key: 'host/x', value }],
      });
    await settled();
    assert.deepEqual(states(process), ['a present']);
    assert.deepEqual(
      a.lines.map(({ event }) => event),
      ['cluster entry ignored'],
    );
  });

  it('returns after a reboot with another boot id in its record', async () => {
    const a = machine('a');
    await (await joined(a)).silence();
    a.self = { ...a.self, bootId: 'a-boot-2' };
    const after = await joined(a);
    const [entry] = (await after.store.list('host/')).entries.values();
    assert.equal(parseHost(entry?.value ?? '')?.bootId, 'a-boot-2');
  });
});

async function until(isTrue: () => boolean): Promise<void> {
  for (const end = Date.now() + 5_000; !isTrue(); ) {
    assert.ok(Date.now() < end, 'not in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
