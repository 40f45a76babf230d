import { strict as assert } from 'node:assert';
import { OURS, pluginCommand, startActivated } from '../support/docker-plugin.ts';
import { BRIDGE, JOIN, makePods, type Pods, SHARED, SUBNET, webList } from '../support/docker-pods.ts';
import { type DockerSite, useDockerSite } from '../support/docker-site.ts';
import { useTestHost } from '../support/e2e.ts';
import { reboot, SAME_HOST } from '../support/reboot.ts';
import { assertSame } from '../support/snapshot.ts';
import { type TestHost, waitFor } from '../support/test-host.ts';
import { assertTraffic } from '../support/traffic.ts';

describe('reboot of a machine with dockerd', function () {
  this.timeout(180_000);
  describeReboots(useTestHost(SAME_HOST));
});

const KEPT = ['--restart', 'always', '--stop-timeout', '0'];

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeReboots(running: () => TestHost): void {
  describe('restores networks', () => {
    let host: TestHost;
    let site: DockerSite;
    let pods: Pods | undefined;

    // Before containers and networks are deleted and the host is checked for remains.
    afterEach('no pod', () => {
      pods?.[Symbol.dispose]();
      pods = undefined;
      // dockerd has set it where it found no forwarding; and not every test has networks of both families.
      host.run('sh', '-c', 'iptables -P FORWARD ACCEPT; sysctl -qw net.ipv6.conf.all.forwarding=1');
    });
    const made = useDockerSite(running);
    before(() => {
      site = made();
      ({ host } = site);
    });

    const isthmus = (...args: readonly string[]): string => host.run(...pluginCommand(), ...args);
    const endpoints = (): readonly { readonly id: string; readonly addresses: readonly string[] }[] =>
      JSON.parse(isthmus('endpoint', 'ls', '-o', 'json'));
    const endpointIds = (...networks: readonly string[]): string[] =>
      networks
        .flatMap((name) => Object.values(site.inspectNetwork(name).Containers))
        .map(({ EndpointID }) => EndpointID)
        .sort();
    /** Bridges of ours with their addresses, rules of ours, and what we say of our networks. */
    const ownState = (): string => {
      const bridges = host.run('ip', '-br', 'addr', 'show', 'type', 'bridge').replace(/^docker0 .*\n/m, '');
      const addresses = bridges.replace(/ (UP|DOWN|UNKNOWN) | fe80::\S+/g, ' ').replace(/ +/g, ' ');
      // dockerd's own bridge is not there before dockerd.
      const rules = host
        .run('nft', '--stateless', 'list', 'table', 'inet', 'isthmus')
        .replace(/^.*"docker0".*\n/gm, '');
      const listed: readonly { readonly docker?: unknown; readonly dockerName?: unknown }[] = JSON.parse(
        isthmus('network', 'ls', '-o', 'json'),
      );
      // Without what only dockerd knows of them.
      const networks = listed.map(({ docker, dockerName, ...rest }) => JSON.stringify(rest));
      // Rules are in the order in which they came, and so are bridges.
      return [addresses, rules, ...networks].join('\n').split('\n').sort().join('\n');
    };

    for (const order of ['daemon', 'dockerd'] as const)
      it(`restarts the containers that should run, when the ${order} is first`, async () => {
        const four = '10.204.0.0/24';
        site.create('first', ...OURS, '--subnet', four, '--ipv6', '--subnet', 'fd04::/64');
        site.create('second', '--internal');
        site.create('third', ...JOIN, '--subnet', SUBNET, '-o', `com.docker.network.bridge.name=${BRIDGE}`);
        site.create('fourth', '-o', 'driver=null');
        const networks = ['first', 'second', 'third', 'fourth'];
        const idle = ownState();
        site.run('one', '--network', 'first', ...KEPT, '-p', '8080:80');
        site.run('two', '--network', 'first', ...KEPT, '--ip', '10.204.0.77', '--ip6', 'fd04::77');
        site.docker('network', 'connect', 'second', 'two');
        site.run('three', '--network', 'third', ...KEPT);
        site.run('four', '--network', 'fourth', ...KEPT);
        site.run('once', '--network', 'third', '-p', '8081:80');
        pods = makePods(host, 'daemon');
        pods.add('pod1');
        const before = endpointIds(...networks);
        await reboot(site);
        pods.forget();

        if (order === 'daemon') {
          await site.daemons.startPlugin();
          assert.deepEqual(endpoints(), []);
          // The daemon reconciles beside the first calls.
          await waitFor('the networks are back', () => ownState() === idle, 10_000).catch(() => undefined);
          assertSame(ownState(), idle, 'the reboot');
        } else site.daemons.usePlugin(await startActivated(host));
        await site.daemons.startDocker();
        const now = endpointIds(...networks);
        assert.equal(now.length, 5);
        assert.deepEqual(
          endpoints()
            .map(({ id }) => id)
            .sort(),
          now,
        );
        assert.deepEqual(
          now.filter((id) => before.includes(id)),
          [],
        );
        assert.deepEqual(site.inspect('once').State.Status, 'exited');

        for (const target of ['two', '10.204.0.77', 'fd04::77']) site.assertPings('one', target);
        site.assertPings('two', 'one');
        const [first = ''] = pods.add('pod2');
        site.assertPings('three', first);
        pods.assertPings('pod2', site.addressOf('three', 'third'));
        site.run('new', '--network', 'second', '-p', '8081:80');
        site.assertPings('new', 'two');
        site.run('newer', '--network', 'third', '-p', '8081:80');
        const [one, three] = [await site.agentIn('one', 80), await site.agentIn('three')];
        await site.agentIn('newer', 80);
        const { agent, address, host: own } = site.uplink;
        await assertTraffic([
          [one, { address: address[4], port: 80 }, `outside saw ${own[4]}`],
          [one, { address: address[6], port: 80 }, `outside saw ${own[6]}`],
          [three, { address: address[4], port: 80 }, `outside saw ${own[4]}`],
          [agent, { address: own[4], port: 8080 }, `one saw ${address[4]}`],
          [agent, { address: own[6], port: 8080 }, `one saw ${address[6]}`],
          [agent, { address: own[4], port: 8081 }, `newer saw ${address[4]}`],
          [site.hostAgent, { address: '127.0.0.1', port: 8080 }, 'one'],
          [three, { address: site.addressOf('one', 'first'), port: 80 }, 'blocked'],
        ]);
      });

    it('late calls of dockerd for the earlier boot change nothing', async () => {
      const ips = { capabilities: { ips: true } };
      pods = makePods(host, 'alone', webList(ips));
      site.create('dweb', ...JOIN, '--subnet', SUBNET, '-o', `com.docker.network.bridge.name=${BRIDGE}`);
      site.run('box', '--network', 'dweb', ...KEPT, '-p', '8080:80');
      site.run('fixed', '--network', 'dweb', ...KEPT, '--ip', '10.88.0.77');
      const address = site.addressOf('box', 'dweb');
      await reboot(site);
      // Before any daemon restores the network, or dockerd restores what it believes to exist.
      pods.add('pod1', { ips: [`${address}/24`] });
      await site.daemons.startPlugin();
      await site.daemons.startDocker();
      const box = site.addressOf('box', 'dweb');
      assert.notEqual(box, address);
      assert.equal(site.addressOf('fixed', 'dweb'), '10.88.0.77');
      pods.check('pod1');
      for (const target of [address, 'fixed']) site.assertPings('box', target);
      pods.assertPings('pod1', box);
      const taken = site.tryDocker(
        'run',
        '-d',
        '--name',
        'late',
        '--network',
        'dweb',
        '--ip',
        address,
        'localhost/isth-busybox:1',
      );
      assert.match(taken.stderr, /pod1/);
      const [{ subnets }] = JSON.parse(isthmus('network', 'inspect', SHARED));
      assert.equal(subnets[0].leased, 3);
      const agent = await site.agentIn('box', 80);
      await assertTraffic([
        [agent, { address: site.uplink.address[4], port: 80 }, 'outside'],
        [site.uplink.agent, { address: site.uplink.host[4], port: 8080 }, 'box'],
      ]);
    });
  });
}
