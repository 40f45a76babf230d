import { strict as assert } from 'node:assert';
import { assertOptions, assertRefused, parseDropIn } from './config-drivers-support.ts';

const STANDARD = { mode: 'bridge', linkInContainer: false };

describe('the keys of driver macvlan', () => {
  it('have defaults: mode bridge, on the parent that the driver finds', () => {
    assertOptions('macvlan', {}, STANDARD);
    assertOptions('macvlan', { master: '', mode: '', mtu: 0, bcqueuelen: 0, mac: '' }, STANDARD);
  });

  it('choose the parent, the MTU and the queue', () => {
    const keys = { master: 'eth0.7', mtu: 1400, bcqueuelen: 2000, linkInContainer: true };
    const { bcqueuelen: bcQueueLength, ...same } = keys;
    assertOptions('macvlan', keys, { ...STANDARD, ...same, bcQueueLength });
    for (const mtu of [68, 65_535]) assertOptions('macvlan', { mtu }, { ...STANDARD, mtu });
    assertOptions('macvlan', { bcqueuelen: 4_294_967_295 }, { ...STANDARD, bcQueueLength: 4_294_967_295 });
  });

  for (const mode of ['bridge', 'private', 'vepa', 'passthru'])
    it(`choose mode ${mode}`, () => assertOptions('macvlan', { mode }, { ...STANDARD, mode }));

  for (const [keys, message] of [
    [{ master: 'a/b' }, /\.master="a\/b": it has \/ where no interface name can have it\. Give a name like eth0/],
    [{ master: 'abcdefghijklmnop' }, /\.master=.*: it is longer than 15 bytes/],
    [{ master: 7 }, /\.master=7: it is not a string/],
    [{ mode: 'foo' }, /\.mode="foo": it is not known here\. Choose among "bridge", "private", "vepa", "passthru"/],
    [{ mode: 'shared' }, /\.mode="shared": it is not known here/],
    [{ mode: 1 }, /\.mode=1: it is not a string/],
    [{ mtu: 67 }, /\.mtu=67: an MTU here has 68 to 65535 bytes\. Use 0/],
    [{ mtu: -1 }, /\.mtu=-1: it must be >= 0/],
    [{ mtu: 65_536 }, /\.mtu=65536: it must be <= 65535/],
    [{ mtu: 1400.5 }, /\.mtu=1400\.5: it is not an integer/],
    [{ mtu: '1400' }, /\.mtu="1400": it is not an integer/],
    [{ bcqueuelen: -1 }, /\.bcqueuelen=-1: it must be >= 0/],
    [{ bcqueuelen: 4_294_967_296 }, /\.bcqueuelen=4294967296: it must be <= 4294967295/],
    [{ linkInContainer: 'yes' }, /\.linkInContainer="yes": it is not a boolean/],
    [{ mac: 'zz' }, /\.mac="zz": is no MAC address\. Write six bytes/],
    [{ mac: '01:00:5e:00:00:01' }, /\.mac="01:00:5e:00:00:01": is a group address or zero/],
    [{ mac: 7 }, /\.mac=7: it is not a string/],
  ] as const)
    it(`refuse ${JSON.stringify(keys)}`, () => assertRefused('macvlan', keys, message));

  it('may have any case under its own name, and null for nothing', () => {
    const keys = { Master: 'eth0', MODE: 'vepa', LinkInContainer: true, bcQueueLen: 5, mtu: null, MAC: null };
    const { options, mac } = parseDropIn('macvlan', keys);
    const expected = { driver: 'macvlan', master: 'eth0', mode: 'vepa', bcQueueLength: 5 };
    assert.deepEqual(options, { ...expected, linkInContainer: true });
    assert.equal(mac, undefined);
  });
});
