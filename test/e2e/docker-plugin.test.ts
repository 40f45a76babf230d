import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { debianLicences } from '../../build/debian-licences.ts';
import { makeDockerPlugin } from '../../build/docker-plugin-files.ts';
import { docker, dockerMissing, flushRules, tryDocker } from '../support/docker.ts';
import { makePods, SHARED, SUBNET, webList } from '../support/docker-pods.ts';
import { readBlocks } from '../support/docs.ts';
import { confDir, hostState, useTestHost } from '../support/e2e.ts';
import { IMAGE } from '../support/image.ts';
import { type ManagedPlugin, PLUGIN, startManagedPlugin } from '../support/managed-plugin.ts';
import { assertSame } from '../support/snapshot.ts';
import { makeTempDir } from '../support/temp.ts';
import { type TestHost, waitFor } from '../support/test-host.ts';
import { assertTraffic, startAgent } from '../support/traffic.ts';
import { addUplink, type Uplink } from '../support/uplink.ts';
import { built, daemonFile } from '../support/via.ts';

describe('the managed plugin of Docker', function () {
  this.timeout(90_000);
  const missing = dockerMissing();
  if (missing !== undefined) {
    it(`needs dockerd: ${missing}`);
    return;
  }
  describePlugin(useTestHost());
});

describe('the files of the managed plugin', () => {
  it('come with the licences of the program and of every library and tool', () => {
    using temp = makeTempDir();
    const [directory, program] = [join(temp.path, 'plugin'), built(daemonFile)];
    makeDockerPlugin(directory, program);
    const rootfs = join(directory, 'rootfs');
    const read = (path: string): string => readFileSync(join(rootfs, path), 'utf8');
    assert.equal(read('usr/lib/isthmus/LICENSES.txt'), readFileSync(join(dirname(program), 'LICENSES.txt'), 'utf8'));
    const sources = read('usr/share/doc/SOURCES');
    const packages = [...sources.matchAll(/^(\S+?)(?::\w+)? (\S+), source (\S+) (\S+)$/gm)].map(
      ([, name = '']) => name,
    );
    for (const name of ['iptables', 'libc6', 'libnftables1', 'libstdc++6', 'libxtables12'])
      assert.ok(packages.includes(name), `${name} is not in\n${sources}`);
    assert.deepEqual(readdirSync(join(rootfs, 'usr/share/doc')).sort(), ['SOURCES', ...packages].sort());
    for (const name of packages) {
      const copyright = read(`usr/share/doc/${name}/copyright`);
      for (const [, licence = ''] of copyright.matchAll(/\/usr\/share\/common-licenses\/((?:GPL|LGPL)-[\d.]*\d)/g))
        assert.match(
          read(`usr/share/common-licenses/${licence}`),
          /GNU (LESSER |LIBRARY )?GENERAL PUBLIC LICENSE/,
          name,
        );
    }
  });

  it('the program prints its licences', () => {
    const program = built(daemonFile);
    const { stdout, stderr, status } = spawnSync(program, ['version', '--licenses'], { encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, '']);
    assert.equal(stdout, readFileSync(join(dirname(program), 'LICENSES.txt'), 'utf8'));
  });

  it('a file of no package is refused', () => {
    using temp = makeTempDir();
    const file = join(temp.path, 'libmade-up.so');
    writeFileSync(file, '');
    assert.throws(() => debianLicences([file]), /libmade-up\.so belongs to no Debian package/);
  });
});

/** In a separate block: its objects must be deleted before the test host is checked. */
function describePlugin(running: () => TestHost): void {
  describe('run by dockerd', () => {
    const stack = new AsyncDisposableStack();
    let host: TestHost;
    let plugin: ManagedPlugin;
    let uplink: Uplink;
    let clean: string;
    let directory: string;

    before('a dockerd that has the plugin, and a neighbour of the host', async () => {
      host = running();
      // Docker does not make the directories that plugins mount.
      host.run('rm', '-rf', '/var/lib/isthmus');
      directory = join(stack.use(makeTempDir()).path, 'dist/docker-plugin');
      mkdirSync(dirname(directory));
      makeDockerPlugin(directory, built(daemonFile));
      plugin = stack.use(await startManagedPlugin(host, directory));
      uplink = stack.use(addUplink(host));
      await uplink.agent.serve('tcp', 80);
      // Makes the tables, which a test would leave that sets a policy.
      host.run('sh', '-c', 'ip6tables -P FORWARD ACCEPT; iptables-legacy -P FORWARD ACCEPT');
      clean = stateOf(host);
    });

    afterEach('no container, no network', function () {
      plugin.clear();
      // The remains of a failed test are no second failure.
      if (this.currentTest?.state === 'passed') assertSame(stateOf(host), clean, 'the test');
    });

    after('plugin and dockerd', async () => {
      await stack.disposeAsync();
      flushRules(host);
    });

    /** The output of `isthmus` on the host, about the state that the plugin shares with it. */
    const isthmus = (...args: readonly string[]): unknown =>
      JSON.parse(host.run(built(daemonFile), ...args, '-o', 'json'));

    it('connects containers and publishes their ports', async () => {
      host.run('sysctl', '-qw', 'net.ipv4.ip_forward=0', 'net.ipv6.conf.all.forwarding=0');
      plugin.create('first', '--ipv6', '--subnet', '10.204.0.0/24', '--subnet', 'fd00:204::/64');
      plugin.run('one', 'first', '-p', '8080:80');
      plugin.run('two', 'first');
      assert.ok(plugin.pings('two', 'one'));
      const [one, two] = [await plugin.agentIn('one'), await plugin.agentIn('two')];
      using hostAgent = startAgent('host', { path: host.outside('/run/isth/net') });
      const [address, from] = [plugin.addressOf('one', 'first'), plugin.addressOf('two', 'first')];
      await assertTraffic([
        [two, { address, port: 80 }, `one saw ${from}`],
        [two, { address: uplink.address[4], port: 80 }, `outside saw ${uplink.host[4]}`],
        [uplink.agent, { address: uplink.host[4], port: 8080 }, `one saw ${uplink.address[4]}`],
        [uplink.agent, { address: uplink.host[6], port: 8080 }, `one saw ${uplink.address[6]}`],
        [hostAgent, { address: '127.0.0.1', port: 8080 }, 'one'],
        [one, { address: uplink.host[4], port: 8080 }, 'one'],
      ]);
      const ports = isthmus('ports', 'one');
      assert.deepEqual(
        (ports as { hostPort: number; port: number }[]).map((of) => [of.hostPort, of.port]),
        [[8080, 80]],
      );
    });

    it('names the host process that holds a port', async () => {
      const isTaken = (): boolean => host.run('ss', '-Hltn', 'sport', '=', '8081') !== '';
      const listener = await host.start('listener', ['busybox', 'nc', '-l', '-p', '8081'], isTaken);
      plugin.create('first');
      const refused = tryDocker(host, 'run', '--network', 'first', '-p', '8081:80', IMAGE);
      await listener.stop();
      assert.match(refused.stderr, /8081\/tcp: busybox \(pid \d+\) listens on it/);
    });

    it('shares a network with pods, as the host configuration says', async () => {
      host.write(`${confDir}/10-web.conflist`, JSON.stringify(webList()));
      plugin.create('joined', '--ipam-opt', `network=${SHARED}`, '-o', `network=${SHARED}`);
      const [{ IPAM }] = JSON.parse(docker(host, 'network', 'inspect', 'joined'));
      assert.equal(IPAM.Config[0].Subnet, SUBNET);
      using pods = makePods(host, 'alone');
      plugin.run('one', 'joined');
      const [pod = ''] = pods.add('pod1');
      plugin.run('two', 'joined');
      const addresses = [pod, plugin.addressOf('one', 'joined'), plugin.addressOf('two', 'joined')];
      assert.equal(new Set(addresses).size, 3, addresses.join(' '));
      assert.ok(plugin.pings('one', pod));
      for (const address of addresses.slice(1)) pods.assertPings('pod1', address);
      const endpoints = isthmus('endpoint', 'ls', SHARED) as { camp: string }[];
      assert.deepEqual(endpoints.map(({ camp }) => camp).sort(), ['cni', 'docker', 'docker']);
      plugin.clear();
      pods.check('pod1');
      host.run('rm', `${confDir}/10-web.conflist`);
    });

    // Before dockerd restarts: 20.10 then loses track of which plugins are in use.
    it('chooses pools from its settings, and cannot be disabled while a network uses it', () => {
      plugin.create('first');
      assert.match(tryDocker(host, 'plugin', 'disable', PLUGIN).stderr, /in use/);
      plugin.clear();
      docker(host, 'plugin', 'disable', PLUGIN);
      assert.equal(plugin.pid(), '');
      docker(host, 'plugin', 'set', PLUGIN, 'ISTHMUS_ADDRESS_POOLS=base=10.205.0.0/16,size=24');
      docker(host, 'plugin', 'enable', PLUGIN);
      plugin.create('first');
      const [{ IPAM }] = JSON.parse(docker(host, 'network', 'inspect', 'first'));
      assert.equal(IPAM.Config[0].Subnet, '10.205.0.0/24');
    });

    it('comes back with dockerd, and so do the containers', async () => {
      plugin.create('first');
      plugin.run('one', 'first', '--restart', 'always', '-p', '8080:80');
      plugin.run('two', 'first', '--restart', 'always');
      await plugin.restartDocker();
      await waitFor('both run', () => docker(host, 'ps', '-q').split('\n').length === 2);
      assert.ok(plugin.pings('two', 'one'));
      await plugin.agentIn('one');
      await assertTraffic([[uplink.agent, { address: uplink.host[4], port: 8080 }, 'one']]);
    });

    it('restarts after it dies, while traffic continues', async () => {
      plugin.create('first');
      plugin.run('one', 'first', '-p', '8080:80');
      await plugin.agentIn('one');
      const connection = await uplink.agent.open(uplink.host[4], 8080);
      const before = plugin.pid();
      host.run('kill', '-KILL', before);
      assert.match(await connection.exchange(), /^one saw/);
      await waitFor('there is another process', () => !['', before].includes(plugin.pid()));
      await assertTraffic([[uplink.agent, { address: uplink.host[4], port: 8080 }, 'one']]);
      plugin.run('two', 'first');
      assert.ok(plugin.pings('two', 'one'));
    });

    it('asks dockerd for its networks when the state is lost', async () => {
      plugin.create('first');
      plugin.run('one', 'first');
      host.run('sh', '-c', `kill -KILL ${plugin.pid()}; rm -r /var/lib/isthmus`);
      const isKept = (): boolean => {
        // Until the new daemon has made the state directory, there is nothing to list.
        if (host.attempt(['test', '-e', '/var/lib/isthmus/state.db']).code !== 0) return false;
        const networks = isthmus('network', 'ls') as { holders: string[] }[];
        return networks.some(({ holders }) => holders.some((holder) => holder.startsWith('docker:')));
      };
      await waitFor('the network is on record', isKept);
      plugin.run('two', 'first');
      assert.ok(plugin.pings('two', 'one'));
    });

    it('lets containers through when iptables-legacy drops forwarded traffic', async () => {
      host.run('iptables-legacy', '-P', 'FORWARD', 'DROP');
      plugin.create('first');
      plugin.run('one', 'first', '-p', '8080:80');
      const one = await plugin.agentIn('one');
      await assertTraffic([
        [one, { address: uplink.address[4], port: 80 }, 'outside'],
        [uplink.agent, { address: uplink.host[4], port: 8080 }, 'one'],
      ]);
      plugin.clear();
      host.run('iptables-legacy', '-P', 'FORWARD', 'ACCEPT');
    });

    it('can be created, used and configured as docs/docker.md says', () => {
      docker(host, 'plugin', 'rm', '-f', PLUGIN);
      const blocks = readBlocks().filter(({ section, run }) => section === 'As a managed plugin' && run);
      assert.equal(blocks.length, 2);
      const top = dirname(dirname(directory));
      const head = `set -e; cd ${top}; export DOCKER_HOST=unix:///run/docker.sock`;
      const input = [head, ...blocks.map(({ text }) => text)].join('\n');
      const { code, stdout, stderr } = host.attempt(['bash'], { input, timeout: 60_000 });
      assert.deepEqual([code, stderr], [0, ''], stdout);
      assert.match(docker(host, 'plugin', 'inspect', PLUGIN), /"ISTHMUS_ADDRESS_POOLS=base=10\.99\.0\.0\/16,size=24"/);
    });
  });
}

/** The host's state without the values that dockerd counts or chooses at each start. */
function stateOf(host: TestHost): string {
  const text = hostState(host)
    .replace(/counter packets \d+ bytes \d+/g, 'counter')
    .replace(/(docker0: .* link\/ether) .*/g, '$1');
  return text.split('\n').sort().join('\n');
}
