import { strict as assert } from 'node:assert';
import { ADDRESS_MANAGERS, DRIVER, OURS, pluginCommand } from '../support/docker-plugin.ts';
import { type DockerSite, useDockerSite } from '../support/docker-site.ts';
import { useTestHost } from '../support/e2e.ts';
import { type TestHost, waitFor } from '../support/test-host.ts';
import { type Agent, assertTraffic, type Outcome, type Target } from '../support/traffic.ts';
import { assertUnbroken } from '../support/unbroken.ts';

describe('restart of dockerd', function () {
  this.timeout(180_000);
  describeRestarts(useTestHost());
});

const CONFIG = '/etc/docker/daemon.json';

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeRestarts(running: () => TestHost): void {
  describe(`with containers on networks of the driver ${DRIVER}`, () => {
    const made = useDockerSite(running);
    let site: DockerSite;
    let host: TestHost;
    before(() => {
      site = made();
      ({ host } = site);
    });
    afterEach('dockerd is there, and keeps no containers alive', async () => {
      if (host.attempt(['rm', CONFIG]).code === 0) reloadDocker();
    });

    const reloadDocker = (): void => void host.run('sh', '-c', 'kill -HUP $(cat /run/isth/dockerd.pid)');
    /** Containers live on without dockerd from now on. */
    const liveRestore = async (): Promise<void> => {
      host.write(CONFIG, JSON.stringify({ 'live-restore': true }));
      reloadDocker();
      const says = (): string => site.docker('info', '--format', '{{.LiveRestoreEnabled}}');
      await waitFor('dockerd has read it', () => says() === 'true');
    };
    const ends: Readonly<Record<string, () => Promise<void>>> = {
      killed: () => site.daemons.killDocker(),
      stopped: () => site.daemons.stopDocker(),
    };
    /** As at shutdown of a machine, except that the kernel keeps running. */
    const killAll = async (): Promise<void> => {
      const ids = site.docker('ps', '-q').split('\n');
      const pids = ids.map((id) => String(site.inspect(id).State.Pid));
      await site.daemons.killDocker();
      host.run('kill', '-KILL', ...pids);
    };
    const outside = (): Target => ({ address: site.uplink.address[4], port: 80 });
    const published = (port: number): Target => ({ address: site.uplink.host[4], port });
    const status = (name: string): string => site.inspect(name).State.Status;
    /**
     * The daemon has the endpoints that dockerd has, and no others. dockerd drops some while it starts, before it finds
     * the plugin, and tells nobody. The daemon asks for them once dockerd is ready.
     */
    const assertAgree = async (...networks: readonly string[]): Promise<void> => {
      const theirs = (): string[] =>
        networks
          .flatMap((name) => Object.values(site.inspectNetwork(name).Containers).map(({ EndpointID }) => EndpointID))
          .sort();
      const ours = (): string[] => {
        const text = host.run(...pluginCommand(), 'endpoint', 'ls', '-o', 'json');
        const listed: readonly { readonly id: string }[] = JSON.parse(text);
        return listed.map(({ id }) => id).sort();
      };
      const agree = (): boolean => theirs().join() === ours().join();
      await waitFor('we agree', agree).catch(() => assert.deepEqual(ours(), theirs()));
    };

    for (const [how, end] of Object.entries({ ...ends, 'killed, and they too': killAll }))
      for (const [whose, options] of Object.entries(ADDRESS_MANAGERS))
        it(`restarts containers with a restart policy after it was ${how} (addresses: ${whose})`, async () => {
          site.create('first', ...options, '--subnet', '10.204.0.0/24');
          site.create('second', ...options);
          const kept = ['--restart', 'always', '--stop-timeout', '0'];
          site.run('one', '--network', 'first', ...kept, '-p', '8080:80');
          site.run('two', '--network', 'first', ...kept, '--ip', '10.204.0.77');
          site.docker('network', 'connect', 'second', 'two');
          site.run('once', '--network', 'first', '--stop-timeout', '0', '-p', '8081:80');
          const before = site.endpoint('one', 'first').EndpointID;
          await end();
          await site.daemons.startDocker();
          assert.deepEqual(['one', 'two', 'once'].map(status), ['running', 'running', 'exited']);
          assert.notEqual(site.endpoint('one', 'first').EndpointID, before);
          await assertAgree('first', 'second');
          site.assertPings('one', 'two');
          site.assertPings('two', 'one');
          assert.equal(site.addressOf('two', 'first'), '10.204.0.77');
          // The port of the one that has ended is free.
          site.run('three', '--network', 'second', '-p', '8081:80');
          site.assertPings('three', 'two');
          const agents = [await site.agentIn('one', 80), await site.agentIn('three', 80)];
          await assertTraffic([
            ...agents.map((agent) => [agent, outside(), `outside saw ${site.uplink.host[4]}`] as const),
            [site.uplink.agent, published(8080), `one saw ${site.uplink.address[4]}`],
            [site.uplink.agent, published(8081), `three saw ${site.uplink.address[4]}`],
          ]);
        });

    for (const [how, end] of Object.entries(ends))
      it(`keeps containers running under live-restore after it was ${how}`, async () => {
        await liveRestore();
        site.create('first', ...OURS);
        site.create('second');
        site.run('one', '--network', 'first', '-p', '8080:80');
        site.run('two', '--network', 'first', '--restart', 'always');
        site.docker('network', 'connect', 'second', 'two');
        const [one, two] = [await site.agentIn('one', 80), await site.agentIn('two', 80)];
        const before = [site.inspect('one'), site.inspect('two')];
        const ways: readonly [Agent, Target, Outcome][] = [
          [one, outside(), `outside saw ${site.uplink.host[4]}`],
          [site.uplink.agent, published(8080), `one saw ${site.uplink.address[4]}`],
          [two, { address: site.addressOf('one', 'first'), port: 80 }, `one saw ${site.addressOf('two', 'first')}`],
        ];
        await assertUnbroken(ways, async () => {
          await end();
          await site.daemons.startDocker();
        });
        assert.deepEqual(
          [site.inspect('one'), site.inspect('two')].map(({ NetworkSettings: { Networks } }) => Networks),
          before.map(({ NetworkSettings: { Networks } }) => Networks),
        );
        await assertAgree('first', 'second');
        site.assertPings('one', 'two');
        site.run('three', '--network', 'second');
        site.assertPings('three', 'two');
        site.docker('network', 'disconnect', 'second', 'two');
        site.docker('stop', '-t', '0', 'one');
        site.docker('start', 'one');
        site.docker('restart', '-t', '0', 'two');
        await assertAgree('first', 'second');
        site.assertPings('two', 'one');
      });
  });
}
