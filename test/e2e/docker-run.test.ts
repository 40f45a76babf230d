import { strict as assert } from 'node:assert';
import { ADDRESS_MANAGERS, DRIVER, OURS } from '../support/docker-plugin.ts';
import { type DockerSite, useDockerSite } from '../support/docker-site.ts';
import { useTestHost } from '../support/e2e.ts';
import { IMAGE } from '../support/image.ts';
import type { TestHost } from '../support/test-host.ts';
import { assertTraffic } from '../support/traffic.ts';

describe('containers run by dockerd', function () {
  this.timeout(180_000);
  describeContainers(useTestHost());
});

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeContainers(running: () => TestHost): void {
  describe(`on networks of the driver ${DRIVER}`, () => {
    const made = useDockerSite(running);
    let site: DockerSite;
    before(() => {
      site = made();
    });

    for (const [whose, options] of Object.entries(ADDRESS_MANAGERS)) {
      it(`reach each other by name and address, and the outside (addresses: ${whose})`, async () => {
        const { IPAM } = site.create('first', ...options);
        site.run('one', '--network', 'first', '--hostname', 'uno');
        site.run('two', '--network', 'first', '--network-alias', 'zwei');
        const [one, two] = [await site.agentIn('one', 80), await site.agentIn('two')];
        for (const name of ['two', 'zwei', site.inspect('two').Id.slice(0, 12)]) site.assertPings('one', name);
        site.assertPings('two', 'one');
        const gateway = IPAM.Config[0]?.Gateway?.split('/')[0] ?? '';
        await assertTraffic([
          [two, { address: site.addressOf('one', 'first'), port: 80 }, `one saw ${site.addressOf('two', 'first')}`],
          [one, { address: site.uplink.address[4], port: 80 }, `outside saw ${site.uplink.host[4]}`],
          [site.hostAgent, { address: site.addressOf('one', 'first'), port: 80 }, `one saw ${gateway}`],
        ]);
      });

      it(`match what docker inspect shows (addresses: ${whose})`, () => {
        site.create('first', ...options);
        for (const name of ['one', 'two']) site.run(name, '--network', 'first');
        const { Id, Containers, IPAM } = site.inspectNetwork('first');
        assert.deepEqual(
          Object.values(Containers)
            .map(({ Name }) => Name)
            .sort(),
          ['one', 'two'],
        );
        for (const { Name, IPv4Address, MacAddress, EndpointID } of Object.values(Containers)) {
          const own = site.endpoint(Name, 'first');
          assert.equal(IPv4Address, `${own.IPAddress}/${own.IPPrefixLen}`);
          assert.deepEqual([own.EndpointID, own.NetworkID], [EndpointID, Id]);
          const shown = site.exec(Name, 'ip', 'addr', 'show', 'dev', 'eth0');
          assert.ok(shown.includes(`inet ${IPv4Address} `), `${shown}\nhas ${IPv4Address}`);
          assert.ok(shown.includes(`link/ether ${MacAddress} `), `${shown}\nhas ${MacAddress}`);
          assert.match(site.exec(Name, 'ip', 'route'), new RegExp(`^default via ${own.Gateway} dev eth0`));
          assert.equal(own.Gateway, IPAM.Config[0]?.Gateway?.split('/')[0]);
        }
        assert.doesNotMatch(site.docker('network', 'ls'), /docker_gwbridge/);
      });

      it(`connect and disconnect while they run (addresses: ${whose})`, async () => {
        for (const name of ['first', 'second']) site.create(name, ...options);
        site.run('one', '--network', 'first');
        site.run('two', '--network', 'second');
        site.assertSilent('two', site.addressOf('one', 'first'));
        site.docker('network', 'connect', '--alias', 'uno', 'second', 'one');
        site.assertPings('two', 'one');
        site.assertPings('two', 'uno');
        assert.match(site.exec('one', 'ip', 'addr', 'show', 'dev', 'eth1'), /inet /);
        const address = site.addressOf('one', 'second');
        site.docker('network', 'disconnect', 'second', 'one');
        site.assertSilent('two', address);
        assert.doesNotMatch(site.exec('one', 'ip', 'addr'), /eth1/);
        // The network that its default route goes by.
        site.docker('network', 'connect', 'second', 'one');
        site.docker('network', 'disconnect', 'first', 'one');
        site.assertPings('two', 'one');
        const one = await site.agentIn('one');
        await assertTraffic([[one, { address: site.uplink.address[4], port: 80 }, 'outside']]);
      });

      it(`stop, start, restart and are killed (addresses: ${whose})`, () => {
        site.create('first', ...options);
        for (const name of ['one', 'two']) site.run(name, '--network', 'first');
        const { EndpointID, IPAddress } = site.endpoint('one', 'first');
        site.docker('stop', '-t', '0', 'one');
        site.assertSilent('two', IPAddress);
        assert.deepEqual(
          Object.values(site.inspectNetwork('first').Containers).map(({ Name }) => Name),
          ['two'],
        );
        site.docker('start', 'one');
        site.assertPings('two', 'one');
        assert.notEqual(site.endpoint('one', 'first').EndpointID, EndpointID);
        site.docker('restart', '-t', '0', 'one');
        site.assertPings('one', 'two');
        site.docker('kill', 'two');
        site.docker('start', 'two');
        site.assertPings('one', 'two');
      });
    }

    it('delete the network with them only when docker is told to', () => {
      site.create('first', ...OURS);
      site.run('one', '--network', 'first');
      const refused = site.tryDocker('network', 'rm', 'first');
      assert.match(refused.stderr, /active endpoints/);
      assert.match(site.docker('run', '--rm', '--network', 'first', IMAGE, 'echo', 'done'), /^done$/m);
      site.docker('rm', '-f', 'one');
      site.docker('network', 'rm', 'first');
      site.assertClean('a network that came and went');
      site.create('first', ...OURS);
      site.run('one', '--network', 'first');
      site.assertPings('one', 'one');
    });

    it('start on several networks at once', () => {
      for (const name of ['first', 'second']) site.create(name, ...OURS);
      site.docker('create', '--name', 'one', '--network', 'first', IMAGE);
      site.docker('network', 'connect', 'second', 'one');
      for (const name of ['first', 'second']) site.run(`on-${name}`, '--network', name);
      site.docker('start', 'one');
      for (const name of ['first', 'second']) site.assertPings('one', `on-${name}`);
      site.docker('restart', '-t', '0', 'one');
      for (const name of ['first', 'second']) site.assertPings(`on-${name}`, 'one');
    });

    it('leave nothing when they cannot start', () => {
      site.create('first', ...OURS);
      const failed = site.tryDocker('run', '--name', 'one', '--network', 'first', '-p', '8080:80', IMAGE, '/nowhere');
      assert.notEqual(failed.code, 0);
      assert.deepEqual(site.inspectNetwork('first').Containers, {});
      site.docker('network', 'rm', 'first');
      site.assertClean('a container that did not start');
    });

    it('start all at once, each with its own address', async () => {
      site.create('first', ...OURS, '--subnet', '10.204.0.0/28');
      const names = Array.from({ length: 6 }, (_, i) => `c${i}`);
      // In the background of one shell, so that dockerd has them all at the same time.
      const run = (name: string): string => `docker run -d --name ${name} --network first ${IMAGE} >/dev/null &`;
      site.host.run('sh', '-c', `export DOCKER_HOST=unix:///run/docker.sock\n${names.map(run).join('\n')}\nwait`);
      const addresses = names.map((name) => site.addressOf(name, 'first'));
      assert.equal(new Set(addresses).size, names.length, addresses.join(' '));
      for (const name of names.slice(1)) site.assertPings('c0', name);
    });
  });
}
