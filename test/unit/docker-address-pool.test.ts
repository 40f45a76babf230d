import { strict as assert } from 'node:assert';
import { InvalidArgumentError } from 'commander';
import { parseAddressPools } from '../../cmd/cnm-shim/cli/network-options.ts';
import { formatPrefix } from '../../src/shared/model/prefix.ts';

describe('--address-pool', () => {
  const parse = (...texts: readonly string[]): string[] =>
    texts
      .reduce<ReturnType<typeof parseAddressPools>>((before, text) => parseAddressPools(text, before), [])
      .map(({ base, size }) => `${formatPrefix(base)} in ${size}`);

  it('adds to earlier ones, one or several at a time', () => {
    assert.deepEqual(parse('base=10.99.0.0/16,size=24'), ['10.99.0.0/16 in 24']);
    const [one, other] = ['base=10.99.0.0/16,size=16', 'base=fd00:99::/48,size=64'];
    const both = ['10.99.0.0/16 in 16', 'fd00:99::/48 in 64'];
    assert.deepEqual(parse(one, other), both);
    assert.deepEqual(parse(` ${one}\n ${other} `), both);
  });

  for (const [text, message] of [
    ['10.99.0.0/16', /Write it as in base=10\.99\.0\.0\/16,size=24/],
    ['base=10.99.0.0/16', /Write it as/],
    ['base=10.99.0.0/16,size=', /Write it as/],
    ['base=10.99.0.0/16,size=24,', /Write it as/],
    ['size=24,base=10.99.0.0/16', /Write it as/],
    ['base=10.99/16,size=24', /10\.99\/16 is no subnet/],
    ['base=10.99.0.0,size=24', /10\.99\.0\.0 is no subnet/],
    ['base=10.99.0.1/16,size=24', /10\.99\.0\.1\/16 is an address in a subnet/],
    ['base=10.99.0.0/16,size=15', /size from 16 to 30, not 15/],
    ['base=10.99.0.0/16,size=31', /size from 16 to 30, not 31/],
    ['base=fd00::/48,size=127', /size from 48 to 126, not 127/],
    ['base=10.99.0.0/16,size=24 x', /Write it as/],
  ] as const)
    it(`rejects ${text}`, () => {
      assert.throws(
        () => parse(text),
        (error) => error instanceof InvalidArgumentError && message.test(error.message),
      );
    });
});
