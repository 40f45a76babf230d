import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { clusterHostId } from '../../src/shared/cluster/identity.ts';
import * as keys from '../../src/shared/cluster/keys.ts';
import * as values from '../../src/shared/cluster/values.ts';
import { BITS, type Family } from '../../src/shared/model/addr.ts';
import { firstOf } from '../../src/shared/model/prefix.ts';
import { addrOf, networkRequest, SETTINGS } from '../support/cluster-machine.ts';
import { makeTempDir } from '../support/temp.ts';
import { ofKind } from './store-behaviour.ts';

const RECORD: values.NetworkRecord = {
  ...networkRequest('web', { subnets: ['10.9.0.0/24', 'fd00:9::/64'] }),
  vni: 4096,
  mtu: 1450,
  state: 'live',
};

/** One value of each kind: how it is written and read, and what makes it malformed. */
const KINDS: readonly (readonly [
  kind: string,
  text: string,
  again: (text: string) => string | undefined,
  broken: readonly string[],
])[] = [
  [
    'settings',
    values.formatSettings(SETTINGS),
    through(values.parseSettings, values.formatSettings),
    [
      '{"port":0}',
      '{"port":4789,"underlay":4,"firstVni":9,"lastVni":1}',
      '{"port":4789,"underlay":5,"firstVni":1,"lastVni":1}',
    ],
  ],
  [
    'host',
    values.formatHost({ name: 'h1', bootId: 'b', underlay4: '192.0.2.1', mtu: 1500, release: '1' }),
    through(values.parseHost, values.formatHost),
    [
      '{"name":"h1"}',
      '{"name":"h1","bootId":"b","underlay4":"x","mtu":1500,"release":"1"}',
      '{"name":"h1","bootId":"b","mtu":10,"release":"1"}',
    ],
  ],
  [
    'presence',
    values.formatPresence({ name: 'h1', bootId: 'b', isReady: true }),
    through(values.parsePresence, values.formatPresence),
    ['{"name":"h1","bootId":"b"}'],
  ],
  [
    'address',
    values.formatAddress({ host: 'h', mac: '0a:58:0a:09:00:02', endpoint: 'cni/c1/eth0', bootId: 'b', claim: '1' }),
    through(values.parseAddress, values.formatAddress),
    ['{"host":"h","mac":"no","endpoint":"e","bootId":"b","claim":"1"}', '{"host":1}'],
  ],
  [
    'holder',
    values.formatHolder({ host: 'h', name: 'h1', claim: '1' }),
    through(values.parseHolder, values.formatHolder),
    ['{"host":"h"}'],
  ],
  [
    'network',
    values.formatNetwork(RECORD),
    through(values.parseNetwork, values.formatNetwork),
    [
      values.formatNetwork({ ...RECORD, vni: 0 }),
      values.formatNetwork({ ...RECORD, vni: 0x1000000 }),
      values.formatNetwork({ ...RECORD, mtu: 10 }),
      values.formatNetwork({ ...RECORD, sets: [] }),
      values.formatNetwork(RECORD).replace('"10.9.0.1"', '"10.8.0.1"'),
      values.formatNetwork(RECORD).replace('"live"', '"dead"'),
    ],
  ],
];

function through<T>(
  parse: (text: string) => T | undefined,
  format: (value: T) => string,
): (text: string) => string | undefined {
  return (text) => {
    const value = parse(text);
    return value && format(value);
  };
}

const addr = fc
  .constantFrom<Family>(4, 6)
  .chain((family) =>
    fc.bigInt({ min: 0n, max: (1n << BigInt(BITS[family])) - 1n }).map((value) => ({ family, value })),
  );

describe('cluster: keys', () => {
  it('writes addresses as hex of fixed width, in their order', () => {
    assert.equal(keys.addressKey('n', addrOf('10.9.0.2')), 'a/n/0a090002');
    assert.equal(keys.addressKey('n', addrOf('fd00::1')), 'a/n/fd000000000000000000000000000001');
    fc.assert(
      fc.property(addr, addr, (a, b) => {
        assert.deepEqual(keys.parseAddressHex(keys.addressHex(a)), a);
        if (a.family === b.family) assert.equal(keys.addressHex(a) < keys.addressHex(b), a.value < b.value);
      }),
    );
  });

  it('reads back the range that it wrote, and nothing else', () => {
    fc.assert(
      fc.property(addr, fc.nat(128), (some, bits) => {
        const length = Math.min(bits, BITS[some.family]);
        const range = { addr: firstOf({ addr: some, length }), length };
        assert.deepEqual(keys.parseRangeHex(keys.rangeHex(range)), range);
      }),
    );
    for (const text of ['', '0a090001-24', '0a090000', '0a090000-33', '0a0900-24', '0A090000-24', '0a090000-024'])
      assert.equal(keys.parseRangeHex(text), undefined, text);
    for (const text of ['', '0a09000', '0A090002', '0a09000g', 'fd00'])
      assert.equal(keys.parseAddressHex(text), undefined, text);
  });

  it('keeps names with a slash apart', () => {
    assert.equal(keys.nameKey('a/b'), 'name/a%2Fb');
    assert.deepEqual(keys.parseTableKey('a/n/0a090002'), { kind: 'a', network: 'n', rest: '0a090002' });
    for (const key of ['a/n', 'a/n/', 'a/n/1/2', 'host/1', 'net/1'])
      assert.equal(keys.parseTableKey(key), undefined, key);
  });
});

describe('cluster: values', () => {
  for (const [kind, text, again, broken] of KINDS) {
    it(`${kind}: reads back exactly what it wrote, whatever else a newer program adds`, () => {
      assert.equal(again(text), text);
      assert.equal(again(`${text.slice(0, -1)},"more":[1]}`), text);
    });
    for (const wrong of [...broken, '', 'null', '[]', '{', '"x"', '{}'])
      it(`${kind}: ignores ${wrong.slice(0, 60) || 'an empty text'}`, () => assert.equal(again(wrong), undefined));
  }

  it('names an endpoint by parts that a slash cannot mix', () => {
    const endpoint = { camp: 'cni', containerId: 'a/b', ifName: 'eth0' } as const;
    assert.equal(values.endpointText(endpoint), 'cni/a%2Fb/eth0');
    assert.deepEqual(values.parseEndpointText('cni/a%2Fb/eth0'), endpoint);
    for (const wrong of ['', 'cni/a', 'cni/a/b/c', 'oci/a/eth0', 'cni/%zz/eth0'])
      assert.equal(values.parseEndpointText(wrong), undefined, wrong);
  });
});

describe('cluster: identity of a host', () => {
  it('is created once, and stays', () => {
    using directory = makeTempDir();
    const id = clusterHostId(directory.path);
    assert.match(id, /^[0-9a-f]{8}-/);
    assert.equal(clusterHostId(directory.path), id);
    assert.deepEqual(readdirSync(directory.path), ['host-id']);
    assert.equal(readFileSync(join(directory.path, 'host-id'), 'utf8'), `${id}\n`);
  });

  it('is refused if the file has none', () => {
    using directory = makeTempDir();
    writeFileSync(join(directory.path, 'host-id'), 'half');
    assert.throws(() => clusterHostId(directory.path), ofKind('state', /host-id: it has no host id/));
  });

  it('is refused in a directory that is not there', () => {
    assert.throws(() => clusterHostId('/nowhere/at/all'), ofKind('state', /cannot be created/));
  });
});
