import { strict as assert } from 'node:assert';
import { builtIn, DRIVER, OURS } from '../support/docker-plugin.ts';
import { type DockerSite, useDockerSite } from '../support/docker-site.ts';
import { useTestHost } from '../support/e2e.ts';
import { IMAGE } from '../support/image.ts';
import type { TestHost } from '../support/test-host.ts';
import { type Agent, assertTraffic, type Expectation, type Target } from '../support/traffic.ts';
import type { Uplink } from '../support/uplink.ts';

describe('ports published by dockerd', function () {
  this.timeout(180_000);
  describePorts(useTestHost());
});

const at = (address: string, port: number): Target => ({ address, port });
const udp = (address: string, port: number): Target => ({ protocol: 'udp', address, port });
const sctp = (address: string, port: number): Target => ({ protocol: 'sctp', address, port });

/** In a separate block: its objects must be deleted before the test host is checked. */
function describePorts(running: () => TestHost): void {
  describe(`on networks of the driver ${DRIVER}`, () => {
    const made = useDockerSite(running);
    let site: DockerSite;
    let uplink: Uplink;
    let outside: Agent;
    let hostAgent: Agent;
    let host: Uplink['host'];
    before(() => {
      site = made();
      ({ uplink, hostAgent } = site);
      ({ agent: outside, host } = uplink);
    });

    it('-p: all host addresses or one reach the container, from outside, host, neighbours and itself', async () => {
      for (const name of ['first', 'second']) site.create(name, ...OURS);
      const ports = ['8080:80', `${host[4]}:8081:80`, '127.0.0.1:8082:80', '5353:53/udp'];
      site.run('one', '--network', 'first', ...ports.flatMap((port) => ['-p', port]));
      site.run('two', '--network', 'first');
      site.run('three', '--network', 'second');
      const [one, two, three] = [await site.agentIn('one', 80), await site.agentIn('two'), await site.agentIn('three')];
      await one.serve('udp', 53);
      await assertTraffic([
        [outside, at(host[4], 8080), `one saw ${uplink.address[4]}`],
        [outside, at(host[4], 8081), `one saw ${uplink.address[4]}`],
        [outside, at(host[4], 8082), 'refused'],
        [outside, udp(host[4], 5353), `one saw ${uplink.address[4]}`],
        [outside, at(host[4], 5353), 'refused'],
        [hostAgent, at('127.0.0.1', 8080), 'one'],
        [hostAgent, at(host[4], 8080), 'one'],
        [hostAgent, at('127.0.0.1', 8081), 'refused'],
        [hostAgent, at(host[4], 8081), 'one'],
        [hostAgent, at('127.0.0.1', 8082), 'one'],
        [hostAgent, at(host[4], 8082), 'refused'],
        [hostAgent, udp(host[4], 5353), 'one'],
        [hostAgent, udp('127.0.0.1', 5353), 'one'],
        ...[one, two, three].map((from): Expectation => [from, at(host[4], 8080), 'one']),
        ...[one, two, three].map((from): Expectation => [from, at(host[4], 8081), 'one']),
        // Docker's proxy answers from another address than it was asked at.
        ...(builtIn ? [] : [one, two].map((from): Expectation => [from, udp(host[4], 5353), 'one'])),
        // Its own address: other networks reach only the published ports.
        [three, at(site.addressOf('one', 'first'), 80), 'blocked'],
      ]);
      site.docker('rm', '-f', 'one');
      await assertTraffic([
        [outside, at(host[4], 8080), 'refused'],
        [outside, at(host[4], 8081), 'refused'],
        [hostAgent, at('127.0.0.1', 8080), 'refused'],
        [hostAgent, at('127.0.0.1', 8082), 'refused'],
        [two, at(host[4], 8080), 'refused'],
        [outside, udp(host[4], 5353), 'blocked'],
      ]);
    });

    it('close when the container stops, and open when it starts', async () => {
      site.create('first', ...OURS);
      site.run('one', '--network', 'first', '-p', '8080:80');
      await site.agentIn('one', 80);
      await assertTraffic([[outside, at(host[4], 8080), 'one']]);
      site.docker('stop', '-t', '0', 'one');
      await assertTraffic([[outside, at(host[4], 8080), 'refused']]);
      site.docker('start', 'one');
      await site.agentIn('one', 80);
      await assertTraffic([[outside, at(host[4], 8080), 'one']]);
    });

    it('use both families when the network has both', async function () {
      // Docker's own driver of that version has no rules for IPv6.
      if (builtIn) this.skip();
      site.create('first', ...OURS, '--ipv6', '--subnet', '10.204.0.0/24', '--subnet', 'fd10:204::/64');
      site.run('one', '--network', 'first', '-p', '8080:80', '-p', `[${host[6]}]:8081:80`, '-p', '5353:53/udp');
      site.run('two', '--network', 'first');
      const [one, two] = [await site.agentIn('one', 80), await site.agentIn('two')];
      await one.serve('udp', 53, site.address6Of('one', 'first'));
      await assertTraffic([
        [outside, at(host[4], 8080), `one saw ${uplink.address[4]}`],
        [outside, at(host[6], 8080), `one saw ${uplink.address[6]}`],
        [outside, at(host[4], 8081), 'refused'],
        [outside, at(host[6], 8081), `one saw ${uplink.address[6]}`],
        [outside, udp(host[6], 5353), `one saw ${uplink.address[6]}`],
        [hostAgent, at(host[6], 8080), 'one'],
        [one, at(host[6], 8080), 'one'],
        [two, at(host[6], 8080), 'one'],
        [one, at(uplink.address[6], 80), `outside saw ${host[6]}`],
      ]);
      site.docker('rm', '-f', 'one');
      await assertTraffic([
        [outside, at(host[6], 8080), 'refused'],
        [outside, at(host[6], 8081), 'refused'],
      ]);
    });

    it('publish SCTP', async function () {
      // Docker's own driver has a proxy listen, which this kernel may not know how to.
      if (builtIn) this.skip();
      site.create('first', ...OURS);
      site.run('one', '--network', 'first', '-p', '8080:80/sctp');
      await (await site.agentIn('one')).serve('sctp', 80);
      await assertTraffic([[outside, sctp(host[4], 8080), 'one']]);
      site.docker('rm', '-f', 'one');
      await assertTraffic([[outside, sctp(host[4], 8080), 'silent']]);
    });

    it('-P and no host port: choose a free port, the same for both families', async () => {
      const ipv6 = builtIn ? [] : ['--ipv6', '--subnet', '10.204.0.0/24', '--subnet', 'fd10:204::/64'];
      site.create('first', ...OURS, ...ipv6);
      site.run('one', '--network', 'first', '--expose', '80', '-P');
      site.run('two', '--network', 'first', '-p', '80');
      const seen: string[] = [];
      for (const name of ['one', 'two']) {
        await site.agentIn(name, 80);
        const [port, ...more] = site.publishedPorts(name);
        assert.ok(port !== undefined && more.length === 0, `${name}: ${JSON.stringify([port, ...more])}`);
        seen.push(`${port}`);
        await assertTraffic([
          [outside, at(host[4], port), name],
          ...(builtIn ? [] : [[outside, at(host[6], port), name] as const]),
        ]);
      }
      assert.equal(new Set(seen).size, 2, seen.join(' '));
    });

    it('ranges: publish each port, or one that is free', async () => {
      site.create('first', ...OURS);
      site.run('one', '--network', 'first', '-p', '8080-8082:80-82');
      site.run('two', '--network', 'first', '-p', '8080-8085:80');
      const one = await site.agentIn('one', 80, 81, 82);
      await site.agentIn('two', 80);
      assert.deepEqual(site.publishedPorts('two'), [8083]);
      await assertTraffic([
        ...[0, 1, 2].map((i): Expectation => [outside, at(host[4], 8080 + i), 'one']),
        [outside, at(host[4], 8083), 'two'],
        [outside, at(host[4], 8084), 'refused'],
        [one, at(host[4], 8083), 'two'],
      ]);
    });

    it('are refused when somebody holds them, and nothing of the refused container is left', async () => {
      site.create('first', ...OURS);
      site.run('one', '--network', 'first', '-p', '8080:80');
      await site.agentIn('one', 80);
      const refused = (port: string): string => {
        const { code, stderr } = site.tryDocker('run', '-d', '--name', 'two', '--network', 'first', '-p', port, IMAGE);
        assert.notEqual(code, 0, `${port} was given to a second container`);
        site.docker('rm', '-f', 'two');
        return stderr;
      };
      assert.match(refused('8080:80'), builtIn ? /already allocated/ : /8080/);
      await hostAgent.serve('tcp', 8090);
      assert.match(refused('8090:80'), /8090/);
      await assertTraffic([
        [outside, at(host[4], 8080), 'one'],
        [outside, at(host[4], 8090), 'host'],
      ]);
      site.run('two', '--network', 'first', '-p', '8081:80');
      await site.agentIn('two', 80);
      await assertTraffic([[outside, at(host[4], 8081), 'two']]);
    });

    it("are refused to Docker's bridge, and free after `docker rm -f`", async function () {
      // Docker's own drivers share one allocator.
      if (builtIn) this.skip();
      site.create('first', ...OURS);
      site.run('one', '--network', 'first', '-p', '8200:80');
      const two = ['run', '-d', '--name', 'two', '--network', 'bridge', '-p', '8200:80', IMAGE];
      const refused = site.tryDocker(...two);
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /8200.*address already in use/);
      await site.agentIn('one', 80);
      await assertTraffic([[outside, at(host[4], 8200), 'one']]);
      site.docker('rm', '-f', 'one', 'two');
      site.docker(...two);
      await site.agentIn('two', 80);
      await assertTraffic([[outside, at(host[4], 8200), 'two']]);
    });

    it('are carried from IPv6 with -o proxy6to4=on', async function () {
      if (builtIn) this.skip();
      site.create('first', ...OURS, '-o', 'proxy6to4=on');
      site.run('one', '--network', 'first', '-p', '8200:80', '-p', '5353:53/udp');
      const one = await site.agentIn('one', 80);
      await one.serve('udp', 53);
      await assertTraffic([
        [outside, at(host[6], 8200), 'one'],
        [outside, udp(host[6], 5353), 'one'],
        [hostAgent, at('::1', 8200), 'one'],
        [outside, at(host[4], 8200), `one saw ${uplink.address[4]}`],
      ]);
      site.docker('rm', '-f', 'one');
      await assertTraffic([[outside, at(host[6], 8200), 'refused']]);
    });

    it('move to the next network when the container leaves its network', async () => {
      for (const name of ['first', 'second']) site.create(name, ...OURS);
      site.run('one', '--network', 'first', '-p', '8080:80');
      site.docker('network', 'connect', 'second', 'one');
      await site.agentIn('one', 80);
      await assertTraffic([[outside, at(host[4], 8080), 'one']]);
      site.docker('network', 'disconnect', 'first', 'one');
      await assertTraffic([[outside, at(host[4], 8080), 'one']]);
      site.docker('network', 'disconnect', 'second', 'one');
      await assertTraffic([[outside, at(host[4], 8080), 'refused']]);
    });

    it('move from the default bridge of Docker when the container leaves it, and back', async () => {
      site.create('first', ...OURS);
      site.run('one', '-p', '8080:80');
      site.run('two', '--network', 'first');
      site.docker('network', 'connect', 'first', 'one');
      const two = await site.agentIn('two');
      await site.agentIn('one', 80);
      const works = (): Promise<void> =>
        assertTraffic([
          [outside, at(host[4], 8080), 'one'],
          [two, at(host[4], 8080), 'one'],
          [two, at(site.addressOf('one', 'first'), 80), 'one'],
        ]);
      await works();
      site.docker('network', 'disconnect', 'bridge', 'one');
      await works();
      site.docker('network', 'connect', 'bridge', 'one');
      await works();
    });

    it('host_binding_ipv4: sets the address of ports that name none', async () => {
      site.create('first', ...OURS, '-o', 'com.docker.network.bridge.host_binding_ipv4=127.0.0.1');
      site.run('one', '--network', 'first', '-p', '8080:80', '-p', `${host[4]}:8081:80`);
      await site.agentIn('one', 80);
      await assertTraffic([
        [hostAgent, at('127.0.0.1', 8080), 'one'],
        [outside, at(host[4], 8080), 'refused'],
        [outside, at(host[4], 8081), 'one'],
      ]);
    });

    it('are all closed after many containers came and went at once', async () => {
      site.create('first', ...OURS);
      const names = Array.from({ length: 5 }, (_, i) => `c${i}`);
      const run = (name: string): string => `docker run -d --name ${name} --network first -p 8000-8040:80 ${IMAGE} &`;
      site.host.run('sh', '-c', `export DOCKER_HOST=unix:///run/docker.sock\n${names.map(run).join('\n')}\nwait`);
      const ports = names.flatMap((name) => site.publishedPorts(name));
      assert.deepEqual(ports.sort(), [8000, 8001, 8002, 8003, 8004]);
      site.docker('rm', '-f', ...names);
      await assertTraffic(ports.map((port): Expectation => [outside, at(host[4], port), 'refused']));
    });
  });
}
