import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { field } from '../../src/shared/model/json.ts';
import { type CniAnswer, type CniCommand, expectOk, pluginDir, referenceDir } from '../support/cni.ts';
import { makeHost } from '../support/cni-host.ts';
import { reference } from '../support/e2e.ts';
import type { TestNetns } from '../support/netns.ts';
import { assertSame } from '../support/snapshot.ts';

/** One call as a runtime made it, environment and standard input unchanged, and what the plugin of then answered. */
interface Recorded {
  readonly env: Readonly<Record<string, string>> & { readonly CNI_COMMAND: CniCommand; readonly CNI_NETNS: string };
  readonly stdin: Request;
  /** Absent where the recorded plugin failed; "" where it printed nothing. */
  readonly result?: CniAnswer | '';
}

type Request = Readonly<Record<string, unknown>> & { readonly runtimeConfig?: RuntimeConfig };

/** Keys as the runtime spells them, which is not always as the specification does. */
interface RuntimeConfig {
  readonly dns?: { readonly Servers: string[]; readonly Searches: string[] };
  readonly portMappings?: readonly Readonly<Record<string, unknown>>[];
  readonly bandwidth?: object;
}

const FIXTURES = join(import.meta.dirname, '../fixtures/transcripts');
const RUNTIMES = ['containerd-1.6.20-cri', 'containerd-1.6.20-ctr', 'podman-4.3.1'];

/** The built-in settings of the recorded plugin. */
const NETWORK = { bridge: 'rec0', isGateway: true };

/** What the recorded `type` becomes. Under a name of the reference's, a key that nobody knows is let pass. */
const NAMES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = reference
  ? { bridge: { type: 'bridge', ...NETWORK } }
  : {
      bridge: { type: 'bridge', ...NETWORK },
      isthmus: { type: 'isthmus', driver: 'bridge', ...NETWORK, myopt: undefined },
    };

describe('requests recorded from runtimes', () => {
  it('are all replayed', () => {
    const files = readdirSync(FIXTURES).filter((file) => file.endsWith('-cni.json'));
    assert.deepEqual(files.sort(), RUNTIMES.map((runtime) => `${runtime}-cni.json`).sort());
  });

  for (const runtime of RUNTIMES) {
    for (const [name, keys] of Object.entries(NAMES)) {
      it(`of ${runtime}: ${name} answers in their version and shape, and leaves nothing`, function () {
        this.timeout(30_000);
        replay(JSON.parse(readFileSync(join(FIXTURES, `${runtime}-cni.json`), 'utf8')), name, keys);
      });
    }
  }
});

function replay(calls: readonly Recorded[], name: string, keys: Readonly<Record<string, unknown>>): void {
  const paths = [...new Set(calls.map((call) => call.env.CNI_NETNS).filter((path) => path.startsWith('/')))];
  using host = makeHost(paths.length);
  using plugins = pluginDir();
  const dir = reference ? referenceDir : plugins.path;
  const fresh = host.snapshot();
  const ipam = {
    type: 'host-local',
    ranges: [[{ subnet: subnetOf(calls) }]],
    routes: [{ dst: '0.0.0.0/0' }],
    dataDir: host.dataDir,
  };
  /** The same with the recorded namespaces being those of this host. */
  const placed = <T>(value: T): T =>
    JSON.parse(
      paths.reduce(
        (text, path, i) => text.replaceAll(JSON.stringify(path), JSON.stringify(host.pod(i).path)),
        JSON.stringify(value),
      ),
    );

  for (const [index, call] of calls.entries()) {
    const command = call.env.CNI_COMMAND;
    const what = `${index} ${command} ${call.env.CNI_CONTAINERID}`;
    const env = { ...placed(call.env), ...(call.env.CNI_PATH === 'dummy' ? {} : { CNI_PATH: dir }) };
    const config = command === 'VERSION' ? call.stdin : { ...placed(call.stdin), ...keys, ipam };
    const run = host.run({ dir, name, command, env, config });
    assert.equal(run.code, 0, `${what}: ${run.stdout}${run.stderr}`);
    if (command === 'DEL') {
      assert.equal(run.stdout, '', what);
      continue;
    }
    const answer = expectOk(run);
    assert.equal(answer.cniVersion, call.stdin.cniVersion, what);
    if (command === 'VERSION') {
      for (const version of supported(call.result)) assert.ok(answer.supportedVersions?.includes(version), what);
      continue;
    }
    if (call.result) assert.deepEqual(shapeOf(answer), shapeOf(placed(call.result)), what);
    compareRequested(what, call, answer);
    if (name === 'isthmus') compareGranted(what, call, host.ns);
    const pod = host.pods.find((one) => one.path === env.CNI_NETNS);
    for (const { address } of answer.ips ?? []) assert.ok(pod?.ip('-o', 'addr').includes(` ${address} `), what);
  }
  // The reference never removes a bridge, nor its files' directory.
  if (!reference) assertSame(host.snapshot(), fresh);
}

/** Host ports lead somewhere and traffic is limited where the runtime wanted it, and nowhere else. */
function compareGranted(what: string, { stdin }: Recorded, ns: TestNetns): void {
  const { portMappings = [], bandwidth } = stdin.runtimeConfig ?? {};
  const rules = ns.run('nft', 'list', 'ruleset');
  for (const mapping of portMappings) {
    const [protocol, port] = ['protocol', 'hostPort'].map((key) => field(mapping, key));
    assert.ok(rules.includes(`${protocol} . ${port} : `), `${what}: ${JSON.stringify(mapping)} in ${rules}`);
  }
  assert.equal(/ tbf /.test(ns.run('tc', 'qdisc', 'show')), bandwidth !== undefined, what);
}

function supported(result: Recorded['result']): readonly string[] {
  return result ? (result.supportedVersions ?? []) : [];
}

/** What `IP=`, `MAC=` and the runtime's name servers (in Go's spelling of keys) ask for has been given. */
function compareRequested(what: string, { env, stdin }: Recorded, answer: CniAnswer): void {
  const args = env.CNI_ARGS ?? '';
  const [, ip] = /(?:^|;)IP=([^;]+)/.exec(args) ?? [];
  const [, mac] = /(?:^|;)MAC=([^;]+)/.exec(args) ?? [];
  if (ip !== undefined) assert.equal(answer.ips?.[0]?.address.replace(/\/.*/, ''), ip, what);
  if (mac !== undefined) assert.equal(answer.interfaces?.at(-1)?.mac, mac, what);
  const dns = stdin.runtimeConfig?.dns;
  if (dns === undefined || reference) return;
  assert.deepEqual(answer.dns, { nameservers: dns.Servers, search: dns.Searches }, what);
}

/** The /24 of the first address that was given out. */
function subnetOf(calls: readonly Recorded[]): string {
  for (const { result } of calls) {
    const address = result ? result.ips?.[0]?.address : undefined;
    if (address !== undefined) return address.replace(/\.\d+\/.*/, '.0/24');
  }
  throw new Error('nothing recorded has an address');
}

/** Types in place of values, keys in order; without `dns`, which was always empty then. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== 'object' || value === null) return typeof value;
  const entries = Object.entries(value).filter(([key]) => key !== 'dns');
  return Object.fromEntries(entries.map(([key, one]) => [key, shapeOf(one)]).sort());
}
