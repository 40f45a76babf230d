import { strict as assert } from 'node:assert';
import { ifNameFault } from '../../src/shared/model/link.ts';

describe('names of interfaces', () => {
  for (const name of ['eth0', 'br-web', 'eth0.5', 'x'.repeat(15), 'net1@x', 'a_b', 'ä', 'veth#1', '0', 'all0'])
    it(`takes ${name}`, () => {
      assert.equal(ifNameFault(name), undefined);
    });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /empty/],
    ['x'.repeat(16), /15 bytes/],
    ['ä'.repeat(8), /15 bytes/],
    ['.', /reserved/],
    ['..', /reserved/],
    ['all', /reserved/],
    ['default', /reserved/],
    ['a/b', /has \//],
    ['a:b', /has :/],
    ['br%d', /has %/],
    ['br%', /has %/],
    ['a"b', /has "/],
    ['br*', /has \*/],
    ['br+', /has \+/],
    ['-x', /has -/],
    ['!', /has !/],
    ['a b', /white space/],
    ['a\0b', /control/],
    ['a\x1b', /control/],
    ['a\x9b', /control/],
    ['a\u202eb', /invisible/],
    ['a\u00a0b', /white space/],
    ['a\ud800', /invisible|control/],
  ];
  for (const [name, why] of wrong)
    it(`refuses ${JSON.stringify(name)}`, () => {
      assert.match(ifNameFault(name) ?? '', why);
    });
});
