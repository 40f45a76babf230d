import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pluginNames, referenceDir } from './cni.ts';
import { type Account, accountOf, assertServed, DAEMON_ARGS, prepareRunDir } from './daemon.ts';
import { assertSame, snapshot } from './snapshot.ts';
import { makeTempDir } from './temp.ts';
import { type Daemon, makeTestHost, type TestHost } from './test-host.ts';
import { built, daemonFile, installedFile, VIA } from './via.ts';

/**
 * The plugins that the runtimes call. `ISTHMUS_E2E_PLUGINS=reference` uses the reference's instead of the executable
 * under test: a test that fails then too has a faulty harness.
 */
export const reference = process.env.ISTHMUS_E2E_PLUGINS === 'reference';

/** Directory of plugins in the test host; runtimes with a fixed search path look here first. */
export const binDir = '/opt/cni/bin';
export const confDir = '/etc/cni/net.d';

/** The directory of the reference's plugins in a test host, which no runtime searches. */
export const referencePath = '/run/isth/reference';

/**
 * False of the reference 1.9.1, which knows CNI 1.1: its dhcp sends DHCPRELEASE to the server's address from 0.0.0.0,
 * which a kernel drops.
 */
export function dhcpReleases(host: TestHost): boolean {
  const env = { CNI_COMMAND: 'VERSION' };
  const { stdout } = host.attempt([`${referencePath}/dhcp`], { env, input: '{"cniVersion":"1.0.0"}' });
  return !stdout.includes('"1.1.0"');
}

/** The directory in which launchers look for a daemon by default. */
const RUN_DIR = '/run/isthmus';

/**
 * A test host for the tests of the enclosing block, with the plugins in `binDir`. After them, everything that runtimes
 * and plugins made in it must be gone, and the machine must be unchanged. With a daemon, one runs in it in the default
 * directories, and must have answered all calls.
 */
export function useTestHost(env: Readonly<Record<string, string>> = {}): () => TestHost {
  let host: TestHost | undefined;
  let daemon: Daemon | undefined;
  let machine = '';
  let fresh = '';
  const running = (): TestHost => {
    assert.ok(host, 'the test host did not start');
    return host;
  };

  before('start a test host', async function () {
    this.timeout(90_000);
    machine = machineState();
    host = await makeTestHost(env);
    installPlugins(host);
    // Routing on is what a first gateway leaves behind; with it on already nothing may stay.
    host.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
    fresh = hostState(host);
    if (VIA === 'daemon' && !reference) daemon = await serve(host);
  });

  afterEach('logs of the daemons', function () {
    if (this.currentTest?.state === 'failed' && host !== undefined) console.log(host.logs());
  });

  after('nothing is left', async function () {
    this.timeout(90_000);
    if (host === undefined || fresh === '') return host?.[Symbol.asyncDispose]();
    const { name } = host;
    let account: Account | undefined;
    try {
      if (daemon !== undefined) account = await accountAtEnd(host, daemon);
      // The reference never removes a bridge, a chain or a pool's files.
      if (reference) host.attempt(['sh', '-c', LEFTOVERS]);
      const ended = host;
      assertSame(hostState(ended), fresh, 'a runtime with its plugin');
    } finally {
      await host[Symbol.asyncDispose]();
      host = undefined;
    }
    if (account !== undefined) assertServed(account, 1);
    assert.deepEqual(tracesOf(name), [], 'the test host left something on the machine');
    assert.equal(machineState(), machine, 'the machine is not as it was');
  });
  return running;
}

const LEFTOVERS = `nft flush ruleset; rm -r /var/lib/cni/networks/*
  ip -br link show type bridge | while read name rest; do ip link delete $name; done`;

/** The one place that says which executables the runtimes find. */
function installPlugins(host: TestHost): void {
  host.run('mkdir', '-p', binDir, confDir);
  if (reference) {
    for (const name of readdirSync(referenceDir)) host.run('ln', '-s', `${referencePath}/${name}`, `${binDir}/${name}`);
    return;
  }
  const file = installedFile(VIA);
  for (const name of pluginNames) host.run('ln', '-s', file, `${binDir}/${name}`);
}

/** The daemon serves the test host. */
function serve(host: TestHost): Promise<Daemon> {
  prepareRunDir(host.outside(RUN_DIR));
  const log = host.outside(logOf(DAEMON));
  return host.start(DAEMON, [built(daemonFile), ...DAEMON_ARGS], () =>
    readFileSync(log, 'utf8').includes('daemon.start'),
  );
}

const DAEMON = 'isthmus';
const logOf = (daemon: string): string => `/run/isth/log/${daemon}`;

/** The outcome of the calls; the daemon has exited as it should. */
async function accountAtEnd(host: TestHost, daemon: Daemon): Promise<Account> {
  await daemon.stop();
  const log = host.outside(logOf(DAEMON));
  assert.match(readFileSync(log, 'utf8'), /event=daemon\.stop signal=SIGTERM/, 'the end of the daemon');
  return accountOf(log, host.outside(RUN_DIR));
}

/** Links, addresses, routes, firewall, state and leases of the host, and the namespaces that are named in it. */
export function hostState(host: TestHost): string {
  const names = host.attempt(['ls', '/run/netns']).stdout;
  // SQLite resolves links in a path, and /proc/<pid>/root is one: it would open the machine's own file.
  using copy = makeTempDir();
  for (const dir of ['isthmus', 'cni/networks']) {
    const from = host.outside(`/var/lib/${dir}`);
    if (existsSync(from)) cpSync(from, join(copy.path, dir), { recursive: true, preserveTimestamps: true });
  }
  const text = snapshot({
    netns: [{ path: host.outside('/run/isth/net') }],
    stateDir: join(copy.path, 'isthmus'),
    dataDir: join(copy.path, 'cni/networks'),
  });
  return `${text}## namespaces\n${names}`;
}

/** The machine's own state that a runtime could have changed by mistake. */
function machineState(): string {
  const list = (dir: string): string => (existsSync(dir) ? readdirSync(dir).sort().join(' ') : 'absent');
  const dirs = ['/opt/cni', '/etc/cni/net.d', '/var/lib/cni', '/var/lib/isthmus', '/var/lib/containers'];
  const more = ['/var/lib/containerd', '/run/containerd', '/run/isthmus', '/run/libpod', '/run/crun', '/run/runc'];
  const files = [...dirs, ...more].map((dir) => `${dir}: ${list(dir)}`);
  const links: { ifname: string }[] = JSON.parse(execFileSync('ip', ['-j', 'link'], { encoding: 'utf8' }));
  return [...files, `links: ${links.map((link) => link.ifname).join(' ')}`].join('\n');
}

/** Processes that live in the test host's mounts (its /run carries its name), mounts and control groups. */
export function tracesOf(name: string): string[] {
  const traces: string[] = [];
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
      if (mounts.includes(name)) traces.push(`process ${pid} ${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()}`);
    } catch {
      // It exited meanwhile.
    }
  }
  const groups = execFileSync('find', ['/sys/fs/cgroup', '-depth', '-type', 'd', '-path', `*/${name}*`]);
  return [...traces, ...groups.toString().split('\n').filter(Boolean)];
}
