import { strict as assert } from 'node:assert';
import { builtIn, DRIVER, OURS } from '../support/docker-plugin.ts';
import { type DockerSite, useDockerSite } from '../support/docker-site.ts';
import { useTestHost } from '../support/e2e.ts';
import type { TestHost } from '../support/test-host.ts';
import { assertTraffic, type Expectation, type Target } from '../support/traffic.ts';
import type { Uplink } from '../support/uplink.ts';

describe('network options of dockerd', function () {
  this.timeout(180_000);
  describeOptions(useTestHost());
});

const BRIDGE = 'com.docker.network.bridge';
const at = (address: string, port: number): Target => ({ address, port });
/** Options of `docker network create`, each as `-o key=value`. */
const options = (...words: readonly string[]): string[] => words.flatMap((word) => ['-o', word]);

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeOptions(running: () => TestHost): void {
  describe(`with the driver ${DRIVER}`, () => {
    const made = useDockerSite(running);
    let site: DockerSite;
    let uplink: Uplink;
    before(() => {
      site = made();
      ({ uplink } = site);
    });

    it('enable_icc=false: containers reach the outside, but not each other', async () => {
      site.create('first', ...OURS, ...options(`${BRIDGE}.enable_icc=false`));
      for (const name of ['one', 'two']) site.run(name, '--network', 'first');
      const [one, two] = [await site.agentIn('one', 80), await site.agentIn('two')];
      await assertTraffic([
        [two, at(site.addressOf('one', 'first'), 80), 'blocked'],
        [one, at(uplink.address[4], 80), 'outside'],
        [two, at(uplink.address[4], 80), 'outside'],
      ]);
    });

    it('enable_icc=false: published ports connect containers, whether br_netfilter calls iptables or not', async () => {
      const subnets = ['--ipv6', '--subnet', '10.204.0.0/24', '--subnet', 'fd10:204::/64'];
      site.create('first', ...OURS, ...subnets, ...options(`${BRIDGE}.enable_icc=false`));
      site.run('one', '--network', 'first', '-p', '8080:80');
      site.run('two', '--network', 'first');
      const [one, two] = [await site.agentIn('one', 80, 81), await site.agentIn('two')];
      const bridgeFilter = (value: string): unknown =>
        site.host.run(
          'sysctl',
          '-qw',
          ...['ip', 'ip6'].map((name) => `net.bridge.bridge-nf-call-${name}tables=${value}`),
        );
      try {
        for (const value of ['1', '0', '1']) {
          bridgeFilter(value);
          await assertTraffic([
            ...([4, 6] as const).flatMap((family): Expectation[] => [
              [one, at(uplink.host[family], 8080), 'one'],
              [two, at(uplink.host[family], 8080), 'one'],
            ]),
            [two, at('10.204.0.1', 8080), 'one'],
            [two, at(site.addressOf('one', 'first'), 81), 'blocked'],
            [two, at(site.address6Of('one', 'first'), 80), 'blocked'],
          ]);
        }
      } finally {
        bridgeFilter('1');
      }
    });

    it('bridge.name, driver.mtu, container_iface_prefix, inhibit_ipv4: work as in Docker', () => {
      const words = [`${BRIDGE}.name=isth-own`, `${BRIDGE}.inhibit_ipv4=true`, 'com.docker.network.driver.mtu=1400'];
      const prefix = 'com.docker.network.container_iface_prefix=lan';
      const { Id } = site.create('first', ...OURS, ...options(...words, prefix));
      assert.doesNotMatch(site.linkText('isth-own'), /inet /);
      site.run('one', '--network', 'first');
      assert.match(site.exec('one', 'ip', 'link', 'show', 'dev', 'lan0'), /mtu 1400 /);
      assert.equal(site.host.attempt(['ip', 'link', 'show', `br-${Id.slice(0, 12)}`]).code, 1);
      site.docker('rm', '-f', 'one');
      site.docker('network', 'rm', 'first');
      assert.equal(site.host.attempt(['ip', 'link', 'show', 'isth-own']).code, 1);
    });

    it('enable_ip_masquerade=false: the outside sees the address of the container', async () => {
      const { IPAM } = site.create('first', ...OURS, ...options(`${BRIDGE}.enable_ip_masquerade=false`));
      site.run('one', '--network', 'first');
      const one = await site.agentIn('one');
      await site.routed(IPAM.Config[0]?.Subnet ?? '', () =>
        assertTraffic([[one, at(uplink.address[4], 80), `outside saw ${site.addressOf('one', 'first')}`]]),
      );
    });

    describe('options of later Docker versions', () => {
      before(function () {
        if (builtIn) this.skip();
      });

      it('gateway_mode_ipv4=routed: publishes ports at the container address only, and none at the host', async () => {
        const { IPAM } = site.create('first', ...OURS, ...options(`${BRIDGE}.gateway_mode_ipv4=routed`));
        site.run('one', '--network', 'first', '-p', '8080:80');
        const one = await site.agentIn('one', 80, 81);
        const address = site.addressOf('one', 'first');
        await site.routed(IPAM.Config[0]?.Subnet ?? '', () =>
          assertTraffic([
            [uplink.agent, at(address, 80), `one saw ${uplink.address[4]}`],
            [uplink.agent, at(address, 81), 'blocked'],
            [uplink.agent, at(uplink.host[4], 8080), 'refused'],
            [one, at(uplink.address[4], 80), `outside saw ${address}`],
          ]),
        );
      });

      it('trusted_host_interfaces: published ports are reached at the container address by these interfaces', async () => {
        const subnets = ['--ipv6', '--subnet', '10.204.0.0/24', '--subnet', 'fd10:204::/64'];
        const trust = (names: string): string[] => options(`${BRIDGE}.trusted_host_interfaces=${names}`);
        site.create('first', ...OURS, ...subnets, ...trust(`eth9:up0`));
        site.create('second', ...OURS, '--subnet', '10.205.0.0/24', ...trust('eth9'));
        site.run('one', '--network', 'first', '-p', '127.0.0.1:8080:80', '-p', `[${uplink.host[6]}]:8082:80`);
        site.run('two', '--network', 'second', '-p', '8081:80');
        const [one] = [await site.agentIn('one', 80, 81), await site.agentIn('two', 80)];
        const [four, six] = [site.addressOf('one', 'first'), site.address6Of('one', 'first')];
        const between = (subnet: string, work: () => Promise<void>): Promise<void> => site.routed(subnet, work);
        await between('10.204.0.0/24', () =>
          between('fd10:204::/64', () =>
            between('10.205.0.0/24', () =>
              assertTraffic([
                [uplink.agent, at(four, 80), `one saw ${uplink.address[4]}`],
                [uplink.agent, at(six, 80), `one saw ${uplink.address[6]}`],
                [uplink.agent, at(four, 81), 'blocked'],
                [uplink.agent, at(six, 81), 'blocked'],
                [uplink.agent, at(site.addressOf('two', 'second'), 80), 'blocked'],
                [uplink.agent, at(uplink.host[4], 8080), 'refused'],
                [one, at(uplink.address[4], 80), `outside saw ${uplink.host[4]}`],
              ]),
            ),
          ),
        );
      });

      it('gateway_mode_ipv6=routed: works together with nat for IPv4', async () => {
        const subnets = ['--ipv6', '--subnet', '10.204.0.0/24', '--subnet', 'fd10:204::/64'];
        site.create('first', ...OURS, ...subnets, ...options(`${BRIDGE}.gateway_mode_ipv6=routed`));
        site.run('one', '--network', 'first', '-p', '8080:80');
        const one = await site.agentIn('one', 80, 81);
        const address = site.address6Of('one', 'first');
        await site.routed('fd10:204::/64', () =>
          assertTraffic([
            [uplink.agent, at(address, 80), `one saw ${uplink.address[6]}`],
            [uplink.agent, at(address, 81), 'blocked'],
            [uplink.agent, at(uplink.host[6], 8080), 'refused'],
            [uplink.agent, at(uplink.host[4], 8080), 'one'],
            [one, at(uplink.address[6], 80), `outside saw ${address}`],
            [one, at(uplink.address[4], 80), `outside saw ${uplink.host[4]}`],
          ]),
        );
      });

      it('gateway_mode_ipv4=nat-unprotected: opens all container ports to the outside', async () => {
        const { IPAM } = site.create('first', ...OURS, ...options(`${BRIDGE}.gateway_mode_ipv4=nat-unprotected`));
        site.run('one', '--network', 'first', '-p', '8080:80');
        const one = await site.agentIn('one', 80, 81);
        const address = site.addressOf('one', 'first');
        await site.routed(IPAM.Config[0]?.Subnet ?? '', () =>
          assertTraffic([
            [uplink.agent, at(address, 81), `one saw ${uplink.address[4]}`],
            [uplink.agent, at(uplink.host[4], 8080), 'one'],
            [one, at(uplink.address[4], 80), `outside saw ${uplink.host[4]}`],
          ]),
        );
      });

      it('gateway_mode_ipv4=isolated: the host has no address on the network', () => {
        const { Id } = site.create('first', '--internal', ...OURS, ...options(`${BRIDGE}.gateway_mode_ipv4=isolated`));
        assert.doesNotMatch(site.linkText(`br-${Id.slice(0, 12)}`), /inet /);
        for (const name of ['one', 'two']) site.run(name, '--network', 'first');
        site.assertPings('one', 'two');
        assert.doesNotMatch(site.exec('one', 'ip', 'route'), /default/);
      });

      it('host_ipv4: sets the address that the outside sees', async () => {
        site.host.run('ip', 'addr', 'add', '192.0.2.77/24', 'dev', 'up0');
        try {
          site.create('first', ...OURS, ...options('com.docker.network.host_ipv4=192.0.2.77'));
          site.run('one', '--network', 'first');
          const one = await site.agentIn('one');
          await assertTraffic([[one, at(uplink.address[4], 80), 'outside saw 192.0.2.77']]);
        } finally {
          site.host.run('ip', 'addr', 'del', '192.0.2.77/24', 'dev', 'up0');
        }
      });
    });

    describe('options of the driver', () => {
      before(function () {
        if (builtIn) this.skip();
      });

      it('driver=null: containers get loopback only', () => {
        site.create('first', ...OURS, ...options('driver=null'));
        site.run('one', '--network', 'first');
        const links = site.exec('one', 'ip', '-o', 'link').split('\n');
        assert.equal(links.length, 1, links.join('\n'));
        assert.match(links[0] ?? '', / lo: /);
        assert.doesNotMatch(site.docker('network', 'ls'), /docker_gwbridge/);
      });

      it('driver=host: refused, with the option that works', () => {
        assert.match(site.refused(...options('driver=host')), /docker run --network host/);
      });

      it('unknown options: refused with the nearest name; those of Docker: ignored', () => {
        assert.match(site.refused(...options('drvier=bridge')), /driver/);
        assert.match(site.refused(...options('driver=brigde')), /bridge/);
        site.create('first', ...OURS, ...options('com.docker.network.whatever=1', `${BRIDGE}.later=true`));
        site.run('one', '--network', 'first');
        site.assertPings('one', uplink.host[4]);
      });

      it('invalid values: refused, and nothing of the network is left', () => {
        assert.match(site.refused(...options('com.docker.network.driver.mtu=many')), /mtu/);
        assert.match(site.refused(...options(`${BRIDGE}.name=far-too-long-a-name`)), /far-too-long-a-name/);
        assert.match(site.refused(...OURS, '--subnet', '10.204.0.0/24', '--gateway', '10.205.0.1'), /10\.205\.0\.1/);
        site.assertClean('networks that were refused');
      });
    });
  });
}
