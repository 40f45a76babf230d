import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { addressesOf, parseTableKey } from '../../src/shared/cluster/keys.ts';
import { ownerOf } from '../../src/shared/cluster/ledger.ts';
import { MemoryCluster } from '../../src/shared/testing/memory-cluster.ts';
import { Gate, gatedLocal, gatedStore, isCrash } from '../support/cluster-gate.ts';
import { Machine, networkRequest, type Process, settled } from '../support/cluster-machine.ts';

type Kind = 'lost' | 'late' | 'add' | 'del' | 'tick' | 'kill' | 'reboot' | 'silence' | 'rejoin' | 'forget';
interface HostStep {
  readonly kind: Kind;
  readonly host: number;
  readonly count?: number;
  readonly crashAt?: number | undefined;
}
interface PlaceStep {
  readonly kind: 'stop' | 'resume' | 'compact' | 'wipe' | 'wait';
}
type Step = HostStep | PlaceStep;

const HOSTS = ['a', 'b', 'c'];

/** A host of the schedule, with the endpoints that its local store says are there. */
class Host {
  readonly machine: Machine;
  process: Process | undefined;
  gate = new Gate();
  /** Commits on their way, also of processes that died. */
  readonly landings: (() => Promise<unknown>)[] = [];
  #next = 0;

  constructor(place: MemoryCluster, name: string) {
    this.machine = new Machine(place, name);
  }

  /** Endpoint → the keys of its addresses. */
  endpoints(): Map<string, string[]> {
    const local = this.machine.local();
    const prefix = `endpoint ${this.machine.self.bootId} `;
    return new Map(
      local.notes.keys(prefix).map((key) => [key.slice(prefix.length), (local.notes.get(key) ?? '').split(' ')]),
    );
  }

  start(): Process {
    if (this.process !== undefined) return this.process;
    this.gate = new Gate(this.landings);
    const gate = this.gate;
    const parts = { store: gatedStore(this.machine.store(), gate), local: gatedLocal(this.machine.local(), gate) };
    this.process = this.machine.open(parts);
    return this.process;
  }

  /** kill -9: its session goes on until somebody ends it. */
  kill(): void {
    this.gate.kill();
    this.process?.cluster[Symbol.dispose]();
    this.process = undefined;
  }

  async reboot(place: MemoryCluster): Promise<void> {
    this.kill();
    await this.endSession(place);
    const [name, number] = this.machine.self.bootId.split('-boot-');
    this.machine.self = { ...this.machine.self, bootId: `${name}-boot-${Number(number) + 1}` };
  }

  /** Its session has run out. */
  async endSession(place: MemoryCluster): Promise<void> {
    const entry = place.list(`up/${this.machine.self.id}`).entries.values().next().value;
    if (entry?.session !== undefined) place.endSession(entry.session);
    await settled();
  }

  async add(network: string): Promise<void> {
    const { cluster, local } = this.start();
    const endpoint = `cni/${this.machine.self.name}${this.#next++}/eth0`;
    await cluster.networks.use(network);
    const claim = await cluster.addresses.claim({ network, requested: [], endpoint });
    const keys = claim.rows.map(({ key }) => key).join(' ');
    local.transaction(() => {
      cluster.addresses.settle(claim);
      local.notes.put(`endpoint ${this.machine.self.bootId} ${endpoint}`, keys);
    });
  }

  del(network: string): void {
    const { cluster, local } = this.start();
    const [endpoint] = this.endpoints().keys();
    if (endpoint === undefined) return;
    local.transaction(() => {
      cluster.addresses.release(network, { endpoint });
      local.notes.delete(`endpoint ${this.machine.self.bootId} ${endpoint}`);
    });
  }
}

const host = fc.nat(HOSTS.length - 1);
const crashAt = fc.option(fc.nat(14), { nil: undefined });
const step = (wild: boolean): fc.Arbitrary<Step> =>
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ kind: fc.constant('add' as const), host, count: fc.integer({ min: 1, max: 3 }), crashAt }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('del' as const), host, crashAt }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('tick' as const), host, crashAt }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom('kill' as const, 'reboot' as const, 'silence' as const, 'lost' as const, 'late' as const),
        host,
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('rejoin' as const), host, crashAt }) },
    {
      weight: 2,
      arbitrary: fc.constantFrom<Step>({ kind: 'stop' }, { kind: 'resume' }, { kind: 'compact' }, { kind: 'wait' }),
    },
    ...(wild
      ? [
          { weight: 1, arbitrary: fc.constant<Step>({ kind: 'wipe' }) },
          { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const), host }) },
        ]
      : []),
  ) as fc.Arbitrary<Step>;

describe('property: a cluster of three hosts', function () {
  this.timeout(120_000);
  const runs = Number(process.env.ISTHMUS_CLUSTER_RUNS ?? 60);

  it('gives no address twice and loses none, wherever a host crashes and the store goes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step(false), { maxLength: 40 }), (steps) => run(steps, false)),
      { numRuns: runs },
    );
  });

  it('wiped, and with forgotten hosts: reports what two hosts have, and loses none', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step(true), { maxLength: 40 }), (steps) => run(steps, true)),
      { numRuns: runs },
    );
  });
});

async function run(steps: readonly Step[], wild: boolean): Promise<void> {
  const place = new MemoryCluster();
  const hosts = HOSTS.map((name) => new Host(place, name));
  try {
    for (const one of hosts) await one.start().join();
    const { id } = await (hosts[0]
      ?.start()
      .cluster.networks.create(networkRequest('web', { subnets: ['10.9.0.0/27'] })) ?? assert.fail());
    await settled();
    for (const one of hosts) await one.start().cluster.networks.use(id);
    for (const step of steps) {
      await perform(place, hosts, id, step);
      await settled();
      if (!wild) assertApart(hosts);
    }
    await recover(place, hosts);
    await assertEqual(place, hosts, id, wild);
  } finally {
    for (const one of hosts) {
      one.kill();
      one.machine[Symbol.dispose]();
    }
  }
}

async function perform(place: MemoryCluster, hosts: readonly Host[], network: string, step: Step): Promise<void> {
  if (!('host' in step)) return await disturb(place, hosts, step);
  const one = hosts[step.host];
  if (one === undefined) return;
  if (step.kind === 'kill') return one.kill();
  if (step.kind === 'reboot') return await one.reboot(place);
  if (step.kind === 'silence') return await one.endSession(place);
  if (step.kind === 'lost' || step.kind === 'late') {
    one.start();
    one.gate.fault = step.kind;
    return;
  }
  const process = one.start();
  if (step.crashAt !== undefined) one.gate.killAfter(step.crashAt);
  const works =
    step.kind === 'add'
      ? Array.from({ length: step.count ?? 1 }, () => one.add(network))
      : [work(one, hosts, process, network, step.kind)];
  for (const outcome of await Promise.allSettled(works))
    if (outcome.status === 'rejected' && !isExpected(outcome.reason)) throw outcome.reason;
  if (one.gate.isDead) one.kill();
  else one.gate.killAfter(Number.POSITIVE_INFINITY);
}

async function disturb(place: MemoryCluster, hosts: readonly Host[], { kind }: PlaceStep): Promise<void> {
  if (kind === 'wait') await land(hosts);
  if (kind === 'stop') place.stop();
  else if (kind === 'resume') place.resume();
  else if (kind === 'compact') place.compact();
  else if (kind === 'wipe') place.wipe();
  else for (const { machine } of hosts) machine.now += 6_000;
}

/** What was sent before and nobody answered arrives at the store, which may refuse it. */
async function land(hosts: readonly Host[]): Promise<void> {
  for (const one of hosts) for (const landing of one.landings.splice(0)) await landing().catch(() => {});
}

async function work(one: Host, hosts: readonly Host[], process: Process, network: string, kind: Kind): Promise<void> {
  if (kind === 'del') one.del(network);
  else if (kind === 'tick') await process.cluster.upkeep.tick();
  else if (kind === 'rejoin') await process.join();
  else {
    const other = hosts[(hosts.indexOf(one) + 1) % hosts.length];
    if (other !== undefined) await other.start().cluster.forget(one.machine.self.name);
  }
}

function isExpected(error: unknown): boolean {
  const text = String(error);
  return (
    isCrash(error) ||
    /unavailable|stopped|not joined|not in its cluster|lost its data|no address of|no answer|may still change|session|renews|no such|has deleted|given up/.test(
      text,
    )
  );
}

/** No address is used on two hosts. */
function assertApart(hosts: readonly Host[]): void {
  const used = hosts.flatMap((one) => [...one.endpoints().values()].flat());
  assert.equal(new Set(used).size, used.length, `used twice: ${used.join(' ')}`);
}

/** The store is there, all hosts are, and the outboxes had time. */
async function recover(place: MemoryCluster, hosts: readonly Host[]): Promise<void> {
  place.resume();
  for (const { gate } of hosts) gate.fault = undefined;
  await land(hosts);
  await settled();
  for (const round of [1, 2, 3, 4]) {
    for (const one of hosts) {
      one.machine.now += 31_000;
      const process = one.start();
      await process.join();
      const { epoch = '' } = process.cluster.status();
      await process.cluster.upkeep.tick();
      if (round > 1) await process.cluster.upkeep.verify(epoch);
      await settled();
    }
  }
}

async function assertEqual(
  place: MemoryCluster,
  hosts: readonly Host[],
  network: string,
  wild: boolean,
): Promise<void> {
  const { entries } = place.list(addressesOf(network));
  for (const one of hosts) {
    const { self } = one.machine;
    const stored = [...entries.values()]
      .filter(({ key, value }) => ownerOf(key, value) === self.id)
      .map(({ key }) => key);
    const used = [...one.endpoints().values()].flat().sort();
    const conflicts = one.process?.cluster.status().conflicts.map(({ key }) => key) ?? [];
    if (!wild) assert.deepEqual(conflicts, []);
    const isGone = place.list(`net/${network}`).entries.size === 0;
    if (isGone) continue;
    assert.deepEqual(
      stored,
      used.filter((key) => !conflicts.includes(key)),
      `host ${self.name}: the store and its endpoints`,
    );
    for (const key of conflicts.filter((key) => parseTableKey(key)?.kind === 'a'))
      assert.ok(entries.has(key), `${key} is another's`);
    const report = one.process?.cluster.status();
    assert.equal(report?.outbox, 0, `host ${self.name}: its outbox`);
    const table = report?.networks.find(({ id }) => id === network);
    if (table !== undefined)
      assert.deepEqual([table.entries, table.carried], [entries.size, 0], `host ${self.name}: its copy`);
    const remote = one.process?.cluster.remote(network);
    if (remote?.mode !== 'shared') continue;
    const others = [...entries.values()].filter(({ key, value }) => ownerOf(key, value) !== self.id);
    assert.equal(
      remote.endpoints.flatMap(({ addresses }) => addresses).length,
      others.length,
      `host ${self.name}: remote entries`,
    );
  }
}
