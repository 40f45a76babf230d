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

    it('a conflict of networks names the networks', () => {
      site.create('web', ...OURS, '-o', 'com.docker.network.bridge.name=isth-own');
      const words = site.refused(...OURS, '-o', 'com.docker.network.bridge.name=isth-own');
      assert.match(words, /network web\b/);
      assert.doesNotMatch(words, /docker-[0-9a-f]{12}|docker:[0-9a-f]{12}/);
    });
  });
}
