import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { parseAddr } from '../../src/shared/model/addr.ts';
import { formatPrefix } from '../../src/shared/model/prefix.ts';
import {
  addressSpaces,
  ipamCapabilities,
  releaseAddress,
  releasePool,
  requestAddress,
  requestPool,
} from '../../src/shared/remote/ipam-driver.ts';
import {
  createEndpoint,
  createNetwork,
  deleteEndpoint,
  deleteNetwork,
  driverCapabilities,
  endpointInfo,
  join,
  leave,
  programConnectivity,
  revokeConnectivity,
} from '../../src/shared/remote/network-driver.ts';
import type { RemotePlugin } from '../../src/shared/remote/plugin.ts';
import { addrOf } from '../support/addresses.ts';

const IDS = { networkId: 'a'.repeat(64), endpointId: 'b'.repeat(64) };
const ENDPOINT = {
  ...{ NetworkID: IDS.networkId, EndpointID: IDS.endpointId },
  Interface: { Address: '', AddressIPv6: '', MacAddress: '' },
  Options: {},
};
const NETWORK = { NetworkID: IDS.networkId, Options: {}, IPv4Data: [], IPv6Data: [] };
const POOL = { family: 4, addressSpace: 'gpl', options: {} } as const;
const ADDRESS = { family: 4, poolId: 'p' } as const;

const says = (answer: unknown): RemotePlugin => ({ name: 'gp', call: async () => answer });

/** Every function, with what its answer is read for. */
const CALLS: Readonly<Record<string, (plugin: RemotePlugin) => Promise<unknown>>> = {
  'NetworkDriver.GetCapabilities': driverCapabilities,
  'NetworkDriver.CreateNetwork': (plugin) => createNetwork(plugin, NETWORK),
  'NetworkDriver.DeleteNetwork': (plugin) => deleteNetwork(plugin, 'a'),
  'NetworkDriver.CreateEndpoint': (plugin) => createEndpoint(plugin, ENDPOINT),
  'NetworkDriver.EndpointOperInfo': (plugin) => endpointInfo(plugin, IDS),
  'NetworkDriver.DeleteEndpoint': (plugin) => deleteEndpoint(plugin, IDS),
  'NetworkDriver.Join': (plugin) => join(plugin, IDS, '/run/netns/x'),
  'NetworkDriver.Leave': (plugin) => leave(plugin, IDS),
  'NetworkDriver.ProgramExternalConnectivity': (plugin) => programConnectivity(plugin, IDS),
  'NetworkDriver.RevokeExternalConnectivity': (plugin) => revokeConnectivity(plugin, IDS),
  'IpamDriver.GetCapabilities': ipamCapabilities,
  'IpamDriver.GetDefaultAddressSpaces': addressSpaces,
  'IpamDriver.RequestPool': (plugin) => requestPool(plugin, POOL),
  'IpamDriver.ReleasePool': (plugin) => releasePool(plugin, 'p'),
  'IpamDriver.RequestAddress': (plugin) => requestAddress(plugin, ADDRESS),
  'IpamDriver.ReleaseAddress': (plugin) => releaseAddress(plugin, 'p', addrOf('10.88.7.1')),
};

/** Keys of all answers, so that arbitrary values reach every reader. */
const KEYS = [
  ...['Scope', 'ConnectivityScope', 'GwAllocChecker', 'Interface', 'Address', 'AddressIPv6', 'MacAddress', 'Value'],
  ...['InterfaceName', 'SrcName', 'DstPrefix', 'Gateway', 'GatewayIPv6', 'StaticRoutes', 'Destination', 'RouteType'],
  ...['NextHop', 'DisableGatewayService', 'RequiresMACAddress', 'RequiresRequestReplay', 'LocalDefaultAddressSpace'],
  ...['GlobalDefaultAddressSpace', 'PoolID', 'Pool', 'Data', 'com.docker.network.gateway', '__proto__', 'toString'],
];
const VALUES = ['', 'local', '10.88.7.1', '10.88.7.0/24', 'fd00::1/64', 'fd00::1', '02:00:00:00:00:01', 'eth0', 'p'];

const { value: arbitraryAnswer } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(...VALUES, null, true, false, 0, 1, 2, -1, 1.5),
    fc.string(),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie('value'), { maxKeys: 6 }),
  ),
}));

describe('answers of a plugin', () => {
  for (const [method, call] of Object.entries(CALLS))
    it(`${method}: any answer gives values or a NetError`, () =>
      fc.assert(
        fc.asyncProperty(fc.oneof(arbitraryAnswer, fc.json().map(JSON.parse)), async (answer) => {
          try {
            await call(says(JSON.parse(JSON.stringify(answer))));
          } catch (thrown) {
            assert.ok(thrown instanceof NetError, String(thrown));
            assert.equal(thrown.kind, 'delegate');
            assert.ok(thrown.message.startsWith(`${method} plugin gp: `), thrown.message);
          }
        }),
        { numRuns: 300 },
      ));

  /** Method, answer, and what the error says. */
  const REFUSED: readonly (readonly [method: string, answer: unknown, pattern: RegExp])[] = [
    ['NetworkDriver.GetCapabilities', {}, /Scope, which is missing/],
    ['NetworkDriver.GetCapabilities', { Scope: 'swarm' }, /Scope="swarm", which is neither local nor global/],
    ['NetworkDriver.CreateEndpoint', { Interface: 'x' }, /Interface="x", which is not an object/],
    ['NetworkDriver.CreateEndpoint', { Interface: { Address: '10.88.7.1' } }, /Interface\.Address="10\.88\.7\.1"/],
    ['NetworkDriver.CreateEndpoint', { Interface: { Address: 'fd00::1/64' } }, /"fd00::1\/64", which is not of IPv4/],
    ['NetworkDriver.CreateEndpoint', { Interface: { MacAddress: 'x' } }, /MacAddress="x", which is not a MAC address/],
    ['NetworkDriver.CreateEndpoint', { Interface: { MacAddress: '01:00:5e:00:00:01' } }, /that no interface can have/],
    ['NetworkDriver.Join', { InterfaceName: { SrcName: 'a/b' } }, /InterfaceName\.SrcName="a\/b", which has \//],
    ['NetworkDriver.Join', { InterfaceName: { SrcName: 'x'.repeat(16) } }, /which is longer than 15 bytes/],
    ['NetworkDriver.Join', { Gateway: '10.88.7.1/24' }, /Gateway="10\.88\.7\.1\/24", which is not an IP address/],
    ['NetworkDriver.Join', { GatewayIPv6: '10.88.7.1' }, /GatewayIPv6="10\.88\.7\.1", which is not of IPv6/],
    ['NetworkDriver.Join', { StaticRoutes: {} }, /StaticRoutes=an object, which is not a list/],
    ['NetworkDriver.Join', { StaticRoutes: [7] }, /StaticRoutes\[0\]=7, which is not an object/],
    ['NetworkDriver.Join', { StaticRoutes: [{}] }, /StaticRoutes\[0\]\.Destination, which is missing/],
    ['NetworkDriver.Join', { StaticRoutes: [{ Destination: '10.0.0.0/8' }] }, /\[0\]\.NextHop, which is missing/],
    ['NetworkDriver.Join', { StaticRoutes: [{ Destination: '10.0.0.0/8', RouteType: 2 }] }, /RouteType=2, which is/],
    ['NetworkDriver.Join', { StaticRoutes: Array(2000).fill({}) }, /StaticRoutes=a list, which has more than 1024/],
    ['NetworkDriver.Join', { DisableGatewayService: 'yes' }, /DisableGatewayService="yes", which is not true or/],
    ['NetworkDriver.EndpointOperInfo', { Value: nested(9999) }, /Value=an object, which is nested more than 32 deep/],
    ['IpamDriver.RequestPool', { Pool: '10.0.0.0/8' }, /PoolID, which is missing/],
    ['IpamDriver.RequestPool', { PoolID: 'p', Pool: 'fd00::/64' }, /Pool="fd00::\/64", which is not of IPv4/],
    ['IpamDriver.RequestAddress', {}, /Address, which is missing/],
    ['IpamDriver.RequestAddress', { Address: 'x'.repeat(5000) }, /which is longer than 4096 characters/],
  ];
  for (const [method, answer, pattern] of REFUSED)
    it(`${method} refuses ${JSON.stringify(answer).slice(0, 60)}`, async () => {
      const call = CALLS[method] ?? assert.fail(method);
      await assert.rejects(call(says(answer)), pattern);
    });

  it('reads what recorded plugins answer', async () => {
    const recorded = {
      InterfaceName: { SrcName: 'sc7d07cc59', DstPrefix: 'eth' },
      StaticRoutes: [
        { Destination: '10.123.0.9/16', RouteType: 0, NextHop: '10.55.0.254' },
        { Destination: '10.124.0.0/16', RouteType: 1, NextHop: '' },
      ],
      DisableGatewayService: true,
    };
    const joined = await join(says(recorded), IDS, '/run/netns/x');
    assert.deepEqual(
      { ...joined, staticRoutes: joined.staticRoutes.map(({ dst, nextHop }) => [formatPrefix(dst), nextHop]) },
      {
        ...{ srcName: 'sc7d07cc59', dstPrefix: 'eth', disableGatewayService: true },
        staticRoutes: [
          ['10.123.0.0/16', parseAddr('10.55.0.254')],
          ['10.124.0.0/16', undefined],
        ],
      },
    );
    assert.deepEqual(await createEndpoint(says({ Interface: null }), ENDPOINT), {});
    assert.deepEqual(await endpointInfo(says({ Value: null }), IDS), {});
    assert.deepEqual(await driverCapabilities(says({ Scope: 'local', ConnectivityScope: '' })), {
      ...{ scope: 'local', connectivityScope: 'local', gatewayCheck: false },
    });
    const pool = { PoolID: 'pool-1', Pool: '10.88.7.0/24', Data: { 'com.docker.network.gateway': '10.88.7.254/24' } };
    const granted = await requestPool(says(pool), POOL);
    assert.deepEqual(granted.gateway && formatPrefix(granted.gateway), '10.88.7.254/24');
  });

  it('gives back what an unusable answer granted', async () => {
    const released: unknown[] = [];
    const plugin = (answer: unknown): RemotePlugin => ({
      name: 'gp',
      call: async (method, body) => {
        if (!method.includes('Release')) return answer;
        released.push([method, body]);
        return {};
      },
    });
    await assert.rejects(requestPool(plugin({ PoolID: 'p7', Pool: 'x' }), POOL));
    await assert.rejects(requestAddress(plugin({ Address: '10.88.7.9' }), ADDRESS));
    assert.deepEqual(released, [
      ['IpamDriver.ReleasePool', { PoolID: 'p7' }],
      ['IpamDriver.ReleaseAddress', { PoolID: 'p', Address: '10.88.7.9' }],
    ]);
  });
});

function nested(depth: number): object {
  let value: object = {};
  for (let i = 0; i < depth; i++) value = { a: value };
  return value;
}
