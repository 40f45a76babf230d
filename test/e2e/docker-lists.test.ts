import { strict as assert } from 'node:assert';
import { OURS } from '../support/docker-plugin.ts';
import { type DockerSite, useDockerSite } from '../support/docker-site.ts';
import { useTestHost } from '../support/e2e.ts';
import { skipIf } from '../support/skip.ts';
import type { TestHost } from '../support/test-host.ts';
import { assertTraffic, type Target } from '../support/traffic.ts';
import type { Uplink } from '../support/uplink.ts';

type Json = Readonly<Record<string, unknown>>;

const PLUGINS = '/run/isth/reference';
/** The reference's chains and tables stay when its last container goes. */
const SWEEP = `for tool in iptables ip6tables; do
  $tool -D FORWARD -m comment --comment 'CNI firewall plugin rules' -j CNI-FORWARD
  for chain in CNI-FORWARD CNI-ADMIN; do $tool -F $chain; done
  for chain in CNI-FORWARD CNI-ADMIN; do $tool -X $chain; done
done
nft list chain ip6 nat POSTROUTING | grep -q counter || nft delete chain ip6 nat POSTROUTING
nft list table ip6 nat | grep -q chain || nft delete table ip6 nat`;
const NULL_IPAM = ['--ipam-driver', 'null'];
const at = (address: string, port: number): Target => ({ address, port });

describe('CNI lists as networks of a real dockerd', function () {
  this.timeout(180_000);
  describeLists(useTestHost());
});

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeLists(running: () => TestHost): void {
  describe("with Debian's own plugins", () => {
    const made = useDockerSite(running);
    let site: DockerSite;
    let uplink: Uplink;

    before(function () {
      const here = running().attempt(['test', '-x', `${PLUGINS}/bridge`]).code === 0;
      skipIf(this, here ? undefined : "the reference's plugins are not installed");
      site = made();
      ({ uplink } = site);
      // What the reference makes once for all and keeps: the chains of its firewall, and its directories.
      create('first', bridge('cni9', ['10.79.0.0/24']), { type: 'firewall' });
      site.run('one', '--network', 'first');
      clean('cni9');
    });

    function options(name: string, plugins: readonly Json[], more: readonly string[] = []): string[] {
      const conf = JSON.stringify({ cniVersion: '1.0.0', name: `list-${name}`, plugins });
      return ['-o', 'driver=cni', '-o', `conf=${conf}`, '-o', `cniPath=${PLUGINS}`, ...more];
    }

    function create(name: string, ...plugins: readonly Json[]): void {
      site.create(name, ...NULL_IPAM, ...options(name, plugins));
    }

    function bridge(name: string, subnets: readonly string[], more: Json = {}): Json {
      const routes = subnets.map((subnet) => ({ dst: subnet.includes(':') ? '::/0' : '0.0.0.0/0' }));
      const ipam = { type: 'host-local', ranges: subnets.map((subnet) => [{ subnet }]), routes };
      return { type: 'bridge', bridge: name, isGateway: true, ipMasq: true, hairpinMode: true, ipam, ...more };
    }

    /** Deletes the containers and networks, and the bridge that the reference leaves. Its leases are gone. */
    function clean(...bridges: readonly string[]): void {
      const { host } = site;
      host.run(
        'sh',
        '-c',
        'docker ps -aq | xargs -r docker rm -f; docker network ls -qf type=custom | xargs -r docker network rm',
      );
      for (const name of bridges) host.run('ip', 'link', 'delete', name);
      const files = "find /var/lib/cni -type f -name '*[.:]*' ! -name 'last_reserved*' 2>/dev/null";
      const left = host.run('sh', '-c', `${files}; ls /run/netns 2>/dev/null | grep '^isth-' || true`);
      assert.equal(left.trim(), '');
      host.run('rm', '-rf', '/var/lib/cni');
      host.attempt(['sh', '-c', SWEEP]);
    }

    it('bridge: two families, names, ports, restart, and nothing is left', async () => {
      create(
        'first',
        bridge('cni7', ['10.70.0.0/24', 'fd70::/64']),
        { type: 'firewall' },
        {
          ...{ type: 'bandwidth', ingressRate: 1e9, ingressBurst: 1e9, egressRate: 1e9, egressBurst: 1e9 },
        },
      );
      site.run('one', '--network', 'first', '-p', '8080:80');
      site.run('two', '--network', 'first');
      assert.equal(site.addressOf('two', 'first'), '10.70.0.3');
      assert.match(site.exec('two', 'ip', 'addr', 'show', 'dev', 'eth0'), /inet6 fd70::3\/64 /);
      assert.match(site.exec('two', 'ip', '-6', 'route'), /^default via fd70::1 dev eth0/m);
      site.assertPings('two', 'one');
      site.exec('two', 'ping6', '-c', '1', '-W', '5', 'fd70::2');
      const two = await site.agentIn('two');
      await site.agentIn('one', 80);
      await assertTraffic([
        [uplink.agent, at(uplink.host[4], 8080), 'one'],
        [two, at(uplink.address[4], 80), 'outside'],
      ]);
      site.docker('restart', '-t', '0', 'two');
      site.assertPings('one', 'two');
      site.docker('network', 'disconnect', 'first', 'two');
      site.docker('network', 'connect', 'first', 'two');
      site.assertPings('two', 'one');
      assert.doesNotMatch(site.docker('network', 'ls'), /docker_gwbridge/);
      clean('cni7');
    });

    it('ptp: containers reach each other by name, through the host', () => {
      const ipam = { type: 'host-local', ranges: [[{ subnet: '10.71.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] };
      create('first', { type: 'ptp', ipMasq: true, ipam });
      for (const name of ['one', 'two']) site.run(name, '--network', 'first');
      assert.match(site.exec('one', 'ip', 'route'), /^default via 10\.71\.0\.1 dev eth0/m);
      for (const target of ['two', uplink.address[4]]) site.assertPings('one', target);
      site.docker('restart', '-t', '0', 'one');
      site.assertPings('two', 'one');
      clean();
    });

    it('a container on a list and on a network of ours reaches both', () => {
      create('first', bridge('cni7', ['10.76.0.0/24']));
      site.create('second', ...OURS);
      site.run('one', '--network', 'first');
      site.run('two', '--network', 'second');
      site.run('both', '--network', 'first');
      site.docker('network', 'connect', 'second', 'both');
      for (const target of ['one', 'two', uplink.address[4]]) site.assertPings('both', target);
      site.docker('network', 'disconnect', 'first', 'both');
      for (const target of ['two', uplink.address[4]]) site.assertPings('both', target);
      site.docker('network', 'connect', 'first', 'both');
      site.docker('restart', '-t', '0', 'both');
      for (const target of ['one', 'two', uplink.address[4]]) site.assertPings('both', target);
      site.assertSilent('one', site.addressOf('two', 'second'));
      clean('cni7');
    });

    it('macvlan: containers on the LAN, and ports are of no use', () => {
      const { host } = site;
      host.run('sh', '-c', 'ip link add lan0 up type veth peer name lan1; ip link set lan1 up');
      const ipam = { type: 'host-local', ranges: [[{ subnet: '10.72.0.0/24' }]] };
      create('first', { type: 'macvlan', master: 'lan0', ipam });
      for (const name of ['one', 'two']) site.run(name, '--network', 'first');
      site.assertPings('one', 'two');
      site.docker('restart', '-t', '0', 'one');
      site.assertPings('two', 'one');
      const { stderr } = site.tryDocker(
        'run',
        '-d',
        '--name',
        'three',
        '--network',
        'first',
        '-p',
        '8081:80',
        'busybox',
      );
      assert.match(stderr, /the host is not on the way to its address|Unable to find image/);
      host.run('docker', 'rm', '-f', 'three');
      host.run('docker', 'rm', '-f', 'one', 'two');
      host.run('ip', 'link', 'delete', 'lan0');
      clean();
    });

    it('host-device: the device comes back when its container ends or is killed', () => {
      const { host } = site;
      host.run(
        'sh',
        '-c',
        'ip link add nic0 type veth peer name nic1; ip link set nic1 up; ip addr add 10.73.0.1/24 dev nic1',
      );
      create('first', {
        type: 'host-device',
        device: 'nic0',
        ipam: { type: 'static', addresses: [{ address: '10.73.0.2/24' }] },
      });
      site.run('one', '--network', 'first');
      site.assertPings('one', '10.73.0.1');
      site.docker('restart', '-t', '0', 'one');
      site.assertPings('one', '10.73.0.1');
      site.docker('kill', 'one');
      site.docker('rm', 'one');
      host.run('ip', 'link', 'show', 'nic0');
      clean();
      host.run('ip', 'link', 'delete', 'nic0');
    });

    it("gives addresses of Docker's IPAM: --subnet, --gateway and --ip", () => {
      const subnet = ['--subnet', '10.74.0.0/24', '--gateway', '10.74.0.1'];
      site.create('first', ...subnet, ...options('first', [bridge('cni7', ['10.74.0.0/24'])]));
      site.run('one', '--network', 'first', '--ip', '10.74.0.77');
      site.run('two', '--network', 'first');
      assert.equal(site.addressOf('one', 'first'), '10.74.0.77');
      assert.match(site.exec('two', 'ip', 'route'), /^default via 10\.74\.0\.1 dev eth0/m);
      site.assertPings('two', 'one');
      clean('cni7');
    });

    it('names a missing plugin when the network is created', () => {
      const refused = site.refused(...NULL_IPAM, ...options('first', [{ type: 'brigde' }]));
      assert.match(refused, /plugin brigde: no executable of this name is in \/run\/isth\/reference/);
    });

    it('tuning, sbr: done in the container by Docker 28 and later, refused before', () => {
      const tuning = { type: 'tuning', sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1' } };
      const plugins = [bridge('cni7', ['10.75.0.0/24']), tuning, { type: 'sbr' }];
      const version = Number(site.docker('version', '-f', '{{.Server.Version}}').split('.')[0]);
      if (version < 28) {
        const refused = site.refused(...NULL_IPAM, ...options('first', plugins));
        assert.match(
          refused,
          /plugin tuning: makes sysctls in the container's namespace, which dockerd before 28 makes too late/,
        );
        return;
      }
      create('first', ...plugins);
      site.run('one', '--network', 'first');
      assert.equal(site.exec('one', 'cat', '/proc/sys/net/ipv4/conf/eth0/arp_filter').trim(), '1');
      assert.match(site.exec('one', 'ip', 'rule'), /from 10\.75\.0\.2 lookup 100/);
      assert.match(site.exec('one', 'ip', 'route', 'show', 'table', '100'), /default via 10\.75\.0\.1/);
      site.docker('restart', '-t', '0', 'one');
      assert.match(site.exec('one', 'ip', 'rule'), /from 10\.75\.0\.\d+ lookup 100/);
      site.docker('network', 'disconnect', 'first', 'one');
      assert.doesNotMatch(site.exec('one', 'ip', 'rule'), /10\.75/);
      clean('cni7');
    });
  });
}
