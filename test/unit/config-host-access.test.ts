import { strict as assert } from 'node:assert';
import type { HostAccess } from '../../src/shared/config/host-access.ts';
import type { InterfaceDriver } from '../../src/shared/config/inside.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import { assertRefused, parseDropIn, parseOwn } from './config-drivers-support.ts';

const SUBNET = '10.5.0.0/24';

function accessOf(ranges: readonly (readonly object[])[], keys: object = {}): HostAccess {
  const config = { hostAccess: true, ipam: { type: 'host-local', ranges }, ...keys };
  const [own, dropIn] = [parseOwn('macvlan', config), parseDropIn('macvlan', config)];
  assert.deepEqual(own.options, dropIn.options);
  assert.ok(own.options.driver === 'macvlan' && own.options.hostAccess !== undefined);
  assert.ok(own.ipam?.kind === 'pool');
  assert.deepEqual(own.ipam.reserved?.map(formatAddr), own.options.hostAccess.addresses, 'what IPAM never gives');
  return own.options.hostAccess;
}

describe('the host access of a configuration', () => {
  it('is the whole subnet, by its last address', () => {
    assert.deepEqual(accessOf([[{ subnet: SUBNET }]]), { addresses: ['10.5.0.254'], routes: [SUBNET] });
  });

  it('is no anycast address of IPv6 (RFC 2526)', () => {
    const routes = ['fd00:5::/64'];
    assert.deepEqual(accessOf([[{ subnet: 'fd00:5::/64' }]]), { addresses: ['fd00:5::ffff:ffff:ffff:ff7f'], routes });
    assert.deepEqual(accessOf([[{ subnet: 'fd00:5::/124' }]]).addresses, ['fd00:5::f'], 'unless there are no others');
  });

  for (const [rangeStart, rangeEnd, gateway, addresses, routes] of [
    ['10.5.0.64', '10.5.0.127', '10.5.0.1', ['10.5.0.127'], ['10.5.0.64/26']],
    ['10.5.0.63', '10.5.0.64', '10.5.0.1', ['10.5.0.64'], ['10.5.0.63/32', '10.5.0.64/32']],
    ['10.5.0.1', '10.5.0.7', '10.5.0.1', ['10.5.0.7'], ['10.5.0.2/31', '10.5.0.4/30']],
    ['10.5.0.4', '10.5.0.7', '10.5.0.7', ['10.5.0.6'], ['10.5.0.4/31', '10.5.0.6/32']],
    ['10.5.0.9', '10.5.0.9', '10.5.0.1', ['10.5.0.9'], ['10.5.0.9/32']],
  ] as const)
    it(`of ${rangeStart}-${rangeEnd} beside ${gateway} is ${routes.join(', ')}`, () => {
      const range = { subnet: SUBNET, rangeStart, rangeEnd, gateway };
      assert.deepEqual(accessOf([[range]]), { addresses, routes });
    });

  it('has an address for each range set, and the requested ones instead', () => {
    const sets = [[{ subnet: SUBNET }], [{ subnet: 'fd00:5::/64' }]];
    assert.equal(accessOf(sets).addresses.length, 2);
    const asked = accessOf(sets, { hostAddresses: ['10.5.0.200', '10.5.0.201'] }).addresses;
    assert.deepEqual(asked, ['10.5.0.200', '10.5.0.201', 'fd00:5::ffff:ffff:ffff:ff7f']);
  });

  it('may be spelt in any case under the driver’s own name', () => {
    const { options } = parseDropIn('macvlan', { HOSTACCESS: true, ipam: { type: 'host-local', subnet: SUBNET } });
    assert.ok('hostAccess' in options);
  });

  it('of ipvlan needs mode l2 and flag bridge', () => {
    const ipam = { type: 'host-local', subnet: SUBNET };
    const { options } = parseOwn('ipvlan', { hostAccess: true, ipam });
    assert.ok(options.driver === 'ipvlan');
    assert.deepEqual(options.hostAccess, { addresses: ['10.5.0.254'], routes: [SUBNET] });
    assertRefused(
      'ipvlan',
      { hostAccess: true, ipam, mode: 'l3' },
      /\.mode="l3".*Use mode "l2", or remove \.hostAccess/,
    );
    assertRefused('ipvlan', { hostAccess: true, ipam, flag: 'vepa' }, /\.flag="vepa".*Use flag "bridge"/);
  });

  const ipam = { type: 'host-local', subnet: SUBNET };
  for (const [keys, message] of [
    [{ hostAccess: 'yes' }, /\.hostAccess="yes": it is not a boolean/],
    [{ hostAccess: true }, /\.hostAccess=true: this IPAM does not say which addresses the network has/],
    [{ hostAccess: true, ipam: { type: 'dhcp' } }, /\.hostAccess=true: this IPAM/],
    [{ hostAccess: true, ipam: { type: 'whereabouts' } }, /\.hostAccess=true: this IPAM/],
    [{ hostAccess: true, ipam, mode: 'passthru' }, /\.mode="passthru".*Use mode "bridge"/],
    [{ hostAccess: true, ipam, linkInContainer: true }, /\.linkInContainer=true/],
    [{ hostAddresses: ['10.5.0.9'], ipam }, /\.hostAddresses=.*Set \.hostAccess to true/],
    [{ hostAccess: true, ipam, hostAddresses: '10.5.0.9' }, /\.hostAddresses="10\.5\.0\.9": it is not an array/],
    [{ hostAccess: true, ipam, hostAddresses: [9] }, /\.hostAddresses\[0\]=9: it is not a string/],
    [{ hostAccess: true, ipam, hostAddresses: ['10.5.0.9/24'] }, /\.hostAddresses\[0\]="10\.5\.0\.9\/24": it is no IP/],
    [{ hostAccess: true, ipam, hostAddresses: ['10.5.0.1'] }, /\.hostAddresses\[0\]="10\.5\.0\.1": it is the gateway/],
    [
      { hostAccess: true, ipam, hostAddresses: ['10.5.0.255'] },
      /\.hostAddresses\[0\].*: it is the network or broadcast/,
    ],
    [{ hostAccess: true, ipam, hostAddresses: ['fd00::1'] }, /\.hostAddresses\[0\].*in no subnet.*10\.5\.0\.0\/24/],
  ] as const)
    it(`is refused for ${JSON.stringify(keys)}`, () => assertRefused('macvlan', keys, message));

  for (const driver of ['vlan', 'tap', 'dummy', 'host-device'] satisfies InterfaceDriver[])
    it(`means nothing to ${driver}`, () => {
      assert.throws(() => parseOwn(driver, { hostAccess: true }), /\.hostAccess=true: means nothing to driver/);
      assert.ok(!('hostAccess' in parseDropIn(driver, { hostAccess: true }).options));
    });
});
