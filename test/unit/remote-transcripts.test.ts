import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatPrefix } from '../../src/shared/model/prefix.ts';
import { PluginClient } from '../../src/shared/remote/client.ts';
import { detachEndpoint } from '../../src/shared/remote/detach.ts';
import { type AttachedEndpoint, attachEndpoint, type EndpointSpec } from '../../src/shared/remote/endpoint.ts';
import { ensureNetwork, type NetworkFacts, type NetworkSpec } from '../../src/shared/remote/network.ts';
import { programConnectivity } from '../../src/shared/remote/network-driver.ts';
import { portOptions } from '../../src/shared/remote/options.ts';
import type { PoolFacts, PoolSpec } from '../../src/shared/remote/pools.ts';
import { addrOf, prefixOf } from '../support/addresses.ts';
import { answerWith, type PluginServer, startPlugin } from '../support/plugin-server.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/transcripts');

interface Recorded {
  readonly method: string;
  readonly body: Readonly<Record<string, unknown>> | null;
  readonly response: unknown;
}

/** dockerd asks for these again and again, or offers a thing that pods do not have. */
const ASIDE = /GetCapabilities|GetDefaultAddressSpaces|GwAllocCheck|EndpointOperInfo/;
/** dockerd lists ports here that are not published, too. */
const EXPOSED = 'com.docker.network.endpoint.exposedports';

/** A body without ids, which are each client's own, and without what says nothing: null, and objects without keys. */
function meaning(value: unknown): unknown {
  if (Array.isArray(value))
    return value
      .map(meaning)
      .map((item) => JSON.stringify(item))
      .sort();
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key]) => !['NetworkID', 'EndpointID', EXPOSED].includes(key))
    .map(([key, inner]) => [key, meaning(inner)] as const)
    .filter(([, inner]) => inner !== null && !(typeof inner === 'object' && Object.keys(inner ?? {}).length === 0));
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const calls = (list: readonly { method: string; body?: unknown }[]): unknown[] =>
  list.filter(({ method }) => !ASIDE.test(method)).map(({ method, body }) => [method, meaning(body ?? {})]);

describe("dockerd's calls, as recorded", () => {
  let server: PluginServer;
  let client: PluginClient;

  beforeEach(async () => {
    server = await startPlugin('spike');
    client = new PluginClient('spike', { directories: server.directories, own: [] });
  });

  afterEach(async () => {
    client[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  /** The plugin answers as recorded, call by call. Returns the recorded calls. */
  const play = (file: string): Recorded[] => {
    const { requests }: { requests: Recorded[] } = JSON.parse(readFileSync(join(FIXTURES, file), 'utf8'));
    const left = requests.filter(({ method }) => !ASIDE.test(method) && method !== 'Plugin.Activate');
    const recorded = [...left];
    server.instead = (method, response) => {
      if (method === 'Plugin.Activate' || ASIDE.test(method)) return false;
      const next = left.shift();
      const expected = next?.method === method;
      return answerWith(response, expected ? next.response : { Err: `unexpected ${method}` });
    };
    return recorded;
  };
  const plugins = () => ({ driver: client, ipam: client });

  const NETWORKS: readonly (readonly [file: string, pools: readonly PoolSpec[], more: Partial<NetworkSpec>])[] = [
    [
      'docker/01-network-create-full.json',
      [{ family: 4, subnet: prefixOf('10.55.0.0/24'), gateway: addrOf('10.55.0.1') }],
      { options: { foo: 'bar' } },
    ],
    [
      'docker/04-network-create-ipv6.json',
      [
        { family: 4, subnet: prefixOf('10.58.0.0/24'), gateway: addrOf('10.58.0.1') },
        { family: 6, subnet: prefixOf('fd00:55::/64'), gateway: addrOf('fd00:55::1') },
      ],
      { ipv6: true },
    ],
    [
      'docker/05-network-create-iprange-aux.json',
      [
        {
          ...{ family: 4, subnet: prefixOf('10.59.0.0/16'), range: prefixOf('10.59.8.0/24') },
          ...{ gateway: addrOf('10.59.0.1'), aux: { r1: addrOf('10.59.8.5') } },
        },
      ],
      {},
    ],
    [
      'docker-28.5.2/02-network-create-full.json',
      [
        {
          ...{ family: 4, subnet: prefixOf('10.57.0.0/24'), range: prefixOf('10.57.0.128/25') },
          ...{ gateway: addrOf('10.57.0.254'), aux: { x: addrOf('10.57.0.200') } },
        },
      ],
      { options: { 'com.docker.network.driver.mtu': '1400' }, enableIpv4: true },
    ],
  ];
  for (const [file, pools, more] of NETWORKS)
    it(`${file}: creates the same network`, async () => {
      const recorded = play(file);
      const { AddressSpace, Options } = recorded[0]?.body ?? {};
      const options = (Options ?? {}) as Readonly<Record<string, string>>;
      const spec: NetworkSpec = {
        ...{ name: 'n', options: {}, ipv6: false, ...more },
        ipam: { addressSpace: String(AddressSpace), options, pools },
      };
      await ensureNetwork(plugins(), spec, undefined, () => undefined, []);
      assert.deepEqual(calls(server.received), calls(recorded));
    });

  const poolOf = (family: 4 | 6, pool: string, poolId = pool): PoolFacts => ({
    ...{ family, addressSpace: 'x', poolId, pool, aux: {}, requested: [], asked: [] },
  });
  const attach = (more: Partial<EndpointSpec>, ...pools: PoolFacts[]): Promise<AttachedEndpoint> => {
    const network: NetworkFacts = { networkId: 'a'.repeat(64), requiresMac: false, created: 'yes', pools };
    const spec = { network, endpointId: 'b'.repeat(64), sandboxKey: '', addresses: [], ports: [], options: {} };
    return attachEndpoint(plugins(), { ...spec, ...more }, undefined, () => undefined);
  };
  const sandboxOf = (recorded: readonly Recorded[]): string =>
    String(recorded.find(({ method }) => method.endsWith('.Join'))?.body?.SandboxKey);

  it('docker/10-run-full.json: attaches the same endpoint', async () => {
    const recorded = play('docker/10-run-full.json');
    const ports = [
      { protocol: 'udp', containerPort: 90, hostIp: addrOf('127.0.0.1'), hostPort: 9090 },
      { protocol: 'tcp', containerPort: 80, hostPort: 8080 },
    ] as const;
    const more = {
      addresses: [addrOf('10.55.0.77')],
      mac: '02:42:aa:bb:cc:dd',
      ports,
      sandboxKey: sandboxOf(recorded),
    };
    const { facts, srcName, address } = await attach(more, poolOf(4, '10.55.0.0/24'));
    assert.deepEqual([srcName, address && formatPrefix(address)], ['sc1305c8fb', '10.55.0.77/24']);
    await programConnectivity(client, facts, portOptions(ports));
    assert.deepEqual(calls(server.received), calls(recorded));
  });

  it('docker/13-run-ipv6-network.json: attaches the same endpoint', async () => {
    const recorded = play('docker/13-run-ipv6-network.json');
    const more = { addresses: [addrOf('fd00:55::99')], sandboxKey: sandboxOf(recorded) };
    const attached = await attach(more, poolOf(4, '10.58.0.0/24'), poolOf(6, 'fd00:55::/64'));
    assert.deepEqual(attached.gateway6, addrOf('fd00:55::1'));
    await programConnectivity(client, attached.facts);
    assert.deepEqual(calls(server.received), calls(recorded));
  });

  it('docker/92-join-static-routes.json: takes its routes', async () => {
    const recorded = play('docker/92-join-static-routes.json');
    const { staticRoutes, gateway, disableGatewayService } = await attach(
      { sandboxKey: sandboxOf(recorded) },
      poolOf(4, '10.55.0.0/24'),
    );
    assert.deepEqual(staticRoutes, [
      { dst: prefixOf('10.123.0.0/16'), nextHop: addrOf('10.55.0.254') },
      { dst: prefixOf('10.124.0.0/16') },
    ]);
    assert.deepEqual([gateway, disableGatewayService], [undefined, true]);
  });

  for (const [file, message] of [
    ['63-ipam-error-field', /RequestAddress plugin spike: failed \(pool empty really\)/],
    ['71-join-error', /Join plugin spike: failed \(spike says no\)/],
    ['72-createendpoint-error', /CreateEndpoint plugin spike: failed \(no endpoint\)/],
    ['73-requestaddress-error', /RequestAddress plugin spike: failed \(pool empty\)/],
  ] as const)
    it(`docker/${file}.json: undoes the same steps`, async () => {
      const recorded = play(`docker/${file}.json`);
      await assert.rejects(attach({ sandboxKey: sandboxOf(recorded) }, poolOf(4, '10.55.0.0/24')), message);
      assert.deepEqual(calls(server.received), calls(recorded));
    });

  it('docker/74-leave-delete-error.json: deletes in the same order, whatever fails', async () => {
    const recorded = play('docker/74-leave-delete-error.json');
    const { facts } = await attach({ sandboxKey: sandboxOf(recorded) }, poolOf(4, '10.55.0.0/24'));
    await programConnectivity(client, facts, portOptions([]));
    const { left, error } = await detachEndpoint(plugins(), facts, async () => undefined);
    assert.deepEqual([left?.created, left?.addresses], ['yes', []]);
    assert.match(error?.message ?? '', /2 failures: .*Leave plugin spike: failed \(no\).*DeleteEndpoint plugin spike/);
    assert.deepEqual(calls(server.received), calls(recorded));
  });

  it('docker/75-createnetwork-error.json: undoes the same steps', async () => {
    const recorded = play('docker/75-createnetwork-error.json').slice(0, 5);
    const pools = [{ family: 4, subnet: prefixOf('10.91.0.0/24') }] as const;
    const spec = { name: 'n', options: {}, ipv6: false, ipam: { addressSpace: 'spikelocal', options: {}, pools } };
    await assert.rejects(
      ensureNetwork(plugins(), spec, undefined, () => undefined, []),
      /CreateNetwork plugin spike: failed \(nope\)/,
    );
    assert.deepEqual(calls(server.received), calls(recorded));
  });
});
