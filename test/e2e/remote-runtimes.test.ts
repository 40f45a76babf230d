import { strict as assert } from 'node:assert';
import { importImage, startContainerd } from '../support/containerd.ts';
import { docker, dockerMissing, flushRules, loadImage, startDocker, tryDocker } from '../support/docker.ts';
import { blocksOf, readPage } from '../support/docs.ts';
import { confDir, useTestHost } from '../support/e2e.ts';
import { IMAGE } from '../support/image.ts';
import { addressOf, remoteCalls } from '../support/remote-calls.ts';
import { buildSdkPlugin, type SdkPlugin, sdkMissing, startSdkPlugin } from '../support/sdk-plugin.ts';
import { skipIf } from '../support/skip.ts';
import type { Daemon, TestHost } from '../support/test-host.ts';
import { built, daemonFile } from '../support/via.ts';

const CONFIG = blocksOf(readPage('docs/remote.md')).find(({ language }) => language === 'json')?.text ?? '{}';

describe('a Docker plugin', function () {
  this.timeout(120_000);
  const running = useTestHost();
  let host: TestHost;
  let plugin: SdkPlugin;

  const call = (command: 'ADD' | 'DEL', pod: string) => remoteCalls(() => host, CONFIG).call(command, pod);
  const links = (): string => host.run('ip', '-br', 'link');

  before(function () {
    this.timeout(300_000);
    skipIf(this, sdkMissing());
    buildSdkPlugin();
    host = running();
    host.run('ln', '-s', built(daemonFile), '/usr/bin/isthmus');
  });
  beforeEach(async () => {
    plugin = await startSdkPlugin(host, 'acme');
  });
  afterEach(async () => {
    await plugin.stop();
    assert.doesNotMatch(links(), /^g[pio]/m, 'links of the plugin');
  });

  it('has a network that the operator makes, as docs/remote.md shows, and that pods join', () => {
    const [create = '', list = '', remove = ''] = blocksOf(readPage('docs/remote.md'))
      .filter(({ run }) => run)
      .flatMap(({ text }) => text.trim().split('\n'));
    host.run('sh', '-c', create);
    assert.deepEqual(plugin.calls().slice(0, 1), ['RequestPool']);
    assert.match(host.run('sh', '-c', list), /acme +remote/);
    host.run('ip', 'netns', 'add', 'one');
    try {
      assert.equal(addressOf(call('ADD', 'one')), '10.77.1.2');
      call('DEL', 'one');
      assert.doesNotMatch(plugin.calls().join(), /DeleteNetwork/, 'the operator keeps it');
      host.run('sh', '-c', remove);
      assert.deepEqual(plugin.calls(), ['ReleaseAddress', 'ReleasePool', 'DeleteNetwork']);
    } finally {
      host.run('ip', 'netns', 'delete', 'one');
      host.run('sh', '-c', 'rmdir /run/netns 2>/dev/null; true');
    }
  });

  it('refuses a network of the operator whose plugin fails, and leaves nothing of it', () => {
    plugin.fail({ CreateNetwork: 'no more networks' });
    const create = ['isthmus', 'network', 'create', 'acme', '--driver', 'remote', '--plugin', 'acme'];
    const { code, stderr } = host.attempt([...create, '--ipam', 'acmeipam']);
    assert.equal(code, 1);
    assert.match(stderr, /NetworkDriver\.CreateNetwork plugin acme: failed \(no more networks\)/);
    assert.match(plugin.calls().join(), /ReleaseAddress,ReleasePool$/);
    assert.doesNotMatch(host.run('isthmus', 'network', 'ls'), /acme/);
  });

  it('serves dockerd and pods at once', async function () {
    skipIf(this, dockerMissing());
    const daemon = await startDocker(host);
    try {
      loadImage(host);
      docker(host, 'network', 'create', '-d', 'acme', '--ipam-driver', 'acmeipam', 'theirs');
      host.run('ip', 'netns', 'add', 'one');
      const ours = addressOf(call('ADD', 'one'));
      docker(host, 'run', '-d', '--name', 'first', '--network', 'theirs', IMAGE, 'sleep', '600');
      assert.match(docker(host, 'exec', 'first', 'ip', '-4', 'addr', 'show', 'eth0'), /inet 10\.77\.1\.2\/24/);
      assert.equal(ours, '10.77.2.2');
      docker(host, 'exec', 'first', 'ping', '-c', '1', '-W', '2', '10.77.1.1');
      host.run('ip', 'netns', 'exec', 'one', 'busybox', 'ping', '-c', '1', '-W', '2', '10.77.2.1');
      docker(host, 'rm', '-f', 'first');
      host.run('ip', 'netns', 'exec', 'one', 'busybox', 'ping', '-c', '1', '-W', '2', '10.77.2.1');
      docker(host, 'run', '-d', '--name', 'second', '--network', 'theirs', IMAGE, 'sleep', '600');
      call('DEL', 'one');
      docker(host, 'exec', 'second', 'ping', '-c', '1', '-W', '2', '10.77.1.1');
      docker(host, 'rm', '-f', 'second');
    } finally {
      tryDocker(host, 'rm', '-f', 'first', 'second');
      docker(host, 'network', 'rm', 'theirs');
      call('DEL', 'one');
      host.attempt(['ip', 'netns', 'delete', 'one']);
      await daemon.stop();
      host.attempt(['sh', '-c', 'ip link delete docker0; rm -rf /run/docker/netns; rmdir /run/netns']);
      flushRules(host);
    }
  });

  it('connects containers of ctr run --cni', async () => {
    host.run('sh', '-c', `rm -f ${confDir}/*`);
    const { cniVersion, name, ...element } = JSON.parse(CONFIG);
    host.write(`${confDir}/10-acme.conflist`, JSON.stringify({ cniVersion: '1.0.0', name, plugins: [element] }));
    const containerd = await startContainerd(host);
    try {
      importImage(host, host.name);
      const ctr = (...args: string[]): string => host.run('ctr', '-n', host.name, ...args).trim();
      const start = (id: string): Promise<Daemon> =>
        host.start(
          `ctr-${id}`,
          ['ctr', '-n', host.name, 'run', '--rm', '--cni', '--snapshotter', 'native', IMAGE, id],
          () => new RegExp(`^${id} .*RUNNING`, 'm').test(host.attempt(['ctr', '-n', host.name, 'task', 'ls']).stdout),
        );
      const runs = [await start('a'), await start('b')];
      ctr('task', 'exec', '--exec-id', 'x', 'a', 'ping', '-c', '1', '-W', '2', '10.77.1.3');
      for (const id of ['a', 'b']) ctr('task', 'kill', '-s', 'KILL', id);
      for (const { ended } of runs) await ended;
      assert.match(plugin.calls().join(), /ReleaseAddress,ReleasePool,DeleteNetwork$/);
    } finally {
      await containerd.stop();
      host.run('rm', '-f', `${confDir}/10-acme.conflist`);
    }
  });
});
