import { strict as assert } from 'node:assert';
import { documentOf } from '../../src/shared/config/document.ts';
import { parsePlugin, type Reading } from '../../src/shared/config/plugin-config.ts';
import { parseRemoval } from '../../src/shared/config/removal-config.ts';
import type { Json } from '../../src/shared/model/json.ts';
import { parseAs, refusal } from './config-drivers-support.ts';

const LEAST = { driver: 'remote', plugin: 'gp' };
const READING: Reading = {
  ...{ plugin: 'isthmus', command: 'ADD', args: '', ifName: 'eth0', version: '1.1.0' },
  isOwn: () => false,
};
const parse = (json: Json, more: Partial<Reading> = {}) => parseAs('isthmus', { ...LEAST, ...json }, more);
const ipamOf = (ipam: Json, more: Json = {}, reading: Partial<Reading> = {}) => {
  const found = parse({ ipam: { type: 'remote', plugin: 'gpipam', ...ipam }, ...more }, reading).ipam;
  assert.ok(found?.kind === 'remote');
  return found;
};

describe('the keys of driver remote', () => {
  it('are the plugin, and options that become texts', () => {
    const { options } = parse({ options: { mode: 'fast', vlan: 7, on: true }, internal: true });
    const texts = { mode: 'fast', vlan: '7', on: 'true' };
    assert.deepEqual(options, { driver: 'remote', plugin: 'gp', options: texts, internal: true });
    assert.deepEqual(parse({}).options, { driver: 'remote', plugin: 'gp', options: {} });
  });

  it('accept host ports, a MAC and built-in addresses', () => {
    const runtimeConfig = { mac: '02:00:00:00:00:07', portMappings: [{ hostPort: 80, containerPort: 80 }] };
    const { mac, mappings, ipam } = parse({ runtimeConfig, ipam: { subnet: '10.7.0.0/24' } });
    assert.deepEqual([mac, mappings.length, ipam?.kind], ['02:00:00:00:00:07', 1, 'pool']);
  });

  const twice = { ranges: [[{ subnet: '10.7.0.0/24' }], [{ subnet: '10.8.0.0/24' }]] };
  for (const [json, message] of [
    [{ plugin: undefined }, /\.plugin: driver "remote" needs the name of a plugin/],
    [{ plugin: '/run/x.sock' }, /\.plugin="\/run\/x\.sock": it is not the name of a plugin/],
    [{ plugin: '..' }, /is not the name of a plugin/],
    [{ options: { a: [] } }, /\.options\.a=\[\]: it is not/],
    [{ master: 'eth0' }, /\.master="eth0": means nothing to driver "remote"/],
    [{ runtimeConfig: { bandwidth: { ingressRate: 8e6, ingressBurst: 8e6 } } }, /has no side on the host/],
    [{ ipam: { type: 'dhcp' } }, /\.ipam\.type="dhcp": driver "remote" needs the addresses before/],
    [{ ipam: { type: 'whereabouts' } }, /\.ipam\.type="whereabouts": driver "remote" needs/],
    [{ ipam: twice }, /several addresses of a family, and a Docker plugin takes one/],
  ] as const)
    it(`refuse ${JSON.stringify(json)}`, () =>
      assert.match(
        refusal(() => parse(json, { isOwn: (type) => type === 'dhcp' })),
        message,
      ));
});

describe('ipam of type remote', () => {
  it('lets the plugin choose, or names pools', () => {
    assert.deepEqual(ipamOf({}).pools, [{ family: 4 }]);
    const keys = { subnet: '10.7.0.0/16', ipRange: '10.7.8.0/24', gateway: '10.7.0.1' };
    assert.deepEqual(ipamOf(keys).pools, [{ family: 4, ...keys }]);
    assert.deepEqual(ipamOf({ pools: [{ subnet: 'fd00:7::/64' }, {}] }).pools, [
      { family: 6, subnet: 'fd00:7::/64' },
      { family: 4 },
    ]);
  });

  it('has addresses that the caller asks for, and routes', () => {
    const found = ipamOf(
      { routes: [{ dst: '0.0.0.0/0' }] },
      { runtimeConfig: { ips: ['fd00::9/64'] } },
      { args: 'IP=10.7.0.9' },
    );
    assert.deepEqual(
      found.requested.map(({ family }) => family),
      [4, 6],
    );
    assert.equal(found.routes.length, 1);
  });

  it('serves the driver bridge, and is another plugin under the name bridge', () => {
    const ipam = { type: 'remote', plugin: 'gpipam' };
    const own = parsePlugin(documentOf({ cniVersion: '1.1.0', name: 'web', bridge: 'br0', ipam }), READING);
    assert.ok(own.kind === 'endpoint' && own.ipam?.kind === 'remote');
    const dropIn = parsePlugin(documentOf({ cniVersion: '1.1.0', name: 'web', bridge: 'br0', ipam }), {
      ...READING,
      plugin: 'bridge',
    });
    assert.ok(dropIn.kind === 'endpoint' && dropIn.ipam?.kind === 'delegate');
  });

  for (const [keys, message] of [
    [{ plugin: '' }, /\.ipam\.plugin: ipam of type "remote" needs the name/],
    [{ plugin: 'a:b' }, /\.ipam\.plugin="a:b".*Only dockerd runs managed plugins/],
    [{ subnet: '10.7.0.1/24' }, /\.ipam\.subnet="10\.7\.0\.1\/24": host bits are set/],
    [{ subnet: '224.0.0.0/8' }, /multicast/],
    [{ gateway: '10.7.0.1' }, /\.ipam\.gateway="10\.7\.0\.1": it needs \.ipam\.subnet/],
    [{ subnet: '10.7.0.0/24', gateway: '10.8.0.1' }, /\.ipam\.gateway="10\.8\.0\.1": it is outside 10\.7\.0\.0\/24/],
    [{ subnet: '10.7.0.0/24', gateway: 'fd00::1' }, /\.ipam\.gateway="fd00::1": it is outside/],
    [{ subnet: '10.7.0.0/24', ipRange: '10.7.0.0/16' }, /\.ipam\.ipRange="10\.7\.0\.0\/16": it is outside/],
    [{ pools: [{ subnet: '10.7.0.0/24', family: 6 }] }, /\.ipam\.pools\[0\]\.family=6: the subnet is IPv4/],
    [{ pools: [{}, { subnet: '10.7.0.0/24' }] }, /\.ipam\.pools\[1\].*another pool of IPv4 before/],
    [{ pools: [{}], subnet: '10.7.0.0/24' }, /\.ipam\.subnet="10\.7\.0\.0\/24": it is beside \.ipam\.pools/],
    [{ rangeStart: '10.7.0.9' }, /\.ipam\.rangeStart.*there is no such key/],
  ] as const)
    it(`refuses ${JSON.stringify(keys)}`, () =>
      assert.match(
        refusal(() => ipamOf(keys)),
        message,
      ));

  it('refuses two addresses of a family', () => {
    const message = refusal(() => ipamOf({}, { runtimeConfig: { ips: ['10.7.0.9', '10.7.0.10'] } }));
    assert.match(message, /\.runtimeConfig\.ips=.*there are 2 of IPv4, and a Docker plugin gives one/);
  });
});

describe('DEL of driver remote', () => {
  const removal = (json: Json) =>
    parseRemoval(documentOf({ cniVersion: '1.1.0', name: 'net', type: 'isthmus', ...json }), READING);

  it('knows what the plugins know the network by', () => {
    const { remote, ipam } = removal({ ...LEAST, ipam: { type: 'remote', plugin: 'gpipam' } });
    assert.deepEqual(remote?.options, { driver: 'remote', plugin: 'gp', options: {} });
    assert.equal(remote.ipam?.kind, 'remote');
    assert.deepEqual(ipam, { kind: 'remote' });
  });

  it('works with keys that ADD refuses', () => {
    assert.equal(removal({ driver: 'remote', plugin: '../x' }).remote, undefined);
    assert.equal(removal({ ...LEAST, ipam: { type: 'remote', plugin: 7 } }).remote, undefined);
  });
});
