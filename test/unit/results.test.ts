import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { type CniResult, parseResult } from '../../src/shared/config/result.ts';
import { atLeast, type CniVersion, SUPPORTED } from '../../src/shared/config/versions.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { formatResult } from '../../src/shared/runtime/cni/result.ts';
import { addrOf, prefixOf, routeOf } from '../support/addresses.ts';
import { arbitraryResult, sayable } from '../support/results.ts';

/** A result with every field. */
const RICH: CniResult = {
  interfaces: [
    { name: 'isth0', mac: '0a:00:00:00:00:01', mtu: 1400 },
    { name: 'veth0', mac: 'fe:00:00:00:00:02', mtu: 1400, socketPath: '/run/vhost.sock', pciID: '0000:af:00.1' },
    { name: 'eth0', mac: '0a:58:0a:58:00:02', mtu: 1400, sandbox: '/run/netns/pod' },
  ],
  ips: [
    { address: prefixOf('10.88.0.2/16'), gateway: addrOf('10.88.0.1'), interface: 2 },
    { address: prefixOf('fd00:88::2/64'), gateway: addrOf('fd00:88::1'), interface: 2 },
    { address: prefixOf('10.99.0.2/24'), interface: 2 },
  ],
  routes: [
    { ...routeOf('0.0.0.0/0', '10.88.0.1'), mtu: 1300, advmss: 1260, priority: 5, table: 100, scope: 0 },
    routeOf('::/0'),
  ],
  dns: { nameservers: ['10.88.0.1'], domain: 'example.test', search: ['a.test', 'b.test'], options: ['ndots:2'] },
};

const INTERFACES = [
  { name: 'isth0', mac: '0a:00:00:00:00:01' },
  { name: 'veth0', mac: 'fe:00:00:00:00:02' },
  { name: 'eth0', mac: '0a:58:0a:58:00:02', sandbox: '/run/netns/pod' },
];
const ROUTES = [
  { dst: '0.0.0.0/0', gw: '10.88.0.1', mtu: 1300, advmss: 1260, priority: 5, table: 100, scope: 0 },
  { dst: '::/0' },
];
const DNS = { nameservers: ['10.88.0.1'], domain: 'example.test', search: ['a.test', 'b.test'], options: ['ndots:2'] };

/** 0.1.0 and 0.2.0 have one address per family, routes by family, and no interfaces. */
const OLDEST = {
  ip4: { ip: '10.88.0.2/16', gateway: '10.88.0.1', routes: [{ dst: '0.0.0.0/0', gw: '10.88.0.1' }] },
  ip6: { ip: 'fd00:88::2/64', gateway: 'fd00:88::1', routes: [{ dst: '::/0' }] },
  dns: DNS,
};
/** 0.3.0 to 0.4.0 have a version for each address. */
const MIDDLE = {
  interfaces: INTERFACES,
  ips: [
    { version: '4', interface: 2, address: '10.88.0.2/16', gateway: '10.88.0.1' },
    { version: '6', interface: 2, address: 'fd00:88::2/64', gateway: 'fd00:88::1' },
    { version: '4', interface: 2, address: '10.99.0.2/24' },
  ],
  routes: ROUTES,
  dns: DNS,
};
const IPS = [
  { interface: 2, address: '10.88.0.2/16', gateway: '10.88.0.1' },
  { interface: 2, address: 'fd00:88::2/64', gateway: 'fd00:88::1' },
  { interface: 2, address: '10.99.0.2/24' },
];
const EXPECTED: Readonly<Record<CniVersion, object>> = {
  '0.1.0': { cniVersion: '0.1.0', ...OLDEST },
  '0.2.0': { cniVersion: '0.2.0', ...OLDEST },
  '0.3.0': { cniVersion: '0.3.0', ...MIDDLE },
  '0.3.1': { cniVersion: '0.3.1', ...MIDDLE },
  '0.4.0': { cniVersion: '0.4.0', ...MIDDLE },
  '1.0.0': { cniVersion: '1.0.0', interfaces: INTERFACES, ips: IPS, routes: ROUTES, dns: DNS },
  '1.1.0': {
    cniVersion: '1.1.0',
    interfaces: [
      { name: 'isth0', mac: '0a:00:00:00:00:01', mtu: 1400 },
      { name: 'veth0', mac: 'fe:00:00:00:00:02', mtu: 1400, socketPath: '/run/vhost.sock', pciID: '0000:af:00.1' },
      { name: 'eth0', mac: '0a:58:0a:58:00:02', mtu: 1400, sandbox: '/run/netns/pod' },
    ],
    ips: IPS,
    routes: ROUTES,
    dns: DNS,
  },
};

/** The value after a round trip through JSON, without undefined keys. */
function wire(result: CniResult, version: CniVersion): object {
  return JSON.parse(JSON.stringify(formatResult(result, version)));
}

describe('results', () => {
  for (const version of SUPPORTED) {
    it(`encode as ${version} with all fields`, () => assert.deepEqual(wire(RICH, version), EXPECTED[version]));

    it(`survive encoding as ${version}, within that version's limits`, () => {
      assert.deepEqual(parseResult(wire(RICH, version), '.prevResult'), sayable(RICH, version));
    });

    it(`survive encoding as ${version} with random fields, within that version's limits`, () => {
      fc.assert(
        fc.property(arbitraryResult(), (result) => {
          fc.pre(atLeast(version, '0.3.0') || result.ips.length > 0);
          assert.deepEqual(parseResult(wire(result, version), '.prevResult'), sayable(result, version));
        }),
      );
    });

    it(`encode as ${version} independently of an intermediate version`, () => {
      fc.assert(
        fc.property(arbitraryResult(), fc.constantFrom(...SUPPORTED), (result, between) => {
          fc.pre(result.ips.length > 0);
          const passed = parseResult(wire(result, between), '.prevResult');
          assert.deepEqual(wire(passed, version), wire(sayable(sayable(result, between), version), version));
        }),
      );
    });
  }

  it('omit an empty dns key from 1.0.0 on; before, it is an empty object', () => {
    const bare = { ...RICH, dns: {} };
    for (const version of SUPPORTED) {
      const dns = Object.entries(wire(bare, version)).find(([key]) => key === 'dns');
      assert.deepEqual(dns, atLeast(version, '1.0.0') ? undefined : ['dns', {}], version);
    }
  });

  it('of an IPAM plugin have neither interfaces nor indexes', () => {
    const ipam: CniResult = { interfaces: [], ips: [{ address: prefixOf('10.88.0.2/16') }], routes: [], dns: {} };
    assert.deepEqual(wire(ipam, '1.1.0'), { cniVersion: '1.1.0', ips: [{ address: '10.88.0.2/16' }] });
    assert.deepEqual(wire(ipam, '0.4.0'), {
      cniVersion: '0.4.0',
      ips: [{ version: '4', address: '10.88.0.2/16' }],
      dns: {},
    });
    assert.deepEqual(wire(ipam, '0.1.0'), { cniVersion: '0.1.0', ip4: { ip: '10.88.0.2/16' }, dns: {} });
  });

  it('without an address cannot be encoded before 0.3.0', () => {
    for (const version of ['0.1.0', '0.2.0'] as const) {
      assert.throws(
        () => formatResult({ ...RICH, ips: [] }, version),
        (error) => error instanceof NetError && error.cniCode === 1 && error.message.includes('no valid IP addresses'),
      );
    }
  });

  it('of an older plugin may have keys in another case, a negative index and nulls', () => {
    const odd = { IPs: [{ Address: '10.88.0.2/16', Interface: -1, gateway: null }], routes: null, interfaces: null };
    assert.deepEqual(parseResult(odd, '.prevResult'), {
      interfaces: [],
      ips: [{ address: prefixOf('10.88.0.2/16') }],
      routes: [],
      dns: {},
    });
  });

  const refused: readonly (readonly [unknown, string])[] = [
    ['text', '.prevResult="text": is no result object'],
    [{ ips: {} }, '.prevResult.ips={}: is no list'],
    [{ ips: [{}] }, '.prevResult.ips[0].address: is missing'],
    [{ ips: [{ address: '10.0.0.1' }] }, '.prevResult.ips[0].address="10.0.0.1": is no address with a prefix length'],
    [{ ips: [{ address: '10.0.0.1/8', gateway: 'x' }] }, '.prevResult.ips[0].gateway="x": is not an IP address'],
    [{ ip4: { ip: 'x' } }, '.prevResult.ip4.ip="x": is no address with a prefix length'],
    [{ ip6: { ip: '::1/128', routes: [{ dst: 'x' }] } }, '.prevResult.ip6.routes[0].dst="x": is no prefix'],
    [{ routes: [{ dst: '::/0', gw: 7 }] }, '.prevResult.routes[0].gw=7: is not an IP address'],
    [{ interfaces: [{}] }, '.prevResult.interfaces[0]={}: has no name'],
  ];
  for (const [value, message] of refused) {
    it(`rejects ${JSON.stringify(value)}`, () => {
      assert.throws(
        () => parseResult(value, '.prevResult'),
        (error) => error instanceof NetError && error.cniCode === 7 && error.message.includes(message),
      );
    });
  }
});
