import { strict as assert } from 'node:assert';
import { basename } from 'node:path';
import fc from 'fast-check';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { allocate } from '../../src/shared/ipam/allocate.ts';
import { free } from '../../src/shared/ipam/free.ts';
import { release } from '../../src/shared/ipam/leases.ts';
import type { RangeSpec } from '../../src/shared/ipam/ranges.ts';
import { type Addr, formatAddr } from '../../src/shared/model/addr.ts';
import { hostId } from '../../src/shared/model/attachment.ts';
import { firstOf, lastOf } from '../../src/shared/model/prefix.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import type { LocalStore } from '../../src/shared/store/store.ts';
import { MemoryStore } from '../../src/shared/testing/memory-store.ts';
import { makeTempDir } from '../support/temp.ts';
import { range } from '../unit/ipam-support.ts';
import { attachment, FIRST_BOOT, network } from '../unit/store-behaviour.ts';

const SCOPE = '/pools/web';

/** Small subnets, so that they run out, with ends and gateway anywhere inside. */
const smallRange = fc
  .record({
    v6: fc.boolean(),
    bits: fc.integer({ min: 2, max: 5 }),
    net: fc.integer({ min: 0, max: 3 }),
    ends: fc.tuple(fc.nat(31), fc.nat(31)),
    gateway: fc.nat(31),
  })
  .map(({ v6, bits, net, ends, gateway }) => {
    const base = range(v6 ? `fd00:0:0:${net}::/${128 - bits}` : `10.0.${net}.0/${32 - bits}`);
    const at = (offset: number): Addr => ({
      family: v6 ? 6 : 4,
      value: firstOf(base.subnet).value + BigInt(offset % 2 ** bits),
    });
    const [low = 0, high = 0] = ends.map((end) => end % 2 ** bits).sort((a, b) => a - b);
    return { ...base, rangeStart: at(low), rangeEnd: at(high), gateway: at(gateway) };
  });

/** One or two sets: the second has the other family or another subnet, as validation requires. */
const smallSets = fc
  .uniqueArray(smallRange, { minLength: 1, maxLength: 4, selector: ({ subnet }) => formatAddr(subnet.addr) })
  .map((ranges) => {
    const v4 = ranges.filter(({ subnet }) => subnet.addr.family === 4);
    const v6 = ranges.filter(({ subnet }) => subnet.addr.family === 6);
    return [v4, v6].filter((set) => set.length > 0);
  });

type Step = { readonly add?: number; readonly del?: number; readonly ask?: number };
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ add: fc.nat(40) }) },
    { weight: 2, arbitrary: fc.record({ del: fc.nat(40) }) },
    { weight: 1, arbitrary: fc.record({ add: fc.nat(40), ask: fc.nat(31) }) },
  ),
  { maxLength: 80 },
);

/** The addresses that a set can give, in round order, by brute force. */
function candidates(set: readonly RangeSpec[], all: readonly RangeSpec[]): string[] {
  return set.flatMap(({ subnet, rangeStart, rangeEnd }) => {
    const found: string[] = [];
    for (let { value } = rangeStart; value <= rangeEnd.value; value += 1n) {
      const address = { family: rangeStart.family, value };
      if (value === firstOf(subnet).value) continue;
      if (address.family === 4 && value === lastOf(subnet).value) continue;
      const text = formatAddr(address);
      if (!all.some(({ gateway }) => formatAddr(gateway) === text)) found.push(text);
    }
    return found;
  });
}

/** The naive pool: a list, walked from the last address given. */
class Model {
  readonly leased = new Map<string, string>();
  readonly #sets: readonly (readonly string[])[];
  readonly #last: (string | undefined)[] = [];

  /** False: the pool deletes its cursor with its last lease. */
  readonly #isKept: boolean;

  constructor(sets: readonly (readonly RangeSpec[])[], isKept: boolean) {
    this.#isKept = isKept;
    this.#sets = sets.map((set) => candidates(set, sets.flat()));
  }

  add(id: string, ask?: string): string[] | undefined {
    const given: string[] = [];
    const last = [...this.#last];
    for (const [i, set] of this.#sets.entries()) {
      if (set.some((address) => this.leased.get(address) === id)) return undefined;
      if (ask !== undefined && set.includes(ask)) {
        if (this.leased.has(ask)) return undefined;
        given.push(ask);
        continue;
      }
      const from = set.indexOf(last[i] ?? '') + 1;
      const next = [...set.slice(from), ...set.slice(0, from)].find((address) => !this.leased.has(address));
      if (next === undefined) return undefined;
      last[i] = next;
      given.push(next);
    }
    if (ask !== undefined && !given.includes(ask)) return undefined;
    for (const address of given) this.leased.set(address, id);
    this.#last.splice(0, last.length, ...last);
    return given;
  }

  del(id: string): string[] {
    const found = [...this.leased].filter(([, owner]) => owner === id).map(([address]) => address);
    for (const address of found) this.leased.delete(address);
    if (!this.#isKept && this.leased.size === 0) this.#last.splice(0);
    return found;
  }
}

/** `isKept`: a network has the scope. */
function compare(
  store: LocalStore,
  sets: readonly (readonly RangeSpec[])[],
  work: readonly Step[],
  isKept: boolean,
): void {
  const model = new Model(sets, isKept);
  if (isKept) store.networks.put(network(basename(SCOPE)));
  const asked = sets.flat().flatMap((spec) => [spec.rangeStart, spec.rangeEnd, spec.gateway]);
  for (const { add, del, ask } of work) {
    if (del !== undefined) {
      const freed = release(store, SCOPE, attachment(`c${del}`)).map(({ address }) => formatAddr(address));
      assert.deepEqual(freed.sort(), model.del(`c${del}`).sort());
      continue;
    }
    const wanted = ask === undefined ? undefined : asked[ask % asked.length];
    const expected = model.add(`c${add}`, wanted && formatAddr(wanted));
    const requested = wanted === undefined ? [] : [wanted];
    let given: string[] | undefined;
    try {
      const answer = allocate(store, { scope: SCOPE, sets, requested, owner: attachment(`c${add}`) });
      given = answer.map(({ address }) => formatAddr(address.addr));
    } catch (error) {
      assert.ok(error instanceof NetError, String(error));
      assert.ok(['exhausted', 'conflict', 'invalid-config'].includes(error.kind), error.message);
    }
    assert.deepEqual(given, expected);
  }
  const leased = free(store, SCOPE, sets).reduce((sum, usage) => sum + usage.leased, 0);
  assert.equal(leased, model.leased.size);
  assert.deepEqual(
    store.leases
      .list(SCOPE)
      .map(({ address, owner }) => [formatAddr(address), owner.containerId])
      .sort(),
    [...model.leased].sort(),
  );
}

describe('property: allocation', () => {
  it('matches a naive pool for any ranges and any order of calls (in memory)', () => {
    fc.assert(
      fc.property(smallSets, steps, fc.boolean(), (sets, work, isKept) =>
        compare(new MemoryStore(FIRST_BOOT), sets, work, isKept),
      ),
      { numRuns: 300 },
    );
  });

  it('matches a naive pool for any ranges and any order of calls (SQLite)', () => {
    using directory = makeTempDir();
    let scope = 0;
    using store = openSqliteStore({ stateDir: directory.path, identity: FIRST_BOOT });
    fc.assert(
      fc.property(smallSets, steps, fc.boolean(), (sets, work, isKept) => {
        using own = openSqliteStore({
          stateDir: directory.path,
          identity: { ...FIRST_BOOT, hostId: hostId(`host-${scope++}`) },
        });
        compare(own, sets, work, isKept);
      }),
      { numRuns: 100 },
    );
    assert.deepEqual(store.leases.list(SCOPE), []);
  });

  it('counts the total of a set as a naive pool does', () => {
    fc.assert(
      fc.property(smallSets, (sets) => {
        const totals = free(new MemoryStore(FIRST_BOOT), SCOPE, sets).map(({ total }) => Number(total));
        assert.deepEqual(
          totals,
          sets.map((set) => candidates(set, sets.flat()).length),
        );
      }),
    );
  });

  it('gives different addresses of a /64, a /8 and a near-/0 range without walking them', () => {
    const sets = [[range('10.0.0.0/8')], [range('fd00::/64')], [range('fe80::/10')]];
    const store = new MemoryStore(FIRST_BOOT);
    const seen = new Set<string>();
    for (let i = 0; i < 50; i++)
      for (const { address } of allocate(store, { scope: SCOPE, sets, requested: [], owner: attachment(`c${i}`) }))
        seen.add(formatAddr(address.addr));
    assert.equal(seen.size, 150);
  });
});
