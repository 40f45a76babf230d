import { strict as assert } from 'node:assert';
import { hostState, useTestHost } from '../support/e2e.ts';
import { REMOTE_IPAM, remoteCalls } from '../support/remote-calls.ts';
import { buildSdkPlugin, type SdkPlugin, sdkMissing, startSdkPlugin } from '../support/sdk-plugin.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import type { TestHost } from '../support/test-host.ts';
import { built, daemonFile } from '../support/via.ts';

const SOCKETS = ['/run/docker/plugins/gp.sock', '/run/docker/plugins/gpipam.sock'];

describe('a Docker plugin that is gone for good', function () {
  this.timeout(240_000);
  const running = useTestHost();
  let host: TestHost;
  let plugin: SdkPlugin;
  let untouched: string;
  const calls = remoteCalls(() => host);
  const verb = (...args: string[]) => host.attempt(['isthmus', ...args]);
  const links = () => host.run('ip', '-br', 'link');

  before(function () {
    this.timeout(300_000);
    skipIf(this, sdkMissing());
    buildSdkPlugin();
    host = running();
    host.run('ln', '-s', built(daemonFile), '/usr/bin/isthmus');
    untouched = hostState(host);
  });
  beforeEach(async () => {
    plugin = await startSdkPlugin(host);
    host.run('ip', 'netns', 'add', 'one');
    calls.call('ADD', 'one');
  });
  afterEach(async () => {
    plugin = await startSdkPlugin(host);
    calls.attempt('DEL', 'one');
    host.run('ip', 'netns', 'delete', 'one');
    await plugin.stop();
    host.run('sh', '-c', 'rmdir /run/netns 2>/dev/null; true');
    for (const link of links().match(/^g[pio]\w+/gm) ?? []) host.attempt(['ip', 'link', 'delete', link]);
    assertSame(hostState(host), untouched, 'the calls');
  });

  /** As its package does: nothing of the plugin is on the host any more. */
  async function uninstall(): Promise<void> {
    await plugin.stop();
    host.run('rm', '-f', ...SOCKETS);
  }

  it('DEL succeeds, doctor says what the plugin still has, and network rm --force forgets it', async () => {
    await uninstall();
    calls.call('DEL', 'one');
    assert.doesNotMatch(host.run('ip', '-n', 'one', 'link'), /eth0/);
    calls.call('DEL', 'one');
    const doctor = verb('doctor', '-o', 'json').stdout;
    assert.match(doctor, /plugin-left/);
    assert.match(doctor, /gp and gpipam still has endpoint [0-9a-f]{12} with 10\.77\.1\.2\/24/);
    const { code, stdout, stderr } = verb('network', 'rm', '--force', 'net');
    assert.deepEqual([code, stdout], [0, 'net\n'], stderr);
    assert.match(
      stderr,
      /network net: forgotten: endpoint .* 10\.77\.1\.2\/24, which plugin gp and gpipam may still have/,
    );
    assert.match(stderr, /network net: forgotten: network .* with 10\.77\.1\.0\/24/);
    assert.doesNotMatch(verb('doctor', '-o', 'json').stdout, /plugin-left/);
    assert.match(verb('network', 'rm', '--force', 'net').stderr, /network net: there is no network of this name/);
  });

  it('DEL succeeds for a bridge with its addresses, too', async () => {
    const bridged = calls.with({
      ...{ cniVersion: '1.1.0', name: 'bridged', type: 'isthmus', bridge: 'br0', isGateway: true },
      ipam: REMOTE_IPAM,
    });
    host.run('ip', 'netns', 'add', 'two');
    try {
      bridged.call('ADD', 'two');
      await uninstall();
      bridged.call('DEL', 'two');
      assert.doesNotMatch(links(), /br0/);
      assert.match(verb('network', 'rm', '--force', 'bridged').stderr, /forgotten: endpoint .*plugin gpipam/);
    } finally {
      host.run('ip', 'netns', 'delete', 'two');
    }
  });

  it('what DEL left is deleted once the plugin is there again', async () => {
    await uninstall();
    calls.call('DEL', 'one');
    plugin = await startSdkPlugin(host);
    host.run('isthmus', 'reload');
    assert.deepEqual(
      plugin.calls().filter((call) => /^(Leave|DeleteEndpoint|DeleteNetwork)$/.test(call)),
      ['Leave', 'DeleteEndpoint', 'DeleteNetwork'],
    );
    assert.doesNotMatch(verb('doctor', '-o', 'json').stdout, /plugin-left/);
  });

  it('with its socket there: DEL says so each time, until endpoint rm --force forgets it', async () => {
    assert.match(verb('endpoint', 'rm', 'one').stderr, /its namespace .*one is there, so that it may be running/);
    await plugin.stop();
    assert.equal(calls.refused('DEL', 'one').code, 50);
    const { code, stdout, stderr } = verb('endpoint', 'rm', 'one');
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /plugin gp: is not running.*\n.*isthmus endpoint rm --force/s);
    const forced = verb('endpoint', 'rm', '--force', 'one');
    assert.deepEqual([forced.code, forced.stdout], [0, 'one\n'], forced.stderr);
    assert.match(forced.stderr, /isthmus: forgotten: .*plugin gp: is not running/);
    assert.doesNotMatch(verb('endpoint', 'ls').stdout, /one/);
    assert.match(verb('network', 'rm', '--force', 'net').stderr, /forgotten: network/);
    assert.doesNotMatch(verb('doctor', '-o', 'json').stdout, /plugin-left|call-unfinished/);
  });

  it('a network of the operator: network rm says so, and --force forgets it', async () => {
    host.run('isthmus', 'network', 'create', 'acme', '--driver', 'remote', '--plugin', 'gp', '--ipam', 'gpipam');
    calls.call('DEL', 'one');
    await uninstall();
    const { code, stderr } = verb('network', 'rm', 'acme');
    assert.equal(code, 1);
    assert.match(stderr, /plugin gp: is not running: neither .*isthmus network rm --force acme/s);
    const forced = verb('network', 'rm', '--force', 'acme');
    assert.deepEqual([forced.code, forced.stdout], [0, 'acme\n'], forced.stderr);
  });
});
