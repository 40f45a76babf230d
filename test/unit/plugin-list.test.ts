import { strict as assert } from 'node:assert';
import {
  collectionConfig,
  type ListRequest,
  namesGateway,
  parsePluginList,
  pluginConfig,
  pluginTypes,
  sandboxNeed,
  withPrevious,
} from '../../src/shared/config/plugin-list.ts';
import { parseAddr } from '../../src/shared/model/addr.ts';
import { parsePrefix } from '../../src/shared/model/prefix.ts';

type Json = Readonly<Record<string, unknown>>;

const parse = (value: unknown) => parsePluginList(typeof value === 'string' ? value : JSON.stringify(value), 'list');
const IPAM = {
  type: 'host-local',
  ranges: [[{ subnet: '10.7.0.0/24', gateway: '10.7.0.254' }], [{ subnet: 'fd07::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }, { dst: '10.9.0.0/16', gw: '10.7.0.9' }],
  dns: { nameservers: ['10.7.0.1'] },
};
const BRIDGE = { type: 'bridge', bridge: 'cni7', capabilities: { mac: true, ips: false }, ipam: IPAM };
const LIST = { cniVersion: '1.0.0', name: 'web', plugins: [BRIDGE, { type: 'tuning', mtu: 1400 }] };

const address = (text: string, gateway?: string) => {
  const prefix = parsePrefix(text);
  assert.ok(prefix);
  const addr = parseAddr(gateway ?? '');
  return { address: prefix, ...(addr === undefined ? {} : { gateway: addr }) };
};
const configOf = (request: ListRequest, list: unknown = LIST): Json => {
  const parsed = parse(list);
  const [first] = parsed.plugins;
  assert.ok(first);
  return JSON.parse(pluginConfig(parsed, first, request));
};

describe('a list of CNI plugins', () => {
  it('is a list, or the configuration of one plugin', () => {
    assert.deepEqual(
      parse(LIST).plugins.map(({ type }) => type),
      ['bridge', 'tuning'],
    );
    const single = parse({ name: 'web', ...BRIDGE });
    assert.deepEqual([single.version, single.plugins.length, single.disableGC], ['0.1.0', 1, false]);
  });

  it('has the newest version of cniVersions that is known', () => {
    const versions = ['0.4.0', '1.1.0', '7.0.0'];
    assert.equal(parse({ ...LIST, cniVersions: versions }).version, '1.1.0');
    assert.equal(parse({ ...LIST, cniVersion: '7.0.0', cniVersions: versions }).version, '1.1.0');
  });

  it('skips plugins that only publish ports', () => {
    const portmap = { type: 'portmap', capabilities: { portMappings: true } };
    const both = { type: 'isthmus', capabilities: { portMappings: true, mac: true } };
    const { plugins } = parse({ ...LIST, plugins: [both, portmap] });
    assert.deepEqual(
      plugins.map(({ type }) => type),
      ['isthmus'],
    );
  });

  it('says which plugin needs the namespace of the container', () => {
    const need = (...plugins: readonly Json[]) => sandboxNeed(parse({ ...LIST, plugins: [BRIDGE, ...plugins] }))?.what;
    assert.equal(need({ type: 'tuning', mtu: 1400 }), undefined);
    assert.equal(need({ type: 'tuning', sysctl: { 'net.core.somaxconn': '5' } }), 'sysctls');
    assert.equal(need({ type: 'sbr' }), 'policy routing rules');
    assert.equal(need({ type: 'vrf', vrfname: 'red' }), 'VRFs');
  });

  it('says whether an IPAM has to keep an address for a gateway', () => {
    const of = (plugin: Json) =>
      ([4, 6] as const).map((family) => namesGateway(parse({ name: 'x', ...plugin }), family));
    assert.deepEqual(of(BRIDGE), [true, false]);
    assert.deepEqual(of({ ...BRIDGE, isGateway: true }), [true, true]);
    assert.deepEqual(of({ type: 'macvlan', ipam: { type: 'dhcp' } }), [false, false]);
    assert.deepEqual(of({ type: 'macvlan', ipam: { type: 'static', addresses: [{ gateway: 'fd07::1' }] } }), [
      false,
      true,
    ]);
  });

  it('names all plugins and their IPAM plugins, once', () => {
    const macvlan = { type: 'macvlan', ipam: { type: 'host-local' } };
    const list = parse({ ...LIST, plugins: [BRIDGE, macvlan, { type: 'tuning' }, { type: 'isthmus', ipam: {} }] });
    assert.deepEqual(pluginTypes(list, false), ['bridge', 'host-local', 'macvlan', 'tuning', 'isthmus']);
    assert.deepEqual(pluginTypes(list, true), ['bridge', 'static', 'macvlan', 'tuning', 'isthmus']);
  });

  it('tells a plugin its list, and what it has the capability for', () => {
    const config = configOf({ mac: '02:00:00:00:00:01' });
    assert.deepEqual([config.name, config.cniVersion, config.ipam], ['web', '1.0.0', IPAM]);
    assert.deepEqual(config.runtimeConfig, { mac: '02:00:00:00:00:01' });
    const without = { ...LIST, plugins: [{ ...BRIDGE, capabilities: {} }] };
    assert.equal(configOf({ mac: '02:00:00:00:00:01' }, without).runtimeConfig, undefined);
  });

  it('replaces IPAM by static addresses, with the routes of their families', () => {
    const { ipam } = configOf({ addresses: [address('10.7.0.9/24')] });
    assert.deepEqual(ipam, {
      type: 'static',
      addresses: [{ address: '10.7.0.9/24', gateway: '10.7.0.254' }],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '10.9.0.0/16', gw: '10.7.0.9' }],
      dns: IPAM.dns,
    });
    const both = configOf({ addresses: [address('10.7.0.9/24', '10.7.0.1'), address('fd07::9/64')] }).ipam as Json;
    assert.deepEqual(both.addresses, [{ address: '10.7.0.9/24', gateway: '10.7.0.1' }, { address: 'fd07::9/64' }]);
    assert.equal((both.routes as unknown[]).length, 3);
    const bare = { ...LIST, plugins: [{ type: 'bridge', ipam: {} }] };
    assert.deepEqual(configOf({ addresses: [address('10.7.0.9/24')] }, bare).ipam, {}, 'without IPAM it stays so');
  });

  it('adds results and attachments as JSON', () => {
    assert.deepEqual(JSON.parse(withPrevious('{"a":1}', '{"ips":[]}')), { a: 1, prevResult: { ips: [] } });
    assert.equal(withPrevious('{"a":1}', undefined), '{"a":1}');
    const list = parse(LIST);
    const alive = [{ containerID: 'c', ifname: 'eth0' }];
    const [, tuning] = list.plugins;
    assert.ok(tuning);
    assert.deepEqual(JSON.parse(collectionConfig(list, tuning, alive)), {
      ...{ type: 'tuning', mtu: 1400, cniVersion: '1.0.0', name: 'web' },
      ...{ 'cni.dev/valid-attachments': alive, 'cni.dev/attachments': alive },
    });
  });

  for (const [value, error] of [
    ['', /list: it is not JSON/],
    ['[]', /list: it is not a JSON object/],
    [{ ...LIST, plugins: {} }, /list \.plugins=\{\}: it is not a list/],
    [{ ...LIST, plugins: ['bridge'] }, /list \.plugins\[0\]="bridge": it is not an object/],
    [{ ...LIST, plugins: [{ bridge: 'x' }] }, /list \.plugins\[0\]\.type: it is missing/],
    [{ name: 'x' }, /list \.type: it is missing/],
    [{ ...LIST, plugins: [{ type: '..' }] }, /\.type="\.\.": it is a path/],
    [
      { ...LIST, plugins: [{ type: 'a', runtimeConfig: {} }] },
      /\.plugins\[0\]\.runtimeConfig: only the runtime sets it/,
    ],
    [{ plugins: [BRIDGE] }, /\.name: is missing/],
    [{ ...LIST, plugins: [{ type: 'a', x: Array(70_000).fill(1) }] }, /has more than 65536 values/],
  ] as const) {
    it(`is refused: ${JSON.stringify(value).slice(0, 60)}`, () => {
      assert.throws(() => parse(value), error);
    });
  }
});
