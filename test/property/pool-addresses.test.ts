import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { expireRequests, releaseAddress, usePools } from '../../src/shared/core/pools/pools.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { free } from '../../src/shared/ipam/free.ts';
import { release } from '../../src/shared/ipam/leases.ts';
import { hostId } from '../../src/shared/model/attachment.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import type { PoolRow } from '../../src/shared/store/store.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { addrOf, prefixOf } from '../support/addresses.ts';
import { makeCore, scopeOf } from '../support/core.ts';
import { makeTempDir } from '../support/temp.ts';
import { range } from '../unit/ipam-support.ts';
import { dockerEndpoint, PoolLab, podOf } from '../unit/pools-support.ts';
import { dockerNetwork, network } from '../unit/store-behaviour.ts';

const SUBNET = '10.88.0.0/28';
const SETS = [[range(SUBNET)]];
const ALL = Array.from({ length: 14 }, (_, i) => `10.88.0.${i + 1}`);
const [GATEWAY = ''] = ALL;

/** The actions of dockerd and CNI, in any order. `at` is an address of the subnet, network and broadcast included. */
type Step =
  | { readonly what: 'pod' | 'unpod' | 'claim' | 'withdraw'; readonly id: number; readonly at: number }
  | { readonly what: 'request' | 'explicit' | 'auxiliary' | 'release'; readonly pool: number; readonly at: number }
  | { readonly what: 'expire' };

const at = fc.nat(15);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ what: fc.constantFrom('pod', 'unpod', 'claim', 'withdraw'), id: fc.nat(9), at }),
  fc.record({
    what: fc.constantFrom('request', 'request', 'request', 'explicit', 'auxiliary', 'release'),
    pool: fc.nat(1),
    at,
  }),
  fc.record({ what: fc.constant('expire') }),
);

/** The owner of each address, in the simplest model. */
class Model {
  readonly leased = new Map<string, string>();
  readonly reserved = [new Set<string>(), new Set<string>()] as const;

  isReserved(address: string): boolean {
    return address === GATEWAY || this.reserved.some((set) => set.has(address));
  }

  free(): string[] {
    return ALL.filter((address) => !this.isReserved(address) && !this.leased.has(address));
  }

  of(who: string): string[] {
    return [...this.leased].filter(([, holder]) => holder === who).map(([address]) => address);
  }
}

/** The answer without its prefix length, or the kind of the error. */
function attempt(work: () => string): string {
  try {
    return work().replace(/\/.*/, '');
  } catch (error) {
    assert.ok(error instanceof NetError, String(error));
    return error.kind;
  }
}

/** One of the free addresses, or `exhausted` if there is none. */
function assertChosen(given: string, model: Model): void {
  const choice = model.free();
  if (choice.length === 0) assert.equal(given, 'exhausted');
  else assert.ok(choice.includes(given), `${given} of ${choice}`);
}

function take(lab: PoolLab, model: Model, pools: readonly PoolRow[], now: number, todo: Step): void {
  if (todo.what === 'expire') {
    expireRequests(lab.core, now);
    for (const address of model.of('requested')) model.leased.delete(address);
    return;
  }
  const address = `10.88.0.${todo.at}`;
  const inside = ALL.includes(address);
  const holder = model.leased.get(address);
  const [first] = pools;
  assert.ok(first);
  switch (todo.what) {
    case 'pod': {
      const who = `pod${todo.id}`;
      const given = attempt(() => lab.pod(who, SETS));
      if (model.of(who).length > 0) {
        assert.equal(given, 'conflict');
        return;
      }
      assertChosen(given, model);
      if (given !== 'exhausted') model.leased.set(given, who);
      return;
    }
    case 'unpod':
      release(lab.store, scopeOf(), podOf(`pod${todo.id}`));
      for (const one of model.of(`pod${todo.id}`)) model.leased.delete(one);
      return;
    case 'claim': {
      if (!inside) return;
      const who = `c${todo.id}`;
      const refused = model.isReserved(address) || (holder !== undefined && holder !== who && holder !== 'requested');
      const done = attempt(() => {
        lab.claim(first, address, who);
        return 'done';
      });
      assert.equal(done, refused ? 'conflict' : 'done');
      if (!refused) model.leased.set(address, who);
      return;
    }
    case 'withdraw':
      release(lab.store, scopeOf(), dockerEndpoint(`c${todo.id}`));
      for (const one of model.of(`c${todo.id}`)) model.leased.delete(one);
      return;
  }
  const pool = pools[todo.pool];
  const reserved = model.reserved[todo.pool];
  assert.ok(pool && reserved);
  switch (todo.what) {
    case 'request': {
      const given = attempt(() => lab.ask(pool, 'endpoint', undefined, now));
      assertChosen(given, model);
      if (given !== 'exhausted') model.leased.set(given, 'requested');
      return;
    }
    case 'explicit': {
      const refused = model.isReserved(address) || (holder !== undefined && holder !== 'requested');
      const given = attempt(() => lab.ask(pool, 'endpoint', address, now));
      assert.equal(given, !inside ? 'invalid-config' : refused ? 'conflict' : address);
      if (given === address) model.leased.set(address, 'requested');
      return;
    }
    case 'auxiliary': {
      const refused = holder !== undefined && holder !== 'requested';
      const given = attempt(() => lab.ask(pool, 'auxiliary', address, now));
      assert.equal(given, !inside ? 'invalid-config' : refused ? 'conflict' : address);
      if (given !== address) return;
      model.leased.delete(address);
      reserved.add(address);
      return;
    }
    case 'release':
      releaseAddress(lab.core, pool.id, addrOf(address));
      if (reserved.has(address)) reserved.delete(address);
      else if (holder === 'requested') model.leased.delete(address);
  }
}

/** Two pools of one Network, with pods: after each step the store must equal the model. */
function compare(lab: PoolLab, work: readonly Step[]): void {
  const spec = {
    options: { driver: 'null' as const },
    ranges: [[{ subnet: prefixOf(SUBNET) }]],
    routes: [],
    scope: scopeOf(),
  };
  lab.store.networks.put(network('web', { spec }));
  const pools = [lab.shared(), lab.shared()];
  // Both pools are in use, so only addresses expire.
  for (const id of ['n1', 'n2']) {
    lab.store.dockerNetworks.put(dockerNetwork(id, { network: 'web' }));
    usePools(lab.store, id, [{ pool: prefixOf(SUBNET) }]);
  }
  const model = new Model();
  for (const [i, todo] of work.entries()) {
    take(lab, model, pools, i + 2, todo);
    const found = lab.leased({ scope: scopeOf() });
    assert.deepEqual(found.sort(), [...model.leased].map(([address, who]) => `${address} ${who}`).sort(), todo.what);
    const [usage] = free(lab.store, scopeOf(), SETS);
    assert.equal(Number(usage?.total) - Number(usage?.leased), model.free().length);
  }
  const stored = pools.map((pool) => [...lab.row(pool).reserved].sort());
  assert.deepEqual(
    stored,
    model.reserved.map((set) => [...set].sort()),
  );
}

const steps = fc.array(step, { maxLength: 60 });

describe('property: addresses that dockerd and CNI share', () => {
  it('match a plain model for any order of requests (in memory)', () => {
    fc.assert(
      fc.property(steps, (work) => compare(new PoolLab(makeCore(new FakeHost())), work)),
      { numRuns: 300 },
    );
  });

  it('match a plain model for any order of requests (SQLite)', () => {
    using directory = makeTempDir();
    let hosts = 0;
    fc.assert(
      fc.property(steps, (work) => {
        const core = makeCore(new FakeHost({ identity: { hostId: hostId(`host-${hosts++}`) } }));
        using store = openSqliteStore({ stateDir: directory.path, identity: core.host.identity });
        compare(new PoolLab({ ...core, store }), work);
      }),
      { numRuns: 60 },
    );
  });
});
