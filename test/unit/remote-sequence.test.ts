import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import type { Attachment } from '../../src/shared/model/attachment.ts';
import { formatPrefix } from '../../src/shared/model/prefix.ts';
import { PluginClient } from '../../src/shared/remote/client.ts';
import { detachEndpoint } from '../../src/shared/remote/detach.ts';
import { attachEndpoint, type EndpointFacts, type EndpointSpec } from '../../src/shared/remote/endpoint.ts';
import { endpointIdOf } from '../../src/shared/remote/ids.ts';
import {
  ensureNetwork,
  type NetworkFacts,
  type NetworkPlugins,
  type NetworkSpec,
  networkIdFor,
  removeNetwork,
} from '../../src/shared/remote/network.ts';
import { programConnectivity } from '../../src/shared/remote/network-driver.ts';
import { portOptions } from '../../src/shared/remote/options.ts';
import type { RemotePlugin } from '../../src/shared/remote/plugin.ts';
import { replayPools } from '../../src/shared/remote/replay.ts';
import { addrOf, prefixOf } from '../support/addresses.ts';
import {
  answerWith,
  emptyState,
  memoryPlugin,
  type PluginServer,
  type PluginState,
  startPlugin,
} from '../support/plugin-server.ts';

const SPEC: NetworkSpec = {
  ...{ name: 'web', options: { color: 'red' }, ipv6: false },
  ipam: { options: {}, pools: [{ family: 4 }] },
};
const ATTACHMENT: Attachment = { camp: 'cni', network: 'web', containerId: 'pod', ifName: 'eth0' };
const PORTS = [{ protocol: 'tcp', containerPort: 80, hostPort: 8080 }] as const;
const EXPOSED = { Proto: 6, Port: 80 };
const MAPPED = { Proto: 6, IP: '', Port: 80, HostIP: '', HostPort: 8080, HostPortEnd: 8080 };

const endpointSpec = (network: NetworkFacts, more: Partial<EndpointSpec> = {}): EndpointSpec => ({
  network,
  endpointId: endpointIdOf(network.networkId, ATTACHMENT),
  sandboxKey: '/run/netns/pod',
  ...{ addresses: [], ports: [], options: {}, ...more },
});
const ignore = (): void => undefined;
const stay = async (): Promise<void> => undefined;

describe('a pod on a network of a plugin', () => {
  let server: PluginServer;
  let plugins: NetworkPlugins;
  let client: PluginClient;

  beforeEach(async () => {
    server = await startPlugin();
    const times = { connectMs: 100, retryMs: 20, answerMs: 150 };
    client = new PluginClient(server.name, { directories: server.directories, own: [], times });
    plugins = { driver: client, ipam: client };
  });

  afterEach(async () => {
    client[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  const network = (spec = SPEC): Promise<NetworkFacts> => ensureNetwork(plugins, spec, undefined, ignore, []);
  const isEmpty = (): void => assert.deepEqual(server.state, emptyState());

  it("calls in dockerd's order, and leaves nothing", async () => {
    const facts = await network();
    const notes: EndpointFacts[] = [];
    const spec = endpointSpec(facts, { ports: PORTS });
    const attached = await attachEndpoint(plugins, spec, undefined, (note) => notes.push(note));
    await programConnectivity(client, attached.facts, portOptions(PORTS));
    assert.deepEqual(notes.at(-1), attached.facts);
    const { left, error } = await detachEndpoint(plugins, attached.facts, async () => {
      assert.equal(server.methods().at(-1), 'Leave');
    });
    assert.deepEqual([left, error], [undefined, undefined]);
    await removeNetwork(plugins, facts);
    assert.deepEqual(server.methods(), [
      ...['GetCapabilities', 'GetDefaultAddressSpaces', 'RequestPool', 'RequestAddress', 'CreateNetwork'],
      ...['RequestAddress', 'CreateEndpoint', 'Join', 'ProgramExternalConnectivity'],
      ...['RevokeExternalConnectivity', 'Leave', 'DeleteEndpoint', 'ReleaseAddress'],
      ...['ReleaseAddress', 'ReleasePool', 'DeleteNetwork'],
    ]);
    isEmpty();
  });

  it('returns what the sandbox needs', async () => {
    const { gateway, address, mac, facts, srcName, ...rest } = await attachEndpoint(
      plugins,
      endpointSpec(await network()),
      undefined,
      ignore,
    );
    assert.equal(srcName, `p${facts.endpointId.slice(0, 8)}`);
    assert.deepEqual(
      [gateway && formatAddr(gateway), address && formatPrefix(address), mac],
      ['10.88.7.1', '10.88.7.2/24', '02:99:34:5e:81:01'],
    );
    assert.deepEqual(rest, { dstPrefix: 'eth', staticRoutes: [], disableGatewayService: false });
  });

  it('sends the bodies that dockerd 28.5.2 sends', async () => {
    const facts = await network({ ...SPEC, enableIpv4: true });
    const spec = endpointSpec(facts, { ports: PORTS, mac: '02:42:aa:bb:cc:dd' });
    server.instead = (method, response) =>
      method === 'NetworkDriver.CreateEndpoint' && answerWith(response, { Interface: null });
    await attachEndpoint(plugins, spec, undefined, ignore);
    const bodyOf = (method: string): unknown => server.received.find((call) => call.method === method)?.body;
    assert.deepEqual(bodyOf('IpamDriver.RequestPool'), {
      ...{ AddressSpace: 'gpl', Pool: '', SubPool: '', Options: {}, V6: false },
    });
    assert.deepEqual(bodyOf('IpamDriver.RequestAddress'), {
      PoolID: 'pool-10.88.7.0/24',
      Address: '',
      Options: { RequestAddressType: 'com.docker.network.gateway' },
    });
    assert.deepEqual(bodyOf('NetworkDriver.CreateNetwork'), {
      NetworkID: facts.networkId,
      Options: {
        'com.docker.network.enable_ipv4': true,
        'com.docker.network.enable_ipv6': false,
        'com.docker.network.generic': { color: 'red' },
      },
      IPv4Data: [{ AddressSpace: 'gpl', Pool: '10.88.7.0/24', Gateway: '10.88.7.1/24', AuxAddresses: {} }],
      IPv6Data: [],
    });
    const ports = {
      'com.docker.network.endpoint.exposedports': [EXPOSED],
      'com.docker.network.portmap': [MAPPED],
    };
    const ids = { NetworkID: facts.networkId, EndpointID: spec.endpointId };
    assert.deepEqual(bodyOf('NetworkDriver.CreateEndpoint'), {
      ...ids,
      Interface: { Address: '10.88.7.2/24', AddressIPv6: '', MacAddress: '02:42:aa:bb:cc:dd' },
      Options: { ...ports, 'com.docker.network.endpoint.macaddress': 'AkKqu8zd' },
    });
    assert.deepEqual(bodyOf('NetworkDriver.Join'), { ...ids, SandboxKey: '/run/netns/pod', Options: ports });
  });

  it('understands what a plugin of the Go SDK answered', async () => {
    const file = join(import.meta.dirname, '../fixtures/remote/sdk-plugin.json');
    type Recorded = { plugin: string; method: string; status: number; raw: string };
    const recorded: Recorded[] = JSON.parse(readFileSync(file, 'utf8'));
    const left = recorded.filter(({ method }) => method !== 'Plugin.Activate');
    server.instead = (method, response) => {
      if (method === 'Plugin.Activate') return false;
      const at = left.findIndex((call) => call.method === method);
      const [{ status, raw } = assert.fail(`${method} was not recorded`)] = left.splice(at, 1);
      response.writeHead(status, { 'Content-Type': 'application/vnd.docker.plugins.v1.1+json' }).end(raw);
      return true;
    };
    const facts = await network();
    assert.deepEqual(facts.pools, [
      {
        ...{ family: 4, addressSpace: 'gpl', poolId: 'pool-10.88.7.0/24', pool: '10.88.7.0/24' },
        ...{ gateway: '10.88.7.1/24', aux: {}, requested: ['10.88.7.1'], asked: [] },
      },
    ]);
    const attached = await attachEndpoint(plugins, endpointSpec(facts), undefined, ignore);
    assert.equal(attached.address && formatPrefix(attached.address), '10.88.7.11/24');
    assert.equal(attached.srcName, 'p345e810f');
    assert.equal((await detachEndpoint(plugins, attached.facts, stay)).error, undefined);
    // The recorded plugin refuses a second deletion: "Cannot find device".
    const again = { ...attached.facts, joined: 'no', addresses: [] } as const;
    assert.deepEqual(await detachEndpoint(plugins, again, stay), {
      left: undefined,
      error: undefined,
      isRefused: false,
    });
    await removeNetwork(plugins, facts);
  });

  it('holds pools of both families, a requested gateway and auxiliary addresses', async () => {
    const facts = await network({
      ...SPEC,
      ipv6: true,
      ipam: {
        options: { k: 'v' },
        addressSpace: 'other',
        pools: [
          {
            ...{ family: 4, subnet: prefixOf('10.55.0.0/24'), range: prefixOf('10.55.0.128/25') },
            ...{ gateway: addrOf('10.55.0.254'), aux: { printer: addrOf('10.55.0.9') } },
          },
          { family: 6 },
        ],
      },
    });
    const requests = server.received.filter(({ method }) => method === 'IpamDriver.RequestPool');
    assert.deepEqual(requests[0]?.body, {
      ...{ AddressSpace: 'other', Pool: '10.55.0.0/24', SubPool: '10.55.0.128/25', Options: { k: 'v' }, V6: false },
    });
    assert.deepEqual(server.received.at(-1)?.body, {
      NetworkID: facts.networkId,
      Options: { 'com.docker.network.enable_ipv6': true, 'com.docker.network.generic': { color: 'red' } },
      IPv4Data: [
        {
          ...{ AddressSpace: 'other', Pool: '10.55.0.0/24', Gateway: '10.55.0.254/24' },
          AuxAddresses: { printer: '10.55.0.9/24' },
        },
      ],
      IPv6Data: [{ AddressSpace: 'other', Pool: 'fd00:88::/64', Gateway: 'fd00:88::1/64', AuxAddresses: {} }],
    });
    const attached = await attachEndpoint(plugins, endpointSpec(facts), undefined, ignore);
    assert.equal(attached.address6 && formatPrefix(attached.address6), 'fd00:88::2/64');
    await detachEndpoint(plugins, attached.facts, stay);
    await removeNetwork(plugins, facts);
    isEmpty();
  });

  it('creates a network once', async () => {
    const facts = await network();
    const before = server.received.length;
    assert.equal(await ensureNetwork(plugins, SPEC, facts, ignore, []), facts);
    assert.equal(server.received.length, before);
    await assert.rejects(
      ensureNetwork(plugins, { ...SPEC, options: { color: 'blue' } }, facts, ignore, []),
      /network web: exists with other plugins, options or pools/,
    );
  });

  it('takes an existing network for its own only where an earlier call may have created it', async () => {
    server.instead = (method, response) =>
      method === 'NetworkDriver.CreateNetwork' && answerWith(response, { Err: 'link br0: File exists' }, 500);
    await assert.rejects(network(), /CreateNetwork plugin gp: failed \(link br0: File exists\)/);
    isEmpty();
    server.instead = undefined;
    const facts = await network();
    server.instead = (method, response) =>
      method === 'NetworkDriver.CreateNetwork' && answerWith(response, { Err: 'network already exists' }, 500);
    const again = await ensureNetwork(plugins, SPEC, { ...facts, created: 'asked' }, ignore, []);
    assert.deepEqual(again, facts);
    server.instead = (method, response, { NetworkID }) =>
      method === 'NetworkDriver.CreateNetwork' && answerWith(response, { Err: `network ${NetworkID} exists` }, 500);
    assert.equal((await network()).created, 'yes');
  });

  it('derives ids from names and options, in any order', () => {
    const id = (options: Record<string, string>): string => networkIdFor(plugins, { ...SPEC, options });
    assert.equal(id({ a: '1', b: '2' }), id({ b: '2', a: '1' }));
    assert.notEqual(id({ a: '1' }), id({ a: '2' }));
    assert.match(id({}), /^[0-9a-f]{64}$/);
    const other = { ...ATTACHMENT, ifName: 'eth1' };
    assert.notEqual(endpointIdOf(id({}), ATTACHMENT), endpointIdOf(id({}), other));
  });

  it('tells a driver without IPAM of no subnet, and takes the address that it chooses', async () => {
    plugins = { driver: client };
    const facts = await network({ name: 'web', options: {}, ipv6: false });
    assert.deepEqual(server.received.at(-1)?.body, {
      NetworkID: facts.networkId,
      Options: { 'com.docker.network.enable_ipv6': false, 'com.docker.network.generic': {} },
      IPv4Data: [{ AddressSpace: 'null', Pool: '0.0.0.0/0', AuxAddresses: {} }],
      IPv6Data: [],
    });
    server.instead = (method, response) =>
      method === 'NetworkDriver.CreateEndpoint' &&
      answerWith(response, { Interface: { Address: '192.0.2.7/24', AddressIPv6: 'fd00::7/64' } });
    const { address, address6 } = await attachEndpoint(plugins, endpointSpec(facts), undefined, ignore);
    assert.deepEqual([address, address6], [prefixOf('192.0.2.7/24'), prefixOf('fd00::7/64')]);
  });

  it('never loops on a pool that overlaps', async () => {
    await assert.rejects(
      ensureNetwork(plugins, SPEC, undefined, ignore, [prefixOf('10.88.0.0/16')]),
      /IpamDriver\.RequestPool plugin gp: offers only 10\.88\.7\.0\/24, which overlaps networks of this host/,
    );
    assert.equal(server.methods().filter((method) => method === 'RequestPool').length, 2);
    isEmpty();
  });

  it('asks again, with the same options, while the plugin offers other pools', async () => {
    let next = 0;
    server.instead = (method, response) => {
      if (method !== 'IpamDriver.RequestPool') return false;
      const pool = `10.88.${next++}.0/24`;
      server.state.pools.add(`pool-${pool}`);
      return answerWith(response, { PoolID: `pool-${pool}`, Pool: pool });
    };
    const taken = [prefixOf('10.88.0.0/24'), prefixOf('10.88.1.0/24')];
    const spec = { ...SPEC, ipam: { options: { k: 'v' }, pools: [{ family: 4 }] } } as const;
    const facts = await ensureNetwork(plugins, spec, undefined, ignore, taken);
    assert.equal(facts.pools[0]?.pool, '10.88.2.0/24');
    assert.deepEqual([...server.state.pools], ['pool-10.88.2.0/24']);
    const asked = server.received.filter(({ method }) => method === 'IpamDriver.RequestPool');
    assert.deepEqual(
      asked.map(({ body }) => (body as { Options: unknown }).Options),
      [{ k: 'v' }, { k: 'v' }, { k: 'v' }],
    );
    await assert.rejects(ensureNetwork(plugins, spec, undefined, ignore, [prefixOf('10.0.0.0/8')]), /offers only/);
    assert.ok(next <= 11, `${next} requests`);
  });

  it('gives back another address than it asked for', async () => {
    const facts = await network();
    server.instead = (method, response) =>
      method === 'IpamDriver.RequestAddress' && answerWith(response, { Address: '10.88.7.9/24' });
    server.state.addresses.add('10.88.7.9');
    await assert.rejects(
      attachEndpoint(plugins, endpointSpec(facts, { addresses: [addrOf('10.88.7.66')] }), undefined, ignore),
      /gave Address="10\.88\.7\.9\/24" where 10\.88\.7\.66 was asked for/,
    );
    assert.ok(!server.state.addresses.has('10.88.7.9'));
  });

  it('refuses a driver that changes the address', async () => {
    const facts = await network();
    server.instead = (method, response, { EndpointID }) => {
      if (method !== 'NetworkDriver.CreateEndpoint') return false;
      server.state.endpoints.add(String(EndpointID));
      return answerWith(response, { Interface: { Address: '10.88.7.99/24' } });
    };
    await assert.rejects(
      attachEndpoint(plugins, endpointSpec(facts), undefined, ignore),
      /Interface\.Address="10\.88\.7\.99\/24", but 10\.88\.7\.2\/24 was set, which it must not change/,
    );
    await removeNetwork(plugins, facts);
    isEmpty();
  });

  describe('a step that fails', () => {
    for (const how of ['refuses', 'hangs', 'dies', 'answers nonsense'] as const)
      for (const method of ['RequestAddress', 'CreateEndpoint', 'Join'])
        it(`is undone: ${method} ${how}`, async () => {
          const facts = await network();
          // The step is done, and its answer is lost; a refusal does nothing.
          server.instead = (called, response, { EndpointID }) => {
            if (!called.endsWith(`.${method}`)) return false;
            const id = String(EndpointID);
            if (how !== 'refuses' && method === 'CreateEndpoint') server.state.endpoints.add(id);
            if (how !== 'refuses' && method === 'Join') server.state.joined.add(id);
            if (how === 'refuses') return answerWith(response, { Err: 'no' }, 500);
            if (how === 'answers nonsense') return answerWith(response, { Address: 7, Interface: 7, Gateway: 7 });
            if (how === 'dies') response.socket?.destroy();
            return true;
          };
          const notes: EndpointFacts[] = [];
          const spec = endpointSpec(facts);
          await assert.rejects(
            attachEndpoint(plugins, spec, undefined, (note) => notes.push(note)),
            (thrown: unknown) => {
              assert.ok(thrown instanceof NetError);
              assert.match(thrown.message, new RegExp(`\\.${method} plugin gp: `));
              assert.doesNotMatch(thrown.message, /Not undone/);
              return true;
            },
          );
          const last = notes.at(-1);
          assert.deepEqual([last?.addresses ?? [], last?.created ?? 'no', last?.joined ?? 'no'], [[], 'no', 'no']);
          server.instead = undefined;
          await removeNetwork(plugins, facts);
          isEmpty();
        });

    it('keeps in its facts what could not be undone, and says so', async () => {
      const facts = await network();
      server.instead = (method, response) =>
        /Join|DeleteEndpoint/.test(method) && answerWith(response, { Err: 'disk full' }, 500);
      const notes: EndpointFacts[] = [];
      await assert.rejects(
        attachEndpoint(plugins, endpointSpec(facts), undefined, (note) => notes.push(note)),
        /^NetError: NetworkDriver\.Join plugin gp: failed \(disk full\)\. See the plugin's log\. Not undone: NetworkDriver\.Del/,
      );
      const last = notes.at(-1) ?? assert.fail('nothing is noted');
      assert.deepEqual([last.created, last.joined, last.addresses], ['yes', 'no', []]);
      server.instead = undefined;
      assert.deepEqual(await detachEndpoint(plugins, last, stay), {
        left: undefined,
        error: undefined,
        isRefused: false,
      });
      await removeNetwork(plugins, facts);
      isEmpty();
    });

    for (const method of ['RequestPool', 'RequestAddress', 'CreateNetwork'])
      it(`of a network is undone: ${method} refuses`, async () => {
        server.instead = (called, response) =>
          called.endsWith(method) && answerWith(response, { Err: 'nope', Error: 'nope' });
        await assert.rejects(network(), new RegExp(`${method} plugin gp: failed \\(nope\\)`));
        isEmpty();
      });

    it('of a network is undone: CreateNetwork hangs', async () => {
      server.instead = (method, _, { NetworkID }) => {
        if (method !== 'NetworkDriver.CreateNetwork') return false;
        server.state.networks.add(String(NetworkID));
        return true;
      };
      await assert.rejects(network(), /did not answer/);
      isEmpty();
    });
  });

  it('detaches as far as it can, and repeats only what failed', async () => {
    const facts = await network();
    const attached = await attachEndpoint(plugins, endpointSpec(facts), undefined, ignore);
    server.instead = (method, response) =>
      method === 'NetworkDriver.DeleteEndpoint' && answerWith(response, { Err: 'disk full' }, 500);
    const { left, error } = await detachEndpoint(plugins, attached.facts, stay);
    assert.match(error?.message ?? '', /DeleteEndpoint plugin gp: failed \(disk full\)/);
    assert.deepEqual(left, { ...attached.facts, joined: 'no', addresses: [] });
    server.instead = undefined;
    server.received.length = 0;
    assert.deepEqual(await detachEndpoint(plugins, left ?? assert.fail(), stay), {
      left: undefined,
      error: undefined,
      isRefused: false,
    });
    assert.deepEqual(server.methods(), ['DeleteEndpoint']);
  });

  it('detaches where only Leave is refused: the plugins have nothing of it', async () => {
    const attached = await attachEndpoint(plugins, endpointSpec(await network()), undefined, ignore);
    server.instead = (method, response) => method === 'NetworkDriver.Leave' && answerWith(response, { Err: 'no' });
    const { left, error } = await detachEndpoint(plugins, attached.facts, stay);
    assert.equal(left, undefined);
    assert.match(error?.message ?? '', /Leave plugin gp: failed \(no\)/);
  });

  it('replaces an endpoint that exists under its id, where the state was lost', async () => {
    const facts = await network();
    await attachEndpoint(plugins, endpointSpec(facts), undefined, ignore);
    server.received.length = 0;
    await attachEndpoint(plugins, endpointSpec(facts), undefined, ignore);
    assert.deepEqual(server.methods(), [
      ...['RequestAddress', 'CreateEndpoint', 'Leave', 'DeleteEndpoint', 'CreateEndpoint', 'Join'],
    ]);
  });

  it('deletes first what an earlier call may have created, for a plugin that would create it twice', async () => {
    const facts = await network();
    const { facts: before } = await attachEndpoint(plugins, endpointSpec(facts), undefined, ignore);
    server.received.length = 0;
    await attachEndpoint(plugins, endpointSpec(facts), { ...before, created: 'asked', joined: 'no' }, ignore);
    assert.deepEqual(server.methods(), ['Leave', 'DeleteEndpoint', 'CreateEndpoint', 'Join']);
  });

  it('requests again what a plugin forgets', async () => {
    server.instead = (method, response) =>
      method === 'IpamDriver.GetCapabilities' && answerWith(response, { RequiresRequestReplay: true });
    const facts = await network();
    const { addresses } = (await attachEndpoint(plugins, endpointSpec(facts), undefined, ignore)).facts;
    assert.equal(addresses[0]?.address, '10.88.7.2/24');
    const before = structuredClone({ pools: server.state.pools, addresses: server.state.addresses });
    server.state.pools.clear();
    server.state.addresses.clear();
    await replayPools(client, facts.pools, {}, [addrOf('10.88.7.2')]);
    const { pools, addresses: held } = server.state;
    assert.deepEqual({ pools, addresses: held }, before);
    // Once more: the plugin still has all of it.
    await replayPools(client, facts.pools, {}, [addrOf('10.88.7.2')]);
  });
});

describe('a call that is killed', () => {
  /**
   * Runs `work` on a plugin whose caller dies in its call number `calls`: before the plugin has served it, or after, so
   * that the answer is lost. Returns the method of that call; undefined if `work` makes fewer.
   */
  const killed = async (
    state: PluginState,
    calls: number,
    when: 'before' | 'after',
    work: (plugin: RemotePlugin) => Promise<unknown>,
  ): Promise<string | undefined> => {
    let left = calls;
    const { promise, resolve } = Promise.withResolvers<string>();
    const die = async (method: string): Promise<void> => {
      if (--left > 0) return;
      resolve(method);
      await new Promise(() => undefined);
    };
    const plugin = when === 'before' ? memoryPlugin(state, die) : memoryPlugin(state, ignore, die);
    return await Promise.race([promise, work(plugin).then(() => undefined)]);
  };

  for (const [fixed, when] of [
    [true, 'before'],
    [true, 'after'],
    [false, 'before'],
    [false, 'after'],
  ] as const)
    it(`converges when it is repeated: ${fixed ? 'fixed' : 'chosen'} addresses, ${when} the plugin has served it`, async () => {
      for (let calls = 1; calls < 30; calls++) {
        const state = emptyState();
        const whole = memoryPlugin(state);
        const plugins = { driver: whole, ipam: whole };
        const pool = { family: 4, ...(fixed ? { gateway: addrOf('10.88.7.254') } : {}) } as const;
        const spec: NetworkSpec = { ...SPEC, ipam: { options: {}, pools: [pool] } };
        const more = fixed ? { addresses: [addrOf('10.88.7.66')] } : {};
        let network: NetworkFacts | undefined;
        let endpoint: EndpointFacts | undefined;
        const add = async (driver: RemotePlugin): Promise<void> => {
          const both = { driver, ipam: driver };
          network = await ensureNetwork(both, spec, network, (facts) => (network = facts), []);
          await attachEndpoint(both, endpointSpec(network, more), endpoint, (facts) => (endpoint = facts));
        };
        const method = await killed(state, calls, when, add);
        await add(whole);
        const [networks, endpoints, joined, pools] = [state.networks, state.endpoints, state.joined, state.pools];
        const sizes = [networks, endpoints, joined, pools].map((set) => set.size);
        assert.deepEqual(sizes, [1, 1, 1, 1], `killed in ${method}`);
        const { left, error } = await detachEndpoint(plugins, endpoint ?? assert.fail(), stay);
        assert.deepEqual([left, error], [undefined, undefined], `killed in ${method}`);
        await removeNetwork(plugins, network ?? assert.fail());
        // The protocol has no way to learn which address a lost answer named.
        const lost = !fixed && when === 'after' && method === 'IpamDriver.RequestAddress' ? 1 : 0;
        assert.equal(state.addresses.size, lost, `killed in ${method}: ${[...state.addresses]}`);
        assert.deepEqual({ ...state, addresses: new Set() }, emptyState(), `killed in ${method}`);
        if (method === undefined) return;
      }
      assert.fail('the call has no end');
    });

  it('is repeated by a second deletion', async () => {
    for (let calls = 1; calls < 30; calls++) {
      const state = emptyState();
      const whole = memoryPlugin(state);
      const plugins = { driver: whole, ipam: whole };
      const network = await ensureNetwork(plugins, SPEC, undefined, ignore, []);
      const spec = endpointSpec(network, { addresses: [addrOf('10.88.7.66')] });
      const { facts } = await attachEndpoint(plugins, spec, undefined, ignore);
      const method = await killed(state, calls, 'after', async (driver) => {
        await detachEndpoint({ driver, ipam: driver }, facts, stay);
      });
      const { left, error } = await detachEndpoint(plugins, facts, stay);
      assert.deepEqual([left, error], [undefined, undefined], `killed in ${method}`);
      await removeNetwork(plugins, network);
      assert.deepEqual(state, emptyState(), `killed in ${method}`);
      if (method === undefined) return;
    }
    assert.fail('the call has no end');
  });
});
