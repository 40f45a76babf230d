import { strict as assert } from 'node:assert';
import { confDir, reference, useTestHost } from '../support/e2e.ts';
import { PODMAN_ENV, type Podman } from '../support/podman.ts';
import { type PodmanSite, usePodmanSite } from '../support/podman-site.ts';
import { rules } from '../support/rules.ts';
import { assertSame } from '../support/snapshot.ts';
import type { TestHost } from '../support/test-host.ts';
import { type Agent, assertTraffic } from '../support/traffic.ts';
import type { Uplink } from '../support/uplink.ts';

describe('networks of `podman network create`', function () {
  this.timeout(60_000);
  describeNetworks(useTestHost(PODMAN_ENV));
});

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeNetworks(running: () => TestHost): void {
  describe('unchanged, with our executables', () => {
    const made = usePodmanSite(running);
    let site: PodmanSite;
    let host: TestHost;
    let podman: Podman;
    let uplink: Uplink;
    let hostAgent: Agent;
    before(() => {
      site = made();
      ({ host, podman, uplink, hostAgent } = site);
    });

    afterEach('no network', () => {
      for (const name of ['first', 'second']) podman.attempt('network', 'rm', '-f', name);
      host.run('sh', '-c', `rm -f ${confDir}/cni.lock`);
    });

    it('dual stack: publishes and masquerades both families', async () => {
      const subnets = ['--subnet', '10.77.0.0/24', '--subnet', 'fd10:77::/64'];
      podman.run('network', 'create', '--ipv6', ...subnets, 'first');
      podman.start('one', '--network', 'first', '-p', '8080:80', '-p', `[${uplink.host[6]}]:8081:80`);
      podman.start('two', '--network', 'first');
      const [one, two] = [await site.agentIn('one'), await site.agentIn('two')];
      await assertTraffic([
        [uplink.agent, { address: uplink.host[4], port: 8080 }, `one saw ${uplink.address[4]}`],
        [uplink.agent, { address: uplink.host[6], port: 8080 }, `one saw ${uplink.address[6]}`],
        [uplink.agent, { address: uplink.host[4], port: 8081 }, 'refused'],
        [uplink.agent, { address: uplink.host[6], port: 8081 }, `one saw ${uplink.address[6]}`],
        [hostAgent, { address: '127.0.0.1', port: 8080 }, 'one'],
        [hostAgent, { address: uplink.host[6], port: 8080 }, 'one'],
        [two, { address: uplink.host[6], port: 8080 }, 'one'],
        [one, { address: uplink.host[6], port: 8080 }, 'one'],
        [two, { address: site.address6Of('one', 'first'), port: 80 }, `one saw ${site.address6Of('two', 'first')}`],
        [one, { address: uplink.address[4], port: 80 }, `outside saw ${uplink.host[4]}`],
        [one, { address: uplink.address[6], port: 80 }, `outside saw ${uplink.host[6]}`],
      ]);
    });

    it('isolated: isolates two networks from each other, and lets published ports through', async () => {
      for (const name of ['first', 'second']) podman.run('network', 'create', '--opt', 'isolate=true', name);
      podman.start('one', '--network', 'first', '-p', '8080:80');
      podman.start('two', '--network', 'second');
      podman.start('three', '--network', 'first');
      await site.agentIn('one');
      const [two, three] = [await site.agentIn('two'), await site.agentIn('three')];
      await assertTraffic([
        [two, { address: site.addressOf('one', 'first'), port: 80 }, 'blocked'],
        [three, { address: site.addressOf('one', 'first'), port: 80 }, `one saw ${site.addressOf('three', 'first')}`],
        [three, { address: site.addressOf('two', 'second'), port: 80 }, 'blocked'],
        [uplink.agent, { address: uplink.host[4], port: 8080 }, 'one'],
        [two, { address: uplink.address[4], port: 80 }, `outside saw ${uplink.host[4]}`],
      ]);
    });

    it('internal: connects containers with each other and with nothing else', async () => {
      podman.run('network', 'create', '--internal', 'first');
      podman.start('one', '--network', 'first');
      podman.start('two', '--network', 'first');
      await site.agentIn('one');
      const two = await site.agentIn('two');
      await assertTraffic([
        [two, { address: site.addressOf('one', 'first'), port: 80 }, `one saw ${site.addressOf('two', 'first')}`],
        [two, { address: uplink.address[4], port: 80 }, 'blocked'],
      ]);
    });

    it('two networks publish one container port: it stays while one of them does', async function () {
      if (reference) this.skip();
      for (const name of ['first', 'second']) podman.run('network', 'create', name);
      podman.start('one', '--network', 'first,second', '-p', '8080:80');
      await site.agentIn('one');
      const works = (): Promise<void> =>
        assertTraffic([
          [uplink.agent, { address: uplink.host[4], port: 8080 }, `one saw ${uplink.address[4]}`],
          [hostAgent, { address: '127.0.0.1', port: 8080 }, 'one'],
        ]);
      await works();
      for (const name of ['first', 'second']) {
        podman.run('network', 'disconnect', name, 'one');
        await works();
        podman.run('network', 'connect', name, 'one');
        await works();
      }
      const refused = podman.tryStart('two', '--network', 'second', '-p', '8080:80');
      assert.match(refused.stderr, new RegExp(podman.inspect('one', '{{.Id}}').slice(0, 12)));
      for (const name of ['first', 'second']) podman.run('network', 'disconnect', name, 'one');
      assertSame(rules(host), site.without, 'a container that is on no network any more');
    });
  });
}
