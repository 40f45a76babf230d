import { strict as assert } from 'node:assert';
import { type PluginDir, type PluginRun, pluginDir } from '../support/cni.ts';
import { type CniHost, type HostCall, makeHost } from '../support/cni-host.ts';
import { bridgeConf } from '../support/netconf.ts';
import { type Agent, startAgent } from '../support/traffic.ts';
import { VIA } from '../support/via.ts';
import { ADDRESSES } from './bad-input/addresses.ts';
import type { BadInput } from './bad-input/case.ts';
import { ENVIRONMENT } from './bad-input/environment.ts';
import { FIREWALL } from './bad-input/firewall.ts';
import { HOST_AND_DELEGATES } from './bad-input/host.ts';
import { LIMITED } from './bad-input/limits.ts';
import { PLACES } from './bad-input/places.ts';
import { HELD, HELD_ON_ONE, LISTENED, PORTS } from './bad-input/ports.ts';
import { RESULTS_AND_GARBAGE } from './bad-input/results.ts';
import { SHAPE } from './bad-input/shape.ts';
import { SHAPING } from './bad-input/shaping.ts';
import { STDIN } from './bad-input/stdin.ts';

/** Words that a program says of itself instead of the input. */
const FAULT =
  /\b(Type|Reference|Range|Syntax|Assertion)Error\b|Cannot read|is not a function|\bundefined\b|\[object|NaN/;
/**
 * The daemon gets every case, at a fifth of the cost. The stand-alone plugin parses configurations with the same code, so
 * it gets all cases of what each reads itself, and one in four of the others; ISTHMUS_BAD_INPUT=all gives it all.
 */
const ALL = VIA === 'daemon' || process.env.ISTHMUS_BAD_INPUT === 'all';
const BY_LAUNCHER: readonly string[] = ['environment', 'namespaces and state', 'stdin', 'host and delegates'];
/** Longer messages are not read. */
const LONGEST = 400;

/**
 * Each call is made on a host that has something to lose: pod 0 on network `web` and on `full`, whose pool it has
 * exhausted, a process that listens, a veth, a foreign bridge with an address, and an interface in pod 1, which all calls are about.
 */
describe('bad input changes nothing and says what is wrong', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  let host: CniHost;
  let asItWas: string;
  let listener: Agent;

  before(async () => {
    bin = pluginDir();
    host = makeHost(2);
    listener = startAgent('listener', host.ns);
    await listener.serve('tcp', LISTENED);
    host.ns.ip('link', 'add', 'plain0', 'type', 'veth', 'peer', 'name', 'plain1');
    host.ns.ip('link', 'add', 'foreign0', 'up', 'type', 'bridge');
    host.ns.ip('addr', 'add', '10.70.0.1/24', 'dev', 'foreign0');
    host.pod(1).ip('link', 'add', 'taken0', 'type', 'bridge');
    const runtimeConfig = { portMappings: [HELD, HELD_ON_ONE] };
    host.ok({ ...how('ADD'), pod: 0, config: configOf({ top: { runtimeConfig } }, host) });
    const ipam = { ranges: [[{ subnet: '10.89.0.0/30' }]], routes: [] };
    const full = configOf({ top: { name: 'full', bridge: 'isth1' }, ipam }, host);
    host.ok({ ...how('ADD'), pod: 0, ifName: 'eth1', config: full });
    asItWas = host.snapshot();
  });
  after(() => {
    listener?.[Symbol.dispose]();
    host?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  /** Reverts a call that succeeded by mistake, so that it fails one test and no other. */
  const takeBack = (bad: BadInput) => {
    host.run({ ...callOf(bad, host, bin), command: 'DEL' });
    asItWas = host.snapshot();
  };

  const how = (command: HostCall['command']) => ({ dir: bin.path, name: 'isthmus', command });

  const tables = {
    environment: ENVIRONMENT,
    'namespaces and state': PLACES,
    stdin: STDIN,
    shape: SHAPE,
    addresses: ADDRESSES,
    'host and delegates': HOST_AND_DELEGATES,
    'results and garbage': RESULTS_AND_GARBAGE,
    'bandwidth and tuning': SHAPING,
    'limits and names': LIMITED,
    'host ports': PORTS,
    'masquerading and isolation': FIREWALL,
  };
  for (const [title, table] of Object.entries(tables)) {
    describe(title, () => {
      for (const bad of ALL || BY_LAUNCHER.includes(title) ? table : thinned(table)) {
        it(bad.title, () => {
          try {
            assertRefused(host.run(callOf(bad, host, bin)), bad);
            assert.equal(host.snapshot(), asItWas, 'the host is as it was');
          } catch (error) {
            takeBack(bad);
            throw error;
          }
        });
      }
    });
  }
});

function thinned(table: readonly BadInput[]): readonly BadInput[] {
  return table.filter((_, i) => i % 4 === 0);
}

function callOf(bad: BadInput, host: CniHost, bin: PluginDir): HostCall {
  return {
    dir: bin.path,
    name: bad.name ?? 'isthmus',
    command: bad.command ?? 'ADD',
    pod: 1,
    config: bad.stdin ?? configOf(bad, host),
    ...(bad.args === undefined ? {} : { args: bad.args }),
    ...(bad.env === undefined ? {} : { env: bad.env(host) }),
    ...(bad.prefix === undefined ? {} : { prefix: bad.prefix }),
  };
}

/** Network `web` under the plugin's own name (the reference's for a drop-in), with the case's changes. */
function configOf({ name = 'isthmus', top = {}, ipam }: Partial<BadInput>, host: CniHost): object {
  const base = bridgeConf(name === 'isthmus' ? 'isthmus' : 'bridge', host, ipam === undefined ? {} : { ipam });
  return { ...base, cniVersion: '1.1.0', ...top };
}

function assertRefused({ code: exit, signal, stdout, stderr, json }: PluginRun, bad: BadInput): void {
  const said = `exit ${exit ?? signal}: ${stdout}${stderr}`;
  assert.equal(stderr, bad.stderr ?? '', said);
  assert.ok(json !== undefined && exit === 1, said);
  const { cniVersion, code, msg = '', details = '' } = json;
  assert.equal(code, bad.code, said);
  assert.equal(cniVersion, bad.cniVersion ?? '1.1.0', said);
  assert.ok(msg !== '' && !/[\r\n]/.test(msg + details) && msg.length <= LONGEST, said);
  assert.doesNotMatch(msg + details, FAULT, said);
  for (const part of bad.says) assert.ok(msg.includes(part), `msg lacks ${JSON.stringify(part)}: ${said}`);
  const { hint = '' } = bad;
  assert.ok(details.includes(hint), `details lack ${JSON.stringify(hint)}: ${said}`);
}
