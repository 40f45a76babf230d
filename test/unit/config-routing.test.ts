import { strict as assert } from 'node:assert';
import { parseSbr } from '../../src/shared/config/sbr.ts';
import { parseVrf } from '../../src/shared/config/vrf.ts';
import { addrOf } from '../support/addresses.ts';
import { refusedWith } from '../support/core.ts';

describe('the keys of sbr', () => {
  it('have defaults', () => {
    for (const config of [{}, { table: 0 }, { table: null, gateways: null, addSourceHints: null }])
      assert.deepEqual(parseSbr(config), { gateways: [], addSourceHints: false });
  });

  it('are taken as they are', () => {
    assert.deepEqual(parseSbr({ table: 4_294_967_295, gateways: ['10.0.0.1', 'fd00::1'], addSourceHints: true }), {
      ...{ table: 4_294_967_295, addSourceHints: true },
      gateways: [addrOf('10.0.0.1'), addrOf('fd00::1')],
    });
  });

  for (const [keys, found] of [
    [{ table: -1 }, /\.table=-1.*from 1 to 4294967295/],
    [{ table: 2 ** 32 }, /\.table=4294967296/],
    [{ table: '7' }, /\.table="7"/],
    [{ gateways: '10.0.0.1' }, /\.gateways="10\.0\.0\.1".*not a list/],
    [{ gateways: ['x'] }, /\.gateways\[0\]="x".*not an IP address/],
    [{ gateways: ['fd00::1', 'fd00::2'] }, /\.gateways\[1\].*second IPv6 gateway/],
    [{ addSourceHints: 'yes' }, /\.addSourceHints="yes"/],
  ] as const)
    it(`refuse ${JSON.stringify(keys)}`, () => {
      assert.throws(() => parseSbr(keys), refusedWith('invalid-config', found));
    });
});

describe('the keys of vrf', () => {
  it('are a name, and a table if there is one', () => {
    assert.deepEqual(parseVrf({ vrfname: 'blue' }), { vrf: 'blue' });
    assert.deepEqual(parseVrf({ vrfname: 'blue', table: 100 }), { vrf: 'blue', table: 100 });
  });

  for (const [keys, found] of [
    [{}, /\.vrfname.*is missing/],
    [{ vrfname: 7 }, /\.vrfname=7/],
    [{ vrfname: '' }, /\.vrfname="".*is empty/],
    [{ vrfname: 'a/b' }, /\.vrfname="a\/b"/],
    [{ vrfname: 'blue', table: 1.5 }, /\.table=1\.5/],
  ] as const)
    it(`refuse ${JSON.stringify(keys)}`, () => {
      assert.throws(() => parseVrf(keys), refusedWith('invalid-config', found));
    });
});
