import { strict as assert } from 'node:assert';
import { type Named, ofContainer } from '../../cmd/cnm-shim/cli/names.ts';
import { readOptions } from '../../cmd/cnm-shim/cli/network-options.ts';
import { readSubnets, type SubnetOptions } from '../../cmd/cnm-shim/cli/network-subnets.ts';
import { formatRangeConfig, type RangeText } from '../../src/shared/config/network-spec.ts';
import { refusedWith } from '../support/core.ts';

describe('--subnet, --gateway and --ip-range', () => {
  const shown = (options: SubnetOptions): RangeText[] => readSubnets(options).map(formatRangeConfig);

  it('are grouped by which subnet contains them', () => {
    assert.deepEqual(readSubnets({}), []);
    assert.deepEqual(shown({ subnet: ['10.88.0.0/16'] }), [{ subnet: '10.88.0.0/16' }]);
    assert.deepEqual(
      shown({
        subnet: ['10.88.0.0/16', 'fd00:88::/64'],
        gateway: ['FD00:88::FE', '10.88.255.254'],
        ipRange: ['fd00:88::8000/113', '10.88.5.0/24'],
      }),
      [
        { subnet: '10.88.0.0/16', rangeStart: '10.88.5.0', rangeEnd: '10.88.5.255', gateway: '10.88.255.254' },
        { subnet: 'fd00:88::/64', rangeStart: 'fd00:88::8000', rangeEnd: 'fd00:88::ffff', gateway: 'fd00:88::fe' },
      ],
    );
  });

  it('exclude the network and the broadcast address of a subnet from its range', () => {
    const partOf = (subnet: string, part: string): string[] =>
      shown({ subnet: [subnet], ipRange: [part] }).map(({ rangeStart, rangeEnd }) => `${rangeStart} ${rangeEnd}`);
    assert.deepEqual(partOf('10.88.0.0/16', '10.88.0.0/24'), ['10.88.0.1 10.88.0.255']);
    assert.deepEqual(partOf('10.88.0.0/16', '10.88.255.0/24'), ['10.88.255.0 10.88.255.254']);
    assert.deepEqual(partOf('10.88.0.0/16', '10.88.0.0/16'), ['10.88.0.1 10.88.255.254']);
    assert.deepEqual(partOf('fd00::/64', 'fd00::/64'), ['fd00::1 fd00::ffff:ffff:ffff:ffff']);
  });

  const net = ['10.88.0.0/16'];
  for (const [options, pattern] of [
    [{ subnet: ['10.88.0.0'] }, /--subnet="10\.88\.0\.0": it is not a subnet\. Write one like/],
    [{ subnet: ['10.88.0.0/33'] }, /--subnet="10\.88\.0\.0\/33": it is not a subnet/],
    [{ subnet: [''] }, /--subnet="": it is not a subnet/],
    [{ subnet: ['10.88.0.7/16'] }, /--subnet="10\.88\.0\.7\/16": it has host bits\. Write 10\.88\.0\.0\/16/],
    [{ subnet: ['10.88.0.0/31'] }, /--subnet="10\.88\.0\.0\/31": it has no room .*\/30 or less/],
    [{ subnet: ['fd00::/127'] }, /--subnet="fd00::\/127": it has no room .*\/126 or less/],
    [{ subnet: ['0.0.0.0/0'] }, /--subnet="0\.0\.0\.0\/0": it has unspecified addresses/],
    [{ subnet: ['127.1.0.0/16'] }, /it has loopback addresses, which no container can have/],
    [{ subnet: ['224.0.0.0/8'] }, /it has multicast addresses/],
    [{ subnet: ['fe80::/64'] }, /it has link-local addresses/],
    [{ subnet: ['10.1.0.0/16', '10.2.0.0/16'] }, /--subnet="10\.2\.0\.0\/16": it is the second one of IPv4/],
    [{ gateway: ['10.88.0.1'] }, /--gateway="10\.88\.0\.1": it is in none of the subnets\. Give its --subnet too/],
    [{ subnet: net, gateway: ['10.89.0.1'] }, /--gateway="10\.89\.0\.1": it is in none/],
    [{ subnet: net, gateway: ['10.88.0.1/16'] }, /--gateway="10\.88\.0\.1\/16": it is not an address/],
    [{ subnet: net, gateway: ['10.88.0.0'] }, /it is the network address of 10\.88\.0\.0\/16/],
    [{ subnet: net, gateway: ['10.88.255.255'] }, /it is the broadcast address of 10\.88\.0\.0\/16/],
    [{ subnet: net, gateway: ['10.88.0.1', '10.88.0.2'] }, /--gateway="10\.88\.0\.2": it is the second one in/],
    [{ subnet: net, ipRange: ['10.0.0.0/8'] }, /--ip-range="10\.0\.0\.0\/8": it is in none of the subnets/],
    [{ subnet: net, ipRange: ['10.88.5.7/24'] }, /--ip-range="10\.88\.5\.7\/24": it has host bits/],
    [{ subnet: net, ipRange: ['10.88.1.0/24', '10.88.2.0/24'] }, /--ip-range="10\.88\.2\.0\/24": it is the second/],
  ] as const satisfies readonly (readonly [SubnetOptions, RegExp])[])
    it(`are rejected: ${JSON.stringify(options)}`, () => {
      assert.throws(() => readSubnets(options), refusedWith('invalid-config', pattern));
    });
});

describe('--opt', () => {
  it('parses values as JSON, or as text where text is expected', () => {
    assert.deepEqual(readOptions([]), {});
    assert.deepEqual(readOptions(['mtu=1400', 'icc=false', 'bridge=0', 'vlanTrunk=[{"id":5}]', 'vlan=x=y']), {
      ...{ mtu: 1400, icc: false, bridge: '0', vlanTrunk: [{ id: 5 }], vlan: 'x=y' },
    });
  });

  for (const [text, pattern] of [
    ['mtuu=1', /--opt="mtuu=1": networks have no such key\. Did you mean mtu\?/],
    ['ingressRate=1000', /networks have no such key\. Use one of bridge, mtu/],
    ['runtimeConfig={}', /networks have no such key/],
    ['__proto__={}', /networks have no such key/],
    ['mtu', /--opt="mtu": it has no value\. Write --opt mtu=VALUE/],
    ['mtu=', /it has no value/],
    ['=1400', /networks have no such key/],
    ['', /networks have no such key/],
    ['name=web', /the argument <name> says that\. See --help/],
    ['subnet=10.0.0.0/8', /--subnet says that/],
    ['internal=true', /--internal says that/],
  ] as const)
    it(`rejects ${text}`, () => {
      assert.throws(() => readOptions([text]), refusedWith('invalid-config', pattern));
    });
});

describe('container argument', () => {
  const web1 = { id: '7a'.repeat(32), name: 'web1', labels: {} };
  const all: readonly Named<{ id: string; at: string }>[] = [
    { id: 'c1'.repeat(32), at: 'a', container: web1 },
    { id: 'd2'.repeat(32), at: 'b', container: web1 },
    { id: 'c3'.repeat(32), at: 'c' },
    { id: 'pod', at: 'd' },
    { id: 'pod2', at: 'e' },
    { id: 'pod2', at: 'f' },
  ];
  const found = (text: string): string => ofContainer(all, text).reduce((texts, { at }) => texts + at, '');

  for (const [text, expected] of [
    ['web1', 'ab'],
    [web1.id, 'ab'],
    ['7a7a', 'ab'],
    ['d2', 'b'],
    ['c3c3c3c3c3c3', 'c'],
    ['pod', 'd'],
    ['pod2', 'ef'],
  ] as const)
    it(`${text.slice(0, 12)} selects the endpoints ${expected}`, () => assert.equal(found(text), expected));

  it('rejects an ambiguous or unknown container', () => {
    assert.throws(
      () => found('c'),
      refusedWith('conflict', /container c: ids of 2 containers begin so: web1, c3c3c3c3c3c3\./),
    );
    assert.throws(
      () => found('p'),
      refusedWith('conflict', /ids of 2 containers begin so: pod, pod2\. Give more of it/),
    );
    assert.throws(() => found('we'), refusedWith('unknown-container', /container we: there is no container/));
    assert.throws(() => found(''), refusedWith('unknown-container', /container "": there is no container/));
  });

  it('names only the first of many matches', () => {
    const many = Array.from({ length: 9 }, (_, i) => ({ id: `pod${i}` }));
    const pattern = /ids of 9 containers begin so: pod0, pod1, pod2, pod3, pod4 and 4 more\./;
    assert.throws(() => ofContainer(many, 'pod'), refusedWith('conflict', pattern));
  });
});
