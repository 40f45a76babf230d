import { strict as assert } from 'node:assert';
import { chmodSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeChain } from '../support/chain.ts';
import { type CniAnswer, type PluginDir, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { dnsmasqMissing, startDhcpServer } from '../support/dhcp-server.ts';
import { type Kind, kindMissing } from '../support/kinds.ts';
import { LAN4, type Lan, makeLan, reaches } from '../support/lan.ts';
import { skipIf } from '../support/skip.ts';
import { installedFile, VIA, type Via } from '../support/via.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/attachments');

/** What multus passes on of a pod's annotation, as libcni hands it to plugins with these capabilities. */
interface Requested {
  readonly ips?: readonly string[];
  readonly mac?: string;
  readonly deviceID?: string;
  readonly bandwidth?: object;
}

interface Scenario {
  readonly requested?: Requested;
  /** What the kernel needs; without it, the configuration is read and the error says what lacks. */
  readonly needs?: Kind;
  /** What the error says where there can be no such interface here. */
  readonly refusal?: RegExp;
  readonly needsServer?: true;
  /** The reference is not asked: it needs a daemon, or a plugin that is not there. */
  readonly isOursAlone?: true;
  readonly via?: Via;
  readonly sees?: (site: Site, result: CniAnswer) => void;
}

interface Site {
  readonly host: CniHost;
  readonly lan: Lan;
}

/** By the name of the definition. */
const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'macvlan-conf': { sees: (site) => assert.equal(reaches(site.host.pod(0), LAN4), true) },
  'macvlan-dhcp': {
    ...{ needsServer: true, isOursAlone: true, via: 'daemon' },
    sees: (site, { ips }) => {
      assert.match(ips?.[0]?.address ?? '', /^10\.5\.0\.1\d\d\/24$/);
      assert.equal(reaches(site.host.pod(0), LAN4), true);
    },
  },
  'macvlan-whereabouts': {
    isOursAlone: true,
    sees: (site, { ips }) => {
      assert.equal(ips?.[0]?.address, '10.5.0.225/28');
      assert.match(site.host.pod(0).ip('addr', 'show', 'net1'), /inet 10\.5\.0\.225\/28/);
    },
  },
  'macvlan-static': {
    requested: { ips: ['10.5.0.205/24'], mac: 'c2:b0:57:49:47:f1' },
    sees: ({ host }) => {
      assert.match(host.pod(0).ip('addr', 'show', 'net1'), /c2:b0:57:49:47:f1.*inet 10\.5\.0\.205\/24/s);
      assert.equal(reaches(host.pod(0), LAN4), true);
    },
  },
  'vlan-100': { needs: 'vlan' },
  'ipvlan-l3': { needs: 'ipvlan' },
  'host-device': {
    sees: ({ host }) => {
      assert.doesNotMatch(host.ns.ip('link'), /eth1/);
      assert.equal(reaches(host.pod(0), LAN4), true);
    },
  },
  // No device of this machine is in the test's host, so it reads the PCI address and says that it is not there.
  'sriov-like': { requested: { deviceID: 'ffff:3b:02.1' }, refusal: /deviceID="ffff:3b:02\.1".*no such device/ },
  'bridge-vlan': { needs: 'VLAN filtering' },
  'ptp-conf': {
    sees: ({ host }) => {
      assert.equal(reaches(host.pod(0), '10.9.0.1'), true);
      assert.match(host.pod(0).ip('route'), /^10\.10\.0\.0\/16 via 10\.9\.0\.1 dev net1/m);
    },
  },
  'macvlan-sbr': {
    sees: ({ host }) => {
      assert.match(host.pod(0).ip('rule'), /from 10\.5\.0\.31 lookup 100/);
      assert.equal(reaches(host.pod(0), LAN4), false, 'the main table has lost its routes');
      host.pod(0).run('busybox', 'ping', '-c1', '-W1', '-I', '10.5.0.31', LAN4);
    },
  },
  'macvlan-tuning': {
    requested: { ips: ['10.5.0.206/24'], mac: 'c2:b0:57:49:47:f2' },
    sees: ({ host }) => {
      const pod = host.pod(0);
      assert.match(pod.ip('link', 'show', 'net1'), /PROMISC.*c2:b0:57:49:47:f2/s);
      assert.equal(pod.run('sysctl', '-n', 'net.ipv4.conf.net1.arp_filter').trim(), '1');
      assert.equal(reaches(pod, LAN4), true);
    },
  },
  'bridge-bandwidth': {
    requested: { bandwidth: { ingressRate: 8e6, ingressBurst: 8e6, egressRate: 8e6, egressBurst: 8e6 } },
    sees: ({ host }) => {
      assert.match(host.ns.run('tc', 'qdisc', 'show'), /tbf .* rate 8Mbit/);
      assert.equal(reaches(host.pod(0), '10.11.0.1'), true);
    },
  },
};

describe('network-attachment-definitions as users of multus write them', function () {
  this.timeout(60_000);

  it('each has a scenario', () => {
    const names = readdirSync(FIXTURES).map((file) => file.replace(/\.json$/, ''));
    assert.deepEqual(names.toSorted(), Object.keys(SCENARIOS).toSorted());
  });

  for (const [name, scenario] of Object.entries(SCENARIOS))
    it(`${name}: ADD, CHECK and DEL as net1 of a pod`, async function () {
      if (scenario.needsServer) skipIf(this, dnsmasqMissing());
      using bin = pluginDir(scenario.via);
      install(bin, scenario.via);
      using host = makeHost(2, scenario.via === undefined ? {} : { via: scenario.via });
      using lan = makeLan(host.ns, 'eth1');
      await using opened = new AsyncDisposableStack();
      if (scenario.needsServer)
        opened.use(await startDhcpServer(lan.ns, { dev: 'lan0', range: ['10.5.0.100', '10.5.0.150'] }));
      if (scenario.needs !== undefined) {
        const missing = kindMissing(host.ns, scenario.needs);
        if (missing !== undefined) return refused(name, { host, lan }, bin.path, escaped(missing));
      }
      if (scenario.refusal !== undefined) return refused(name, { host, lan }, bin.path, scenario.refusal);
      const before = host.snapshot();
      const ours = attached(name, { host, lan }, bin.path, 0);
      // CHECK came with 0.4.0.
      if (ours.result.cniVersion !== '0.3.1') ours.chain.check(ours.part, ours.result);
      scenario.sees?.({ host, lan }, ours.result);
      for (let i = 0; i < 2; i++) ours.chain.del(ours.part, ours.result);
      assert.equal(host.snapshot(), before);
      if (scenario.isOursAlone) return;
      const theirs = attached(name, { host, lan }, referenceDir, 1);
      assert.deepEqual(factsOf(ours.result), factsOf(theirs.result));
      theirs.chain.del(theirs.part, theirs.result);
    });
});

/** The definition's list, as multus calls it for the second interface of a pod. */
function listOf(name: string): {
  readonly list: Readonly<Record<string, unknown>>;
  readonly plugins: readonly Plugin[];
} {
  const { metadata, spec } = JSON.parse(readFileSync(join(FIXTURES, `${name}.json`), 'utf8'));
  const { plugins, cniVersion, name: own = metadata.name, ...single } = JSON.parse(spec.config);
  return { list: { cniVersion, name: own }, plugins: plugins ?? [single] };
}

interface Plugin {
  readonly type: string;
  readonly capabilities?: Readonly<Record<string, boolean>>;
}

function partOf(pod: number, { host }: Site, isReference: boolean) {
  const args = [
    ...['IgnoreUnknown=true', 'K8S_POD_NAMESPACE=default', `K8S_POD_NAME=sample-${pod}`],
    ...[`K8S_POD_INFRA_CONTAINER_ID=pod${pod}`, 'K8S_POD_UID=6e30ac1c-73b4-4ef3-9cb8-b4a5d0d2a8c1'],
  ];
  return {
    pod,
    containerId: `pod${pod}`,
    ifName: 'net1',
    args: args.join(';'),
    ...(isReference ? { prefix: ownDirectory(host) } : {}),
  };
}

/** The definitions name no `dataDir`: the reference keeps its files in a directory of the test. */
function ownDirectory({ dataDir }: CniHost): string[] {
  const script = 'mkdir -p "$0" && mount --bind "$0" /var/lib && exec "$@"';
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, dataDir];
}

function chainOf(name: string, { host }: Site, dir: string) {
  const { list, plugins } = listOf(name);
  const { requested = {} } = SCENARIOS[name] ?? {};
  const elements = plugins.map(({ capabilities, ...conf }) => {
    const wanted = Object.entries(requested).filter(([key]) => capabilities?.[key] === true);
    const runtimeConfig = wanted.length === 0 ? {} : { runtimeConfig: Object.fromEntries(wanted) };
    return { dir, conf: { ...conf, ...(capabilities && { capabilities }), ...runtimeConfig } };
  });
  return makeChain(host, elements, list);
}

function attached(name: string, site: Site, dir: string, pod: number) {
  const chain = chainOf(name, site, dir);
  const part = partOf(pod, site, dir === referenceDir);
  return { chain, part, result: chain.add(part) };
}

/** The first plugin refuses what this kernel cannot do, and nothing is left. */
function refused(name: string, site: Site, dir: string, message: RegExp): void {
  const before = site.host.snapshot();
  const chain = chainOf(name, site, dir);
  const { code, json, stdout } = chain.run(0, 'ADD', partOf(0, site, false));
  assert.equal(code, 1, stdout);
  assert.match(`${json?.msg} ${json?.details}`, message);
  assert.equal(site.host.snapshot(), before);
  chain.del(partOf(0, site, false));
}

/** All of a result that does not depend on the run. */
function factsOf({ cniVersion, interfaces = [], ips = [], routes = [], dns = {} }: CniAnswer): object {
  return {
    cniVersion,
    interfaces: interfaces.map(({ name, sandbox }) => [
      name.replace(/^(veth|ifb|bwp)[0-9a-f]+$/, 'made'),
      sandbox !== undefined,
    ]),
    ips: ips.map((ip) => ({ ...ip, address: ip.address.replace(/\.\d+\//, '.N/') })),
    routes,
    dns,
  };
}

function escaped(text: string): RegExp {
  return new RegExp(text.replace(/[()]/g, '\\$&'));
}

/** Besides our names: `dhcp`, and a foreign IPAM plugin that keeps its addresses elsewhere. */
function install(bin: PluginDir, via?: Via): void {
  symlinkSync(installedFile(via ?? VIA), join(bin.path, 'dhcp'));
  const script = join(bin.path, 'whereabouts');
  const answer = '{"cniVersion":"0.3.1","ips":[{"version":"4","address":"10.5.0.225/28"}],"dns":{}}';
  writeFileSync(script, `#!/bin/sh\ncat >/dev/null\n[ "$CNI_COMMAND" != ADD ] || echo '${answer}'\n`);
  chmodSync(script, 0o755);
}
