import { strict as assert } from 'node:assert';
import { networkDriver } from '../../cmd/cnm-shim/docker/network-driver.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { makeCore, refusedWith, type TestCore } from '../support/core.ts';

const ID = 'd527509059b9f2f85c6351db7c8f4945bd1e96769e16f1c686edc6a408c761a5';
const ids = { NetworkID: ID, EndpointID: 'e'.repeat(64) };
const V4 = { AddressSpace: 'LocalDefault', Pool: '10.5.0.0/24', Gateway: '10.5.0.1/24' };
const V6 = { AddressSpace: 'LocalDefault', Pool: 'fd00:5::/64', Gateway: 'fd00:5::1/64' };

describe('answers to dockerd for networks on a parent', () => {
  let host: FakeHost;
  let core: TestCore;

  beforeEach(() => {
    host = new FakeHost({ own: { links: [{ name: 'eth0', mtu: 1500, up: true }] } });
    core = makeCore(host);
  });

  const call = async (method: string, body: object): Promise<unknown> => await networkDriver[method]?.(body, core);
  const create = (generic: object, internal = false) =>
    call('CreateNetwork', {
      NetworkID: ID,
      Options: {
        'com.docker.network.enable_ipv6': true,
        'com.docker.network.generic': generic,
        ...(internal ? { 'com.docker.network.internal': true } : {}),
      },
      IPv4Data: [V4],
      IPv6Data: [V6],
    });
  const connect = async (mac = '') => {
    const Interface = { Address: '10.5.0.2/24', AddressIPv6: 'fd00:5::2/64', MacAddress: mac };
    const made = await call('CreateEndpoint', { ...ids, Interface, Options: {} });
    const joined = await call('Join', { ...ids, SandboxKey: '/run/docker/netns/1', Options: {} });
    return { made, joined };
  };

  const srcName = `peer${'e'.repeat(11)}`;
  const InterfaceName = { SrcName: srcName, DstPrefix: 'eth' };
  const gateways = { Gateway: '10.5.0.1', GatewayIPv6: 'fd00:5::1' };
  const ways = [
    { Destination: '0.0.0.0/0', RouteType: 1 },
    { Destination: '::/0', RouteType: 1 },
  ];

  for (const [generic, internal, answer] of [
    [{ driver: 'macvlan', parent: 'eth0' }, false, { ...gateways, StaticRoutes: [] }],
    [{ driver: 'macvlan', parent: 'eth0.7' }, false, { ...gateways, StaticRoutes: [] }],
    [{ driver: 'macvlan', parent: 'eth0' }, true, { StaticRoutes: [] }],
    [{ driver: 'macvlan' }, false, { StaticRoutes: [] }],
    [{ driver: 'ipvlan', parent: 'eth0' }, false, { ...gateways, StaticRoutes: [] }],
    [{ driver: 'ipvlan', parent: 'eth0', ipvlan_mode: 'l3' }, false, { StaticRoutes: ways }],
    [{ driver: 'ipvlan', parent: 'eth0', ipvlan_mode: 'l3s' }, false, { StaticRoutes: ways }],
    [{ driver: 'ipvlan', parent: 'eth0', ipvlan_mode: 'l3' }, true, { StaticRoutes: [] }],
    [{ driver: 'ipvlan', ipvlan_mode: 'l3' }, false, { StaticRoutes: [] }],
  ] as const)
    it(`Join: ${JSON.stringify(generic)}${internal ? ' --internal' : ''}`, async () => {
      await create(generic, internal);
      const before = host.toString();
      const { made, joined } = await connect();
      const { mac } = host.observe(host.own, { links: [srcName] }).links.get(srcName) ?? {};
      assert.deepEqual(made, { Interface: generic.driver === 'ipvlan' ? {} : { MacAddress: mac } });
      assert.deepEqual(joined, { InterfaceName, ...answer, DisableGatewayService: true });
      await call('Leave', ids);
      await call('DeleteEndpoint', ids);
      assert.equal(host.toString(), before);
      await call('DeleteNetwork', { NetworkID: ID });
      assert.doesNotMatch(host.toString(), /peer|eth0\.|d[mi]-/);
    });

  it('CreateEndpoint: an ipvlan takes no MAC', async () => {
    await create({ driver: 'ipvlan', parent: 'eth0' });
    const text = /--mac-address 02:00:00:00:00:01: an ipvlan has the MAC of its parent\. Leave it out/;
    await assert.rejects(connect('02:00:00:00:00:01'), refusedWith('invalid-config', text));
    assert.deepEqual(core.store.endpoints.list(), []);
  });

  it('records where dockerd moves the interface', async () => {
    await create({ driver: 'macvlan', parent: 'eth0' });
    await connect();
    const [row] = core.store.endpoints.list();
    assert.equal(row?.kind === 'docker' && row.netns, '/run/docker/netns/1');
  });
});
