import { strict as assert } from 'node:assert';
import { HeldPorts } from '../../src/shared/core/ports/held-ports.ts';
import type { OpenRelay } from '../../src/shared/core/ports/held-span.ts';
import { RUNTIME_MS } from '../../src/shared/core/ports/left-ports.ts';
import type { Attachment } from '../../src/shared/model/attachment.ts';
import type { Endpoint } from '../../src/shared/model/endpoint.ts';
import type { RelayFacts } from '../../src/shared/model/firewall.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { FakePortSockets, placeText } from '../../src/shared/testing/fake-port-sockets.ts';
import { MemoryStore } from '../../src/shared/testing/memory-store.ts';

const owner = (index: number, network = 'web'): Attachment => ({
  ...{ camp: 'cni', network, containerId: `pod${index}`, ifName: 'eth0' },
});
const RELAY: RelayFacts = { protocol: 'tcp', hostPort: 80, address: '10.88.0.2', port: 8080 };

describe('held ports', () => {
  let sockets: FakePortSockets;
  let store: MemoryStore;
  let held: HeldPorts;
  let now: number;
  let due: { at: number; work: () => void }[];
  let relays: Map<string, { target: string; failed: () => void }>;
  let log: string[];
  let rests: number;

  beforeEach(() => start());
  const start = (limit = 1000, step = 0): void => {
    sockets = new FakePortSockets();
    store = new MemoryStore(new FakeHost().identity);
    [now, due, relays, log, rests] = [0, [], new Map(), [], 0];
    const relay: OpenRelay = (place, { address, port }, failed) => {
      relays.set(placeText(place), { target: `${address}:${port}`, failed });
      return { [Symbol.dispose]: () => relays.delete(placeText(place)) };
    };
    const say = (event: string, fields = {}) => log.push(`${event} ${Object.values(fields).join(' ')}`);
    held = new HeldPorts({
      ...{ sockets, relay, limit, log: { error: say, warn: say, info: say, debug: say } },
      rest: async () => {
        rests++;
      },
      clock: {
        now: () => {
          now += step;
          return now;
        },
        after: (ms, work) => {
          const one = { at: now + ms, work };
          due.push(one);
          return () => {
            due = due.filter((other) => other !== one);
          };
        },
      },
    });
  };
  /** Lets the time pass, and what is due happen. */
  const pass = async (ms: number): Promise<void> => {
    const until = now + ms;
    for (;;) {
      const [next] = due.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at);
      if (next === undefined) break;
      due = due.filter((one) => one !== next);
      now = Math.max(now, next.at);
      next.work();
      await settled();
    }
    now = until;
  };
  const settled = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) await Promise.resolve();
  };
  const all = (): string[] => [...sockets.open.values()].sort();
  const take = (index: number, hostPort: number, more = {}, network = 'web'): void =>
    store.ports.take({ protocol: 'tcp', hostPort, owner: owner(index, network), ...more });
  const relaying = (index: number, relay: RelayFacts): void =>
    store.endpoints.put({
      ...{ kind: 'ports', role: 'portmap', attachment: owner(index), progress: 'ready', sandbox: { path: '', id: '' } },
      published: { backend: 'nftables', entries: [], relays: [relay] },
    } as Endpoint);

  it('are the claims on record', async () => {
    take(1, 80);
    take(1, 9000, { protocol: 'udp', count: 3, hostIp: '192.0.2.1' });
    await held.reconcile(store);
    assert.deepEqual(all(), ['tcp * 80', 'udp 192.0.2.14 9000', 'udp 192.0.2.14 9001', 'udp 192.0.2.14 9002']);
    store.ports.release(owner(1));
    held.settle(store, owner(1));
    assert.deepEqual(all(), []);
  });

  it('are reserved before they are claimed; a pass meanwhile changes nothing', async () => {
    assert.deepEqual(await held.reserve(owner(1), [{ protocol: 'tcp', hostPort: 80 }]), []);
    await held.reconcile(store);
    assert.deepEqual(all(), ['tcp * 80']);
    held.settle(store, owner(1));
    assert.deepEqual(all(), []);
  });

  it('of another container are no obstacle: the claims decide', async () => {
    take(1, 80);
    await held.reconcile(store);
    assert.deepEqual(await held.reserve(owner(2), [{ protocol: 'tcp', hostPort: 80 }]), []);
    held.settle(store, owner(2));
    assert.deepEqual(all(), ['tcp * 80']);
  });

  it('are held once for two attachments of a container, until the last has gone', async () => {
    take(1, 80);
    take(1, 80, {}, 'other');
    await held.reconcile(store);
    store.ports.release(owner(1));
    held.settle(store, owner(1));
    assert.deepEqual(all(), ['tcp * 80']);
    store.ports.release(owner(1, 'other'));
    held.settle(store, owner(1, 'other'));
    assert.deepEqual(all(), []);
  });

  it('that are taken are told once, and held when they are free', async () => {
    sockets.refused.set('tcp * 81', 'taken');
    const ports = [80, 81].map((hostPort) => ({ protocol: 'tcp' as const, hostPort }));
    assert.deepEqual(await held.reserve(owner(1), ports), ports.slice(1));
    assert.deepEqual(log, []);
    take(1, 80);
    take(1, 81);
    held.settle(store, owner(1));
    await settled();
    await pass(60_000);
    assert.deepEqual(log, ['ports.not.held * 81/tcp another socket has it; the daemon takes it when it is free']);
    sockets.refused.clear();
    await pass(300_000);
    assert.deepEqual(all(), ['tcp * 80', 'tcp * 81']);
    assert.deepEqual(due, []);
  });

  it('that the kernel refuses are told once, are looked at otherwise, and are held when it has the protocol', async () => {
    const port = { protocol: 'sctp', hostPort: 80 } as const;
    sockets.refused.set('sctp * 80', 'refused');
    assert.deepEqual(await held.reserve(owner(1), [port]), [port]);
    take(1, 80, { protocol: 'sctp' });
    held.settle(store, owner(1));
    await pass(600_000);
    await held.reconcile(store);
    store.ports.release(owner(1));
    held.settle(store, owner(1));
    take(2, 80, { protocol: 'sctp' });
    held.settle(store, owner(2));
    await pass(600_000);
    assert.deepEqual([all(), log], [[], ['ports.not.held * 80/sctp the kernel refuses it']]);
    sockets.refused.clear();
    await pass(600_000);
    assert.deepEqual([all(), due], [['sctp * 80'], []]);
  });

  it('of a runtime that binds them itself are left to it', async () => {
    const port = { protocol: 'tcp', hostPort: 80 } as const;
    const call = held.leaving();
    assert.deepEqual(await call.reserve(owner(1), [port]), [port]);
    take(1, 80);
    call.settle(store, owner(1));
    await held.reconcile(store);
    await pass(RUNTIME_MS - 1);
    assert.deepEqual(all(), []);
    await pass(2 * RUNTIME_MS);
    assert.deepEqual(all(), ['tcp * 80']);
  });

  it('that another process published are left to its runtime first, except at the start', async () => {
    await held.reconcile(store);
    take(1, 80);
    await held.reconcile(store);
    assert.deepEqual(all(), []);
    await pass(2 * RUNTIME_MS);
    assert.deepEqual(all(), ['tcp * 80']);
  });

  it('stop at the limit of open files, which is told once', async () => {
    start(100);
    take(1, 1000, { count: 500 });
    take(2, 2000, { count: 500 });
    await held.reconcile(store);
    assert.ok(all().length >= 100 && all().length < 200, `${all().length} are open`);
    assert.equal(log.length, 1);
    assert.match(log[0] ?? '', /raise LimitNOFILE/);
    for (const index of [1, 2]) {
      store.ports.release(owner(index));
      held.settle(store, owner(index));
    }
    await settled();
    take(3, 80);
    held.settle(store, owner(3));
    assert.deepEqual(all(), ['tcp * 80']);
  });

  it('come in slices, between which others have their turn', async () => {
    start(100_000, 1);
    take(1, 10_000, { protocol: 'udp', count: 16_384 });
    await held.reconcile(store);
    assert.equal(all().length, 16_384);
    assert.ok(rests > 20, `${rests} rests`);
    held[Symbol.dispose]();
    assert.deepEqual(all(), []);
  });

  it('are relayed in IPv6 where the record says so, and held in IPv4', async () => {
    take(1, 80);
    relaying(1, RELAY);
    await held.reconcile(store);
    assert.deepEqual(all(), ['tcp *4 80']);
    assert.deepEqual(
      [...relays].map(([at, { target }]) => `${at} -> ${target}`),
      ['tcp *6 80 -> 10.88.0.2:8080'],
    );
    store.ports.release(owner(1));
    held.settle(store, owner(1));
    assert.deepEqual([all(), relays.size], [[], 0]);
  });

  it('start a relay again that failed', async () => {
    take(1, 80);
    relaying(1, RELAY);
    await held.reconcile(store);
    const [relay] = relays.values();
    relays.clear();
    relay?.failed();
    await pass(1000);
    assert.equal(relays.size, 1);
  });

  it('reserve a port that is relayed already without a look at its socket', async () => {
    take(1, 80);
    relaying(1, RELAY);
    await held.reconcile(store);
    sockets.refused.set('tcp * 80', 'taken');
    assert.deepEqual(await held.reserve(owner(1, 'other'), [{ protocol: 'tcp', hostPort: 80 }]), []);
  });
});
