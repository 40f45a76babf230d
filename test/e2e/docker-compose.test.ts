import { strict as assert } from 'node:assert';
import { existsSync } from 'node:fs';
import { ADDRESS_MANAGERS, DRIVER, OURS } from '../support/docker-plugin.ts';
import { type DockerSite, useDockerSite } from '../support/docker-site.ts';
import { useTestHost } from '../support/e2e.ts';
import { IMAGE } from '../support/image.ts';
import { skipIf } from '../support/skip.ts';
import type { Attempt, TestHost } from '../support/test-host.ts';
import { assertTraffic } from '../support/traffic.ts';

describe('docker-compose, and containers that share a namespace or a name', function () {
  this.timeout(180_000);
  describeCompositions(useTestHost());
});

const COMPOSE = '/usr/bin/docker-compose';
const PROJECT = '/run/isth/project';

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeCompositions(running: () => TestHost): void {
  describe(`on networks of the driver ${DRIVER}`, () => {
    const made = useDockerSite(running);
    let site: DockerSite;
    before(() => {
      site = made();
    });

    const compose = (...words: readonly string[]): Attempt => {
      const env = { DOCKER_HOST: 'unix:///run/docker.sock', COMPOSE_PROJECT_NAME: 'shop' };
      const ran = site.host.attempt([COMPOSE, '-f', `${PROJECT}/docker-compose.yml`, ...words], { env });
      assert.equal(ran.code, 0, `docker-compose ${words.join(' ')}: ${ran.stdout}${ran.stderr}`);
      return ran;
    };
    /** Containers of the project as compose 1 names them, or as later ones do. */
    const names = <const T extends readonly string[]>(...services: T): { [K in keyof T]: string } => {
      const first = site.host.run(COMPOSE, 'version', '--short').startsWith('1.');
      return services.map((name) => (first ? `shop_${name}` : `shop-${name.replace('_', '-')}`)) as never;
    };

    describe('docker-compose', () => {
      before(function () {
        skipIf(this, existsSync(COMPOSE) ? undefined : 'docker-compose is missing: install docker-compose');
      });

      for (const whose of Object.keys(ADDRESS_MANAGERS)) {
        it(`services of the default network reach each other by name (addresses: ${whose})`, async () => {
          const ipam = whose === 'ours' ? { ipam: { driver: DRIVER } } : {};
          const file = {
            version: '3.7',
            services: {
              web: { image: IMAGE, ports: ['8080:80'], depends_on: ['db'] },
              db: { image: IMAGE, networks: { default: { aliases: ['database'] }, back: null } },
              worker: { image: IMAGE, networks: ['back'] },
            },
            // YAML is a superset of JSON.
            networks: { default: { driver: DRIVER, ...ipam }, back: { driver: DRIVER, internal: true, ...ipam } },
          };
          site.host.write(`${PROJECT}/docker-compose.yml`, JSON.stringify(file));
          compose('up', '-d');
          const [web1, db1, worker1, worker2] = names('web_1', 'db_1', 'worker_1', 'worker_2');
          for (const name of ['db', 'database', db1]) site.assertPings(web1, name);
          site.assertPings(db1, 'web');
          site.assertPings(db1, 'worker');
          site.assertPings(worker1, 'db');
          site.assertSilent(worker1, site.addressOf(web1, 'shop_default'));
          const web = await site.agentIn(web1, 80);
          await assertTraffic([
            [site.uplink.agent, { address: site.uplink.host[4], port: 8080 }, web1],
            [web, { address: site.uplink.address[4], port: 80 }, 'outside'],
          ]);
          compose('up', '-d', '-t', '0', '--scale', 'worker=2', '--force-recreate');
          site.assertPings(worker2, 'db');
          compose('down', '-t', '0');
          site.assertClean('docker-compose down');
        });
      }
    });

    it('--network container:x: both serve on the same interfaces', async () => {
      site.create('first', ...OURS);
      site.run('one', '--network', 'first', '-p', '8080:80');
      site.run('guest', '--network', 'container:one');
      site.run('two', '--network', 'first');
      const address = site.addressOf('one', 'first');
      assert.ok(site.exec('guest', 'ip', 'addr').includes(address));
      site.docker('exec', '-d', 'guest', 'nc', '-ll', '-p', '80', '-e', 'echo', 'guest here');
      site.assertPings('guest', 'two');
      const heard = (): string => site.exec('two', 'nc', '-w', '2', address, '80');
      assert.equal(heard(), 'guest here');
      site.docker('rm', '-f', 'guest');
      site.assertPings('one', 'two');
    });

    it('--link: reaches the other by its alias, which no other container can resolve', () => {
      site.create('first', ...OURS);
      site.run('one', '--network', 'first');
      site.run('two', '--network', 'first', '--link', 'one:uno');
      // Nobody answers for names that dockerd does not know.
      site.run('three', '--network', 'first', '--dns-opt', 'timeout:1', '--dns-opt', 'attempts:1');
      site.assertPings('two', 'uno');
      assert.notEqual(site.tryDocker('exec', 'three', 'ping', '-c', '1', '-W', '1', 'uno').code, 0);
    });

    it('--network-alias: each network resolves one name to its own containers', () => {
      for (const name of ['first', 'second']) site.create(name, ...OURS);
      for (const name of ['one', 'two']) site.run(name, '--network', 'first', '--network-alias', 'web');
      site.run('other', '--network', 'second', '--network-alias', 'web');
      site.run('asker', '--network', 'first');
      const answers = site.exec('asker', 'nslookup', 'web', '127.0.0.11');
      const expected = ['one', 'two'].map((name) => site.addressOf(name, 'first'));
      for (const address of expected) assert.ok(answers.includes(address), `${answers}\nhas ${address}`);
      assert.ok(!answers.includes(site.addressOf('other', 'second')), answers);
    });
  });
}
