import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { binDir, confDir, reference, useTestHost } from '../support/e2e.ts';
import { PODMAN_ENV, type Podman } from '../support/podman.ts';
import { type PodmanSite, usePodmanSite } from '../support/podman-site.ts';
import { rules } from '../support/rules.ts';
import { assertSame } from '../support/snapshot.ts';
import type { TestHost } from '../support/test-host.ts';
import { type Agent, assertTraffic, type Outcome } from '../support/traffic.ts';
import type { Uplink } from '../support/uplink.ts';

/** The list that podman's package brings for its default network. */
const DEFAULT_LIST = `${confDir}/87-podman-bridge.conflist`;

describe("podman's default list: bridge, portmap, firewall, tuning", function () {
  this.timeout(60_000);
  const running = useTestHost(PODMAN_ENV);
  before("the list of podman's package", () => running().write(DEFAULT_LIST, readFileSync(DEFAULT_LIST, 'utf8')));
  describeLists(running);
});

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeLists(running: () => TestHost): void {
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

    it('matches the list in the podman package', () => {
      const list: { plugins: { type: string }[] } = JSON.parse(readFileSync(host.outside(DEFAULT_LIST), 'utf8'));
      assert.deepEqual(
        list.plugins.map(({ type }) => type),
        ['bridge', 'portmap', 'firewall', 'tuning'],
      );
      assert.equal(readFileSync(DEFAULT_LIST, 'utf8'), readFileSync(host.outside(DEFAULT_LIST), 'utf8'));
      assert.match(podman.run('network', 'ls', '--format', '{{.Name}} {{.Driver}}'), /^podman bridge$/m);
    });

    it('publishes a port to outside, host, its 127.0.0.1, other containers and the container itself', async () => {
      podman.start('one', '-p', '8080:80');
      podman.start('two');
      const [one, two] = [await site.agentIn('one'), await site.agentIn('two')];
      const published = { address: uplink.host[4], port: 8080 };
      const bridge = '10.88.0.1';
      await assertTraffic([
        [uplink.agent, published, `one saw ${uplink.address[4]}`],
        [uplink.agent, { ...published, port: 8081 }, 'refused'],
        [uplink.agent, { address: site.addressOf('one'), port: 80 }, 'blocked'],
        [hostAgent, published, 'one'],
        [hostAgent, { address: '127.0.0.1', port: 8080 }, `one saw ${bridge}`],
        [two, published, 'one'],
        [two, { address: bridge, port: 8080 }, 'one'],
        [two, { address: site.addressOf('one'), port: 80 }, `one saw ${site.addressOf('two')}`],
        [one, published, 'one'],
        [one, { address: uplink.address[4], port: 80 }, `outside saw ${uplink.host[4]}`],
        [two, { address: uplink.address[4], port: 80 }, `outside saw ${uplink.host[4]}`],
      ]);
    });

    it('publishes a port on one address only, 127.0.0.1 too', async () => {
      podman.start('one', '-p', '127.0.0.1:8080:80', '-p', `${uplink.host[4]}:8081:80`);
      podman.start('two');
      await site.agentIn('one');
      const two = await site.agentIn('two');
      await assertTraffic([
        [hostAgent, { address: '127.0.0.1', port: 8080 }, 'one'],
        [hostAgent, { address: uplink.host[4], port: 8080 }, 'refused'],
        [hostAgent, { address: uplink.host[4], port: 8081 }, 'one'],
        [hostAgent, { address: '127.0.0.1', port: 8081 }, 'refused'],
        [uplink.agent, { address: uplink.host[4], port: 8080 }, 'refused'],
        [uplink.agent, { address: uplink.host[4], port: 8081 }, 'one'],
        [two, { address: '10.88.0.1', port: 8080 }, 'refused'],
        [two, { address: uplink.host[4], port: 8081 }, 'one'],
      ]);
    });

    it('publishes UDP and ranges', async () => {
      podman.start('one', '-p', '5353:53/udp', '-p', '7000-7003:8000-8003');
      const one = await site.agentIn('one', [8000, 8001, 8002, 8003]);
      await one.serve('udp', 53, site.addressOf('one'));
      const datagram = { protocol: 'udp', port: 5353 } as const;
      const port = (number: number): { address: string; port: number } => ({ address: uplink.host[4], port: number });
      await assertTraffic([
        [uplink.agent, { ...datagram, address: uplink.host[4] }, `one saw ${uplink.address[4]}`],
        [hostAgent, { ...datagram, address: uplink.host[4] }, 'one'],
        [hostAgent, { ...datagram, address: '127.0.0.1' }, 'one'],
        [uplink.agent, { ...port(5353) }, 'refused'],
        ...[7000, 7001, 7002, 7003].map((number): [Agent, ReturnType<typeof port>, Outcome] => [
          uplink.agent,
          port(number),
          'one',
        ]),
        [uplink.agent, port(7004), 'refused'],
      ]);
    });

    it('refuses a host port of another container, names that container, and changes nothing', async function () {
      if (reference) this.skip();
      podman.start('one', '-p', '8080:80');
      await site.agentIn('one');
      const id = podman.inspect('one', '{{.Id}}');
      const before = rules(host);
      const second = podman.tryStart('two', '-p', '8080:80');
      assert.notEqual(second.code, 0);
      assert.match(second.stderr, /8080\/tcp/);
      assert.match(second.stderr, new RegExp(id.slice(0, 12)));
      podman.remove('two');
      assertSame(rules(host), before, 'a container that was refused');
      await assertTraffic([[uplink.agent, { address: uplink.host[4], port: 8080 }, 'one']]);
      // Other protocols and addresses are other ports.
      podman.start('two', '-p', '8080:80/udp');
    });

    it('refuses a host port that a process listens on, and names that process', async function () {
      if (reference) this.skip();
      const listener = await host.start('listener', ['busybox', 'nc', '-l', '-p', '8080'], () => true);
      const refused = podman.tryStart('one', '-p', '8080:80');
      await listener.stop();
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /8080\/tcp.*busybox|busybox.*8080\/tcp/);
    });

    it('keeps the port over `podman network reload`, although podman itself listens on it', async function () {
      if (reference) this.skip();
      podman.start('one', '-p', '8080:80', '-p', '5353:53/udp');
      const one = await site.agentIn('one');
      await one.serve('udp', 53, site.addressOf('one'));
      assert.match(host.run('ss', '-Hlntp', 'sport = :8080'), /conmon/, 'the test means something');
      const before = rules(host);
      const works = (): Promise<void> =>
        assertTraffic([
          [uplink.agent, { address: uplink.host[4], port: 8080 }, 'one'],
          [hostAgent, { address: '127.0.0.1', port: 8080 }, 'one'],
          [uplink.agent, { protocol: 'udp', address: uplink.host[4], port: 5353 }, 'one'],
        ]);
      await works();
      podman.run('network', 'reload', 'one');
      assertSame(rules(host), before, 'podman network reload');
      await works();
      host.run('nft', 'flush', 'ruleset');
      await assertTraffic([[uplink.agent, { address: uplink.host[4], port: 8080 }, 'blocked']]);
      podman.run('network', 'reload', '--all');
      assertSame(rules(host), before, 'podman network reload after a flush');
      await works();
    });

    it('deletes the rules when a container stops, and restores them when it starts', async function () {
      if (reference) this.skip();
      podman.start('one', '-p', '8080:80');
      podman.run('stop', '-t', '0', 'one');
      assertSame(rules(host), site.without, 'podman stop');
      podman.run('start', 'one');
      await site.agentIn('one');
      await assertTraffic([[uplink.agent, { address: uplink.host[4], port: 8080 }, 'one']]);
      podman.run('kill', 'one');
      podman.run('wait', 'one');
      podman.run('restart', '-t', '0', 'one');
      await site.agentIn('one');
      await assertTraffic([[uplink.agent, { address: uplink.host[4], port: 8080 }, 'one']]);
    });

    it('passes for nerdctl as a firewall plugin that can isolate bridges', () => {
      const { code, stdout, stderr } = host.attempt([`${binDir}/firewall`]);
      assert.deepEqual({ code, stdout }, { code: 0, stdout: '' });
      // It looks for a line of stderr with this beginning, then for a semantic version that is 1.1.0 or newer.
      const version = /^CNI firewall plugin v(\d+)\.(\d+)\.\d+(\+[\w.-]+)?$/m.exec(stderr);
      assert.ok(version, stderr);
      assert.ok(Number(version[1]) * 1000 + Number(version[2]) >= 1001, stderr);
    });
  });
}
