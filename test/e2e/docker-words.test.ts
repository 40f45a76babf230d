import { strict as assert } from 'node:assert';
import { builtIn, DRIVER, OURS } from '../support/docker-plugin.ts';
import { type DockerSite, useDockerSite } from '../support/docker-site.ts';
import { useTestHost } from '../support/e2e.ts';
import { IMAGE } from '../support/image.ts';
import type { TestHost } from '../support/test-host.ts';

describe("errors in the words of Docker's users", function () {
  this.timeout(180_000);
  describeWords(useTestHost());
});

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeWords(running: () => TestHost): void {
  describe(`of the driver ${DRIVER}`, () => {
    const made = useDockerSite(running);
    let site: DockerSite;
    before(function () {
      if (builtIn) this.skip();
      site = made();
    });

    const log = (): string[] => site.host.run('cat', '/run/isth/log/isthmus').split('\n');

    it('a conflict names the container and the network that hold a port or an address', () => {
      site.create('web', ...OURS, '--subnet', '10.99.0.0/24');
      site.run('web1', '--network', 'web', '-p', '8080:80', '--ip', '10.99.0.9');
      const runs: [string[], RegExp][] = [
        [['-p', '8080:80'], /host port 8080\/tcp: port is already allocated: container web1 of network web has it/],
        [['-p', '8080-8080:80'], /host ports? 8080.*container web1 of network web/],
        [['--ip', '10.99.0.9'], /10\.99\.0\.9: address already in use: container web1 of network web has it/i],
      ];
      for (const [options, words] of runs) {
        const { code, stderr } = site.tryDocker('run', '--rm', '--network', 'web', ...options, IMAGE, 'true');
        assert.notEqual(code, 0);
        assert.match(stderr, words);
        assert.doesNotMatch(stderr, /attachment|docker-[0-9a-f]{12}|endpoint [0-9a-f]{12}/);
      }
    });

    it('--aux-address DefaultGatewayIPv4: containers use that gateway, and the bridge has its own address', () => {
      for (const ipam of [OURS, []]) {
        const subnet = ['--subnet', '10.99.0.0/24', '--aux-address', 'DefaultGatewayIPv4=10.99.0.254'];
        const { Id } = site.create('web', ...ipam, ...subnet);
        assert.match(site.linkText(`br-${Id.slice(0, 12)}`), /inet 10\.99\.0\.1\/24 /);
        site.run('web1', '--network', 'web');
        assert.match(site.exec('web1', 'ip', 'route'), /^default via 10\.99\.0\.254 /m);
        site.docker('rm', '-f', 'web1');
        site.docker('network', 'rm', 'web');
      }
    });

    it('--subnet of two addresses: the gateway and a container', () => {
      site.create('tiny', ...OURS, '--subnet', '10.99.0.0/31');
      site.run('web1', '--network', 'tiny');
      assert.equal(site.addressOf('web1', 'tiny'), '10.99.0.1');
      site.assertPings('web1', '10.99.0.0');
      const { code, stderr } = site.tryDocker('run', '--rm', '--network', 'tiny', IMAGE, 'true');
      assert.notEqual(code, 0);
      assert.match(stderr, /10\.99\.0\.0\/31: 1 of 1 addresses are leased/);
    });

    it('endpoint.ifname: the interface has the name, where dockerd can number it so', () => {
      site.create('web', ...OURS);
      const option = 'driver-opt=com.docker.network.endpoint.ifname=lan0';
      site.docker('run', '-d', '--name', 'web1', '--network', `name=web,${option}`, IMAGE);
      assert.match(site.exec('web1', 'ip', '-o', 'link'), / lan0[@:]/);
      site.docker('restart', '-t', '0', 'web1');
      assert.match(site.exec('web1', 'ip', '-o', 'link'), / lan0[@:]/);
    });

    it('what is ignored is said once, in one line', () => {
      const options = ['bridge.of_later=up0', 'of.later=1'].map((one) => `com.docker.network.${one}`);
      site.create('web', ...OURS, ...options.flatMap((one) => ['-o', one]));
      site.docker('run', '-d', '--name', 'web1', '--network', 'name=web,driver-opt=k=v', IMAGE);
      const lines = log().filter((line) => line.includes('event=docker.ignored'));
      assert.equal(lines.length, 2, lines.join('\n'));
      assert.match(lines[0] ?? '', /network=\w{12} options="com\S+of_later com\S+of\.later"/);
      assert.match(lines[1] ?? '', /endpoint=\w{12} options=k\b/);
    });

    it('a conflict of networks names the networks', () => {
      site.create('web', ...OURS, '-o', 'com.docker.network.bridge.name=isth-own');
      const words = site.refused(...OURS, '-o', 'com.docker.network.bridge.name=isth-own');
      assert.match(words, /network web\b/);
      assert.doesNotMatch(words, /docker-[0-9a-f]{12}|docker:[0-9a-f]{12}/);
    });
  });
}
