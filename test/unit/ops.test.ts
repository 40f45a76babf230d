import { strict as assert } from 'node:assert';
import { documentOf } from '../../src/shared/config/document.ts';
import type { NetworkSpec } from '../../src/shared/config/network-spec.ts';
import { offerEndpoint } from '../../src/shared/core/endpoints/offer-endpoint.ts';
import { createNetwork } from '../../src/shared/core/networks/create-network.ts';
import { type PortRequest, publishPorts } from '../../src/shared/core/ports/publish-ports.ts';
import { parseAddr } from '../../src/shared/model/addr.ts';
import { digest } from '../../src/shared/model/attachment.ts';
import type { LoneEndpoint } from '../../src/shared/model/endpoint.ts';
import type { FirewallBackend } from '../../src/shared/model/firewall.ts';
import { OPERATOR } from '../../src/shared/model/owned.ts';
import { listEndpoints } from '../../src/shared/ops/endpoints.ts';
import { inspectNetwork, listNetworks } from '../../src/shared/ops/networks.ts';
import { listPorts } from '../../src/shared/ops/ports.ts';
import { specOfElement } from '../../src/shared/runtime/configured-network.ts';
import type { DockerNetworkRow } from '../../src/shared/store/store.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { formatTable } from '../../src/shared/ui/table.ts';
import { addrOf } from '../support/addresses.ts';
import {
  add,
  attachmentOf,
  makeCore,
  makeFakeHost,
  OTHER,
  refusedWith,
  scopeOf,
  type TestCore,
} from '../support/core.ts';
import { loneEndpoint } from '../support/doctor-facts.ts';
import { FakeFirewaller } from '../support/fake-firewaller.ts';
import { addressesOf, BRIDGE, dockerRules, endpointOf, NETWORK, NETWORK_ID, offerRequest } from '../support/offers.ts';

const TCP = { protocol: 'tcp', hostPortEnd: 0 } as const;

function port(hostPort: number, containerPort: number, more: Partial<PortRequest> = {}): PortRequest {
  return { ...TCP, hostPort, hostPortEnd: hostPort, containerPort, ...more };
}

describe('operator view of endpoints', () => {
  it('merges the parts of each, in both camps', async () => {
    const core = makeCore(makeFakeHost());
    assert.deepEqual(listEndpoints(core), []);
    await offerEndpoint(core, offerRequest(2));
    await add(core, { id: 'pod2', netns: OTHER });
    await add(core, { id: 'pod1' });
    const found = listEndpoints(core);
    assert.deepEqual(
      found.map(({ network, camp, id }) => `${network} ${camp} ${id}`),
      [`${NETWORK} docker ${endpointOf(2).containerId}`, 'web cni pod1', 'web cni pod2'],
    );
    const [docker, pod] = found;
    assert.deepEqual(docker, {
      ...{ network: NETWORK, camp: 'docker', id: endpointOf(2).containerId },
      ...{ hostInterface: docker?.hostInterface, mac: '0a:58:0a:58:00:02', aliases: [], ports: [], ready: true },
      ...{ addresses: ['10.88.0.2/24', 'fd00:88::2/64'], dockerNetwork: NETWORK_ID },
    });
    assert.deepEqual(pod, {
      ...{ network: 'web', camp: 'cni', id: 'pod1', interface: 'eth0', sandbox: '/run/netns/pod' },
      ...{ hostInterface: pod?.hostInterface, mac: '0a:58:0a:58:00:03', aliases: [], ports: [], ready: true },
      addresses: ['10.88.0.3/24', 'fd00:88::3/64'],
    });
    assert.match(`${docker?.hostInterface} ${pod?.hostInterface}`, /^veth\S+ veth\S+$/);
    assert.deepEqual(
      listEndpoints(core, 'web').map(({ id }) => id),
      ['pod1', 'pod2'],
    );
  });

  it('shows an endpoint as half-done if one of its parts is', async () => {
    const core = makeCore(makeFakeHost());
    await add(core);
    const [row] = core.store.endpoints.list();
    assert.ok(row !== undefined);
    const { attachment, sandbox } = row;
    core.store.endpoints.put({ kind: 'ports', role: 'portmap', attachment, sandbox, progress: 'intent' });
    const [only, ...more] = listEndpoints(core);
    assert.deepEqual([only?.ready, only?.addresses, more.length], [false, ['10.88.0.2/24', 'fd00:88::2/64'], 0]);
  });
});

describe('operator view of published ports', () => {
  let core: TestCore;
  beforeEach(async () => {
    const filter = new FakeFirewaller();
    const sysctls = { 'net/ipv4/ip_forward': '1', 'net/ipv6/conf/all/forwarding': '1' };
    core = {
      ...makeCore(new FakeHost({ own: { sysctls } })),
      firewall: (backend: FirewallBackend) => filter.of(backend),
    };
    for (const n of [2, 3]) await offerEndpoint(core, offerRequest(n, { rules: dockerRules() }));
  });

  const ports = (): string[] =>
    listPorts(core).map(
      ({ id, hostIp, hostPort, protocol, addresses, port: to }) =>
        `${id === endpointOf(2).containerId ? 'a' : 'b'} ${hostIp}:${hostPort}/${protocol} ${addresses.join(' ')} ${to}`,
    );

  it('sorts by host port, with both families on one line', async () => {
    assert.deepEqual(ports(), []);
    await publishPorts(core, endpointOf(3), dockerRules(), addressesOf(3), [port(8080, 80), port(443, 8443)]);
    const more = [port(53, 53, { protocol: 'udp', hostIp: addrOf('127.0.0.1') }), port(8080, 80, { protocol: 'udp' })];
    await publishPorts(core, endpointOf(2), dockerRules(), addressesOf(2), more);
    assert.deepEqual(ports(), [
      'a 127.0.0.1:53/udp 10.88.0.2 53',
      'b :443/tcp 10.88.0.3 fd00:88::3 8443',
      'b :8080/tcp 10.88.0.3 fd00:88::3 80',
      'a :8080/udp 10.88.0.2 fd00:88::2 80',
    ]);
    assert.deepEqual(
      listEndpoints(core).map((info) => info.ports.map(({ hostPort }) => hostPort).sort()),
      listEndpoints(core).map(({ id }) => (id === endpointOf(2).containerId ? [53, 8080] : [443, 8080])),
    );
  });

  it('shows the relay of a container that has IPv4 only', async () => {
    const usual = dockerRules();
    const rules = {
      ...usual,
      options: { ...usual.options, ports: { ...usual.options.ports, proxy6to4: true as const } },
    };
    const four = { ...addressesOf(2), addresses: addressesOf(2).addresses.slice(0, 1) };
    await publishPorts(core, endpointOf(2), rules, four, [port(8080, 80)]);
    assert.deepEqual(ports(), ['a :8080/tcp 10.88.0.2 80', 'a :::8080/tcp 10.88.0.2 80']);
    assert.deepEqual(
      listPorts(core).map(({ relayed }) => relayed),
      [undefined, true],
    );
  });

  it('shows no host port on a routed network', async () => {
    await publishPorts(core, endpointOf(2), dockerRules('nftables', 'closed', [4]), addressesOf(2), [port(8080, 80)]);
    await publishPorts(core, endpointOf(3), dockerRules('nftables', 'closed', [4, 6]), addressesOf(3), [port(0, 81)]);
    assert.deepEqual(ports(), [
      'a :8080/tcp fd00:88::2 80',
      'a undefined:undefined/tcp 10.88.0.2 80',
      'b undefined:undefined/tcp 10.88.0.3 fd00:88::3 81',
    ]);
    const routed = listPorts(core).find(({ hostPort }) => hostPort === undefined);
    assert.deepEqual(Object.keys(routed ?? {}), ['protocol', 'addresses', 'port', 'network', 'camp', 'id']);
  });
});

describe('operator view of networks', () => {
  let core: TestCore;
  let host: FakeHost;
  beforeEach(() => {
    host = makeFakeHost();
    core = makeCore(host);
  });

  /** The network that a CNI configuration with these keys creates, without a packet filter. */
  function specOf(name: string, conf: Readonly<Record<string, unknown>> = {}): NetworkSpec {
    const filter = { firewall: { backend: 'none' } };
    const spec = specOfElement(documentOf({ cniVersion: '1.1.0', type: 'isthmus', name, ...filter, ...conf }));
    return spec ?? assert.fail('no network');
  }

  const dockerRow = (id: string, network: string): DockerNetworkRow => ({
    ...{ id, network, driver: 'bridge', request: '{}', internal: false, mode4: 'nat', mode6: 'nat' },
    ...{ ifPrefix: 'eth', createdAt: 0 },
  });
  const names = async (): Promise<string[]> => (await listNetworks(core)).map(({ name }) => name);

  it('includes the predefined ones by name', async () => {
    assert.deepEqual(await names(), ['bridge', 'host', 'none']);
    await createNetwork(core, { name: 'cni', holder: OPERATOR, spec: specOf('cni') });
    assert.deepEqual(await names(), ['bridge', 'cni', 'host', 'none']);
    const [bridge] = await listNetworks(core);
    assert.deepEqual(bridge, {
      ...{ name: 'bridge', driver: 'bridge', present: true, predefined: true, internal: false, masquerade: false },
      ...{ subnets: [], holders: [], endpoints: [] },
    });
  });

  it('includes those of which only interfaces without a side on the host are on record', async () => {
    const lone = (id: string, network: string, link: LoneEndpoint['link']['link']): void => {
      const { link: facts, ...rest } = loneEndpoint(id, 'eth0');
      const attachment = attachmentOf({ id, network });
      core.store.endpoints.put({ ...rest, attachment, link: { ...facts, link } });
    };
    const before = { mac: '0a:00:00:00:00:01', mtu: 1500, up: true, addresses: [], routes: [] };
    lone('a', 'lan', { kind: 'macvlan', dev: 'eth0', devNs: 'host', mode: 'bridge' });
    lone('b', 'lan', { kind: 'macvlan', dev: 'eth0', devNs: 'host', mode: 'bridge' });
    lone('c', 'nic', { kind: 'moved', dev: 'eth1', before });
    const found = (await listNetworks(core)).filter(({ predefined }) => !predefined);
    assert.deepEqual(
      found.map(({ name, driver, endpoints }) => `${name} ${driver} ${endpoints.map(({ id }) => id).join(' ')}`),
      ['lan macvlan a b', 'nic host-device c'],
    );
    const one = await inspectNetwork(core, 'lan');
    assert.deepEqual([one.present, one.subnets, one.holders, one.endpoints.length], [true, [], [], 2]);
    assert.equal(core.store.networks.get('lan'), undefined);
  });

  it('prefers a CNI configuration to a predefined network of the same name', async () => {
    await add(core, { network: 'bridge', conf: { name: 'bridge', bridge: 'isth9' } });
    assert.deepEqual(await names(), ['bridge', 'host', 'none']);
    const found = await inspectNetwork(core, 'bridge');
    assert.deepEqual([found.predefined, found.device, found.endpoints.length], [false, 'isth9', 1]);
  });

  it('shows subnets, gateways and the number of leased addresses', async () => {
    const ipam = {
      ranges: [
        [{ subnet: '10.88.0.0/24', gateway: '10.88.0.254' }],
        [{ subnet: 'fd00:88::/64', rangeStart: 'fd00:88::9' }],
      ],
    };
    const spec = specOf('web', { bridge: 'isth0', isGateway: true, ipam });
    await createNetwork(core, { name: 'web', holder: OPERATOR, spec });
    for (const text of ['10.88.0.0', '10.88.0.255', '10.88.1.0', 'fd00:88::9']) {
      const address = parseAddr(text) ?? assert.fail();
      core.store.leases.take({ scope: scopeOf(), address, owner: attachmentOf(), source: 'store' });
    }
    const { endpoints, ...rest } = await inspectNetwork(core, 'web');
    assert.deepEqual(rest, {
      ...{ name: 'web', driver: 'bridge', device: 'isth0', present: true, predefined: false },
      ...{ internal: false, masquerade: false, allocator: 'isthmus', holders: [OPERATOR] },
      subnets: [
        {
          ...{ subnet: '10.88.0.0/24', gateway: '10.88.0.254', first: '10.88.0.1', last: '10.88.0.254' },
          ...{ size: 253, leased: 2 },
        },
        {
          ...{
            subnet: 'fd00:88::/64',
            gateway: 'fd00:88::1',
            first: 'fd00:88::9',
            last: 'fd00:88::ffff:ffff:ffff:ffff',
          },
          ...{ rangeStart: 'fd00:88::9', size: 2 ** 64, leased: 1 },
        },
      ],
    });
    assert.deepEqual(endpoints, []);
  });

  it('names a foreign IPAM and counts no addresses there', async () => {
    const spec = { ...specOf('theirs', { ipam: { ranges: [[{ subnet: '10.5.0.0/24' }]] } }), allocator: 'docker' };
    const { scope: _, ...foreign } = spec;
    await createNetwork(core, { name: 'theirs', holder: { kind: 'docker', id: NETWORK_ID }, spec: foreign });
    const { allocator, subnets } = await inspectNetwork(core, 'theirs');
    assert.deepEqual([allocator, subnets[0]?.subnet, subnets[0]?.leased], ['docker', '10.5.0.0/24', undefined]);
    await createNetwork(core, { name: 'layer2', holder: OPERATOR, spec: specOf('layer2') });
    assert.equal('allocator' in (await inspectNetwork(core, 'layer2')), false);
  });

  it('shows a network as missing if its device is', async () => {
    await createNetwork(core, { name: 'web', holder: OPERATOR, spec: specOf('web') });
    await createNetwork(core, {
      name: 'lo',
      holder: OPERATOR,
      spec: { options: { driver: 'null' }, ranges: [], routes: [] },
    });
    const present = async (name: string): Promise<boolean> => (await inspectNetwork(core, name)).present;
    assert.deepEqual([await present('web'), await present('lo')], [true, true]);
    host.apply([{ op: 'link.delete', ns: 'host', name: 'br-web' }], { host: host.own });
    assert.equal(await present('web'), false);
    assert.equal('device' in (await inspectNetwork(core, 'lo')), false);
  });

  it("finds networks by name, by Docker's name, and by the start of an id", async () => {
    const other = `${NETWORK_ID.slice(0, 20)}${digest('other').slice(0, 44)}`;
    const [second] = [`docker-${digest('second').slice(0, 12)}`];
    await createNetwork(core, {
      name: NETWORK,
      holder: { kind: 'docker', id: NETWORK_ID },
      spec: specOf(NETWORK, { bridge: BRIDGE }),
    });
    await createNetwork(core, { name: second, holder: { kind: 'docker', id: other }, spec: specOf(second) });
    core.store.dockerNetworks.put(dockerRow(NETWORK_ID, NETWORK));
    const called = new Map([
      [NETWORK_ID, 'app'],
      [other, 'app2'],
    ]);
    const find = async (text: string): Promise<string> => (await inspectNetwork(core, text, called)).name;
    for (const text of [NETWORK, 'app', NETWORK_ID, NETWORK_ID.slice(0, 12)]) assert.equal(await find(text), NETWORK);
    await assert.rejects(find('app2'), refusedWith('unknown-container', /network app2: there is no network/));
    await assert.rejects(find(NETWORK_ID.slice(0, 5)), refusedWith('unknown-container', /there is no network/));
    core.store.dockerNetworks.put(dockerRow(other, second));
    assert.equal(await find('app2'), second);
    await assert.rejects(find(NETWORK_ID.slice(0, 12)), refusedWith('conflict', /it means 2 networks: docker-/));
    // Two Docker networks that share one Network.
    core.store.dockerNetworks.put(dockerRow(other, NETWORK));
    assert.equal(await find(NETWORK_ID.slice(0, 12)), NETWORK);
    await assert.rejects(find(''), refusedWith('unknown-container', /there is no network/));
  });
});

describe('operator table', () => {
  it('aligns columns and prints a dash for an empty cell', () => {
    const rows = [
      ['web', '', '10.88.0.0/16 fd00:88::/64'],
      ['a-longer-name', 'br-a', ''],
    ];
    assert.equal(
      formatTable(['NAME', 'DEVICE', 'SUBNETS'], rows),
      `
NAME            DEVICE   SUBNETS
web             -        10.88.0.0/16 fd00:88::/64
a-longer-name   br-a     -
`.slice(1),
    );
  });

  it('prints only the headings without rows', () => {
    assert.equal(formatTable(['NAME', 'DEVICE'], []), 'NAME   DEVICE\n');
  });

  it('aligns columns beside wide and combining characters', () => {
    const rows = [
      ['\u65e5\u672c', 'a'],
      ['e\u0301', 'b'],
      ['\u{1f600}', 'c'],
    ];
    assert.equal(
      formatTable(['NAME', 'ID'], rows).replaceAll(/[^\s\w]|\u0301/gu, '#'),
      `
NAME   ID
##   a
e#      b
#     c
`.slice(1),
    );
  });
});
