import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CniHost } from '../support/cni-host.ts';
import { type BridgeType, layer2Conf, type NetConf } from '../support/netconf.ts';
import { acceptRouterAdvertisements, defaultRoutes } from '../support/router.ts';
import { startAgent } from '../support/traffic.ts';
import { type Caller, conf, defect } from './defect.ts';
import { referenceVersion } from './unlike-reference.ts';

const ROUTE_WITH_METRICS = [{ dst: '0.0.0.0/0', mtu: 1400, advmss: 1300 }];
const PLAIN_ROUTE = 'default via 10.88.0.1 dev eth0';
const DUAL_STACK = { ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]], routes: [] };

defect('D6', 'CNI_ARGS without IgnoreUnknown', {
  reference: ({ host, ...how }) => {
    const run = host.run({ ...how, command: 'ADD', pod: 0, args: 'MAC=0a:00:00:00:00:05', config: conf(how, host) });
    assert.match(run.json?.msg ?? '', /unknown args/);
  },
  ours: ({ host, ...how }) => {
    host.ok({ ...how, command: 'ADD', pod: 0, args: 'MAC=0a:00:00:00:00:05', config: conf(how, host) });
    assert.match(host.pod(0).ip('-br', 'link', 'show', 'eth0'), /0a:00:00:00:00:05/);
  },
});

defect('D7', 'a default route', {
  reference: {
    '1.1.1': ({ host, ...how }) => {
      const config = conf(how, host, { routes: ROUTE_WITH_METRICS });
      const newer = host.run({ ...how, command: 'ADD', pod: 0, config: { ...config, cniVersion: '1.1.0' } });
      assert.deepEqual([newer.code, newer.json?.code], [1, 1]);
      host.ok({ ...how, command: 'ADD', pod: 0, config });
      assert.equal(host.pod(0).ip('route', 'show', 'default').trim(), PLAIN_ROUTE);
    },
    '1.9.1': ({ host, ...how }) => {
      const config = { ...conf(how, host, { routes: ROUTE_WITH_METRICS }), cniVersion: '1.1.0' };
      const { routes } = host.ok({ ...how, command: 'ADD', pod: 0, config });
      assert.deepEqual([routes?.[0]?.mtu, routes?.[0]?.advmss], [1400, 1300]);
      assert.equal(host.pod(0).ip('route', 'show', 'default').trim(), PLAIN_ROUTE);
    },
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

defect('D10', 'a file for each address', {
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

defect('D14', 'the first ADD with IPv6', {
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

defect('D21', 'the gateway and a pod', {
  reference: async (caller) => {
    const { toHost, toPod, tentative } = await connectAtOnce(caller, 500);
    assert.deepEqual([toHost, toPod], ['silent', 'silent']);
    assert.match(tentative, /inet6 fd00:88::1\/64 /);
  },
  ours: async (caller) => {
    const { toHost, toPod, tentative } = await connectAtOnce(caller, 5000);
    assert.match(toHost, /^host saw fd00:88::2$/);
    assert.match(toPod, /^pod saw fd00:88::1$/);
    assert.equal(tentative, '');
  },
});

defect('D15', 'a request in 0.4.0', {
  reference: {
    '1.1.1': (caller) => assert.deepEqual(versionsSaid(caller), ['1.0.0', undefined]),
    '1.9.1': (caller) => assert.deepEqual(versionsSaid(caller), ['1.1.0', undefined]),
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

it('docs/differences.md names the release that is installed', () => {
  const status = execFileSync('dpkg', ['-s', 'containernetworking-plugins'], { encoding: 'utf8' });
  assert.equal(/^Version: ([\d.]+)/m.exec(status)?.[1], referenceVersion());
});

interface AtOnce {
  readonly toHost: string;
  readonly toPod: string;
  /** Addresses that have not passed duplicate address detection. */
  readonly tentative: string;
}

/** What IPv6 connections meet that are opened as soon as the first ADD has returned. */
async function connectAtOnce({ host, ...how }: Caller, patience: number): Promise<AtOnce> {
  // Duplicate address detection of the host's links lasts ten seconds: longer than any patience here.
  host.ns.run('sysctl', '-qw', 'net.ipv6.conf.default.dad_transmits=10');
  using ends = new DisposableStack();
  const [hostAgent, podAgent] = [ends.use(startAgent('host', host.ns)), ends.use(startAgent('pod', host.pod(0)))];
  for (const agent of [hostAgent, podAgent]) await agent.serve('tcp', 80);
  host.ok({ ...how, command: 'ADD', pod: 0, config: conf(how, host, DUAL_STACK) });
  const [toHost, toPod] = await Promise.all([
    podAgent.probe({ address: 'fd00:88::1', port: 80 }, patience),
    hostAgent.probe({ address: 'fd00:88::2', port: 80 }, patience),
  ]);
  const tentative = [host.ns, host.pod(0)].map((ns) => ns.ip('-6', 'addr', 'show', 'scope', 'global', 'tentative'));
  return { toHost, toPod, tentative: tentative.join('') };
}

/** The `cniVersion` of VERSION and of an error, both asked for in 0.4.0. */
function versionsSaid({ host, ...how }: Caller): (string | undefined)[] {
  const version = host.ok({ ...how, command: 'VERSION', config: { cniVersion: '0.4.0' } });
  const failed = host.run({ ...how, command: 'ADD', pod: 0, config: contradiction(how.name) });
  assert.match(failed.json?.msg ?? '', /^cannot set hairpin mode and promiscuous mode/);
  return [version.cniVersion, failed.json?.cniVersion];
}

function contradiction(type: BridgeType): NetConf {
  return { ...layer2Conf(type), cniVersion: '0.4.0', hairpinMode: true, promiscMode: true };
}

function fillWithEmptyFiles(host: CniHost): void {
  mkdirSync(join(host.dataDir, 'web'), { recursive: true });
  for (let i = 1; i < 255; i++) writeFileSync(join(host.dataDir, 'web', `10.88.0.${i}`), '');
}
