import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundled } from '../support/bundled.ts';
import { expectOk, type PluginCall, runPlugin } from '../support/cni.ts';
import { COMPILE_CACHE } from '../support/compile-cache.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { makeServeSite, type ServeSite, type Serving } from '../support/serve.ts';
import { skipIf } from '../support/skip.ts';

const ROOT = join(import.meta.dirname, '../..');
const DIST = join(ROOT, 'dist');
const verbProgram = (): string[] => [process.execPath, '--no-warnings', bundled(join(ROOT, 'cmd/cnm-shim/main.ts'))];
const SUBNET = '10.88.0.0/16';
const IPAM = { ranges: [[{ subnet: SUBNET }]] };
/** A network that its pods alone keep. */
const PODS = {
  ...{ cniVersion: '1.1.0', name: 'web', type: 'isthmus', driver: 'bridge', bridge: 'isth0' },
  ...{ isGateway: true, ipMasq: true, capabilities: { portMappings: true }, ipam: IPAM },
  runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
};
/** One that the operator keeps. */
const KEPT = { ...PODS, runtimeConfig: {} };

/** On this backend tools change the packet filter, in the daemon's name. */
const IPTABLES = { backend: 'iptables', ipMasqBackend: 'iptables' };

/** One shell for all: it is run again until the state is the wanted one. */
const STATE = `ip -br link show; echo =====
  ip -o link show; echo =====
  ip -4 -o addr show | sed 's/^[0-9]*//'
  ip -4 route show | sed 's/ linkdown//g'
  cat /proc/sys/net/ipv4/ip_forward
  nft --stateless list ruleset | sed 's/counter packets [0-9]* bytes [0-9]*/counter/g'`;

/** The commands of another program; `{port}` stands for the host side of the pod's interface. */
interface Damage {
  readonly title: string;
  readonly network: 'pods' | 'kept';
  readonly commands: readonly string[];
  /** FORWARD drops before, so that rules of ours are in it. */
  readonly drops?: true;
}

/** Damage that the reconciler repairs. */
const MENDED: readonly Damage[] = [
  { title: 'nft flush ruleset', network: 'pods', commands: ['nft flush ruleset'] },
  { title: 'nft delete table', network: 'pods', commands: ['nft delete table inet isthmus'] },
  {
    title: 'a flush of one of our sets',
    network: 'pods',
    commands: ['nft flush set inet isthmus masquerade4'],
  },
  { title: 'iptables -F FORWARD', network: 'pods', commands: ['iptables-nft -F FORWARD'], drops: true },
  { title: 'ip link del of the bridge of a kept network', network: 'kept', commands: ['ip link del isth0'] },
  { title: 'ip addr del of the gateway of a kept network', network: 'kept', commands: ['ip addr flush dev isth0'] },
  { title: 'nomaster of a port of a kept network', network: 'kept', commands: ['ip link set {port} nomaster'] },
  { title: 'ip link set down of the bridge of a kept network', network: 'kept', commands: ['ip link set isth0 down'] },
  { title: 'forwarding off under a kept network', network: 'kept', commands: ['sysctl -q net.ipv4.ip_forward=0'] },
  { title: 'ip link del of the bridge', network: 'pods', commands: ['ip link del isth0'] },
  { title: 'ip addr del of the gateway', network: 'pods', commands: ['ip addr flush dev isth0'] },
  { title: 'nomaster of a port', network: 'pods', commands: ['ip link set {port} nomaster'] },
  { title: 'ip link set down of the bridge', network: 'pods', commands: ['ip link set isth0 down'] },
  { title: 'forwarding off', network: 'pods', commands: ['sysctl -q net.ipv4.ip_forward=0'] },
  { title: 'ip link set down of a port', network: 'pods', commands: ['ip link set {port} down'] },
];

describe('the daemon repairs what others delete', function () {
  this.timeout(60_000);
  let site: ServeSite;
  let pod: TestNetns;
  let daemon: Serving;
  let config: object;

  before(function () {
    skipIf(this, netnsMissing());
  });
  beforeEach(async () => {
    site = makeServeSite();
    pod = makeNetns('p');
    daemon = site.start({ args: ['--log-level', 'debug'] });
    await daemon.line(/event=daemon\.start/);
  });
  afterEach(() => {
    daemon?.[Symbol.dispose]();
    pod?.[Symbol.dispose]();
    site?.[Symbol.dispose]();
  });

  const call = (command: PluginCall['command']): PluginCall => ({
    ...{ dir: DIST, name: 'launcher', command, path: DIST, config, host: site.ns.path, stateDir: site.stateDir },
    ...{ containerId: 'c1', ifName: 'eth0', netns: pod.path, env: { ISTHMUS_RUN_DIR: site.runDir } },
  });

  async function attach(network: Damage['network'], keys: object = {}): Promise<object> {
    config = { ...(network === 'pods' ? PODS : KEPT), ...keys };
    if (network === 'kept') {
      const verb = ['network', 'create', 'web', '--subnet', SUBNET, '--opt', 'bridge=isth0'];
      execFileSync('nsenter', [`--net=${site.ns.path}`, ...verbProgram(), ...verb, '--state-dir', site.stateDir], {
        env: { ...process.env, ...COMPILE_CACHE },
      });
    }
    const added = expectOk(runPlugin(call('ADD')));
    await daemon.line(/event=ADD .*result=ok/);
    return added;
  }

  const port = (): string => /(veth[0-9a-f]+)@/.exec(site.ns.ip('link', 'show'))?.[1] ?? '';
  const damage = ({ commands }: Damage): void =>
    void site.ns.run('sh', '-ec', commands.join('\n').replaceAll('{port}', port()));

  /** All that matters of the host: links and their bridges, addresses, routes, rules, forwarding. */
  function state(): string {
    const [links = '', details = '', ...rest] = site.ns.run('sh', '-ec', STATE).split('=====\n');
    const names = links.replaceAll(/<|,?LOWER_UP|,?NO-CARRIER|>/g, '').split('\n');
    const ports = details.match(/\S+@.* master \S+/g) ?? [];
    return [
      ...names.map((line) => line.split(/\s+/).slice(0, 2).join(' ')),
      ...ports.map((line) => line.replace(/@.*master/, ' in')),
      ...rest,
    ]
      .flatMap((text) => text.replace(/@if\d+/g, '@if').split('\n'))
      .sort()
      .join('\n');
  }

  /** Waits for the state; shows the difference where it does not come. */
  async function untilState(wanted: string): Promise<void> {
    const end = Date.now() + 10_000;
    let is = state();
    for (; is !== wanted && Date.now() < end; is = state()) await sleep(50);
    assert.equal(is, wanted);
  }

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await sleep(50);
  }

  const passes = (): number => daemon.lines.filter((line) => line.includes('event=mend ')).length;

  for (const one of MENDED)
    it(`restores what ${one.title} deleted`, async () => {
      if (one.drops) site.ns.run('iptables-nft', '-P', 'FORWARD', 'DROP');
      const added = await attach(one.network);
      const before = state();
      damage(one);
      await daemon.line(/event=mend\.found/);
      await untilState(before);
      config = { ...config, prevResult: added };
      expectOk(runPlugin(call('CHECK')));
    });

  it('accepts traffic that another program begins to drop, as ufw does', async () => {
    await attach('pods');
    site.ns.run('iptables-nft', '-P', 'FORWARD', 'DROP');
    await daemon.line(/event=mend\.found changes="nftables ip filter FORWARD: policy drop"/);
    await until(() => /-A ISTHMUS-FORWARD (.* )?-i isth0 /.test(site.ns.run('iptables-nft', '-S')));
  });

  for (const keys of [{}, IPTABLES]) {
    it(`closes our networks to a new network of Docker (${keys === IPTABLES ? 'iptables' : 'nftables'})`, async () => {
      const BRIDGE = 'br-0123456789ab';
      const closed = (): boolean =>
        site.ns
          .run('sh', '-c', 'nft list set inet isthmus docker; iptables-nft -t mangle -S ISTHMUS-FOREIGN; true')
          .includes(BRIDGE);
      site.ns.run('iptables-nft', '-P', 'FORWARD', 'ACCEPT');
      await attach('pods', keys);
      assert.equal(closed(), false);
      site.ns.run('sh', '-ec', `ip link add ${BRIDGE} type bridge; ip link set ${BRIDGE} up`);
      await until(closed);
      await until(() => site.ns.run('iptables-nft', '-S').includes(`-A ISTHMUS-FORWARD -o ${BRIDGE} `));
      site.ns.ip('link', 'delete', BRIDGE);
      site.ns.run('sh', '-ec', `ip link add ${BRIDGE} type bridge; ip link set ${BRIDGE} up`);
      assert.equal(passes(), 0, daemon.lines.join('\n'));
    });
  }

  it('makes no pass while nothing is missing: at ADD, at DEL, at changes of others', async () => {
    await attach('pods');
    const others = makeOthers(1000);
    const before = cpuOf(daemon.pid);
    site.ns.run('sh', '-ec', others);
    expectOk(runPlugin(call('DEL')));
    await daemon.line(/event=DEL .*result=ok/);
    await attach('pods');
    const restored = daemon.lines.filter((line) => line.includes('event=entries.restored'));
    assert.deepEqual(restored, [], 'the first pod of a network finds no table, and nothing was lost');
    // This one is heard: what was before it has been looked at.
    site.ns.run('nft', 'delete', 'table', 'inet', 'isthmus');
    await daemon.line(/event=mend why="nftables inet isthmus: something deleted"/);
    assert.equal(passes(), 1, daemon.lines.join('\n'));
    console.log(`      ${cpuOf(daemon.pid) - before} ticks of the processor beside 1000 links`);
  });

  it('makes no pass for its own changes on the iptables backend', async () => {
    await attach('pods', IPTABLES);
    expectOk(runPlugin(call('DEL')));
    await attach('pods', IPTABLES);
    site.ns.run('iptables-nft', '-t', 'nat', '-F');
    await until(() => site.ns.run('iptables-nft', '-t', 'nat', '-S').includes('10.88.0.0/16'));
    daemon.process.kill('SIGHUP');
    await daemon.line(/event=reconciled reason=SIGHUP/);
    // A flush of another kind is heard after whatever the pass and the reload did themselves.
    site.ns.run('nft', 'add', 'table', 'inet', 'isthmus');
    site.ns.run('nft', 'delete', 'table', 'inet', 'isthmus');
    await daemon.line(/event=mend why="nftables inet isthmus: something deleted"/);
    assert.equal(passes(), 2, daemon.lines.join('\n'));
  });

  it('logs the same damage once, and makes passes for it less often', async () => {
    await attach('pods');
    for (let i = 1; i <= 3; i++) {
      site.ns.run('nft', 'delete', 'table', 'inet', 'isthmus');
      await until(() => passes() === i);
      await until(() => site.ns.run('nft', 'list', 'tables').includes('inet isthmus'));
    }
    assert.equal(daemon.lines.filter((line) => line.includes('event=mend.found')).length, 1);
  });

  it('exits at SIGTERM while it watches', async () => {
    await attach('pods');
    site.ns.run('nft', 'delete', 'table', 'inet', 'isthmus');
    daemon.process.kill('SIGTERM');
    assert.equal(await daemon.end, 0);
  });
});

/** A script that makes and deletes so many links. */
function makeOthers(count: number): string {
  const half = count / 2;
  const lines = Array.from({ length: half }, (_, i) => `link add o${i} type veth peer name p${i}\nlink set o${i} up`);
  const deletions = Array.from({ length: half }, (_, i) => `link del o${i}`);
  return `ip -batch - <<'END'\n${[...lines, ...deletions.slice(0, 50)].join('\n')}\nEND`;
}

/** Processor time so far, in ticks of 10 ms. */
function cpuOf(pid: number): number {
  const [, rest = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const fields = rest.split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
