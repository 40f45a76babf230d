import { assertOptions, assertRefused } from './config-drivers-support.ts';

const STANDARD = { master: 'eth0', vlanId: 7, linkInContainer: false };

describe('the keys of driver vlan', () => {
  it('have defaults besides the parent and the VLAN', () => {
    assertOptions('vlan', {}, STANDARD);
    assertOptions('vlan', { mtu: 0 }, STANDARD);
  });

  it('choose the parent, the VLAN and the MTU', () => {
    const keys = { master: 'bond0', mtu: 1496, linkInContainer: true };
    assertOptions('vlan', keys, { ...STANDARD, ...keys });
    for (const vlanId of [1, 4094]) assertOptions('vlan', { vlanId }, { ...STANDARD, vlanId });
  });

  for (const [keys, message] of [
    [{ master: undefined }, /\.master: it is missing, and a VLAN needs an interface that carries it\. Name it/],
    [{ master: '' }, /\.master: it is missing/],
    [{ master: 'eth0', vlanId: undefined }, /\.vlanId: it is missing\. Give a whole number from 1 to 4094/],
    [{ vlanId: 0 }, /\.vlanId=0: frames with VLAN ID 0 belong to no VLAN: they only have a priority\. Give/],
    [{ vlanId: 4095 }, /\.vlanId=4095: IEEE 802\.1Q reserves this VLAN ID\. Give a whole number from 1 to 4094/],
    [{ vlanId: 4096 }, /\.vlanId=4096: it is not a VLAN ID\. Give a whole number from 1 to 4094/],
    [{ vlanId: -1 }, /\.vlanId=-1: it is not a VLAN ID/],
    [{ vlanId: 1.5 }, /\.vlanId=1\.5: it is not an integer/],
    [{ vlanId: '7' }, /\.vlanId="7": it is not an integer/],
    [{ master: 'eth%d' }, /\.master="eth%d": it has % where no interface name can have it/],
    [{ mtu: 67 }, /\.mtu=67: an MTU here has 68 to 65535 bytes/],
    [{ linkInContainer: 'true' }, /\.linkInContainer="true": it is not a boolean/],
  ] as const)
    it(`refuse ${JSON.stringify(keys)}`, () => assertRefused('vlan', keys, message));
});
