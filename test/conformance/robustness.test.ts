import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { type CniCommand, type PluginDir, type PluginRun, pluginDir, pluginNames } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { mutated } from '../support/fuzz/mutated.ts';
import { bridgeConf, layer2Conf } from '../support/netconf.ts';
import { assertSame } from '../support/snapshot.ts';
import { VIA } from '../support/via.ts';

type PluginName = (typeof pluginNames)[number];

const COMMANDS: readonly CniCommand[] = ['ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION'];
/** Words in an answer that only a fault of the program writes. */
const FAULT = /\b(Type|Reference|Range|Syntax|Assertion)Error\b|Cannot read|is not a function|\n\s+at |\bundefined\b/;
/** Calls of each plugin name: the same ones every time, or as many others as ISTHMUS_FUZZ_RUNS asks for. */
const RUNS = Number(process.env.ISTHMUS_FUZZ_RUNS ?? 40);
const SEED = process.env.ISTHMUS_FUZZ_RUNS === undefined ? { seed: 20_260_101 } : {};
/** A daemon gets all of them; the stand-alone plugin, which parses with the same code, a quarter. */
const SHARE = VIA === 'alone' && process.env.ISTHMUS_FUZZ_RUNS === undefined ? 4 : 1;
const CHANGED = Math.ceil(RUNS / SHARE);

describe('no configuration brings a plugin down (D18 and its kind)', function () {
  this.timeout(120_000 + RUNS * 2000);
  let bin: PluginDir;
  let host: CniHost;
  let asItWas: string;
  before(() => {
    bin = pluginDir();
    host = makeHost(1);
    host.ns.ip('link', 'add', 'up0', 'up', 'type', 'veth', 'peer', 'name', 'up1');
    // The kernel gives lo its address when it first comes up, and leaves it there.
    for (const state of ['up', 'down']) host.pod(0).ip('link', 'set', 'lo', state);
  });
  after(() => {
    host?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });
  beforeEach(() => {
    asItWas = host.snapshot();
  });
  afterEach(() => assertSame(host.snapshot(), asItWas, 'the host is as it was'));

  it('DEL without a record succeeds although the IPAM plugin is not installed', () => {
    for (const name of ['isthmus', 'bridge'] as const) {
      const config = { ...layer2Conf(name), ipam: { type: 'nowhere' } };
      host.ok({ dir: bin.path, name, command: 'DEL', pod: 0, config });
    }
  });

  for (const name of pluginNames) {
    it(`${name}: any JSON and any text on stdin`, () => {
      const input = fc.oneof(fc.json(), fc.string(), fc.string({ unit: 'binary' }));
      fc.assert(
        fc.property(fc.constantFrom(...COMMANDS), input, (command, config) => {
          assertAnswer(command, host.run({ dir: bin.path, name, command, pod: 0, config }), config);
        }),
        { ...SEED, numRuns: Math.ceil(CHANGED / 4) },
      );
    });

    it(`${name}: a valid configuration with one or two values changed`, () => {
      fc.assert(
        fc.property(fc.constantFrom(...COMMANDS), mutated(baseConf(name, host)), (command, config) => {
          const call = { dir: bin.path, name, pod: 0, config };
          assertAnswer(command, host.run({ ...call, command }), JSON.stringify(config));
          if (command !== 'ADD') return;
          const gone = host.run({ ...call, command: 'DEL' });
          assertAnswer('DEL', gone, JSON.stringify(config));
          if (hasIdentity(config)) assert.equal(gone.code, 0, `DEL after ADD: ${gone.stdout}`);
        }),
        { ...SEED, numRuns: CHANGED },
      );
    });

    it(`${name}: arbitrary environment`, () => {
      const text = fc.string({ unit: fc.constantFrom('a', '0', '/', '.', ';', '=', ' ', '-', 'é', '\n', ':') });
      const variables = fc.record(
        {
          CNI_COMMAND: fc.oneof(fc.constantFrom<string>(...COMMANDS), text),
          CNI_CONTAINERID: text,
          CNI_IFNAME: text,
          CNI_NETNS: fc.oneof(text, fc.constantFrom('/proc/self/ns/mnt', '/dev/null', '/')),
          CNI_ARGS: text,
          CNI_PATH: text,
        },
        { requiredKeys: ['CNI_COMMAND'] },
      );
      fc.assert(
        fc.property(variables, (env) => {
          const config = baseConf(name, host);
          const run = host.run({ dir: bin.path, name, command: 'ADD', pod: 0, config, env });
          assertAnswer(env.CNI_COMMAND, run, JSON.stringify(env));
          host.run({ dir: bin.path, name, command: 'DEL', pod: 0, config, env: { ...env, CNI_COMMAND: 'DEL' } });
        }),
        { ...SEED, numRuns: Math.ceil(CHANGED / 2) },
      );
    });
  }
});

/** The answer is what the specification §5 allows: a result, nothing, or an error with code, msg and cniVersion. */
function assertAnswer(command: string, run: PluginRun, input: string): void {
  const said = `${command} ${input}: exit ${run.code ?? run.signal} ${run.stdout}${run.stderr}`;
  assert.doesNotMatch(run.stderr, FAULT, said);
  if (run.code === 0) {
    if (command === 'ADD' || command === 'VERSION') assert.equal(typeof run.json?.cniVersion, 'string', said);
    else assert.equal(run.stdout, '', said);
    return;
  }
  assert.ok(run.code !== null && run.json !== undefined, said);
  assert.equal(typeof run.json.cniVersion, 'string', said);
  assert.equal(typeof run.json.code, 'number', said);
  assert.notEqual(run.json.code, 999, said);
  const { msg = '', details = '' } = run.json;
  assert.ok(msg !== '' && !msg.includes('\n'), said);
  assert.doesNotMatch(msg + details, FAULT, said);
}

/** DEL is never refused for form: the network's name (and the environment) is all that it needs. */
function hasIdentity(config: unknown): boolean {
  if (typeof config !== 'object' || config === null || !('name' in config)) return false;
  return typeof config.name === 'string' && /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(config.name);
}

function baseConf(name: PluginName, host: CniHost): object {
  switch (name) {
    case 'isthmus':
      return { ...bridgeConf('isthmus', host), ...RICH, ...FILTERED };
    case 'bridge':
    case 'ptp':
      return { ...bridgeConf('bridge', host), ...RICH, type: name };
    case 'host-device': {
      const addresses = { hwaddr: '02:00:00:00:00:77', pciBusID: '0000:00:1f.7', kernelpath: '/sys/devices/virtual' };
      return { ...bridgeConf('bridge', host), ...RICH, type: name, device: 'up0', ...addresses };
    }
    case 'dummy':
    case 'ipvlan':
    case 'macvlan':
    case 'tap':
    case 'vlan': {
      const keys = { master: 'up0', mode: name === 'ipvlan' ? 'l2' : 'bridge', vlanId: 7, multiQueue: true, group: 0 };
      return { ...bridgeConf('bridge', host), ...RICH, type: name, ...keys };
    }
    case 'host-local':
      return { ...bridgeConf('bridge', host), type: 'host-local' };
    case 'loopback':
      return { cniVersion: '1.0.0', name: 'lo', type: 'loopback', ...RICH };
    case 'static': {
      const addresses = [{ address: '10.88.0.7/24', gateway: '10.88.0.1' }];
      const ipam = { type: 'static', addresses, routes: [{ dst: '0.0.0.0/0' }], dns: { nameservers: ['10.88.0.1'] } };
      return { ...layer2Conf('bridge'), type: 'static', ipam };
    }
    case 'bandwidth': {
      const limits = { ingressRate: 8e6, ingressBurst: 8e5, egressRate: 8e6, egressBurst: 8e5 };
      return { ...chainedConf('bandwidth', host), ...RICH, runtimeConfig: { bandwidth: limits } };
    }
    case 'firewall':
      return { ...chainedConf('firewall', host), ...RICH, backend: 'iptables', ingressPolicy: 'same-bridge' };
    case 'portmap': {
      const options = { snat: true, masqAll: false, markMasqBit: 13, conditionsV4: ['ip saddr 10.0.0.0/8'] };
      return { ...chainedConf('portmap', host), ...RICH, ...options, runtimeConfig: { portMappings: PORTS } };
    }
    case 'sbr':
      return { ...chainedConf('sbr', host), ...RICH, gateways: ['10.88.0.1'], addSourceHints: true };
    case 'vrf':
      return { ...chainedConf('vrf', host), ...RICH, vrfname: 'blue', table: 100 };
    case 'tuning': {
      const sysctl = { 'net.ipv4.conf.IFNAME.arp_filter': '1', 'net/ipv4/ip_forward': '0' };
      return { ...chainedConf('tuning', host), ...RICH, sysctl, promisc: true, allmulti: true, txQLen: 100 };
    }
  }
}

function chainedConf(type: PluginName, { ns }: CniHost): object {
  const interfaces = [{ name: 'veth0' }, { name: 'eth0', mac: '0a:58:0a:58:00:02', sandbox: ns.path }];
  const prevResult = { cniVersion: '1.0.0', interfaces, ips: [{ address: '10.88.0.2/24', interface: 1 }], dns: {} };
  return { cniVersion: '1.0.0', name: 'web', type, prevResult };
}

/** Keys of every shape a runtime sends, for the mutation to hit. */
const RICH = {
  mtu: 1400,
  hairpinMode: true,
  dns: { nameservers: ['10.88.0.1'], search: ['example.test'] },
  args: { cni: { ips: ['10.88.0.20'], labels: [{ key: 'a', value: 'b' }] } },
  runtimeConfig: { mac: '0a:00:00:00:00:07', aliases: { web: ['a'] } },
  'cni.dev/valid-attachments': [{ containerID: 'x', ifname: 'eth0' }],
};

const PORTS = [
  { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
  { hostPort: 5353, containerPort: 53, protocol: 'udp', hostIP: '127.0.0.1' },
];

/** What Isthmus alone has in one configuration. */
const FILTERED = {
  ipMasq: true,
  nonMasqueradeCIDRs: ['10.89.0.0/16'],
  outboundAddr4: '10.88.0.1',
  ingressPolicy: 'same-bridge',
  icc: true,
  firewall: { backend: 'auto' },
  runtimeConfig: { ...RICH.runtimeConfig, portMappings: PORTS },
};
