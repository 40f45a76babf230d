import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CniAnswer, type PluginDir, pluginDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { pluginCommand } from '../support/docker-plugin.ts';
import { netnsMissing } from '../support/netns.ts';
import { EXAMPLES, readList } from '../support/runtime.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';
import { makeVerbs, type Verbs } from '../support/verbs.ts';
import { CASES, type ExplainCase, makeUplink } from './explain-cases.ts';

/** They need a daemon that is a member of a cluster, which says what the configuration leaves open. */
const OVERLAYS = ['overlay-bridged', 'overlay-internal', 'overlay-routed'];
/** The answer of another program, as `--address` and `--gateway` give it. */
const LEASED = { address: '10.97.0.100/24', gateway: '10.97.0.1' };

describe('isthmus explain', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  let temp: TempDir;
  const hosts: CniHost[] = [];

  before(function () {
    skipIf(this, netnsMissing());
    bin = pluginDir();
    temp = makeTempDir();
  });
  after(() => {
    bin?.[Symbol.dispose]();
    temp?.[Symbol.dispose]();
  });
  afterEach(() => {
    for (const host of hosts.splice(0)) host[Symbol.dispose]();
  });

  const newHost = (): CniHost => {
    const host = makeHost(1, { via: 'alone' });
    hosts.push(host);
    return host;
  };
  const verbsOf = (host: CniHost): Verbs => makeVerbs({ stateDir: host.stateDir, netns: host.ns.path });

  /** Calls ADD of every plugin, as a runtime does. */
  const addAll = (
    host: CniHost,
    name: string,
    { plugins, offers = {}, args = '' }: Omit<ExplainCase, 'title'>,
    path = bin.path,
  ) => {
    let previous: CniAnswer | undefined;
    for (const plugin of plugins) {
      const capable = new Map(Object.entries(plugin.capabilities ?? {}));
      const wanted = Object.entries(offers).filter(([key]) => capable.get(key) === true);
      const config = {
        ...{ ...plugin, cniVersion: '1.0.0', name },
        ...(wanted.length > 0 && { runtimeConfig: Object.fromEntries(wanted) }),
        ...(previous !== undefined && { prevResult: previous }),
      };
      const isHost = plugin.driver === 'host';
      const place = isHost ? { netns: host.ns.path, containerId: 'pod0', ifName: 'eth0' } : { pod: 0 };
      const { code, json, stderr } = host.run({
        dir: bin.path,
        name: plugin.type,
        command: 'ADD',
        config,
        args,
        path,
        ...place,
      });
      assert.equal(code, 0, `${plugin.type}: ${JSON.stringify(json)}${stderr}`);
      previous = json;
    }
  };
  const write = (name: string, plugins: ExplainCase['plugins']): string => {
    const file = join(temp.path, `${name}.conflist`);
    writeFileSync(file, JSON.stringify({ cniVersion: '1.0.0', name, plugins }));
    return file;
  };
  const place = (host: CniHost): string[] => ['--container', 'pod0', '--ifname', 'eth0', '--netns', host.pod(0).path];

  /** Runs the script on the host, as its reader would. */
  const runScript = (host: CniHost, script: string): void => {
    const { status, stderr } = spawnSync('nsenter', [`--net=${host.ns.path}`, '--', 'sh'], {
      input: script,
      encoding: 'utf8',
    });
    assert.deepEqual([status, stderr], [0, ''], script);
    // ADD has waited for it.
    const pod = host.pod(0);
    for (
      const end = Date.now() + 10_000;
      pod.ip('-o', 'addr', 'show', 'tentative').trim() !== '' && Date.now() < end;
    );
  };
  /** The host as text, with its namespaces by other names. */
  const stateOf = (host: CniHost): string => {
    const names = [host.ns.name, host.pod(0).name];
    const text = host.snapshot().split('## state')[0] ?? '';
    // A packet of the kernel's own may have passed. The kernel chooses the MAC of an ifb.
    const still = text
      .replaceAll(/counter packets \d+ bytes \d+ /g, '')
      .replaceAll(/(?<=\| ifb.* link\/ether )\S+/g, 'RANDOM');
    return names.reduce((rest, name, i) => rest.replaceAll(name, ['HOST', 'POD'][i] ?? ''), still);
  };

  /** The state after ADD and after the script of `explain`, both from the same beginning. */
  const assertEqual = async (name: string, tried: Omit<ExplainCase, 'title'>, path?: string): Promise<string> => {
    const [ours, theirs] = [newHost(), newHost()];
    for (const host of [ours, theirs]) tried.prepare?.(host);
    const untouched = stateOf(theirs);
    const args = tried.args === undefined ? [] : ['--args', tried.args];
    const words = ['explain', write(name, tried.plugins), ...place(theirs), ...args, ...(tried.options ?? [])];
    const script = await verbsOf(theirs).ok(...words);
    assertSame(stateOf(theirs), untouched, 'explain');
    addAll(ours, name, tried, path);
    runScript(theirs, script);
    assertSame(stateOf(theirs), stateOf(ours), `the script\n${script}\nin place of ADD`);
    const compared = await verbsOf(theirs).run(...words, '--diff');
    assert.deepEqual([compared.code, compared.stderr], [0, ''], compared.stdout);
    assert.doesNotMatch(compared.stdout, /^[+!] /m);
    return script;
  };

  for (const file of readdirSync(EXAMPLES).filter((one) => one.endsWith('.conflist'))) {
    const name = file.replace('.conflist', '');
    if (OVERLAYS.includes(name)) continue;
    it(`${name}: the script of the example does what ADD does`, async function () {
      const { plugins, name: network } = readList(join(EXAMPLES, file));
      const uses = JSON.stringify(plugins);
      const publishes = uses.includes('portMappings');
      const missing =
        uses.includes('"vlan"') && !filtersVlans(newHost())
          ? 'this kernel has no VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING)'
          : undefined;
      skipIf(this, missing);
      const leased = name === 'delegated-ipam' ? ['--address', LEASED.address, '--gateway', LEASED.gateway] : [];
      const fixed = name === 'static-addresses' ? '10.90.0.10/24' : undefined;
      await assertEqual(
        network,
        {
          plugins,
          ...(publishes && {
            options: ['-p', '8080:80'],
            offers: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
          }),
          ...(leased.length > 0 && { options: leased }),
          ...(fixed !== undefined && { args: `IP=${fixed}` }),
          ...(uses.includes('macvlan') && { prepare: makeUplink }),
        },
        name === 'delegated-ipam' ? answerLease(temp.path) : undefined,
      );
    });
  }

  for (const tried of CASES)
    it(`${tried.title}: the script does what ADD does`, async function () {
      skipIf(this, lacking(newHost(), tried.needs));
      await assertEqual('tried', tried);
    });

  for (const name of OVERLAYS)
    it(`${name}: says that the daemon of a cluster is needed`, async () => {
      const host = newHost();
      await verbsOf(host).refused(['explain', join(EXAMPLES, `${name}.conflist`), ...place(host)], 1, /cluster/);
    });

  it('--docker: the script makes a network and a container that reaches its gateway', async () => {
    const host = newHost();
    const create = 'network create -d isthmus --subnet 10.9.0.0/24 --ipv6 --subnet fd00:9::/64 -o mtu=1400 app';
    runScript(host, await verbsOf(host).ok('explain', '--docker', create, ...place(host), '-p', '8080:80'));
    const pod = host.pod(0);
    assert.match(pod.ip('-br', 'addr', 'show', 'dev', 'eth0'), / 10\.9\.0\.2\/24 fd00:9::2\/64 /);
    assert.match(pod.ip('link', 'show', 'eth0'), / mtu 1400 /);
    assert.match(pod.ip('route'), /^default via 10\.9\.0\.1 dev eth0/m);
    pod.run('busybox', 'ping', '-c1', '-W2', '10.9.0.1');
    assert.match(host.ns.run('nft', 'list', 'map', 'inet', 'isthmus', 'port_any4'), /tcp \. 8080 : 10\.9\.0\.2 \. 80/);
    await verbsOf(host).refused(['explain', '--docker', create, '--diff'], 2, /dockerd chooses the ids/);
    await verbsOf(host).refused(['explain', '--docker', 'network create app'], 2, /driver of Docker's own.*-d isthmus/);
  });

  it('has no line that a name or a value has begun', async () => {
    const host = newHost();
    using directory = makeTempDir();
    const evil = 'x\nEVIL;`EVIL`$(EVIL)\nEND\nEVIL';
    const written = (name: string, ...more: readonly object[]): string => {
      const first = {
        type: 'isthmus',
        bridge: "b'$(a)`;",
        isGateway: true,
        ipMasq: true,
        ipam: { subnet: '10.9.0.0/24' },
      };
      const file = join(directory.path, `${name}.conflist`);
      writeFileSync(file, JSON.stringify({ cniVersion: '1.0.0', name: 'web', plugins: [first, ...more] }));
      return file;
    };
    const create = 'network create -d isthmus';
    for (const words of [
      [written('bridge')],
      [written('type', { type: evil })],
      [written('zone', { type: 'firewall', backend: 'firewalld', firewalldZone: evil })],
      [written('netns'), '--netns', `/run/netns/${evil}`],
      ['--docker', `${create} "${evil}"`],
      ['--docker', `${create} app`, '--container', evil],
      [written('diff'), '--diff', '--container', evil],
      [written('diff2', { type: evil }), '--diff'],
    ]) {
      const { stdout, stderr } = await verbsOf(host).run('explain', ...words);
      // Where a runtime would refuse the value, explain does so too, in one line.
      assert.match(stderr, /^(isthmus: [^\n]*\n)?$/);
      assert.ok(stdout !== '' || stderr !== '', words.join(' '));
      assert.doesNotMatch(stdout.replaceAll(/'[^']*'/g, ''), /^EVIL|^END\nEVIL/m, words.join(' '));
    }
  });

  for (const [title, words, code, why] of [
    ['a file that is not there', ['/nonexistent'], 1, /cannot be read \(ENOENT/],
    [
      'a file and a command of docker',
      ['x.conflist', '--docker', 'network create -d isthmus x'],
      2,
      /Give one of them/,
    ],
    ['an address of another program', [join(EXAMPLES, 'delegated-ipam.conflist')], 2, /ipam\.type="dhcp".*--address/],
    [
      'an address that is none',
      [join(EXAMPLES, 'delegated-ipam.conflist'), '--address', '10.9.0.300'],
      2,
      /--address="10\.9\.0\.300"/,
    ],
    ['a port that is none', ['-p', '80', join(EXAMPLES, 'bridge.conflist')], 2, /Write it as in 8080:80/],
    [
      'a packet filter that the network needs',
      ['--firewall', 'none', join(EXAMPLES, 'bridge.conflist')],
      2,
      /need a packet filter/,
    ],
  ] as const)
    it(`refuses ${title}, and changes nothing`, async () => {
      const host = newHost();
      const before = stateOf(host);
      await verbsOf(host).refused(['explain', ...words], code, why);
      assertSame(stateOf(host), before, 'explain');
    });

  it('reads a configuration from stdin', () => {
    const host = newHost();
    const ask = (input: string) => {
      const words = [`--net=${host.ns.path}`, '--', ...pluginCommand(), 'explain', '-o', 'json'];
      const env = { PATH: process.env.PATH ?? '', ISTHMUS_STATE_DIR: host.stateDir };
      return spawnSync('nsenter', words, { input, encoding: 'utf8', env });
    };
    const { status, stdout } = ask(
      JSON.stringify({ cniVersion: '1.0.0', name: 'web', type: 'isthmus', bridge: 'isth0' }),
    );
    assert.equal(status, 0);
    const { steps, namespace } = JSON.parse(stdout);
    assert.equal(namespace, '/run/netns/explain');
    assert.match(steps[0].commands[0], /^ip link add name isth0 .* type bridge$/);
    assert.deepEqual(steps[0].undo, ['ip link delete dev isth0 type bridge']);
    for (const [input, why] of [
      ['', /^isthmus: config stdin: is empty/],
      ['{', /^isthmus: config stdin: is not JSON/],
      [' '.repeat(2 << 20), /^isthmus: config stdin: has more than/],
      [
        '{"name":"x","type":"isthmus","mtuu":1}',
        /^isthmus: config \.mtuu=1: there is no such key\. Did you mean mtu\?/,
      ],
    ] as const) {
      const refused = ask(input);
      assert.deepEqual([refused.status, refused.stdout], [2, ''], refused.stderr);
      assert.match(refused.stderr, why);
    }
  });

  it('--diff tells what is missing of an attachment, by its record, and exits with 1', async () => {
    const host = newHost();
    const plugins = [
      {
        type: 'isthmus',
        bridge: 'isth0',
        isGateway: true,
        ipMasq: true,
        ipam: { ranges: [[{ subnet: '10.9.0.0/24' }]] },
      },
    ];
    const file = write('tried', plugins);
    const verbs = verbsOf(host);
    // Another container has the first address, so that the record alone tells the second one's.
    host.addPod();
    host.ok({
      dir: bin.path,
      name: 'isthmus',
      command: 'ADD',
      pod: 1,
      config: { ...plugins[0], cniVersion: '1.0.0', name: 'tried' },
    });
    addAll(host, 'tried', { plugins });
    const words = ['explain', '--diff', '--container', 'pod0', file];
    assert.equal((await verbs.run(...words)).code, 0);
    host.pod(0).ip('addr', 'flush', 'dev', 'eth0');
    host.ns.run('nft', 'flush', 'set', 'inet', 'isthmus', 'masquerade4');
    host.ns.ip('link', 'set', 'isth0', 'down');
    const { code, stdout, stderr } = await verbs.run(...words);
    assert.deepEqual([code, stderr], [1, '']);
    const told = stdout
      .split('\n')
      .filter((line) => /^[+!] /.test(line))
      .join('\n');
    assert.match(told, /^\+ ip -n \S+ addr add 10\.9\.0\.3\/24 /m);
    assert.match(told, /^\+ nft 'add element inet isthmus masquerade4 \{ 10\.9\.0\.0\/24 \}'$/m);
    assert.match(told, /^! ip link /m);
    const { isComplete, steps } = JSON.parse((await verbs.run(...words, '-o', 'json')).stdout);
    assert.equal(isComplete, false);
    assert.ok(steps.some(({ state }: { state: string }) => state === 'missing'));
  });

  it('each step can be undone by the commands that it names', async () => {
    const host = newHost();
    const before = stateOf(host);
    const file = write('tried', CASES[2]?.plugins ?? []);
    const words = ['explain', file, ...place(host), ...(CASES[2]?.options ?? [])];
    runScript(host, await verbsOf(host).ok(...words));
    const { steps } = await verbsOf(host).json<{ steps: { undo: string[] }[] }>(...words);
    runScript(
      host,
      steps
        .toReversed()
        .flatMap(({ undo }) => undo)
        .join('\n'),
    );
    // Tables stay, without an element.
    const withoutTables = (text: string): string =>
      text
        .split('\n')
        .filter((line) => /^\d\| \d+: |^\d\| default|^\d\| \/?(ipv[46]|qdisc)/.test(line))
        .join('\n');
    assertSame(withoutTables(stateOf(host)), withoutTables(before), 'the undo');
    assert.doesNotMatch(stateOf(host), /elements/);
  });
});

function filtersVlans({ ns }: CniHost): boolean {
  try {
    ns.ip('link', 'add', 'isth-try', 'type', 'bridge', 'vlan_filtering', '1');
    ns.ip('link', 'delete', 'isth-try');
    return true;
  } catch {
    return false;
  }
}

/** What the kernel lacks for a kind of link. */
function lacking({ ns }: CniHost, needs: ExplainCase['needs']): string | undefined {
  if (needs === undefined) return undefined;
  const [kind, option] = needs;
  ns.ip('link', 'add', 'isth-on', 'type', 'bridge');
  const words: Readonly<Record<string, readonly string[]>> = { vlan: ['id', '7'], vrf: ['table', '77'] };
  const on = ['macvlan', 'ipvlan', 'vlan'].includes(kind) ? ['link', 'isth-on'] : [];
  try {
    ns.ip('link', 'add', 'isth-try', ...on, 'type', kind, ...(words[kind] ?? []));
    return undefined;
  } catch {
    return `this kernel has no ${kind} (${option})`;
  }
}

/** A directory with an IPAM plugin that answers one address. */
function answerLease(dir: string): string {
  const file = join(dir, 'dhcp');
  const answer = JSON.stringify({ cniVersion: '1.0.0', ips: [LEASED], routes: [] });
  writeFileSync(file, `#!/bin/sh\ncat >/dev/null\n[ "$CNI_COMMAND" = ADD ] && echo '${answer}'\nexit 0\n`);
  chmodSync(file, 0o755);
  return dir;
}
