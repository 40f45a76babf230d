import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { documentOf } from '../../src/shared/config/document.ts';
import { type PluginConfig, type PluginName, parsePlugin } from '../../src/shared/config/plugin-config.ts';
import { parseCollection, parseRemoval } from '../../src/shared/config/removal-config.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';

type Json = Readonly<Record<string, unknown>>;

const PREVIOUS = {
  cniVersion: '1.0.0',
  interfaces: [{ name: 'eth0', sandbox: '/x' }],
  ips: [{ address: '10.0.0.2/24', gateway: '10.0.0.1', interface: 0 }],
  routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }],
  dns: { nameservers: ['10.0.0.53'], search: ['example'] },
};
const POOL = { ranges: [[{ subnet: '10.88.0.0/16', rangeStart: '10.88.0.9' }]], routes: [{ dst: '192.0.2.0/24' }] };
const PORTS = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '192.0.2.1' }];
const CONDITIONS = { conditionsV4: ['-s', '192.0.2.0/24'] };

/** A configuration with as many keys as possible, for every plugin. */
const RICH: Readonly<Record<PluginName, Json>> = {
  isthmus: {
    ...{ bridge: 'b0', isGateway: true, ipMasq: true, vlanTrunk: [{ id: 7 }], ipam: { ...POOL, dataDir: '/tmp/x' } },
    ...{ nonMasqueradeCIDRs: ['10.0.0.0/8'], outboundAddr4: '192.0.2.9', prevResult: PREVIOUS, ...CONDITIONS },
    ...{ dns: { nameservers: ['10.0.0.53'] }, args: { cni: { ips: ['10.88.0.77'] } } },
    runtimeConfig: {
      portMappings: PORTS,
      aliases: { web: ['a', 'b'] },
      bandwidth: { ingressRate: 8, ingressBurst: 8 },
    },
  },
  bridge: { bridge: 'b0', ipam: { type: 'static', addresses: [{ address: '10.0.0.2/24' }], dns: PREVIOUS.dns } },
  dhcp: { ipam: { type: 'dhcp', provide: [{ option: '12', value: 'a' }], request: [{ option: '42' }], priority: 50 } },
  'host-local': { ipam: { type: 'host-local', ...POOL } },
  static: { ipam: { type: 'static', addresses: [{ address: '10.0.0.2/24', gateway: '10.0.0.1' }] } },
  loopback: { prevResult: PREVIOUS },
  macvlan: { master: 'eth0', mode: 'vepa', mac: '0a:58:0a:16:00:07', ipam: { type: 'host-local', ...POOL } },
  ipvlan: { mode: 'l3s', flag: 'private', ipam: { type: 'host-local', ...POOL }, prevResult: PREVIOUS },
  vlan: { master: 'eth0', vlanId: 7, dns: { nameservers: ['10.0.0.53'] } },
  ptp: { ipMasq: true, mtu: 1400, ipam: { type: 'static', addresses: [{ address: '10.0.0.2/24' }] } },
  dummy: { ipam: { type: 'static', addresses: [{ address: '10.0.0.2/24' }] } },
  tap: { multiQueue: true, owner: 7, group: 7, bridge: 'b0' },
  'host-device': { runtimeConfig: { deviceID: '0000:3b:00.1' }, args: { cni: {} } },
  bandwidth: { ingressRate: 8, ingressBurst: 8, prevResult: PREVIOUS },
  firewall: { backend: 'firewalld', ingressPolicy: 'same-bridge', prevResult: PREVIOUS },
  portmap: { ...CONDITIONS, runtimeConfig: { portMappings: PORTS }, prevResult: PREVIOUS },
  sbr: { gateways: ['10.0.0.1', 'fd00::1'], addSourceHints: true, prevResult: PREVIOUS },
  vrf: { vrfname: 'blue', table: 100, prevResult: PREVIOUS },
  tuning: { sysctl: { 'net.core.somaxconn': '500' }, mtu: 1400, prevResult: PREVIOUS },
};
const PLUGINS = Object.keys(RICH) as PluginName[];

function parse(plugin: PluginName, json: Json, command: 'ADD' | 'CHECK' | 'STATUS' = 'ADD'): PluginConfig {
  const surroundings = { plugin, command, args: 'IgnoreUnknown=1', ifName: 'eth0', version: '1.0.0' } as const;
  return parsePlugin(documentOf(json), { ...surroundings, isOwn: () => true });
}

/** The same JSON, whose objects and lists fail on every use after `revoke`. */
function revocable(json: Json): { readonly json: Json; readonly revoke: () => void } {
  const revokers: (() => void)[] = [];
  const wrap = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    const target = Array.isArray(value)
      ? value.map(wrap)
      : Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, wrap(inner)]));
    const { proxy, revoke } = Proxy.revocable(target, {});
    revokers.push(revoke);
    return proxy;
  };
  return { json: wrap(json) as Json, revoke: () => revokers.forEach((revoke) => void revoke()) };
}

describe('parsePlugin', () => {
  for (const plugin of PLUGINS)
    it(`returns a value of its own for ${plugin}: it holds nothing of the JSON`, () => {
      const given = { cniVersion: '1.0.0', name: 'web', ...RICH[plugin] };
      const { json, revoke } = revocable(given);
      const config = parse(plugin, json);
      revoke();
      assert.throws(() => Object.keys(json), /revoked/);
      assert.deepEqual(structuredClone(config), parse(plugin, given));
    });

  it('parses prevResult for ADD and CHECK only', () => {
    const json = { name: 'web', ...RICH.portmap, prevResult: 7 };
    for (const command of ['ADD', 'CHECK'] as const) {
      assert.throws(() => parse('portmap', json, command), /\.prevResult=7: is no result object/);
    }
    assert.equal(parse('portmap', json, 'STATUS').previous, undefined);
  });
});

describe('parseRemoval', () => {
  for (const plugin of PLUGINS)
    it(`accepts any value of any key but the name for ${plugin}`, () => {
      const keys = [
        'cniVersion',
        'ipam',
        'prevResult',
        'runtimeConfig',
        'args',
        'bridge',
        'mtu',
        'driver',
        'vlanTrunk',
      ];
      const values = fc.dictionary(
        fc.constantFrom(...keys, 'firewall', 'sysctl', 'macspoofchk', 'dns'),
        fc.jsonValue(),
      );
      fc.assert(
        fc.property(values, fc.boolean(), (json, own) => {
          const document = documentOf({ ...json, name: 'web' });
          assert.equal(parseRemoval(document, { plugin, isOwn: () => own }).name, 'web');
        }),
      );
    });

  it('names who releases the addresses', () => {
    const ipamOf = (plugin: PluginName, ipam: unknown, own = false) =>
      parseRemoval(documentOf({ name: 'web', ipam }), { plugin, isOwn: () => own }).ipam;
    const pool = { kind: 'pool', dataDir: '/var/lib/cni/networks' };
    assert.deepEqual(ipamOf('isthmus', { subnet: 7 }), pool);
    assert.deepEqual(ipamOf('isthmus', { type: 'isthmus', dataDir: '/a/' }), { kind: 'pool', dataDir: '/a' });
    assert.deepEqual(ipamOf('bridge', { type: 'host-local' }, true), pool);
    assert.deepEqual(ipamOf('bridge', { type: 'host-local' }), { kind: 'delegate', type: 'host-local' });
    assert.deepEqual(ipamOf('bridge', { type: 'static' }), { kind: 'delegate', type: 'static' });
    assert.deepEqual(ipamOf('host-local', 7), pool);
    for (const plugin of ['static', 'loopback', 'portmap'] as const) {
      assert.equal(ipamOf(plugin, { type: 'dhcp' }), undefined);
    }
    assert.equal(ipamOf('bridge', { type: 'static' }, true), undefined);
    assert.equal(ipamOf('isthmus', undefined), undefined);
    assert.equal(ipamOf('bridge', {}), undefined);
  });
});

describe('parseCollection', () => {
  it('refuses a configuration without a list of attachments', () => {
    const collect = (more: Json) => () =>
      parseCollection(documentOf({ name: 'web', ...more }), { plugin: 'isthmus', isOwn: () => true });
    const key = 'cni.dev/valid-attachments';
    for (const more of [{}, { [key]: 7 }, { [key]: [{ containerID: 'a' }] }, { [key]: [7] }]) {
      assert.throws(collect(more), (error) => error instanceof NetError && error.kind === 'invalid-config');
    }
    const keep = [{ containerId: 'a', ifName: 'eth0' }];
    assert.deepEqual(collect({ [key]: [{ containerID: 'a', ifname: 'eth0' }] })().keep, keep);
    assert.deepEqual(collect({ [key]: null })().keep, []);
  });
});
