import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import * as messages from '../../cmd/cnm-shim/docker/wire/messages.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import { formatPrefix } from '../../src/shared/model/prefix.ts';

interface Recorded {
  readonly requests: readonly { readonly method: string; readonly body: unknown }[];
}

const FIXTURES = join(import.meta.dirname, '../fixtures/transcripts');
const DOCKERS = ['docker', 'docker-26.1.5', 'docker-28.5.2'];
const NETWORK = 'd527509059b9f2f85c6351db7c8f4945bd1e96769e16f1c686edc6a408c761a5';
const ENDPOINT = '1305c8fba9b3bc8e64ea61b7431022090df15d47753cbcd98ee1584e4f0c666d';
const IDS = { NetworkID: NETWORK, EndpointID: ENDPOINT };
/** An object with this many keys. */
const many = (count: number): object =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, '10.1.0.9/16']));
const OWN_IDS = { networkId: NETWORK, endpointId: ENDPOINT };

const DECODERS: Readonly<Record<string, (body: unknown) => object>> = {
  'NetworkDriver.CreateNetwork': messages.decodeCreateNetwork,
  'NetworkDriver.GwAllocCheck': messages.decodeGwAllocCheck,
  'NetworkDriver.AllocateNetwork': messages.decodeNetworkIdentity,
  'NetworkDriver.FreeNetwork': messages.decodeNetworkIdentity,
  'NetworkDriver.DeleteNetwork': messages.decodeNetworkIdentity,
  'NetworkDriver.CreateEndpoint': messages.decodeCreateEndpoint,
  'NetworkDriver.EndpointOperInfo': messages.decodeEndpointIdentity,
  'NetworkDriver.DeleteEndpoint': messages.decodeEndpointIdentity,
  'NetworkDriver.Join': messages.decodeEndpointIdentity,
  'NetworkDriver.Leave': messages.decodeEndpointIdentity,
  'NetworkDriver.ProgramExternalConnectivity': messages.decodeProgram,
  'NetworkDriver.RevokeExternalConnectivity': messages.decodeEndpointIdentity,
  'IpamDriver.RequestPool': messages.decodeRequestPool,
  'IpamDriver.ReleasePool': messages.decodePoolIdentity,
  'IpamDriver.RequestAddress': messages.decodeRequestAddress,
  'IpamDriver.ReleaseAddress': messages.decodeReleaseAddress,
};

function decode(method: string, body: unknown): object {
  const decoder = DECODERS[method];
  assert.ok(decoder !== undefined, method);
  return decoder(body);
}

/** Addresses and prefixes as text, for readable expectations. */
function readable(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, inner) => {
      if (typeof inner !== 'object' || inner === null) return inner;
      if ('addr' in inner && 'length' in inner) return formatPrefix(inner);
      return 'family' in inner && 'value' in inner ? formatAddr(inner) : inner;
    }),
  );
}

function assertDecodes(method: string, body: unknown, expected: unknown): void {
  assert.deepEqual(readable(decode(method, body)), expected);
}

function assertRefused(method: string, body: unknown, message: RegExp): void {
  assert.throws(
    () => decode(method, body),
    (error) => {
      assert.ok(error instanceof NetError, String(error));
      assert.match(error.message, message);
      return error.kind === 'invalid-config';
    },
  );
}

describe('dockerd requests', () => {
  it('are understood if they were recorded', () => {
    let understood = 0;
    const steps = DOCKERS.flatMap((name) =>
      readdirSync(join(FIXTURES, name)).map((step) => join(FIXTURES, name, step)),
    );
    for (const step of steps) {
      const { requests }: Recorded = JSON.parse(readFileSync(step, 'utf8'));
      for (const { method, body } of requests) {
        if (body === null || /\.Discover/.test(method)) continue;
        decode(method, body);
        understood++;
      }
    }
    assert.ok(understood > 600, `${understood}`);
  });

  it('decode the options and pools of CreateNetwork', () => {
    const body = {
      NetworkID: NETWORK,
      Options: {
        'com.docker.network.enable_ipv4': true,
        'com.docker.network.enable_ipv6': true,
        'com.docker.network.internal': true,
        'com.docker.network.generic': { driver: 'bridge', 'com.docker.network.driver.mtu': '1400' },
        'com.docker.network.of.later': [1],
      },
      IPv4Data: [
        {
          AddressSpace: 'isthmus',
          Pool: '10.55.0.0/24',
          Gateway: '10.55.0.1/24',
          AuxAddresses: { router: '10.55.0.5/24' },
        },
      ],
      IPv6Data: [{ AddressSpace: 'LocalDefault', Pool: 'fd00:55::/64', AuxAddresses: null }],
    };
    assertDecodes('NetworkDriver.CreateNetwork', body, {
      networkId: NETWORK,
      generic: { driver: 'bridge', 'com.docker.network.driver.mtu': '1400' },
      ...{ internal: true, enableIPv4: true, enableIPv6: true, completes: true },
      ipv4: [
        {
          addressSpace: 'isthmus',
          pool: '10.55.0.0/24',
          gateway: '10.55.0.1/24',
          auxAddresses: { router: '10.55.0.5/24' },
        },
      ],
      ipv6: [{ addressSpace: 'LocalDefault', pool: 'fd00:55::/64', auxAddresses: {} }],
    });
  });

  it('treat CreateNetwork without options as not internal', () => {
    const body = { NetworkID: NETWORK, Options: null, IPv4Data: null };
    const plain = { generic: {}, internal: false, enableIPv4: true, enableIPv6: false, ipv4: [], ipv6: [] };
    assertDecodes('NetworkDriver.CreateNetwork', body, { networkId: NETWORK, ...plain });
  });

  it('decode addresses and ports of CreateEndpoint, whatever other options it has', () => {
    const Options = {
      'com.docker.network.endpoint.exposedports': [{ Proto: 132, Port: 90 }],
      'com.docker.network.portmap': [
        { Proto: 17, IP: '', Port: 90, HostIP: '127.0.0.1', HostPort: 9090, HostPortEnd: 9095 },
        { Proto: 6, IP: '', Port: 80, HostIP: '', HostPort: 0, HostPortEnd: 0 },
        { Proto: 6, Port: 81, HostIP: '0:0::0', HostPort: 81 },
      ],
      'com.docker.network.endpoint.macaddress': 'AkKqu8zd',
      'com.docker.network.endpoint.dnsservers': ['10.1.1.1'],
      'com.docker.network.endpoint.ifname': 'lan0',
      'com.docker.network.endpoint.of.later': 'x',
      k: 'v',
    };
    const Interface = { Address: '10.55.0.77/24', AddressIPv6: '', MacAddress: '02-42-AA-bb-cc-dd' };
    assertDecodes(
      'NetworkDriver.CreateEndpoint',
      { ...IDS, Interface, Options },
      {
        ...OWN_IDS,
        ...{ address: '10.55.0.77/24', mac: '02:42:aa:bb:cc:dd', ifName: 'lan0' },
        ignored: ['com.docker.network.endpoint.of.later', 'k'],
        portMap: [
          { protocol: 'udp', containerPort: 90, hostIp: '127.0.0.1', hostPort: 9090, hostPortEnd: 9095 },
          { protocol: 'tcp', containerPort: 80, hostPort: 0, hostPortEnd: 0 },
          { protocol: 'tcp', containerPort: 81, hostIp: '::', hostPort: 81, hostPortEnd: 81 },
        ],
      },
    );
  });

  it('decode ports of ProgramExternalConnectivity and none of Join', () => {
    const Options = { 'com.docker.network.portmap': [{ Proto: 6, Port: 1, HostPort: 2, HostPortEnd: 2 }] };
    const portMap = [{ protocol: 'tcp', containerPort: 1, hostPort: 2, hostPortEnd: 2 }];
    assertDecodes('NetworkDriver.ProgramExternalConnectivity', { ...IDS, Options }, { ...OWN_IDS, portMap });
    assertDecodes('NetworkDriver.ProgramExternalConnectivity', { ...IDS, Options: null }, { ...OWN_IDS, portMap: [] });
    const proxy = 'com.docker.network.driver.private.no_proxy_6to4';
    for (const [value, more] of [
      [true, { noProxy6to4: true }],
      ['true', { noProxy6to4: true }],
      [false, {}],
    ] as const)
      assertDecodes(
        'NetworkDriver.ProgramExternalConnectivity',
        { ...IDS, Options: { [proxy]: value } },
        { ...OWN_IDS, portMap: [], ...more },
      );
    assertDecodes('NetworkDriver.Join', { ...IDS, SandboxKey: '/run/docker/netns/b31ef407e8d3', Options }, OWN_IDS);
  });

  it('decode pools and addresses of IPAM', () => {
    assertDecodes(
      'IpamDriver.RequestPool',
      { AddressSpace: 'isthmus', Pool: '', SubPool: '', Options: null, V6: false },
      { addressSpace: 'isthmus', options: {}, v6: false },
    );
    assertDecodes(
      'IpamDriver.RequestPool',
      { AddressSpace: 'isthmus', Pool: 'fd00::/64', SubPool: 'fd00::/80', Options: { network: 'web' }, V6: true },
      { addressSpace: 'isthmus', pool: 'fd00::/64', subPool: 'fd00::/80', options: { network: 'web' }, v6: true },
    );
    assertDecodes(
      'IpamDriver.RequestAddress',
      { PoolID: 'a', Address: '', Options: null },
      { poolId: 'a', gateway: false },
    );
    const Options = { RequestAddressType: 'com.docker.network.gateway' };
    assertDecodes(
      'IpamDriver.RequestAddress',
      { PoolID: 'a', Address: '10.1.0.1', Options },
      { poolId: 'a', address: '10.1.0.1', gateway: true },
    );
    assertDecodes(
      'IpamDriver.ReleaseAddress',
      { PoolID: 'a', Address: '10.1.0.1' },
      { poolId: 'a', address: '10.1.0.1' },
    );
  });

  const pool = (more: object) => ({ NetworkID: NETWORK, IPv4Data: [{ Pool: '10.1.0.0/16', ...more }] });
  const mapping = (more: object) => ({
    ...IDS,
    Options: { 'com.docker.network.portmap': [{ Proto: 6, Port: 80, HostPort: 80, HostPortEnd: 80, ...more }] },
  });
  for (const [method, body, message] of [
    ['NetworkDriver.CreateNetwork', undefined, /^request body: it is not an object\. A request is a JSON object$/],
    ['NetworkDriver.CreateNetwork', [], /^request body=\[\]: it is not an object/],
    ['NetworkDriver.CreateNetwork', {}, /^request \.NetworkID: it is missing/],
    ['NetworkDriver.CreateNetwork', { NetworkID: 7 }, /^request \.NetworkID=7: it is not a string/],
    ['NetworkDriver.DeleteNetwork', { NetworkID: '../../etc/x' }, /NetworkID="\.\.\/\.\.\/etc\/x": it is not an id/],
    ['NetworkDriver.DeleteNetwork', { NetworkID: 'abc' }, /"abc": it is not an id\. Ids are 12 to 128/],
    ['NetworkDriver.Leave', { NetworkID: NETWORK }, /^request \.EndpointID: it is missing/],
    ['NetworkDriver.CreateNetwork', many(1025), /^request body: it has 1025 keys\. Give 1024 at most$/],
    [
      'NetworkDriver.CreateNetwork',
      { NetworkID: NETWORK, Options: { 'com.docker.network.generic': many(200_000) } },
      /^request \.Options\["com\.docker\.network\.generic"\]: it has 200000 keys\. Give 1024 at most$/,
    ],
    [
      'NetworkDriver.CreateNetwork',
      { NetworkID: NETWORK, IPv4Data: [{ Pool: '10.1.0.0/16', AuxAddresses: many(60_000) }] },
      /^request \.IPv4Data\[0\]\.AuxAddresses: it has 60000 keys\. Give 1024 at most$/,
    ],
    [
      'NetworkDriver.CreateNetwork',
      { NetworkID: NETWORK, IPv4Data: Array(20_000).fill({ Pool: '10.1.0.0/16' }) },
      /^request \.IPv4Data: it has 20000 items\. Give 16 at most$/,
    ],
    ['NetworkDriver.CreateNetwork', { NetworkID: NETWORK, Options: 'x' }, /\.Options="x": it is not an object/],
    [
      'NetworkDriver.CreateNetwork',
      { NetworkID: NETWORK, Options: { 'com.docker.network.generic': { mtu: 1500 } } },
      /\.Options\["com\.docker\.network\.generic"\]\["mtu"\]=1500: it is not a string/,
    ],
    [
      'NetworkDriver.CreateNetwork',
      { NetworkID: NETWORK, Options: { 'com.docker.network.internal': 'true' } },
      /\["com\.docker\.network\.internal"\]="true": it is neither true nor false/,
    ],
    ['NetworkDriver.CreateNetwork', { NetworkID: NETWORK, IPv4Data: {} }, /\.IPv4Data={}: it is not a list/],
    ['NetworkDriver.CreateNetwork', { NetworkID: NETWORK, IPv4Data: [{}] }, /\.IPv4Data\[0\]\.Pool: it is missing/],
    [
      'NetworkDriver.CreateNetwork',
      pool({ Pool: 'fd00::/64' }),
      /\.IPv4Data\[0\]\.Pool="fd00::\/64": it is not an IPv4/,
    ],
    [
      'NetworkDriver.CreateNetwork',
      pool({ Gateway: '10.1.0.1' }),
      /Gateway="10\.1\.0\.1": it is not an IPv4 address with/,
    ],
    [
      'NetworkDriver.CreateNetwork',
      pool({ AuxAddresses: { a: '10.1.0.300/16' } }),
      /AuxAddresses\["a"\]="10\.1\.0\.300/,
    ],
    ['NetworkDriver.CreateEndpoint', { ...IDS, Interface: [] }, /\.Interface=\[\]: it is not an object/],
    [
      'NetworkDriver.CreateEndpoint',
      { ...IDS, Interface: { Address: 1 } },
      /\.Interface\.Address=1: it is not a string/,
    ],
    [
      'NetworkDriver.CreateEndpoint',
      { ...IDS, Interface: { MacAddress: '01:00:5e:00:00:01' } },
      /no interface can have/,
    ],
    [
      'NetworkDriver.ProgramExternalConnectivity',
      mapping({ Proto: 1 }),
      /\["com\.docker\.network\.portmap"\]\[0\]\.Proto=1: .*6 \(TCP\)/,
    ],
    ['NetworkDriver.ProgramExternalConnectivity', mapping({ Proto: '6' }), /\[0\]\.Proto="6"/],
    [
      'NetworkDriver.ProgramExternalConnectivity',
      mapping({ Port: 0 }),
      /\[0\]\.Port=0: .*whole number from 1 to 65535/,
    ],
    [
      'NetworkDriver.ProgramExternalConnectivity',
      mapping({ HostPort: 65_536 }),
      /\[0\]\.HostPort=65536: .*from 0 to 65535/,
    ],
    [
      'NetworkDriver.ProgramExternalConnectivity',
      mapping({ HostPort: 81 }),
      /\[0\]\.HostPortEnd=80: it is less than HostPort, 81/,
    ],
    [
      'NetworkDriver.ProgramExternalConnectivity',
      mapping({ HostIP: 'here' }),
      /\[0\]\.HostIP="here": it is not an IP address/,
    ],
    [
      'NetworkDriver.ProgramExternalConnectivity',
      { ...IDS, Options: { 'com.docker.network.portmap': Array(65_536).fill({}) } },
      /\.length=65536: these are too many ports\. Publish 65535 at most/,
    ],
    [
      'NetworkDriver.CreateEndpoint',
      { ...IDS, Options: { 'com.docker.network.endpoint.ifname': 'a/b' } },
      /ifname.*="a\/b": no interface can be called this/,
    ],
    [
      'IpamDriver.RequestPool',
      { V6: true, Pool: '10.1.0.0/16' },
      /\.Pool="10\.1\.0\.0\/16": it is not an IPv6 address/,
    ],
    ['IpamDriver.RequestPool', { V6: 1 }, /\.V6=1: it is neither true nor false/],
    ['IpamDriver.RequestAddress', {}, /\.PoolID: it is missing/],
    [
      'IpamDriver.RequestAddress',
      { PoolID: 'a', Address: '10.1.0.1/16' },
      /\.Address="10\.1\.0\.1\/16": it is not an IP/,
    ],
    ['IpamDriver.ReleaseAddress', { PoolID: 'a', Address: '' }, /\.Address="": it is missing/],
  ] as const)
    it(`${method} rejects ${JSON.stringify(body)?.slice(0, 160)}`, () => assertRefused(method, body, message));

  it('of random content are decoded or rejected, and never crash', () => {
    const methods = Object.keys(DECODERS);
    fc.assert(
      fc.property(fc.constantFrom(...methods), fc.jsonValue(), fc.jsonValue(), (method, body, inner) => {
        for (const given of [body, { ...IDS, Options: inner, Interface: inner, IPv4Data: inner, PoolID: 'a' }])
          try {
            decode(method, given);
          } catch (error) {
            assert.ok(error instanceof NetError && error.kind === 'invalid-config', String(error));
          }
      }),
    );
  });

  it('ignore properties that Object.prototype has', () => {
    const body = JSON.parse(`{"NetworkID":"${NETWORK}","Options":{"com.docker.network.generic":{"__proto__":"x"}}}`);
    const { generic } = messages.decodeCreateNetwork(body);
    assert.deepEqual(Object.entries(generic), [['__proto__', 'x']]);
  });
});
