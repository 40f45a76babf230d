import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { choosePool, type PoolCandidate, type Taken } from '../../src/shared/ipam/choose-pool.ts';
import { BITS, type Family } from '../../src/shared/model/addr.ts';
import { contains, firstOf, formatPrefix, networkOf, overlaps, type Prefix } from '../../src/shared/model/prefix.ts';

/** All prefixes of a family lie in one /16 or /112, or contain it, so that they often overlap. */
function near(family: Family, offset: number, fromEnd: number): Prefix {
  const base = family === 4 ? 0x0ac00000n : 0xfd000000000000000000000000000000n;
  return networkOf({ addr: { family, value: base + BigInt(offset) }, length: BITS[family] - fromEnd });
}

const family = fc.constantFrom<Family>(4, 6);
const prefix = fc.tuple(family, fc.nat(0xffff), fc.integer({ min: 0, max: 17 })).map((parts) => near(...parts));
const candidate: fc.Arbitrary<PoolCandidate> = fc
  .tuple(family, fc.nat(0xffff), fc.integer({ min: 0, max: 16 }), fc.integer({ min: 0, max: 6 }))
  .map(([of, offset, fromEnd, cut]) => {
    const base = near(of, offset, fromEnd);
    return { base, size: Math.min(base.length + cut, BITS[of]) };
  });
const takens = fc
  .array(prefix, { maxLength: 40 })
  .map((all) => all.map((subnet, i): Taken => ({ subnet, holder: `h${i}` })));

/** Every subnet of a candidate, first to last. */
function* subnetsOf({ base, size }: PoolCandidate): Generator<Prefix> {
  const { family: of } = base.addr;
  const count = 2 ** (size - base.length);
  const step = 1n << BigInt(BITS[of] - size);
  for (let i = 0; i < count; i++)
    yield { addr: { family: of, value: firstOf(base).value + BigInt(i) * step }, length: size };
}

/** The same by brute force. */
function firstByTrying(candidates: readonly PoolCandidate[], taken: readonly Taken[]): Prefix | undefined {
  for (const one of candidates)
    for (const subnet of subnetsOf(one)) if (!taken.some((other) => overlaps(other.subnet, subnet))) return subnet;
  return undefined;
}

const textOf = (found: Prefix | undefined): string => (found === undefined ? 'none' : formatPrefix(found));

describe('property: choosing a pool', () => {
  it('returns the first subnet that overlaps nothing, and none only if every one overlaps', () => {
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 4 }), takens, (candidates, taken) => {
        const { subnet } = choosePool(candidates, taken);
        assert.equal(textOf(subnet), textOf(firstByTrying(candidates, taken)));
      }),
      { numRuns: 2_000 },
    );
  });

  it('names the holders of exhausted candidates, and nobody else', () => {
    fc.assert(
      fc.property(fc.array(candidate, { minLength: 1, maxLength: 3 }), takens, (candidates, taken) => {
        const { subnet, holders = [] } = choosePool(candidates, taken);
        fc.pre(subnet === undefined);
        const meeting = taken.filter((one) => candidates.some(({ base }) => overlaps(base, one.subnet)));
        assert.deepEqual([...holders].sort(), meeting.map(({ holder }) => holder).sort());
      }),
      { numRuns: 300, maxSkipsPerRun: 1_000 },
    );
  });

  it('fills a candidate to the last subnet, each once, in any order of the taken ones', () => {
    fc.assert(
      fc.property(candidate, fc.integer(), ({ base, size }, seed) => {
        const taken: Taken[] = [];
        for (;;) {
          const { subnet } = choosePool([{ base, size }], taken);
          if (subnet === undefined) break;
          assert.ok(contains(base, subnet.addr) && subnet.length === size);
          taken.splice(Math.abs(seed) % (taken.length + 1), 0, { subnet, holder: textOf(subnet) });
        }
        assert.equal(new Set(taken.map(({ holder }) => holder)).size, 2 ** (size - base.length));
        assert.equal(taken.length, 2 ** (size - base.length));
      }),
    );
  });

  it('skips taken subnets without trying each', () => {
    const base = near(6, 0, 112);
    let looks = 0;
    // An IPv6 /16 without its last /64, as 48 prefixes: otherwise 2^48 subnets to walk.
    const taken = Array.from({ length: 48 }, (_, i): Taken => {
      const length = base.length + i + 1;
      const value = base.addr.value + (((1n << BigInt(i)) - 1n) << BigInt(128 - length + 1));
      return {
        get subnet() {
          looks++;
          return { addr: { family: 6 as const, value }, length };
        },
        holder: `h${i}`,
      };
    });
    const { subnet } = choosePool([{ base, size: 64 }], taken);
    assert.equal(textOf(subnet), 'fd00:ffff:ffff:ffff::/64');
    assert.ok(looks < 10 * taken.length, `${looks} looks`);
  });
});
