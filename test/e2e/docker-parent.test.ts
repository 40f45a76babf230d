import { strict as assert } from 'node:assert';
import { ADDRESS_MANAGERS, builtIn, DRIVER, OURS, pluginCommand } from '../support/docker-plugin.ts';
import { type DockerSite, useDockerSite } from '../support/docker-site.ts';
import { useTestHost } from '../support/e2e.ts';
import { IMAGE } from '../support/image.ts';
import { reboot, SAME_HOST } from '../support/reboot.ts';
import { type TestHost, waitFor } from '../support/test-host.ts';
import { type Agent, assertTraffic } from '../support/traffic.ts';

describe('macvlan networks of a real dockerd', function () {
  this.timeout(180_000);
  before(function () {
    // The tests make networks of the built-in macvlan driver themselves, to compare.
    if (builtIn) this.skip();
  });
  describeParents(useTestHost(SAME_HOST));
});

const MACVLAN = ['-o', 'driver=macvlan', '-o', 'parent=up0'];
/** The neighbour is the router of the LAN. Each network gives its own part of the addresses. */
const lan4 = (range: number): readonly string[] => [
  ...['--subnet', '192.0.2.0/24', '--gateway', '192.0.2.9', '--ip-range', `192.0.2.${range}/28`],
];
const LAN6 = ['--ipv6', '--subnet', '2001:db8::/64', '--gateway', '2001:db8::9'];

/** A link that is down loses its IPv6 addresses. */
const UP_AGAIN = `set -e
  ip link set away0 name up0
  ip link set up0 up
  ip addr add 2001:db8::1/64 dev up0 nodad`;

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeParents(running: () => TestHost): void {
  describe(`with the driver ${DRIVER}`, () => {
    // Before the host is compared: dockerd sets the policy where it finds no forwarding, as after a reboot.
    afterEach('the parent is as it was', function () {
      if (this.currentTest?.state === 'passed') assert.equal(upNow(), uplink);
      host.run('sh', '-c', 'iptables -P FORWARD ACCEPT; sysctl -qw net.ipv6.conf.all.forwarding=1');
    });
    const made = useDockerSite(running);
    let site: DockerSite;
    let host: TestHost;
    let uplink: string;
    const upNow = (): string => host.run('ip', '-d', 'addr', 'show', 'up0').replaceAll(/ promiscuity \d+/g, '');
    before(() => {
      site = made();
      ({ host } = site);
      uplink = upNow();
    });

    const routes = (name: string): string => site.exec(name, 'ip', 'route');
    const reaches = (name: string, target: string): boolean =>
      site.tryDocker('exec', name, 'ping', '-c', '1', '-W', '1', target).code === 0;
    const listed = (): number => JSON.parse(host.run(...pluginCommand(), 'endpoint', 'ls', '-o', 'json')).length;

    for (const [whose, ipam] of Object.entries(ADDRESS_MANAGERS))
      it(`two on one parent: traffic over IPv4 and IPv6, restart, rm -f (addresses: ${whose})`, async () => {
        site.create('first', ...ipam, ...MACVLAN, ...lan4(128), ...LAN6, '--aux-address', 'host=192.0.2.129');
        // Docker's IPAM gives a subnet to one network.
        const other = ['--subnet', '198.51.100.0/24'];
        site.create('second', ...ipam, ...MACVLAN, ...other);
        site.run('one', '--network', 'first', '-p', '8080:80', '--restart', 'always');
        site.run('two', '--network', 'first', '--mac-address', '02:42:00:00:00:77');
        site.run('three', '--network', 'second');
        site.docker('network', 'connect', 'second', 'two');
        assert.notEqual(site.addressOf('one', 'first'), '192.0.2.129');
        assert.match(routes('one'), /^default via 192\.0\.2\.9 dev eth0/m);
        const [major] = site.docker('version', '--format', '{{.Server.Version}}').split('.');
        assert.equal(/^default/m.test(routes('three')), Number(major) < 28, 'without --gateway');
        assert.match(site.exec('two', 'ip', 'link', 'show', 'eth0'), /02:42:00:00:00:77/);
        const check = async (one: Agent): Promise<void> => {
          for (const target of ['192.0.2.9', '2001:db8::9', 'two']) assert.ok(reaches('one', target), target);
          site.assertPings('three', 'two');
          await assertTraffic([
            [one, { address: '192.0.2.9', port: 80 }, `outside saw ${site.addressOf('one', 'first')}`],
            [site.uplink.agent, { address: site.addressOf('one', 'first'), port: 80 }, 'one saw 192.0.2.9'],
            [site.uplink.agent, { address: '192.0.2.1', port: 8080 }, 'refused'],
          ]);
          assert.equal(listed(), 4);
        };
        await check(await site.agentIn('one', 80));
        site.docker('restart', '-t', '0', 'one', 'two');
        const restarted = await site.agentIn('one', 80);
        await check(restarted);
        await site.daemons.killPlugin();
        assert.ok(reaches('one', '192.0.2.9'), 'while our daemon is dead');
        await site.daemons.startPlugin();
        await check(restarted);
        site.docker('rm', '-f', 'one', 'two', 'three');
        assert.equal(listed(), 0);
        site.docker('network', 'rm', 'first', 'second');
      });

    it("has containers as Docker's own driver has them", () => {
      site.create('ours', ...MACVLAN, ...lan4(128));
      site.docker('network', 'create', '-d', 'macvlan', '-o', 'parent=up0', '--subnet', '203.0.113.0/24', 'theirs');
      site.run('one', '--network', 'ours', '-p', '8080:80');
      site.run('two', '--network', 'theirs', '-p', '8081:80');
      const [one, two] = ['one', 'two'].map((name) => {
        const { NetworkSettings } = site.inspect(name);
        return {
          links: site.exec(name, 'ip', '-o', 'link').match(/\beth\d+/g),
          routes: routes(name).replaceAll(/\d+\.\d+\.\d+\.\d+/g, 'N'),
          ports: Object.values((NetworkSettings as { Ports?: object }).Ports ?? {}),
        };
      });
      assert.deepEqual(one, two);
      assert.doesNotMatch(site.docker('network', 'ls'), /docker_gwbridge/);
    });

    it('--ipam-driver null: the container chooses its addresses', () => {
      site.create('first', '--ipam-driver', 'null', ...MACVLAN);
      site.run('one', '--network', 'first', '--cap-add', 'NET_ADMIN');
      site.exec('one', 'ip', 'addr', 'add', '192.0.2.140/24', 'dev', 'eth0');
      assert.ok(reaches('one', '192.0.2.9'));
    });

    it('keeps the addresses of running containers when the state is lost', async () => {
      site.create('first', ...OURS, ...MACVLAN, ...lan4(128));
      site.run('one', '--network', 'first');
      await site.daemons.killPlugin();
      host.run('sh', '-c', 'rm -r /var/lib/isthmus');
      await site.daemons.startPlugin();
      await waitFor('the endpoint is on record', () => listed() === 1);
      site.run('two', '--network', 'first');
      assert.notEqual(site.addressOf('two', 'first'), site.addressOf('one', 'first'));
      assert.match(routes('two'), /^default via 192\.0\.2\.9 dev eth0/m);
      site.assertPings('two', site.addressOf('one', 'first'));
      site.docker('rm', '-f', 'one');
      assert.equal(listed(), 1);
    });

    it('survives the death of dockerd, with containers that restart and others that do not', async () => {
      site.create('first', ...OURS, ...MACVLAN, ...lan4(128));
      site.run('one', '--network', 'first', '--restart', 'always', '--stop-timeout', '0', '--ip', '192.0.2.135');
      site.run('two', '--network', 'first', '--stop-timeout', '0');
      await site.daemons.killDocker();
      await site.daemons.startDocker();
      await waitFor('the container is back', () => reaches('one', '192.0.2.9'));
      assert.equal(site.addressOf('one', 'first'), '192.0.2.135');
      await waitFor('the other one is forgotten', () => listed() === 1);
      site.docker('start', 'two');
      assert.ok(reaches('two', '192.0.2.135'));
    });

    it('restarts containers after a reboot; where the parent comes later, they start then', async () => {
      site.create('first', ...OURS, ...MACVLAN, ...lan4(128));
      site.run('one', '--network', 'first', '--restart', 'always', '--ip', '192.0.2.135');
      await reboot(site);
      await site.daemons.ensure();
      await waitFor('the container is back', () => reaches('one', '192.0.2.9'));
      await reboot(site);
      host.run('sh', '-c', 'ip link set up0 down; ip link set up0 name away0');
      await site.daemons.ensure();
      assert.equal(listed(), 0);
      const { code, stderr } = site.tryDocker('start', 'one');
      assert.notEqual(code, 0);
      assert.match(stderr, /parent=up0: there is no such interface on this host/);
      host.run('sh', '-c', UP_AGAIN);
      site.docker('start', 'one');
      assert.ok(reaches('one', '192.0.2.9'));
      assert.equal(site.addressOf('one', 'first'), '192.0.2.135');
    });

    it('starts no container while the parent is away', async () => {
      host.run('ip', 'link', 'add', 'nic0', 'type', 'veth', 'peer', 'name', 'nic1');
      site.create('first', '-o', 'driver=macvlan', '-o', 'parent=nic0', '--subnet', '198.51.100.0/24');
      site.run('one', '--network', 'first');
      host.run('ip', 'link', 'del', 'nic0');
      await waitFor('it has no interface', () => !/eth0/.test(site.exec('one', 'ip', 'link')));
      site.docker('rm', '-f', 'one');
      const { code, stderr } = site.tryDocker('run', '--rm', '--network', 'first', IMAGE, 'true');
      assert.notEqual(code, 0);
      assert.match(stderr, /parent=nic0: there is no such interface on this host/);
      host.run('sh', '-c', 'ip link add nic0 up type veth peer name nic1; ip link set nic1 up');
      site.docker('run', '--rm', '--network', 'first', IMAGE, 'true');
      site.docker('network', 'rm', 'first');
      host.run('ip', 'link', 'del', 'nic0');
    });

    for (const [options, text] of [
      [['-o', 'parent=nope'], /parent=nope: there is no such interface on this host/],
      [['-o', 'parent=lo'], /parent=lo: is loopback/],
      [['-o', 'parent=up0', '-o', 'macvlan_mode=brdge'], /macvlan_mode=brdge: .*Did you mean bridge\?/],
      [['-o', 'parent=up0', '-o', 'mtu=9000'], /mtu=9000: is over 1500/],
      [['-o', 'parent=up0.4095'], /no VLAN 4095 to make/],
    ] as const)
      it(`refuses ${options.join(' ')}`, () =>
        assert.match(site.refused('-o', 'driver=macvlan', '--subnet', '198.51.100.0/24', ...options), text));
  });
}
