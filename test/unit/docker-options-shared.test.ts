import { strict as assert } from 'node:assert';
import { DockerService } from '../../cmd/cnm-shim/docker/docker-service.ts';
import type { NetworkSpec } from '../../src/shared/config/network-spec.ts';
import { defaultCandidates } from '../../src/shared/core/pools/candidates.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { makePhases } from '../../src/shared/runtime/phases.ts';
import { prefixOf, routeOf } from '../support/addresses.ts';
import { makeCore, makeFakeHost, type TestCore } from '../support/core.ts';

const ID = 'd527509059b9f2f85c6351db7c8f4945bd1e96769e16f1c686edc6a408c761a5';
const OTHER_ID = 'e'.repeat(64);
const ENDPOINT = '1305c8fba9b3bc8e64ea61b7431022090df15d47753cbcd98ee1584e4f0c666d';

/** The network of a CNI configuration named `web`. */
const WEB: NetworkSpec = {
  options: {
    ...{ driver: 'bridge', bridge: 'isth0', isGateway: true, isDefaultGateway: false, forceAddress: false },
    ...{ mtu: 1400, hairpin: false, promisc: false, trunk: [], preserveDefaultVlan: false, macspoofchk: false },
    ...{ enabledad: false, disableContainerInterface: false, portIsolation: false },
  },
  ranges: [[{ subnet: prefixOf('10.88.0.0/24') }]],
  scope: '/var/lib/cni/networks/web',
  routes: [routeOf('0.0.0.0/0'), routeOf('10.77.0.0/16'), routeOf('10.66.0.0/16', '10.88.0.9')],
  rules: {
    backend: 'nftables',
    options: {
      ...{ backend: 'auto', policy: 'open', masquerade: { except: [], to: {} } },
      ports: { snat: true, masqAll: false, conditions: { 4: [], 6: [] } },
    },
    admit: true,
  },
};

interface Lab {
  readonly core: TestCore;
  call(method: string, body?: object): Promise<Record<string, unknown>>;
  /** The calls of dockerd for `network create`: pool, gateway, network. */
  create(network: Creation): Promise<object>;
  /** The state of the host's namespace. */
  text(): string;
}

interface Creation {
  readonly id?: string;
  readonly o?: Readonly<Record<string, string>>;
  readonly ipamOpt?: Readonly<Record<string, string>>;
  readonly subnet?: string;
  readonly internal?: boolean;
  /** Docker's own IPAM. */
  readonly theirs?: boolean;
}

function makeLab(specs: Readonly<Record<string, NetworkSpec>> = { web: WEB }): Lab {
  const host = makeFakeHost();
  const core: TestCore = { ...makeCore(host), configured: (name) => specs[name] };
  const service = new DockerService({
    cores: {
      open: () => ({ ...core, store: core.store, [Symbol.dispose]: () => {}, [Symbol.asyncDispose]: async () => {} }),
    },
    log: core.log,
    candidates: defaultCandidates('root', 'm'),
  });
  const routes = service.routes();
  const call: Lab['call'] = async (method, body = {}) => {
    const route = routes[method];
    assert.ok(route !== undefined, method);
    const phases = makePhases(() => 0, 0);
    return { ...(await route.handle(body, { phases })) };
  };
  return {
    core,
    call,
    create: async ({ id = ID, o = {}, ipamOpt = {}, subnet = '', internal, theirs = false }) => {
      const space = theirs ? 'LocalDefault' : 'isthmus';
      const asked = { AddressSpace: space, Pool: subnet, SubPool: '', Options: ipamOpt, V6: false };
      const pool = theirs ? { Pool: subnet } : await call('IpamDriver.RequestPool', asked);
      const type = { RequestAddressType: 'com.docker.network.gateway' };
      const gateway = theirs
        ? { Address: subnet.replace(/0\/(\d+)$/, '1/$1') }
        : await call('IpamDriver.RequestAddress', { PoolID: pool.PoolID, Address: '', Options: type });
      return await call('NetworkDriver.CreateNetwork', {
        NetworkID: id,
        Options: {
          'com.docker.network.enable_ipv6': false,
          'com.docker.network.generic': o,
          ...(internal === undefined ? {} : { 'com.docker.network.internal': internal }),
        },
        IPv4Data: [{ AddressSpace: space, Pool: pool.Pool, Gateway: gateway.Address }],
        IPv6Data: [],
      });
    },
    text: () => host.toString(),
  };
}

function refused(kind: NetError['kind'], ...words: readonly RegExp[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof NetError, String(error));
    for (const word of words) assert.match(error.message, word);
    assert.equal(error.kind, kind, error.message);
    return true;
  };
}

const SHARE = { o: { network: 'web' }, ipamOpt: { network: 'web' }, subnet: '10.88.0.0/24' };
const COMMAND = /docker network create -d isthmus --ipam-driver isthmus --ipam-opt network=web -o network=web.* NAME/;

describe('Docker network that shares the network of a CNI configuration', () => {
  it('uses its bridge, pool and gateway, and returns its routes to containers', async () => {
    const { core, call, create, text } = makeLab();
    await create(SHARE);
    assert.match(text(), /isth0/);
    const row = core.store.dockerNetworks.get(ID);
    assert.deepEqual(
      [row?.network, row?.scope, row?.gateway4, row?.mode4, row?.internal],
      ['web', '/var/lib/cni/networks/web', '10.88.0.1', 'nat-unprotected', false],
    );
    assert.deepEqual(core.store.networks.get('web')?.holders, [{ kind: 'docker', id: ID }]);
    const ids = { NetworkID: ID, EndpointID: ENDPOINT };
    await call('NetworkDriver.CreateEndpoint', { ...ids, Interface: { Address: '10.88.0.7/24' }, Options: {} });
    assert.deepEqual(await call('NetworkDriver.Join', { ...ids, SandboxKey: '/run/docker/netns/x', Options: {} }), {
      InterfaceName: { SrcName: 'peer1305c8fba9b', DstPrefix: 'eth' },
      Gateway: '10.88.0.1',
      StaticRoutes: [
        { Destination: '10.77.0.0/16', RouteType: 0, NextHop: '10.88.0.1' },
        { Destination: '10.66.0.0/16', RouteType: 0, NextHop: '10.88.0.9' },
      ],
    });
  });

  it('can be selected by the IPAM option alone', async () => {
    const { core, create } = makeLab();
    await create({ ...SHARE, o: {} });
    assert.equal(core.store.dockerNetworks.get(ID)?.network, 'web');
  });

  it('may repeat the options of the shared network', async () => {
    const { create } = makeLab();
    await create({ ...SHARE, o: { network: 'web', bridge: 'isth0', mtu: '1400', icc: 'true' } });
  });

  it('creates the shared network, open like those of CNI, if it does not exist', async () => {
    const { core, create } = makeLab({});
    await create({ ...SHARE, subnet: '10.44.0.0/24' });
    const { spec } = core.store.networks.get('web') ?? {};
    assert.ok(spec?.options.driver === 'bridge');
    assert.deepEqual(
      [spec.options.bridge, spec.scope, spec.rules?.options.policy, spec.allocator],
      ['br-web', '/var/lib/cni/networks/web', 'open', undefined],
    );
  });

  it('may be the second one, and leaves the network to the first', async () => {
    const { core, call, create } = makeLab();
    await create(SHARE);
    await create({ ...SHARE, id: OTHER_ID });
    await call('NetworkDriver.DeleteNetwork', { NetworkID: OTHER_ID });
    assert.deepEqual(core.store.networks.get('web')?.holders, [{ kind: 'docker', id: ID }]);
    await call('NetworkDriver.DeleteNetwork', { NetworkID: ID });
    assert.equal(core.store.networks.get('web'), undefined);
  });

  it('gets no gateway if neither the host nor a route is one', async () => {
    const { options, ...rest } = WEB;
    assert.ok(options.driver === 'bridge');
    const web = { ...rest, options: { ...options, isGateway: false }, routes: [] };
    const { core, create } = makeLab({ web });
    await create(SHARE);
    assert.equal(core.store.dockerNetworks.get(ID)?.gateway4, undefined);
  });

  it('is internal if the shared network is', async () => {
    const { rules } = WEB;
    assert.ok(rules !== undefined);
    const { masquerade: _, ...options } = rules.options;
    const web: NetworkSpec = { ...WEB, rules: { ...rules, options: { ...options, policy: 'internal' } } };
    const { core, create } = makeLab({ web });
    await create(SHARE);
    const row = core.store.dockerNetworks.get(ID);
    assert.deepEqual([row?.internal, row?.gateway4], [true, undefined]);
  });

  const wrong: readonly (readonly [string, Creation, ...RegExp[]])[] = [
    ["with Docker's IPAM", { o: SHARE.o, subnet: '10.88.0.0/24', theirs: true }, /LocalDefault/, COMMAND],
    ['with a pool of its own', { o: SHARE.o, subnet: '10.88.0.0/24' }, /without --ipam-opt network=web/, COMMAND],
    ['with another subnet', { ...SHARE, subnet: '10.87.0.0/24' }, /10\.88\.0\.0\/24/],
    ['by two names', { ...SHARE, o: { network: 'other' } }, /--ipam-opt network=web/],
    ['with another bridge', { ...SHARE, o: { network: 'web', bridge: 'br7' } }, /br7/, /isth0/],
    ['with another MTU', { ...SHARE, o: { network: 'web', mtu: '1500' } }, /mtu=1500/, /1400/],
    ['without ICC', { ...SHARE, o: { network: 'web', icc: 'false' } }, /enable_icc=false/, /it has true/],
    ['without masquerading', { ...SHARE, o: { network: 'web', ipMasq: 'false' } }, /enable_ip_masquerade=false/],
    [
      'with a trusted interface',
      { ...SHARE, o: { network: 'web', 'com.docker.network.bridge.trusted_host_interfaces': 'eth0' } },
      /trusted_host_interfaces=eth0/,
      /it has none/,
    ],
    ['as an internal one', { ...SHARE, internal: true }, /--internal=true/, /it has false/],
  ];
  for (const [what, creation, ...words] of wrong) {
    it(`is rejected ${what}, and creates nothing`, async () => {
      const { core, create, text } = makeLab();
      await assert.rejects(create(creation), refused('conflict', ...words));
      assert.deepEqual([core.store.dockerNetworks.list(), core.store.networks.list()], [[], []]);
      assert.doesNotMatch(text(), /type bridge/);
    });
  }

  it('is rejected if a foreign IPAM hands out the addresses', async () => {
    const { scope: _, ...rest } = WEB;
    for (const allocator of ['dhcp', 'docker']) {
      const { create } = makeLab({ web: { ...rest, allocator } });
      await assert.rejects(create(SHARE), refused('conflict', /network web/, /hands out|handed out/));
    }
  });

  it('is rejected without interfaces', async () => {
    const { create } = makeLab();
    await assert.rejects(
      create({ ...SHARE, o: { network: 'web', driver: 'null' } }),
      refused('invalid-config', /nothing to share/),
    );
  });
});

describe('dockerd call', () => {
  const ids = { NetworkID: ID, EndpointID: ENDPOINT };

  it('CreateNetwork succeeds if the same network exists, and is a conflict with other options', async () => {
    const { call, core } = makeLab();
    const body = (o: object) => ({
      NetworkID: ID,
      Options: { 'com.docker.network.generic': o },
      IPv4Data: [{ AddressSpace: 'LocalDefault', Pool: '10.99.0.0/24', Gateway: '10.99.0.1/24' }],
      IPv6Data: null,
    });
    await call('NetworkDriver.CreateNetwork', body({ mtu: '1400' }));
    const before = core.store.dockerNetworks.list();
    await call('NetworkDriver.CreateNetwork', body({ mtu: '1400' }));
    await assert.rejects(
      call('NetworkDriver.CreateNetwork', body({ mtu: '1500' })),
      refused('conflict', /exists already/),
    );
    assert.deepEqual(core.store.dockerNetworks.list(), before);
  });

  it('CreateNetwork is rejected if the pool is already released', async () => {
    const { call } = makeLab();
    const IPv4Data = [{ AddressSpace: 'isthmus', Pool: '10.99.0.0/24', Gateway: '10.99.0.1/24' }];
    const body = { NetworkID: ID, Options: {}, IPv4Data, IPv6Data: [] };
    await assert.rejects(call('NetworkDriver.CreateNetwork', body), refused('conflict', /10\.99\.0\.0\/24/));
  });

  it('for an unknown object succeeds if it removes; others fail and say what to do', async () => {
    const { call } = makeLab();
    for (const method of ['Leave', 'RevokeExternalConnectivity', 'DeleteEndpoint', 'DeleteNetwork']) {
      assert.deepEqual(await call(`NetworkDriver.${method}`, ids), {}, method);
    }
    assert.deepEqual(await call('NetworkDriver.EndpointOperInfo', ids), { Value: {} });
    for (const method of ['CreateEndpoint', 'Join', 'ProgramExternalConnectivity']) {
      const body = { ...ids, Interface: { Address: '10.99.0.2/24' }, Options: {} };
      await assert.rejects(
        call(`NetworkDriver.${method}`, body),
        refused('unknown-container', /d527509059b9/, /docker network rm/),
      );
    }
  });

  it('Join is rejected before the endpoint exists', async () => {
    const { call, create } = makeLab();
    await create({ subnet: '10.99.0.0/24' });
    for (const method of ['Join', 'ProgramExternalConnectivity']) {
      await assert.rejects(
        call(`NetworkDriver.${method}`, { ...ids, Options: {} }),
        refused('unknown-container', /1305c8fba9b3/),
      );
    }
  });

  it('CreateEndpoint is rejected without an address, or with one of another subnet', async () => {
    const { call, create } = makeLab();
    await create({ subnet: '10.99.0.0/24' });
    const at = (Address: string) =>
      call('NetworkDriver.CreateEndpoint', { ...ids, Interface: { Address }, Options: {} });
    await assert.rejects(at(''), refused('invalid-config', /Interface\.Address/));
    await assert.rejects(at('10.98.0.2/24'), refused('invalid-config', /10\.98\.0\.2\/24/, /10\.99\.0\.0\/24/));
  });

  it('CreateEndpoint returns a MAC address only if it chose one', async () => {
    const { call, create } = makeLab();
    await create({ subnet: '10.99.0.0/24' });
    const wanted = { ...ids, Interface: { Address: '10.99.0.2/24', MacAddress: '02:42:ac:11:00:02' }, Options: {} };
    assert.deepEqual(await call('NetworkDriver.CreateEndpoint', wanted), { Interface: {} });
    const other = { ...wanted, EndpointID: 'f'.repeat(64), Interface: { Address: '10.99.0.3/24' } };
    assert.deepEqual(await call('NetworkDriver.CreateEndpoint', other), {
      Interface: { MacAddress: '0a:58:0a:63:00:03' },
    });
  });

  it('CreateEndpoint on a network without interfaces keeps the addresses and creates nothing', async () => {
    const { core, call, create, text } = makeLab();
    await create({ o: { driver: 'null' }, subnet: '10.99.0.0/24' });
    const body = { ...ids, Interface: { Address: '10.99.0.2/24' }, Options: {} };
    assert.deepEqual(await call('NetworkDriver.CreateEndpoint', body), { Interface: {} });
    assert.deepEqual(await call('NetworkDriver.Join', { ...ids, Options: {} }), { DisableGatewayService: true });
    assert.deepEqual(await call('NetworkDriver.ProgramExternalConnectivity', { ...ids, Options: {} }), {});
    assert.equal(core.store.leases.list('docker').length, 1);
    assert.doesNotMatch(text(), /bridge|veth/);
    for (const method of ['Leave', 'DeleteEndpoint', 'DeleteNetwork']) await call(`NetworkDriver.${method}`, ids);
    assert.deepEqual(core.store.leases.list('docker'), []);
    assert.deepEqual(
      [core.store.endpoints.list(), core.store.dockerNetworks.list(), core.store.networks.list()],
      [[], [], []],
    );
  });

  it('DeleteNetwork deletes the endpoints that dockerd forgot', async () => {
    const { core, call, create } = makeLab();
    const before = core.host.toString();
    await create({ subnet: '10.99.0.0/24' });
    await call('NetworkDriver.CreateEndpoint', { ...ids, Interface: { Address: '10.99.0.2/24' }, Options: {} });
    await call('NetworkDriver.DeleteNetwork', { NetworkID: ID });
    assert.equal(core.host.toString(), before);
    assert.deepEqual(
      [core.store.endpoints.list(), core.store.pools.list(), core.store.leases.list('docker')],
      [[], [], []],
    );
  });

  it('RequestAddress for any address returns one that is not reserved, with or without a network', async () => {
    const { call } = makeLab();
    const pool = await call('IpamDriver.RequestPool', { AddressSpace: 'isthmus', Pool: '10.99.0.0/24', V6: false });
    const ask = (Address: string, gateway = false) => {
      const Options = gateway ? { RequestAddressType: 'com.docker.network.gateway' } : null;
      return call('IpamDriver.RequestAddress', { PoolID: pool.PoolID, Address, Options });
    };
    const addresses = [await ask('', true), await ask('10.99.0.2'), await ask(''), await ask('')];
    assert.deepEqual(
      addresses.map(({ Address }) => Address),
      ['10.99.0.1/24', '10.99.0.2/24', '10.99.0.3/24', '10.99.0.4/24'],
    );
  });

  it('GwAllocCheck skips the gateway if the network will have none', async () => {
    const { call } = makeLab();
    const check = (generic: object, internal = false) =>
      call('NetworkDriver.GwAllocCheck', {
        Options: { 'com.docker.network.generic': generic, 'com.docker.network.internal': internal },
      });
    assert.deepEqual(await check({}), { SkipIPv4: false, SkipIPv6: false });
    assert.deepEqual(await check({ driver: 'null' }), { SkipIPv4: true, SkipIPv6: true });
    const mode = 'com.docker.network.bridge.gateway_mode_ipv6';
    assert.deepEqual(await check({ [mode]: 'isolated' }, true), { SkipIPv4: false, SkipIPv6: true });
  });

  it('RequestPool is rejected with another IPAM or an unknown option', async () => {
    const { call } = makeLab();
    const ask = (AddressSpace: string, Options: object) =>
      call('IpamDriver.RequestPool', { AddressSpace, Options, V6: false });
    await assert.rejects(ask('LocalDefault', {}), refused('invalid-config', /LocalDefault/, /isthmus/));
    await assert.rejects(ask('isthmus', { netwrok: 'web' }), refused('invalid-config', /Did you mean network\?/));
    await assert.rejects(ask('isthmus', { network: 'a/b' }), refused('invalid-config', /--ipam-opt network=a\/b/));
    await ask('isthmus', { 'com.docker.network.ipam.serial': 'true' });
  });
});
