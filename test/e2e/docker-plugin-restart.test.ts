import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { DRIVER, OURS, pluginCommand, startActivated } from '../support/docker-plugin.ts';
import { type DockerSite, useDockerSite } from '../support/docker-site.ts';
import { useTestHost } from '../support/e2e.ts';
import { IMAGE } from '../support/image.ts';
import { type TestHost, waitFor } from '../support/test-host.ts';
import { type Agent, assertTraffic, type Outcome, type Target } from '../support/traffic.ts';
import { assertUnbroken } from '../support/unbroken.ts';

describe('restart of the daemon while dockerd runs containers', function () {
  this.timeout(180_000);
  describeRestarts(useTestHost());
});

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeRestarts(running: () => TestHost): void {
  describe(`on networks of the driver ${DRIVER}`, () => {
    const made = useDockerSite(running);
    let site: DockerSite;
    let host: TestHost;
    before(() => {
      site = made();
      ({ host } = site);
    });

    const outside = (): Target => ({ address: site.uplink.address[4], port: 80 });
    const published = (port: number): Target => ({ address: site.uplink.host[4], port });
    const gateway = (): string => site.endpoint('one', 'first').Gateway;
    /** How often a daemon has logged an event. */
    const logged = (event: string): number =>
      readFileSync(host.outside('/run/isth/log/isthmus'), 'utf8').split(`event=${event} `).length - 1;
    const endpoints = (): readonly { readonly id: string }[] =>
      JSON.parse(host.run(...pluginCommand(), 'endpoint', 'ls', '-o', 'json'));
    const makeTwo = async (): Promise<[Agent, Agent]> => {
      site.create('first', ...OURS);
      site.run('one', '--network', 'first', '--stop-timeout', '0', '-p', '8080:80', '-p', '8080:80/udp');
      site.run('two', '--network', 'first', '--stop-timeout', '0');
      return [await site.agentIn('one', 80), await site.agentIn('two', 80)];
    };
    const waysOf = ([one, two]: readonly [Agent, Agent]): [Agent, Target, Outcome][] => [
      [one, outside(), `outside saw ${site.uplink.host[4]}`],
      [site.uplink.agent, published(8080), `one saw ${site.uplink.address[4]}`],
      [site.hostAgent, { address: '127.0.0.1', port: 8080 }, `one saw ${gateway()}`],
      [two, { address: site.addressOf('one', 'first'), port: 80 }, `one saw ${site.addressOf('two', 'first')}`],
    ];
    /** Repeats a daemon's work for dockerd. */
    const assertServes = async (): Promise<void> => {
      site.run('three', '--network', 'first', '-p', '8081:80');
      await site.agentIn('three', 80);
      site.assertPings('three', 'one');
      await assertTraffic([[site.uplink.agent, published(8081), `three saw ${site.uplink.address[4]}`]]);
      assert.equal(endpoints().length, 3);
      const address = site.addressOf('two', 'first');
      for (const name of ['two', 'three']) site.docker('rm', '-f', name);
      await assertTraffic([[site.uplink.agent, published(8081), 'blocked']]);
      site.assertSilent('one', address);
      site.docker('stop', '-t', '0', 'one');
      assert.equal(endpoints().length, 0);
      await assertTraffic([[site.uplink.agent, published(8080), 'blocked']]);
      site.docker('start', 'one');
      site.assertPings('one', site.uplink.address[4]);
    };

    for (const [how, end] of Object.entries({
      killed: () => site.daemons.killPlugin(),
      stopped: () => site.daemons.stopPlugin(),
    }))
      it(`traffic continues when it is ${how}, and the next daemon keeps the state`, async () => {
        await assertUnbroken(waysOf(await makeTwo()), async () => {
          for (let i = 0; i < 3; i++) {
            await end();
            await site.daemons.startPlugin();
          }
        });
        await assertServes();
      });

    it('a kill while containers start and end loses nothing permanently', async () => {
      await makeTwo();
      const names = Array.from({ length: 6 }, (_, i) => `c${i}`);
      const old = names.map((name) => `old-${name}`);
      for (const name of old) site.run(name, '--network', 'first');
      const script = [
        ...names.map((name, i) => `docker run -d --name ${name} --network first -p ${9000 + i}:80 ${IMAGE} &`),
        ...old.map((name) => `docker rm -f ${name} &`),
      ].join('\n');
      const work = `export DOCKER_HOST=unix:///run/docker.sock\n(${script}\nwait; touch /run/isth/done) >/dev/null 2>&1 &`;
      const before = logged('NetworkDriver.CreateEndpoint');
      host.run('sh', '-c', `rm -f /run/isth/done; ${work}`);
      await waitFor('some of them are on their way', () => logged('NetworkDriver.CreateEndpoint') > before + 1);
      await site.daemons.killPlugin();
      await site.daemons.startPlugin();
      await waitFor('all have been tried', () => host.attempt(['ls', '/run/isth/done']).code === 0, 50_000);
      const there = site.docker('ps', '--format', '{{.Names}}').split('\n');
      for (const name of names) {
        // A request that failed succeeds when it is repeated.
        if (!there.includes(name)) site.docker('start', name);
        site.assertPings('one', site.addressOf(name, 'first'));
        site.assertPings(name, 'two');
        assert.equal(site.publishedPorts(name).length, 1);
      }
      const addresses = ['one', 'two', ...names].map((name) => site.addressOf(name, 'first'));
      assert.equal(new Set(addresses).size, addresses.length, addresses.join(' '));
    });

    it('dockerd starts it through systemd sockets when dockerd restarts containers', async () => {
      await makeTwo();
      site.docker('update', '--restart', 'always', 'one', 'two');
      for (const dockerEnds of [() => site.daemons.killDocker(), () => site.daemons.stopDocker()]) {
        await dockerEnds();
        await site.daemons.stopPlugin();
        site.daemons.usePlugin(await startActivated(host));
        const before = logged('daemon.start');
        await site.daemons.startDocker();
        assert.equal(logged('daemon.start'), before + 1);
        site.assertPings('one', 'two');
        site.assertPings('two', 'one');
        // dockerd may have dropped some without a word, before it found the plugin.
        await waitFor('those of before are gone', () => endpoints().length === 2);
        const one = await site.agentIn('one', 80);
        await assertTraffic([
          [one, outside(), `outside saw ${site.uplink.host[4]}`],
          [site.uplink.agent, published(8080), `one saw ${site.uplink.address[4]}`],
        ]);
      }
      await site.daemons.stopPlugin();
      await site.daemons.startPlugin();
    });
  });
}
