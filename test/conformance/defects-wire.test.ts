import { strict as assert } from 'node:assert';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { type BridgeType, layer2Conf, type NetConf } from '../support/netconf.ts';
import { acceptRouterAdvertisements, defaultRoutes } from '../support/router.ts';
import { conf, defect, referenceKnowsCni11 } from './defect.ts';

const ROUTE_WITH_METRICS = [{ dst: '0.0.0.0/0', mtu: 1400, advmss: 1300 }];
const DUAL_STACK = { ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]], routes: [] };

defect('D6: CNI_ARGS with MAC= and without IgnoreUnknown', {
  reference: ({ host, ...how }) => {
    const run = host.run({ ...how, command: 'ADD', pod: 0, args: 'MAC=0a:00:00:00:00:05', config: conf(how, host) });
    assert.match(run.json?.msg ?? '', /unknown args/);
  },
  ours: ({ host, ...how }) => {
    host.ok({ ...how, command: 'ADD', pod: 0, args: 'MAC=0a:00:00:00:00:05', config: conf(how, host) });
    assert.match(host.pod(0).ip('-br', 'link', 'show', 'eth0'), /0a:00:00:00:00:05/);
  },
});

defect('D7: mtu and advmss of a route', {
  reference: ({ host, ...how }) => {
    const config = conf(how, host, { routes: ROUTE_WITH_METRICS });
    const newer = host.run({ ...how, command: 'ADD', pod: 0, config: { ...config, cniVersion: '1.1.0' } });
    if (referenceKnowsCni11(host)) assert.equal(newer.json?.routes?.[0]?.mtu, 1400, 'reported');
    else {
      assert.equal(newer.json?.code, 1, 'a version that it does not know');
      host.ok({ ...how, command: 'ADD', pod: 0, config });
    }
    assert.equal(host.pod(0).ip('route', 'show', 'default').trim(), 'default via 10.88.0.1 dev eth0');
  },
  ours: ({ host, ...how }) => {
    const config = { ...conf(how, host, { routes: ROUTE_WITH_METRICS }), cniVersion: '1.1.0' };
    const result = host.ok({ ...how, command: 'ADD', pod: 0, config });
    assert.match(host.pod(0).ip('route', 'show', 'default'), /mtu 1400 advmss 1300/);
    assert.deepEqual(
      result.routes?.map(({ mtu, advmss }) => ({ mtu, advmss })),
      [{ mtu: 1400, advmss: 1300 }],
    );
  },
});

defect('D10: a directory full of zero-length lease files', {
  reference: ({ host, ...how }) => {
    fillWithEmptyFiles(host);
    const run = host.run({ ...how, command: 'ADD', pod: 0, config: conf(how, host) });
    assert.match(run.json?.msg ?? '', /no IP addresses available/);
  },
  ours: ({ host, ...how }) => {
    fillWithEmptyFiles(host);
    host.ok({ ...how, command: 'ADD', pod: 0, config: conf(how, host) });
  },
});

defect('D14: an uplink that has its default route from router advertisements', {
  forwarding: false,
  reference: async ({ host, ...how }) => {
    using _router = await acceptRouterAdvertisements(host.ns);
    host.ok({ ...how, command: 'ADD', pod: 0, config: conf(how, host, DUAL_STACK) });
    assert.equal(defaultRoutes(host.ns), '');
  },
  ours: async ({ host, ...how }) => {
    using _router = await acceptRouterAdvertisements(host.ns);
    host.ok({ ...how, command: 'ADD', pod: 0, config: conf(how, host, DUAL_STACK) });
    assert.equal(host.ns.run('sysctl', '-n', 'net.ipv6.conf.all.forwarding').trim(), '1');
    assert.match(defaultRoutes(host.ns), /proto ra/);
    assert.equal(host.ns.run('sysctl', '-n', 'net.ipv6.conf.up0.accept_ra').trim(), '2');
  },
});

defect('D15: VERSION and errors say which version was asked for', {
  reference: ({ host, ...how }) => {
    const version = host.run({ ...how, command: 'VERSION', config: { cniVersion: '0.4.0' } }).json?.cniVersion;
    assert.equal(version, referenceKnowsCni11(host) ? '1.1.0' : '1.0.0');
    const failed = host.run({ ...how, command: 'ADD', pod: 0, config: contradiction(how.name) });
    assert.deepEqual({ code: failed.code, cniVersion: failed.json?.cniVersion }, { code: 1, cniVersion: undefined });
  },
  ours: ({ host, ...how }) => {
    const version = host.ok({ ...how, command: 'VERSION', config: { cniVersion: '0.4.0' } });
    assert.equal(version.cniVersion, '0.4.0');
    assert.ok(version.supportedVersions?.includes('1.1.0'));
    const failed = host.run({ ...how, command: 'ADD', pod: 0, config: contradiction(how.name) });
    assert.deepEqual(
      { code: failed.code, error: failed.json?.code, cniVersion: failed.json?.cniVersion },
      { code: 1, error: 7, cniVersion: '0.4.0' },
    );
  },
});

it("D18: the reference's tuning panics on args.cni.sysctl without sysctl", () => {
  using host = makeHost(1);
  const prevResult = { cniVersion: '1.0.0', interfaces: [] };
  const args = { cni: { sysctl: { 'net.ipv4.conf.all.rp_filter': '1' } } };
  const config = { cniVersion: '1.0.0', name: 'web', type: 'tuning', args, prevResult };
  const run = host.run({ dir: referenceDir, name: 'tuning', command: 'ADD', pod: 0, config });
  assert.equal(run.json, undefined);
  assert.match(run.stderr, /^panic:/);
});

function contradiction(type: BridgeType): NetConf {
  return { ...layer2Conf(type), cniVersion: '0.4.0', hairpinMode: true, promiscMode: true };
}

function fillWithEmptyFiles(host: CniHost): void {
  mkdirSync(join(host.dataDir, 'web'), { recursive: true });
  for (let i = 1; i < 255; i++) writeFileSync(join(host.dataDir, 'web', `10.88.0.${i}`), '');
}
