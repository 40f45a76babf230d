import { strict as assert } from 'node:assert';
import { type PluginDir, pluginDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { type BridgeType, bridgeConf } from '../support/netconf.ts';

/** Changes of a gateway bridge's configuration that ADD has to take. */
interface Tolerated {
  readonly title: string;
  readonly name: BridgeType;
  readonly top?: Readonly<Record<string, unknown>>;
  readonly ipam?: Readonly<Record<string, unknown>>;
  readonly args?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

const BOTH = (title: string, rest: Omit<Tolerated, 'title' | 'name'>): Tolerated[] =>
  (['isthmus', 'bridge'] as const).map((name) => ({ title: `${name}: ${title}`, name, ...rest }));

const TOLERATED: readonly Tolerated[] = [
  { title: 'bridge: a key that nobody knows', name: 'bridge', top: { colour: 'green' } },
  {
    title: 'bridge: keys in another case',
    name: 'bridge',
    top: { bridge: undefined, BRIDGE: 'isth0', HairpinMode: true },
  },
  { title: 'bridge: a key of ipam that nobody knows', name: 'bridge', ipam: { colour: 'green' } },
  {
    title: 'bridge: keys of ipam in another case',
    name: 'bridge',
    ipam: { ranges: undefined, Subnet: '10.88.0.0/24' },
  },
  ...BOTH('a key of runtimeConfig that nobody knows', { top: { runtimeConfig: { colour: 'green', ips: [] } } }),
  ...BOTH('a key of args that nobody knows', { top: { args: { cni: { labels: [{ key: 'a', value: 'b' }] }, x: 1 } } }),
  ...BOTH('capabilities, which libcni leaves in', { top: { capabilities: { ips: true, portMappings: true } } }),
  ...BOTH('keys that begin with cni.dev/', { top: { 'cni.dev/valid-attachments': null, 'cni.dev/else': {} } }),
  ...BOTH('the keys of a list', { top: { disableCheck: 'true', disableGC: false, cniVersions: ['1.0.0', '1.1.0'] } }),
  ...BOTH('null where nothing is meant', { top: { prevResult: null, runtimeConfig: null, args: null } }),
  ...BOTH('no port mappings', { top: { runtimeConfig: { portMappings: [] } } }),
  ...BOTH('unknown CNI_ARGS with IgnoreUnknown', { args: 'IgnoreUnknown=1;K8S_POD_NAME=web;K8S_POD_UID=7' }),
  ...BOTH('a MAC in CNI_ARGS', { args: 'MAC=0a:58:0a:58:00:77' }),
  { title: 'isthmus: no CNI_PATH', name: 'isthmus', env: { CNI_PATH: undefined } },
  ...BOTH('an address with its length', { top: { runtimeConfig: { ips: ['10.88.0.77/24'] } } }),
];

/** Input that must not keep a DEL from cleaning up after an ADD. */
const DELETED: Readonly<Record<string, object>> = {
  'contradictory keys': { hairpinMode: true, promiscMode: true },
  'a misspelt key': { brigde: 'isth0' },
  'wrongly typed keys': { mtu: 'large', vlan: [], dns: 5, runtimeConfig: [] },
  'a version that is not released': { cniVersion: '9.9.9' },
  'no version': { cniVersion: undefined },
  'no ipam any more': { ipam: undefined },
  'ranges that overlap': { ipam: { ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: '10.88.0.0/25' }]] } },
  'another bridge': { bridge: 'isth9' },
  'a prevResult that is none': { prevResult: { ips: [{ address: 'ten' }] } },
  'masquerading, which it had not before': { ipMasq: true },
  'another backend than that of ADD': { firewall: { backend: 'iptables' } },
  'conditions of both backends': { conditionsV4: ['-s', '10.0.0.0/8'], conditionsV6: ['ip6 saddr fd00::/8'] },
  'host ports that are none': { runtimeConfig: { portMappings: [{ hostPort: 'x' }] } },
};

describe('tolerated deviations in the input', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  let host: CniHost;
  let asItWas: string;
  before(() => {
    bin = pluginDir();
    host = makeHost(1);
    const how = { dir: bin.path, name: 'isthmus', pod: 0, config: bridgeConf('isthmus', host) } as const;
    host.ok({ ...how, command: 'ADD' });
    host.ok({ ...how, command: 'DEL' });
    asItWas = host.snapshot();
  });
  after(() => {
    host?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  for (const { title, name, top = {}, ipam = {}, args, env } of TOLERATED) {
    it(`ADD and DEL accept ${title}`, () => {
      const config = { ...bridgeConf(name, host, { ipam }), ...top };
      const call = {
        dir: bin.path,
        name,
        pod: 0,
        config,
        ...(args === undefined ? {} : { args }),
        ...(env === undefined ? {} : { env }),
      };
      host.ok({ ...call, command: 'ADD' });
      host.ok({ ...call, command: 'DEL' });
      assert.equal(host.snapshot(), asItWas);
    });
  }

  for (const [title, changes] of Object.entries(DELETED)) {
    it(`DEL accepts ${title}`, () => {
      const config = bridgeConf('isthmus', host);
      const call = { dir: bin.path, name: 'isthmus', pod: 0 } as const;
      host.ok({ ...call, command: 'ADD', config });
      const run = host.run({ ...call, command: 'DEL', config: { ...config, ...changes } });
      const again = host.run({ ...call, command: 'DEL', config });
      assert.deepEqual([run.code, run.stdout, run.stderr, again.code], [0, '', '', 0]);
      assert.equal(host.snapshot(), asItWas);
    });
  }
});
