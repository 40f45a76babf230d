import { strict as assert } from 'node:assert';
import { ADDRESS_MANAGERS, builtIn, type DockerSite, DRIVER, OURS, useDockerSite } from '../support/docker-site.ts';
import { useTestHost } from '../support/e2e.ts';
import { IMAGE } from '../support/image.ts';
import type { TestHost } from '../support/test-host.ts';
import { assertTraffic, type Target } from '../support/traffic.ts';
import type { Uplink } from '../support/uplink.ts';

describe('networks of a real dockerd', function () {
  this.timeout(60_000);
  describeNetworks(useTestHost());
});

const BRIDGE = 'com.docker.network.bridge';
const at = (address: string, port: number): Target => ({ address, port });
/** Options of `docker network create`, each as `-o key=value`. */
const options = (...words: readonly string[]): string[] => words.flatMap((word) => ['-o', word]);

/** In a block of its own: what it makes has to be gone before the test host is looked at. */
function describeNetworks(running: () => TestHost): void {
  describe(`with the driver ${DRIVER}`, () => {
    const made = useDockerSite(running);
    let site: DockerSite;
    let uplink: Uplink;
    before(() => {
      site = made();
      ({ uplink } = site);
    });

    const link = (device: string): string => site.host.run('ip', '-d', 'addr', 'show', 'dev', device);
    /** What docker says to a network that it does not create. */
    const refused = (...words: readonly string[]): string => {
      const { code, stderr } = site.tryDocker('network', 'create', '-d', DRIVER, ...words, 'refused');
      assert.notEqual(code, 0, `docker network create ${words.join(' ')} has succeeded`);
      return stderr;
    };
    /** The neighbour knows the way to containers while `work` is done. */
    const routed = async (subnet: string, work: () => Promise<void>): Promise<void> => {
      site.host.run('ip', '-n', 'outside', 'route', 'add', subnet, 'via', uplink.host[4]);
      try {
        await work();
      } finally {
        site.host.run('ip', '-n', 'outside', 'route', 'del', subnet);
      }
    };

    it('keep containers of two networks apart, and have one on both meet both', async () => {
      for (const name of ['first', 'second']) site.create(name, ...OURS);
      site.run('one', '--network', 'first');
      site.run('two', '--network', 'second');
      site.run('both', '--network', 'first');
      site.docker('network', 'connect', 'second', 'both');
      for (const name of ['one', 'two']) {
        site.assertPings('both', name);
        site.assertPings(name, 'both');
      }
      site.assertSilent('one', site.addressOf('two', 'second'));
      site.assertSilent('two', site.addressOf('one', 'first'));
      const one = await site.agentIn('one', 80);
      const both = await site.agentIn('both');
      await assertTraffic([
        [both, at(site.addressOf('one', 'first'), 80), `one saw ${site.addressOf('both', 'first')}`],
        [both, at(uplink.address[4], 80), 'outside'],
        [one, at(uplink.address[4], 80), 'outside'],
      ]);
    });

    for (const [whose, ipam] of Object.entries(ADDRESS_MANAGERS)) {
      it(`--internal: no way in or out, and no default route (addresses: ${whose})`, async () => {
        site.create('first', '--internal', ...ipam);
        site.create('second', ...ipam);
        site.run('one', '--network', 'first', '-p', '8080:80');
        site.run('two', '--network', 'first');
        site.run('three', '--network', 'second');
        const [one, three] = [await site.agentIn('one', 80), await site.agentIn('three')];
        const address = site.addressOf('one', 'first');
        site.assertPings('two', 'one');
        // The driver of that version has one, which leads nowhere.
        if (!builtIn) assert.doesNotMatch(site.exec('one', 'ip', 'route'), /default/);
        assert.equal(site.exec('one', 'ip', '-o', 'link').match(/eth\d/g)?.length, 1, 'one interface');
        await routed(`${address}/32`, () =>
          assertTraffic([
            [one, at(uplink.address[4], 80), 'blocked'],
            [uplink.agent, at(address, 80), 'blocked'],
            [uplink.agent, at(uplink.host[4], 8080), 'refused'],
            [three, at(address, 80), 'blocked'],
          ]),
        );
        assert.doesNotMatch(site.docker('network', 'ls'), /docker_gwbridge/);
      });

      it(`--subnet, --gateway, --ip-range, --aux-address, --ip, --mac-address (addresses: ${whose})`, () => {
        const range = ['--subnet', '10.204.0.0/16', '--gateway', '10.204.9.9', '--ip-range', '10.204.7.0/29'];
        const { Id } = site.create('first', ...ipam, ...range, '--aux-address', 'printer=10.204.7.1');
        assert.match(link(`br-${Id.slice(0, 12)}`), /inet 10\.204\.9\.9\/16 /);
        site.run('one', '--network', 'first');
        site.run('two', '--network', 'first');
        const [one, two] = [site.endpoint('one', 'first'), site.endpoint('two', 'first')];
        for (const { IPAddress, IPPrefixLen, Gateway } of [one, two]) {
          assert.match(IPAddress, /^10\.204\.7\.[0-7]$/);
          assert.notEqual(IPAddress, '10.204.7.1');
          assert.deepEqual([IPPrefixLen, Gateway], [16, '10.204.9.9']);
        }
        assert.notEqual(one.IPAddress, two.IPAddress);
        site.run('three', '--network', 'first', '--ip', '10.204.3.3', '--mac-address', '02:00:00:00:33:33');
        const three = (): string => site.exec('three', 'ip', 'addr', 'show', 'dev', 'eth0');
        const shown = /link\/ether 02:00:00:00:33:33 [\s\S]*inet 10\.204\.3\.3\/16 /;
        assert.match(three(), shown);
        site.docker('restart', '-t', '0', 'three');
        assert.match(three(), shown);
        site.assertPings('one', '10.204.3.3');
        site.run('four');
        site.docker('network', 'connect', '--ip', '10.204.3.4', 'first', 'four');
        assert.match(site.exec('four', 'ip', 'addr', 'show', 'dev', 'eth1'), /inet 10\.204\.3\.4\/16 /);
        const again = site.tryDocker('run', '-d', '--network', 'first', '--ip', '10.204.3.3', IMAGE);
        assert.match(again.stderr, /10\.204\.3\.3|already in use/);
        assert.notEqual(again.code, 0);
        site.assertPings('one', '10.204.3.3');
      });

      it(`--ipv6, --ip6: both families (addresses: ${whose})`, async () => {
        const subnets = ['--subnet', '10.204.0.0/24', '--subnet', 'fd10:204::/64'];
        site.create('first', '--ipv6', ...ipam, ...subnets);
        site.run('one', '--network', 'first');
        site.run('two', '--network', 'first', '--ip6', 'fd10:204::77');
        assert.equal(site.address6Of('two', 'first'), 'fd10:204::77');
        assert.match(site.exec('two', 'ip', 'addr', 'show', 'dev', 'eth0'), /inet6 fd10:204::77\/64 /);
        assert.match(site.exec('one', 'ip', '-6', 'route'), /^default via fd10:204::1 dev eth0/m);
        for (const target of ['fd10:204::77', site.addressOf('two', 'first')]) site.assertPings('one', target);
        site.exec('one', 'ping6', '-c', '1', '-W', '5', 'two');
        const [one] = [await site.agentIn('one')];
        await assertTraffic([
          [one, at(uplink.address[4], 80), `outside saw ${uplink.host[4]}`],
          // Docker's own driver of that version does not masquerade IPv6.
          ...(builtIn ? [] : ([[one, at(uplink.address[6], 80), `outside saw ${uplink.host[6]}`]] as const)),
        ]);
      });
    }

    it('--ipv6 without a subnet: one is chosen', function () {
      if (builtIn) this.skip();
      const { IPAM } = site.create('first', ...OURS, '--ipv6');
      assert.equal(IPAM.Config.length, 2, JSON.stringify(IPAM));
      for (const name of ['one', 'two']) site.run(name, '--network', 'first');
      assert.match(site.address6Of('two', 'first'), /^fd/);
      site.assertPings('one', site.address6Of('two', 'first'));
    });

    it('choose pools that nobody has, and refuse a subnet that another network has', () => {
      const [first, second] = ['first', 'second'].map((name) => site.create(name, ...OURS).IPAM.Config[0]?.Subnet);
      assert.ok(first !== undefined && first !== second);
      assert.match(refused(...OURS, '--subnet', first), /overlap|first|conflict/);
    });

    it('enable_icc=false: no container reaches its neighbour, each the outside', async () => {
      site.create('first', ...OURS, ...options(`${BRIDGE}.enable_icc=false`));
      for (const name of ['one', 'two']) site.run(name, '--network', 'first');
      const [one, two] = [await site.agentIn('one', 80), await site.agentIn('two')];
      await assertTraffic([
        [two, at(site.addressOf('one', 'first'), 80), 'blocked'],
        [one, at(uplink.address[4], 80), 'outside'],
        [two, at(uplink.address[4], 80), 'outside'],
      ]);
    });

    it('bridge.name, driver.mtu, container_iface_prefix, inhibit_ipv4: as Docker means them', () => {
      const words = [`${BRIDGE}.name=isth-own`, `${BRIDGE}.inhibit_ipv4=true`, 'com.docker.network.driver.mtu=1400'];
      const prefix = 'com.docker.network.container_iface_prefix=lan';
      const { Id } = site.create('first', ...OURS, ...options(...words, prefix));
      assert.doesNotMatch(link('isth-own'), /inet /);
      site.run('one', '--network', 'first');
      assert.match(site.exec('one', 'ip', 'link', 'show', 'dev', 'lan0'), /mtu 1400 /);
      assert.equal(site.host.attempt(['ip', 'link', 'show', `br-${Id.slice(0, 12)}`]).code, 1);
      site.docker('rm', '-f', 'one');
      site.docker('network', 'rm', 'first');
      assert.equal(site.host.attempt(['ip', 'link', 'show', 'isth-own']).code, 1);
    });

    it('enable_ip_masquerade=false: the outside sees the container itself', async () => {
      const { IPAM } = site.create('first', ...OURS, ...options(`${BRIDGE}.enable_ip_masquerade=false`));
      site.run('one', '--network', 'first');
      const one = await site.agentIn('one');
      await routed(IPAM.Config[0]?.Subnet ?? '', () =>
        assertTraffic([[one, at(uplink.address[4], 80), `outside saw ${site.addressOf('one', 'first')}`]]),
      );
    });

    describe("as later Docker's mean it", () => {
      before(function () {
        if (builtIn) this.skip();
      });

      it('gateway_mode_ipv4=routed: published ports at the address of the container, no other and none of the host', async () => {
        const { IPAM } = site.create('first', ...OURS, ...options(`${BRIDGE}.gateway_mode_ipv4=routed`));
        site.run('one', '--network', 'first', '-p', '8080:80');
        const one = await site.agentIn('one', 80, 81);
        const address = site.addressOf('one', 'first');
        await routed(IPAM.Config[0]?.Subnet ?? '', () =>
          assertTraffic([
            [uplink.agent, at(address, 80), `one saw ${uplink.address[4]}`],
            [uplink.agent, at(address, 81), 'blocked'],
            [uplink.agent, at(uplink.host[4], 8080), 'refused'],
            [one, at(uplink.address[4], 80), `outside saw ${address}`],
          ]),
        );
      });

      it('gateway_mode_ipv4=nat-unprotected: every port of the container from outside, and published ones at the host', async () => {
        const { IPAM } = site.create('first', ...OURS, ...options(`${BRIDGE}.gateway_mode_ipv4=nat-unprotected`));
        site.run('one', '--network', 'first', '-p', '8080:80');
        const one = await site.agentIn('one', 80, 81);
        const address = site.addressOf('one', 'first');
        await routed(IPAM.Config[0]?.Subnet ?? '', () =>
          assertTraffic([
            [uplink.agent, at(address, 81), `one saw ${uplink.address[4]}`],
            [uplink.agent, at(uplink.host[4], 8080), 'one'],
            [one, at(uplink.address[4], 80), `outside saw ${uplink.host[4]}`],
          ]),
        );
      });

      it('gateway_mode_ipv4=isolated: the host has no address on the network', () => {
        const { Id } = site.create('first', '--internal', ...OURS, ...options(`${BRIDGE}.gateway_mode_ipv4=isolated`));
        assert.doesNotMatch(link(`br-${Id.slice(0, 12)}`), /inet /);
        for (const name of ['one', 'two']) site.run(name, '--network', 'first');
        site.assertPings('one', 'two');
        assert.doesNotMatch(site.exec('one', 'ip', 'route'), /default/);
      });

      it('host_ipv4: the address that the outside sees', async () => {
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

    describe('by options of ours', () => {
      before(function () {
        if (builtIn) this.skip();
      });

      it('driver=null: loopback only', () => {
        site.create('first', ...OURS, ...options('driver=null'));
        site.run('one', '--network', 'first');
        const links = site.exec('one', 'ip', '-o', 'link').split('\n');
        assert.equal(links.length, 1, links.join('\n'));
        assert.match(links[0] ?? '', / lo: /);
        assert.doesNotMatch(site.docker('network', 'ls'), /docker_gwbridge/);
      });

      it('driver=host: refused with what does it', () => {
        assert.match(refused(...options('driver=host')), /docker run --network host/);
      });

      it('unknown ones: refused with the nearest name; of Docker: ignored', () => {
        assert.match(refused(...options('drvier=bridge')), /driver/);
        assert.match(refused(...options('driver=brigde')), /bridge/);
        site.create('first', ...OURS, ...options('com.docker.network.whatever=1', `${BRIDGE}.later=true`));
        site.run('one', '--network', 'first');
        site.assertPings('one', uplink.host[4]);
      });

      it('wrong values: refused, and nothing stays of the network', () => {
        assert.match(refused(...options('com.docker.network.driver.mtu=many')), /mtu/);
        assert.match(refused(...options(`${BRIDGE}.name=far-too-long-a-name`)), /far-too-long-a-name/);
        assert.match(refused(...OURS, '--subnet', '10.204.0.0/24', '--gateway', '10.205.0.1'), /10\.205\.0\.1/);
        site.assertClean('networks that were refused');
      });
    });
  });
}
