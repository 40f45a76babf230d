import { strict as assert } from 'node:assert';
import { assertOptions, assertRefused, parseDropIn, parseOwn } from './config-drivers-support.ts';

describe('the keys of driver tap', () => {
  it('have defaults', () => {
    assertOptions('tap', {}, { multiQueue: false });
    assertOptions('tap', { mtu: 0, mac: '', selinuxContext: '' }, { multiQueue: false });
  });

  it('choose queues, MTU, owner, group and bridge', () => {
    const keys = {
      multiQueue: true,
      mtu: 1400,
      owner: 1000,
      group: 1000,
      bridge: 'br0',
    };
    assertOptions('tap', keys, keys);
    assertOptions('tap', { owner: 0, group: 0 }, { multiQueue: false, owner: 0, group: 0 });
    for (const mtu of [68, 65_521]) assertOptions('tap', { mtu }, { multiQueue: false, mtu });
    const last = 4_294_967_294;
    assertOptions('tap', { owner: last, group: last }, { multiQueue: false, owner: last, group: last });
  });

  for (const [keys, message] of [
    [{ multiQueue: 1 }, /\.multiQueue=1: it is not a boolean/],
    [{ mtu: 67 }, /\.mtu=67: an MTU here has 68 to 65521 bytes/],
    [{ mtu: 65_522 }, /\.mtu=65522: an MTU here has 68 to 65521 bytes/],
    [{ owner: -1 }, /\.owner=-1: it must be >= 0/],
    [{ owner: 4_294_967_295 }, /\.owner=4294967295: it must be <= 4294967294/],
    [{ owner: 'root' }, /\.owner="root": it is not an integer/],
    [{ group: 4_294_967_295 }, /\.group=4294967295: it must be <= 4294967294/],
    [{ group: 0.5 }, /\.group=0\.5: it is not an integer/],
    [{ selinuxContext: 'u:r:t' }, /\.selinuxContext="u:r:t": Isthmus cannot label a device\. Leave it out/],
    [{ selinuxContext: 7 }, /\.selinuxContext=7: it is not a string/],
    [{ bridge: 'all' }, /\.bridge="all": it is a reserved name/],
    [{ bridge: 'a/b' }, /\.bridge="a\/b": it is not an interface name/],
    [{ mac: '00:00:00:00:00:00' }, /\.mac="00:00:00:00:00:00": is a group address or zero/],
  ] as const)
    it(`refuse ${JSON.stringify(keys)}`, () => assertRefused('tap', keys, message));

  it('may be empty or null under its own name, as Go writes nothing', () => {
    const keys = { bridge: '', owner: null, group: null, multiQueue: null };
    assert.deepEqual(parseDropIn('tap', keys).options, { driver: 'tap', multiQueue: false });
  });

  it('name a MAC address', () => {
    for (const parse of [parseOwn, parseDropIn])
      assert.equal(parse('tap', { mac: '02-AA-BB-CC-DD-01' }).mac, '02:aa:bb:cc:dd:01');
  });
});
