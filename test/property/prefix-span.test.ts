import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { BITS, type Family } from '../../src/shared/model/addr.ts';
import {
  describePrefix,
  firstOf,
  formatPrefix,
  lastOf,
  type Prefix,
  parsePrefix,
} from '../../src/shared/model/prefix.ts';

const anyPrefix = fc.constantFrom<Family>(4, 6).chain((family) =>
  fc.record({
    addr: fc.bigInt({ min: 0n, max: (1n << BigInt(BITS[family])) - 1n }).map((value) => ({ family, value })),
    length: fc.integer({ min: 0, max: BITS[family] }),
  }),
);

/** Texts that ip-cidr itself parses wrongly: the family changes, or it throws. */
const HARD = ['::/0', '0.0.0.0/0', '64:ff9b::192.0.2.1/96', '::ffff:1.2.3.4/120', '::/96', '::1.2.3.4/128'] as const;

describe('property: span of a prefix', () => {
  it('agrees with firstOf and lastOf for any prefix', async () => {
    await fc.assert(fc.asyncProperty(anyPrefix, check));
  });

  for (const text of HARD) {
    it(`keeps the family of ${text}`, async () => {
      const prefix = parsePrefix(text);
      assert.ok(prefix);
      await check(prefix);
    });
  }
});

async function check(prefix: Prefix): Promise<void> {
  const size = 1n << BigInt(BITS[prefix.addr.family] - prefix.length);
  const expected = { first: firstOf(prefix), last: lastOf(prefix), size };
  assert.deepEqual(await describePrefix(prefix), expected, formatPrefix(prefix));
}
