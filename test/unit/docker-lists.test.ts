import { strict as assert } from 'node:assert';
import { divide } from '../../cmd/cnm-shim/docker/lists/carried.ts';
import { completion, withdrawal } from '../../cmd/cnm-shim/docker/lists/completion.ts';
import { removeListed } from '../../cmd/cnm-shim/docker/lists/list-removal.ts';
import { collectListed, sweepListed } from '../../cmd/cnm-shim/docker/lists/sweep.ts';
import type { PluginCall, PluginHost } from '../../src/shared/core/core.ts';
import { EMPTY_VIEW } from '../../src/shared/core/view.ts';
import { fault } from '../../src/shared/errors/fault.ts';
import type { View } from '../../src/shared/host/host.ts';
import { renderOp } from '../../src/shared/host/render.ts';
import type { ListedEndpoint } from '../../src/shared/model/chain.ts';
import type { AddressState, LinkState, RouteState } from '../../src/shared/model/link.ts';
import { listListedEndpoints, putListedEndpoint } from '../../src/shared/store/listed-endpoints.ts';
import type { DockerNetworkRow } from '../../src/shared/store/store.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { makeCore, makeFakeHost, type TestCore } from '../support/core.ts';
import { startRecordedDocker } from '../support/docker-api.ts';
import { makeReconciled } from '../support/reconciled.ts';

const KERNEL = 2;
const link = (name: string, more: Partial<LinkState> = {}): LinkState => ({
  ...{ index: 2, name, mac: '02:00:00:00:00:02', mtu: 1500, up: true, lowerUp: true, loopback: false },
  ...{ promisc: false, allMulticast: false, txQueueLength: 0, group: 0, altNames: [] },
  ...more,
});
const own = (address: string, scope: AddressState['scope'] = 'global'): AddressState => ({
  ...{ dev: 'eth0', address, scope, permanent: true, dadFailed: false, tentative: false },
});
const route = (dst: string, gateway?: string, more: Partial<RouteState> = {}): RouteState => ({
  ...{ dst, dev: 'eth0', table: 254, protocol: 3 },
  ...(gateway === undefined ? {} : { gateway }),
  ...more,
});
const connected = (dst: string, more: Partial<RouteState> = {}) => route(dst, undefined, { protocol: KERNEL, ...more });
const view = (parts: Partial<View>): View => ({ ...EMPTY_VIEW, links: new Map([['eth0', link('eth0')]]), ...parts });
const OPTIONS = { sysctls: [], completes: true };

describe('what Docker can carry of a CNI interface', () => {
  it('bridge: addresses, gateways and routes of both families', () => {
    const { carried, inside, lost } = divide(
      view({
        addresses: [own('10.7.0.2/24'), own('fd07::2/64'), own('fe80::1/64', 'link')],
        routes: [
          connected('10.7.0.0/24'),
          connected('fd07::/64', { priority: 256 }),
          connected('fe80::/64', { priority: 256 }),
          route('0.0.0.0/0', '10.7.0.1'),
          route('::/0', 'fd07::1', { priority: 1024 }),
          route('10.9.0.0/16', '10.7.0.9'),
        ],
      }),
      'eth0',
      OPTIONS,
    );
    assert.deepEqual(carried, {
      addresses: ['10.7.0.2/24', 'fd07::2/64'],
      ...{ gateway4: '10.7.0.1', gateway6: 'fd07::1' },
      routes: [{ dst: '10.9.0.0/16', gateway: '10.7.0.9' }],
    });
    assert.deepEqual([inside, lost], [{ sysctls: [], addresses: [], routes: [] }, []]);
  });

  it('ptp: an address without its prefix on the link is one of a host', () => {
    const source = '10.7.0.2';
    const { carried } = divide(
      view({
        addresses: [own('10.7.0.2/24')],
        routes: [
          route('10.7.0.1/32', undefined, { source, scope: 'link' }),
          route('10.7.0.0/24', '10.7.0.1', { source }),
          route('0.0.0.0/0', '10.7.0.1'),
        ],
      }),
      'eth0',
      OPTIONS,
    );
    assert.deepEqual(carried, {
      ...{ addresses: ['10.7.0.2/32'], gateway4: '10.7.0.1' },
      routes: [{ dst: '10.7.0.1/32' }, { dst: '10.7.0.0/24', gateway: '10.7.0.1' }],
    });
  });

  it('a gateway that is only declared to be on the link gets a route', () => {
    const routes = [route('0.0.0.0/0', '169.254.1.1', { onlink: true }), route('::/0', undefined)];
    const { carried } = divide(view({ addresses: [own('10.7.0.2/32')], routes }), 'eth0', OPTIONS);
    assert.deepEqual(carried, {
      ...{ addresses: ['10.7.0.2/32'], gateway4: '169.254.1.1' },
      routes: [{ dst: '169.254.1.1/32' }, { dst: '::/0' }],
    });
  });

  it('leaves a second address and routes with attributes to the namespace, or loses attributes without one', () => {
    const parts = {
      addresses: [own('10.7.0.2/24'), own('10.8.0.2/24')],
      routes: [
        ...[connected('10.7.0.0/24'), connected('10.8.0.0/24')],
        route('0.0.0.0/0', '10.7.0.1', { priority: 50 }),
        route('10.9.0.0/16', '10.7.0.9', { mtu: 1400 }),
      ],
    };
    const { carried, inside, lost } = divide(view(parts), 'eth0', OPTIONS);
    assert.deepEqual(carried, { addresses: ['10.7.0.2/24'], gateway4: '10.7.0.1', routes: [] });
    assert.deepEqual(inside.addresses, ['10.8.0.2/24']);
    assert.deepEqual(inside.routes, [{ dst: '10.9.0.0/16', dev: 'eth0', table: 254, gateway: '10.7.0.9', mtu: 1400 }]);
    assert.deepEqual(lost, ['attributes of the route to 0.0.0.0/0']);
    const old = divide(view(parts), 'eth0', { ...OPTIONS, completes: false });
    assert.deepEqual(old.carried.routes, [{ dst: '10.9.0.0/16', gateway: '10.7.0.9' }]);
    assert.deepEqual([old.inside.routes, old.lost.length], [[], 2]);
  });

  const SBR = view({
    addresses: [own('10.7.0.2/24')],
    routes: [connected('10.7.0.0/24', { table: 100 }), route('0.0.0.0/0', '10.7.0.1', { table: 100 })],
    rules: [
      { family: 4, table: 255, priority: 0, protocol: KERNEL },
      { family: 4, from: '10.7.0.2/32', table: 100, priority: 32765, protocol: 3 },
      { family: 4, table: 254, priority: 32766, protocol: KERNEL },
    ],
  });
  const texts = (ops: ReturnType<typeof completion>): string[] => ops.map((op) => renderOp(op, { sandbox: 'c' }));

  it('sbr: rules and tables are set in the namespace, once', () => {
    const { carried, inside } = divide(SBR, 'eth0', OPTIONS);
    assert.deepEqual(carried, { addresses: ['10.7.0.2/24'], routes: [] });
    const before = view({
      links: new Map([['lan0', link('lan0')]]),
      addresses: [{ ...own('10.7.0.2/24'), dev: 'lan0' }],
      routes: [{ ...connected('10.7.0.0/24'), dev: 'lan0' }],
    });
    assert.deepEqual(texts(completion(inside, 'lan0', before)), [
      'ip -n c route prepend 10.7.0.0/24 dev lan0 table 100',
      'ip -n c route prepend default via 10.7.0.1 dev lan0 table 100',
      'ip -n c rule add from 10.7.0.2/32 priority 32765 table 100',
      'ip -n c route delete 10.7.0.0/24 dev lan0',
    ]);
    const after = { ...SBR, links: before.links, routes: SBR.routes.map((one) => ({ ...one, dev: 'lan0' })) };
    assert.deepEqual(completion(inside, 'lan0', after), []);
    assert.deepEqual(texts(withdrawal(inside, 'lan0', after)), [
      'ip -n c rule del from 10.7.0.2/32 priority 32765 table 100',
    ]);
  });

  it('sbr: takes another table where another interface of the container has it', () => {
    const { inside } = divide(SBR, 'eth0', OPTIONS);
    const rules = [{ family: 4, from: '10.6.0.2/32', table: 100, priority: 32765, protocol: 3 }] as const;
    assert.deepEqual(texts(completion(inside, 'eth1', view({ rules }))), [
      'ip -n c route prepend 10.7.0.0/24 dev eth1 table 101',
      'ip -n c route prepend default via 10.7.0.1 dev eth1 table 101',
      'ip -n c rule add from 10.7.0.2/32 priority 32765 table 101',
    ]);
    const both = [...rules, { ...rules[0], from: '10.7.0.2/32', table: 101 }];
    const routes = SBR.routes.map((one) => ({ ...one, dev: 'eth1', table: 101 }));
    assert.deepEqual(completion(inside, 'eth1', view({ rules: both, routes })), []);
  });

  it('vrf: the interface becomes a member of one in the namespace', () => {
    const seen = view({
      links: new Map([
        ['eth0', link('eth0', { master: 'red', vrfTable: 7 })],
        ['red', link('red', { kind: 'vrf', vrf: { table: 7 } })],
      ]),
      addresses: [own('10.7.0.2/24')],
      routes: [connected('10.7.0.0/24', { table: 7 }), route('0.0.0.0/0', '10.7.0.1', { table: 7 })],
    });
    const { carried, inside } = divide(seen, 'eth0', OPTIONS);
    assert.deepEqual(carried, { addresses: ['10.7.0.2/24'], routes: [] });
    const ops = texts(completion(inside, 'eth1', view({ links: new Map([['eth1', link('eth1')]]) })));
    assert.deepEqual(ops, [
      "ip -n c link add name red up type vrf table 7 && ip -n c link set dev red alias 'isthmus vrf'",
      'ip netns exec c sysctl -e -w net/ipv6/conf/eth1/keep_addr_on_down=1',
      'ip -n c link set dev eth1 master red',
      'ip -n c route prepend default via 10.7.0.1 dev eth1 table 7',
    ]);
  });

  it('sysctls follow the name that the interface has in the container', () => {
    const sysctls = [['net/ipv4/conf/eth0/arp_filter', '1']] as const;
    const { inside } = divide(view({}), 'eth0', { sysctls, completes: true });
    assert.deepEqual(texts(completion(inside, 'lan0', view({}))), [
      'ip netns exec c sysctl -w net/ipv4/conf/lan0/arp_filter=1',
    ]);
  });
});

describe('what calls and boots left of CNI lists', () => {
  let host: FakeHost;
  let calls: PluginCall[];
  let failing: (call: PluginCall) => boolean;
  let configured: string[];
  let versions: string[];
  let core: TestCore & { readonly plugins: () => Promise<PluginHost> };
  let plugins: PluginHost;
  /** Namespaces whose plugins were ended. */
  let ended: string[];

  beforeEach(() => {
    host = makeFakeHost();
    calls = [];
    ended = [];
    failing = () => false;
    configured = [];
    versions = [];
    plugins = {
      listText: (conf) => conf,
      isConfigured: (network) => configured.includes(network),
      assertThere: () => {},
      run: async (call) => {
        calls.push(call);
        if (failing(call)) throw fault.delegate(call.command, `plugin ${call.type}`, 'failed');
        return JSON.stringify({ supportedVersions: versions });
      },
      end: async () => {},
      endIn: async (netns) => void ended.push(netns),
      makeNamespace: async (path) => void host.addNamespace(path),
      deleteNamespace: async (path) => host.removeNamespace(path),
    };
    core = { ...makeCore(host), plugins: async () => plugins };
  });

  const NETNS = '/run/netns/isth-aaaaaaaaaaaa';
  const row = (more: Partial<ListedEndpoint> = {}): ListedEndpoint => ({
    attachment: { camp: 'cnm', network: 'docker-1', containerId: 'a'.repeat(64), ifName: 'peeraaaaaaaaaaa' },
    ...{ bootId: host.identity.bootId, dockerNetwork: 'n'.repeat(64), progress: 'ready', netns: NETNS },
    plugins: ['bridge', 'tuning'].map((type) => ({ type, config: `{"type":"${type}","cniVersion":"1.0.0"}` })),
    ...{ path: ['/opt/cni/bin'], args: 'IgnoreUnknown=1', seconds: 25, asked: '[]', result: '{"ips":[]}' },
    link: { mac: '02:00:00:00:00:02', addresses: ['10.7.0.2/24'] },
    ...more,
  });
  const put = (one: ListedEndpoint): void => core.store.transaction(() => putListedEndpoint(core.store.notes, one));
  const made = (): string[] => calls.map(({ command, type, netns }) => `${command} ${type} ${netns || '-'}`);

  for (const progress of ['adding', 'deleting', 'ready'] as const)
    it(`an endpoint that is ${progress}: plugins that no record names are ${progress === 'ready' ? 'not looked for' : 'ended'}`, async () => {
      const one = row({ progress });
      put(one);
      await removeListed(core, one);
      assert.deepEqual(ended, progress === 'ready' ? [] : [NETNS]);
    });

  it('an endpoint of another boot: DEL without a namespace, with the result of its ADD', async () => {
    put(row({ bootId: 'another' }));
    assert.deepEqual(await sweepListed(core), []);
    assert.deepEqual(made(), ['DEL tuning -', 'DEL bridge -']);
    const [{ config = '' } = {}] = calls;
    assert.deepEqual(JSON.parse(config).prevResult, { ips: [] });
    assert.deepEqual(listListedEndpoints(core.store.notes), []);
  });

  it('a ready endpoint of this boot stays, unless its other record is gone', async () => {
    put(row());
    const sandbox = { path: '', id: host.own.id };
    const docker = {
      kind: 'docker',
      role: 'interface',
      progress: 'ready',
      sandbox,
      addresses: [],
      createdAt: 1,
    } as const;
    core.store.transaction(() => core.store.endpoints.put({ ...docker, attachment: row().attachment }));
    assert.deepEqual(await sweepListed(core), []);
    assert.deepEqual([made(), listListedEndpoints(core.store.notes).length], [[], 1]);
    core.store.transaction(() => core.store.endpoints.delete(row().attachment, 'interface'));
    assert.deepEqual(await sweepListed(core), []);
    assert.equal(listListedEndpoints(core.store.notes).length, 0);
  });

  it('an interrupted one: DEL in its namespace, where its interface is put back with its addresses', async () => {
    put(row({ progress: 'deleting' }));
    host.addNamespace(NETNS);
    host.apply([{ op: 'link.create', ns: 'host', name: 'peeraaaaaaaaaaa', link: { kind: 'dummy' } }], {
      host: host.own,
    });
    let seen = '';
    failing = ({ type }) => {
      if (type === 'tuning') seen = host.toString();
      return false;
    };
    assert.deepEqual(await sweepListed(core), []);
    assert.deepEqual(made(), [`DEL tuning ${NETNS}`, `DEL bridge ${NETNS}`]);
    assert.match(seen, /eth0/);
    assert.match(seen, /10\.7\.0\.2\/24/);
    assert.doesNotMatch(host.toString(), /peeraaaaaaaaaaa|isth-/);
  });

  it('without its interface, plugins that fail get another DEL without a namespace', async () => {
    put(row({ progress: 'deleting' }));
    failing = ({ netns, type }) => netns !== '' && type === 'bridge';
    assert.deepEqual(await sweepListed(core), []);
    assert.deepEqual(made(), [`DEL tuning ${NETNS}`, `DEL bridge ${NETNS}`, 'DEL tuning -', 'DEL bridge -']);
  });

  it('what fails stays on record, and the next sweep tries it again', async () => {
    put(row({ progress: 'adding' }));
    failing = () => true;
    const errors = await sweepListed(core);
    assert.equal(errors.length, 2);
    assert.equal(listListedEndpoints(core.store.notes)[0]?.progress, 'deleting');
    failing = () => false;
    assert.deepEqual(await sweepListed(core), []);
    assert.deepEqual(listListedEndpoints(core.store.notes), []);
  });

  it('hardware that fell back to the host under another name is found by its alias', async () => {
    put(row({ progress: 'deleting', link: { mac: '02:00:00:00:00:02', alias: 'nic0', addresses: [] } }));
    host.addNamespace(NETNS);
    host.apply(
      [
        {
          op: 'link.create',
          ns: 'host',
          name: 'dev5',
          alias: 'nic0',
          mac: '02:00:00:00:00:02',
          link: { kind: 'dummy' },
        },
      ],
      {
        host: host.own,
      },
    );
    let seen = false;
    failing = () => {
      seen = host.observe(host.open(NETNS), { links: ['eth0'] }).links.has('eth0');
      return false;
    };
    assert.deepEqual(await sweepListed(core), []);
    assert.ok(seen);
  });

  it('an endpoint that dockerd has forgotten: DEL, then GC', async () => {
    await using docker = await startRecordedDocker();
    const text = JSON.stringify({ cniVersion: '1.1.0', name: 'web', plugins: [{ type: 'bridge' }] });
    const adding: PluginHost = {
      ...plugins,
      run: async (call) => {
        calls.push(call);
        if (call.command === 'VERSION') return '{"supportedVersions":["1.1.0"]}';
        if (call.command !== 'ADD') return '';
        using sandbox = host.open(call.netns ?? '');
        const namespaces = { host: host.own, sandbox };
        host.apply(
          [
            { op: 'link.create', ns: 'sandbox', name: 'eth0', link: { kind: 'dummy' }, up: true },
            { op: 'addr.add', ns: 'sandbox', dev: 'eth0', address: '10.7.0.2/24' },
          ],
          namespaces,
        );
        return '{"cniVersion":"1.1.0","ips":[{"address":"10.7.0.2/24"}]}';
      },
    };
    const here = makeReconciled(host, docker, undefined, { plugins: async () => adding });
    const ids = { NetworkID: 'd'.repeat(64), EndpointID: 'e'.repeat(64) };
    const Options = { 'com.docker.network.generic': { driver: 'cni', conf: text } };
    const IPv4Data = [{ AddressSpace: 'null', Pool: '0.0.0.0/0' }];
    await here.call('NetworkDriver.CreateNetwork', { NetworkID: ids.NetworkID, Options, IPv4Data });
    const made = await here.call('NetworkDriver.CreateEndpoint', { ...ids, Interface: {}, Options: {} });
    assert.match(JSON.stringify(made), /"Address":"10\.7\.0\.2\/24"/);
    await here.call('NetworkDriver.Join', { ...ids, SandboxKey: '', Options: {} });
    calls = [];
    const outcome = await here.reconciler({ grace: 0 }).pass();
    assert.deepEqual([outcome?.errors, outcome?.endpoints, outcome?.networks], [[], [ids.EndpointID], [ids.NetworkID]]);
    assert.deepEqual(
      calls.map(({ command }) => command),
      ['DEL', 'GC'],
    );
    assert.doesNotMatch(host.toString(), /isth-e|peere|10\.7\.0\.2/);
    assert.deepEqual(listListedEndpoints(here.core.store.notes), []);
  });

  it('an endpoint whose record was lost: DEL in the namespace that is still there', async () => {
    await using docker = await startRecordedDocker();
    const here = makeReconciled(host, docker, undefined, { plugins: async () => plugins });
    const text = JSON.stringify({ cniVersion: '1.0.0', name: 'web', plugins: [{ type: 'bridge' }] });
    const ids = { NetworkID: 'd'.repeat(64), EndpointID: 'e'.repeat(64) };
    const Options = { 'com.docker.network.generic': { driver: 'cni', conf: text } };
    versions = ['1.0.0'];
    await here.call('NetworkDriver.CreateNetwork', { NetworkID: ids.NetworkID, Options, IPv4Data: [] });
    calls = [];
    await here.call('NetworkDriver.DeleteEndpoint', ids);
    assert.deepEqual(made(), [], 'no plugin ran for it');
    host.addNamespace('/run/netns/isth-eeeeeeeeeeee');
    await here.call('NetworkDriver.DeleteEndpoint', ids);
    assert.deepEqual(made(), ['DEL bridge /run/netns/isth-eeeeeeeeeeee']);
    assert.doesNotMatch(host.toString(), /isth-e/);
  });

  describe('GC', () => {
    const network = (id: string, version: string, more = {}): DockerNetworkRow => ({
      ...{ id, network: `docker-${id}`, driver: 'cni', request: '', internal: false, mode4: 'nat', mode6: 'nat' },
      ...{ ifPrefix: 'eth', createdAt: 1 },
      list: {
        text: JSON.stringify({ cniVersion: version, name: 'web', plugins: [{ type: 'bridge' }], ...more }),
        ...{ path: ['/opt/cni/bin'], seconds: 25 },
      },
    });
    const putNetwork = (one: DockerNetworkRow): void =>
      core.store.transaction(() => core.store.dockerNetworks.put(one));

    it('tells the endpoints of all Docker networks of the list', async () => {
      putNetwork(network('n'.repeat(64), '1.1.0'));
      putNetwork(network('m'.repeat(64), '1.1.0'));
      put(row());
      const other = { ...row().attachment, containerId: 'b'.repeat(64) };
      put(row({ attachment: other, dockerNetwork: 'm'.repeat(64) }));
      put(row({ attachment: { ...other, containerId: 'c'.repeat(64) }, bootId: 'another' }));
      assert.deepEqual(await collectListed(core, 'n'.repeat(64)), []);
      assert.deepEqual(made(), ['GC bridge -']);
      const ids = JSON.parse(calls[0]?.config ?? '')['cni.dev/valid-attachments'];
      assert.deepEqual(ids.map(({ containerID }: { containerID: string }) => containerID[0]).toSorted(), ['a', 'b']);
    });

    it('is not for older lists, nor where the administrator forbids it, nor where others may use the network', async () => {
      for (const one of [network('n'.repeat(64), '1.0.0'), network('n'.repeat(64), '1.1.0', { disableGC: true })]) {
        putNetwork(one);
        assert.deepEqual(await collectListed(core, one.id), []);
      }
      putNetwork(network('n'.repeat(64), '1.1.0'));
      configured = ['web'];
      assert.deepEqual(await collectListed(core, 'n'.repeat(64)), []);
      assert.deepEqual(made(), []);
    });
  });
});
