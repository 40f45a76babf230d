import { strict as assert } from 'node:assert';
import { assertOptions, assertRefused, parseAs } from './config-drivers-support.ts';

const STANDARD = { mode: 'l2', flag: 'bridge', linkInContainer: false };

describe('the keys of driver ipvlan', () => {
  it('have defaults: mode l2, on the parent that the driver finds', () => {
    assertOptions('ipvlan', {}, STANDARD);
    assertOptions('ipvlan', { master: '', mode: '', flag: '', mtu: 0 }, STANDARD);
  });

  it('choose the parent and the MTU', () => {
    const keys = { master: 'eth0', mtu: 1400, linkInContainer: true };
    assertOptions('ipvlan', keys, { ...STANDARD, ...keys });
  });

  for (const mode of ['l2', 'l3', 'l3s'])
    for (const flag of ['bridge', 'private', 'vepa'])
      it(`choose mode ${mode} with flag ${flag}`, () =>
        assertOptions('ipvlan', { mode, flag }, { ...STANDARD, mode, flag }));

  for (const [keys, message] of [
    [{ master: 'a b' }, /\.master="a b": it has white space/],
    [{ mode: 'l4' }, /\.mode="l4": it is not known here\. Choose among "l2", "l3", "l3s"/],
    [{ mode: 'bridge' }, /\.mode="bridge": it is not known here/],
    [{ flag: 'passthru' }, /\.flag="passthru": it is not known here\. Choose among "bridge", "private", "vepa"/],
    [{ flag: true }, /\.flag=true: it is not a string/],
    [{ mtu: 1 }, /\.mtu=1: an MTU here has 68 to 65535 bytes/],
    [{ linkInContainer: 0 }, /\.linkInContainer=0: it is not a boolean/],
  ] as const)
    it(`refuse ${JSON.stringify(keys)}`, () => assertRefused('ipvlan', keys, message));

  it('leave the parent and the addresses to the result of an earlier plugin', () => {
    const prevResult = {
      cniVersion: '1.1.0',
      interfaces: [{ name: 'a' }, { name: 'b' }],
      ips: [{ address: '10.9.0.2/24' }],
    };
    for (const plugin of ['ipvlan', 'isthmus'] as const) {
      const { options, ipam, previous } = parseAs(plugin, { driver: 'ipvlan', prevResult });
      assert.deepEqual(options, { driver: 'ipvlan', ...STANDARD });
      assert.equal(ipam, undefined);
      assert.deepEqual(
        previous?.interfaces.map(({ name }) => name),
        ['a', 'b'],
      );
    }
    assertRefused('ipvlan', { prevResult: 7 }, /\.prevResult=7/);
  });
});
