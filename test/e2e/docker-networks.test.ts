import { strict as assert } from 'node:assert';
import { ADDRESS_MANAGERS, builtIn, DRIVER, OURS } from '../support/docker-plugin.ts';
import { type DockerSite, useDockerSite } from '../support/docker-site.ts';
import { useTestHost } from '../support/e2e.ts';
import { IMAGE } from '../support/image.ts';
import type { TestHost } from '../support/test-host.ts';
import { assertTraffic, type Target } from '../support/traffic.ts';
import type { Uplink } from '../support/uplink.ts';

describe('networks of a real dockerd', function () {
  this.timeout(180_000);
  describeNetworks(useTestHost());
});

const at = (address: string, port: number): Target => ({ address, port });

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeNetworks(running: () => TestHost): void {
  describe(`with the driver ${DRIVER}`, () => {
    const made = useDockerSite(running);
    let site: DockerSite;
    let uplink: Uplink;
    before(() => {
      site = made();
      ({ uplink } = site);
    });

    it('isolate two networks from each other; a container on both reaches both', async () => {
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
        await site.routed(`${address}/32`, () =>
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
        assert.match(site.linkText(`br-${Id.slice(0, 12)}`), /inet 10\.204\.9\.9\/16 /);
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

      it(`--ipv6, --ip6: containers have both families (addresses: ${whose})`, async () => {
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

    it('--ipv6 without a subnet: the driver chooses one', function () {
      if (builtIn) this.skip();
      const { IPAM } = site.create('first', ...OURS, '--ipv6');
      assert.equal(IPAM.Config.length, 2, JSON.stringify(IPAM));
      for (const name of ['one', 'two']) site.run(name, '--network', 'first');
      assert.match(site.address6Of('two', 'first'), /^fd/);
      site.assertPings('one', site.address6Of('two', 'first'));
    });

    it('choose free pools, and refuse a subnet that another network has', () => {
      const [first, second] = ['first', 'second'].map((name) => site.create(name, ...OURS).IPAM.Config[0]?.Subnet);
      assert.ok(first !== undefined && first !== second);
      assert.match(site.refused(...OURS, '--subnet', first), /overlaps/);
    });

    it('work when the host drops forwarded traffic that no rule accepts', async () => {
      const { host } = site;
      const policies = (policy: string): void => {
        for (const tool of ['iptables', 'ip6tables']) host.run(tool, '-P', 'FORWARD', policy);
      };
      const nf = ['iptables', 'ip6tables'].map((tool) => `net.bridge.bridge-nf-call-${tool}`);
      host.run('sysctl', '-qw', ...nf.map((key) => `${key}=1`));
      policies('DROP');
      try {
        site.create('first', ...OURS, '--ipv6', '--subnet', '10.204.0.0/24', '--subnet', 'fd10:204::/64');
        site.run('one', '--network', 'first', '-p', '8080:80');
        site.run('two', '--network', 'first');
        const [one, two] = [await site.agentIn('one', 80), await site.agentIn('two')];
        await assertTraffic([
          [two, at(site.addressOf('one', 'first'), 80), 'one'],
          [two, at(uplink.host[4], 8080), 'one'],
          [one, at(uplink.address[4], 80), 'outside'],
          [uplink.agent, at(uplink.host[4], 8080), 'one'],
          ...(builtIn
            ? []
            : ([
                [two, at(site.address6Of('one', 'first'), 80), 'one'],
                [one, at(uplink.address[6], 80), 'outside'],
                [uplink.agent, at(uplink.host[6], 8080), 'one'],
              ] as const)),
        ]);
      } finally {
        policies('ACCEPT');
      }
    });
  });
}
