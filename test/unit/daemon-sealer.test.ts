import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { Sealer } from '../../cmd/cnm-shim/cluster-seal.ts';
import { GENERATION_MS } from '../../src/shared/cluster/sealing.ts';
import { SEAL_QUERY } from '../../src/shared/core/remote/seal.ts';
import type { XfrmPolicy, XfrmStateInfo } from '../../src/shared/model/xfrm.ts';
import type { CallCore } from '../../src/shared/runtime/make-core.ts';
import { FakeHost, type FakeOptions } from '../../src/shared/testing/fake-host.ts';
import { MemoryCluster } from '../../src/shared/testing/memory-cluster.ts';
import { Machine, networkRequest, type Process, settled } from '../support/cluster-machine.ts';
import { ofKind } from './store-behaviour.ts';

const ENCRYPTED = { flood: false, hostAddress: false, internal: false, encrypted: true };

/** A daemon's part in a cluster, and its kernel. */
class Site implements Disposable {
  readonly machine: Machine;
  readonly host: FakeHost;
  process: Process;
  sealer: Sealer;
  /** What somebody who changes the kernel is heard by. */
  heard: (() => void) | undefined;

  constructor(machine: Machine, options: FakeOptions = {}) {
    this.machine = machine;
    this.host = new FakeHost(options);
    this.process = machine.open();
    this.sealer = this.#sealer();
  }

  /** The daemon dies, and starts again. */
  async restart(): Promise<void> {
    await this.process.cluster.upkeep.save();
    this.sealer[Symbol.dispose]();
    this.process[Symbol.dispose]();
    this.process = this.machine.open();
    this.sealer = this.#sealer();
    await this.process.join();
  }

  seen(): { readonly states: readonly XfrmStateInfo[]; readonly policies: readonly XfrmPolicy[] } {
    const { states, policies } = this.host.observe(this.host.own, SEAL_QUERY);
    return { states, policies };
  }

  /** SPIs towards another host: of the policy, and of the associations. */
  sends(to: Site): { readonly policy: number; readonly states: readonly number[] } {
    const { underlay4: dst } = to.machine.self;
    const policy = this.seen().policies.find((one) => one.direction === 'out' && one.dst === dst)?.through?.spi ?? 0;
    return { policy, states: this.seen().states.flatMap((state) => (state.dst === dst ? [state.spi] : [])) };
  }

  accepts(): number[] {
    const { underlay4: own } = this.machine.self;
    return this.seen().states.flatMap(({ dst, spi }) => (dst === own ? [spi] : []));
  }

  [Symbol.dispose](): void {
    this.sealer[Symbol.dispose]();
    this.process[Symbol.dispose]();
    this.machine[Symbol.dispose]();
  }

  #sealer(): Sealer {
    const { process, machine } = this;
    const logger = (level: string) => (event: string, fields?: unknown) =>
      void machine.lines.push({ level, event, fields });
    return new Sealer({
      ...{ host: this.host, family: 4, port: 4789, cluster: () => process.cluster, self: () => machine.self },
      log: { error: logger('error'), warn: logger('warn'), info: logger('info'), debug: logger('debug') },
      core: () => ({ store: process.local, [Symbol.dispose]: () => {} }) as unknown as CallCore,
      watch: (heard) => {
        this.heard = heard;
        return { [Symbol.dispose]: () => (this.heard = undefined) };
      },
    });
  }
}

describe("the kernel's part of encrypted networks", () => {
  let place: MemoryCluster;
  let id: string;
  const sites: Site[] = [];
  const site = async (name: string, options: FakeOptions = {}): Promise<Site> => {
    const made = new Site(new Machine(place, name), options);
    sites.push(made);
    await made.process.join();
    return made;
  };
  const enter = async (one: Site, network = id): Promise<void> => {
    await one.process.cluster.networks.use(network);
    await one.sealer.enter('web');
    await settled();
    for (const each of sites) each.sealer.sync();
  };
  const assertTalking = (a: Site, b: Site): void => {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const { policy, states } = from.sends(to);
      assert.deepEqual(states, [policy]);
      assert.ok(to.accepts().includes(policy));
    }
  };

  beforeEach(async () => {
    place = new MemoryCluster();
    const first = await site('a');
    ({ id } = await first.process.cluster.networks.create(networkRequest('web', { options: ENCRYPTED })));
    await settled();
  });
  afterEach(() => {
    for (const one of sites.splice(0)) one[Symbol.dispose]();
  });
  const at = (index: number): Site => sites[index] ?? assert.fail();

  it('is nothing on a host without encrypted networks', async () => {
    at(0).sealer.sync();
    await at(0).sealer.complete();
    assert.deepEqual(at(0).seen(), { states: [], policies: [] });
    assert.equal(at(0).heard, undefined);
  });

  it('drops clear text before the first other host is there, and encrypts from then on', async () => {
    await enter(at(0));
    assert.deepEqual(
      at(0)
        .seen()
        .policies.map(({ direction, through }) => [direction, through]),
      [
        ['in', undefined],
        ['out', undefined],
      ],
    );
    const b = await site('b');
    await enter(b);
    assertTalking(at(0), b);
  });

  it('follows each generation, in both kernels', async () => {
    const b = await site('b');
    for (const one of [at(0), b]) await enter(one);
    const seen = new Set([at(0).sends(b).policy]);
    for (let generation = 2; generation < 5; generation++) {
      for (const { process, machine } of sites) {
        await process.cluster.sealing.tick(process.cluster.status().epoch ?? '');
        machine.now += GENERATION_MS;
      }
      await at(0).process.cluster.sealing.tick(at(0).process.cluster.status().epoch ?? '');
      // Before b has heard of it.
      at(0).sealer.sync();
      assert.ok(b.accepts().includes(at(0).sends(b).policy));
      await settled();
      for (const each of sites) each.sealer.sync();
      assertTalking(at(0), b);
      seen.add(at(0).sends(b).policy);
    }
    assert.equal(seen.size, 4);
    assert.equal(at(0).seen().states.length, 4, 'three to receive with, one to send with');
  });

  it('leaves everything as it is when the daemon restarts', async () => {
    const b = await site('b');
    for (const one of [at(0), b]) await enter(one);
    const before = at(0).host.toString();
    await at(0).restart();
    await at(0).sealer.complete();
    at(0).sealer.sync();
    assert.equal(at(0).host.toString(), before);
    assertTalking(at(0), b);
  });

  it('never counts packets of one key from 1 twice: flushed associations come with other keys', async () => {
    const b = await site('b');
    for (const one of [at(0), b]) await enter(one);
    const { policy: before } = at(0).sends(b);
    const { states, policies } = at(0).seen();
    const { host } = at(0);
    for (const state of states) host.apply([{ op: 'xfrm.state.delete', ns: 'host', state }], { host: host.own });
    for (const policy of policies) host.apply([{ op: 'xfrm.policy.delete', ns: 'host', policy }], { host: host.own });
    for (let event = 0; event < 100; event++) at(0).heard?.();
    await sleep(20);
    assert.equal(at(0).seen().policies.length, 4, 'repaired at once');
    assert.notEqual(at(0).sends(b).policy, before);
    await settled();
    b.sealer.sync();
    assertTalking(at(0), b);
  });

  it('goes with the last encrypted network, and begins with other keys after it', async () => {
    const b = await site('b');
    for (const one of [at(0), b]) await enter(one);
    const { policy: before } = at(0).sends(b);
    at(0).process.cluster.networks.leave(id);
    await at(0).sealer.complete();
    assert.deepEqual(at(0).seen(), { states: [], policies: [] });
    assert.equal(at(0).heard, undefined);
    await settled();
    b.sealer.sync();
    assert.equal(b.seen().states.length, 0);
    await at(0).process.cluster.upkeep.tick();
    await enter(at(0));
    assertTalking(at(0), b);
    assert.notEqual(at(0).sends(b).policy, before);
  });

  it('refuses a host without ESP, before anything is made', async () => {
    const c = await site('c', { esp: false });
    assert.throws(
      () => c.sealer.assertEsp('web'),
      ofKind('unsupported', /network web: this kernel has no ESP \(CONFIG_INET_ESP\) with AES-GCM/),
    );
    assert.deepEqual(c.seen(), { states: [], policies: [] });
    at(0).sealer.assertEsp('web');
    assert.deepEqual(at(0).seen(), { states: [], policies: [] });
  });

  it('drops where a kernel has lost its ESP since, and says so once', async () => {
    const c = await site('c', { esp: false });
    await enter(at(0));
    await enter(c);
    for (let look = 0; look < 3; look++) c.sealer.sync();
    const said = c.machine.lines.filter(({ level }) => level === 'warn');
    assert.equal(said.length, 1);
    assert.match(JSON.stringify(said), /ESP \(esp4, esp6\)/);
    assert.deepEqual(c.seen().states, []);
    assert.ok(c.seen().policies.some(({ direction, through }) => direction === 'out' && through === undefined));
  });
});
