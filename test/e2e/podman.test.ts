import { strict as assert } from 'node:assert';
import { binDir, confDir, reference, useTestHost } from '../support/e2e.ts';
import { hear, makeRootfs, say } from '../support/image.ts';
import { installNetwork } from '../support/networks.ts';
import type { TestHost } from '../support/test-host.ts';

const CONF = '/run/isth/containers.conf';
const ROOTFS = '/run/isth/rootfs';

/** `podman inspect`'s NetworkSettings.Networks.<name>. */
interface Attached {
  readonly IPAddress: string;
  readonly MacAddress: string;
  readonly Gateway: string;
}

describe('podman with the CNI backend', function () {
  this.timeout(60_000);
  const running = useTestHost({ CONTAINERS_CONF: CONF, STORAGE_DRIVER: 'vfs' });
  let host: TestHost;
  let network = '';
  let address: (last: number) => string;

  const podman = (...args: string[]): string => host.run('podman', ...args).trim();
  const start = (name: string, ...options: string[]): string =>
    podman(
      'run',
      '-d',
      '--name',
      name,
      '--cgroup-parent',
      `/${host.name}`,
      ...options,
      '--rootfs',
      ROOTFS,
      'sleep',
      '1000',
    );
  const attached = (name: string): Attached =>
    JSON.parse(podman('inspect', '-f', `{{json (index .NetworkSettings.Networks "${network}")}}`, name));
  const addresses = (name: string): string => podman('exec', name, 'ip', '-o', '-4', 'addr', 'show', 'dev', 'eth0');

  before(() => {
    host = running();
    host.write(CONF, config());
    makeRootfs(host, ROOTFS);
    ({ name: network, address } = installNetwork(host));
  });

  afterEach(() => {
    // In this order: b may live in a's namespace.
    podman('rm', '-f', '-t', '0', '--ignore', 'b');
    podman('rm', '-f', '-t', '0', '--ignore', 'a');
  });

  it('lists the network', () => {
    assert.match(podman('network', 'ls', '--format', '{{.Name}}'), new RegExp(`^${network}$`, 'm'));
  });

  it('connects two containers, which reach each other by ping and TCP and have the address that inspect shows', () => {
    start('a', '--network', network);
    start('b', '--network', network);
    const [a, b] = [attached('a'), attached('b')];
    assert.notEqual(a.IPAddress, b.IPAddress);
    for (const [name, { IPAddress, MacAddress }] of [
      ['a', a],
      ['b', b],
    ] as const) {
      assert.match(addresses(name), new RegExp(`inet ${IPAddress}/`));
      assert.match(podman('exec', name, 'ip', 'link', 'show', 'eth0'), new RegExp(`link/ether ${MacAddress} `));
    }
    podman('exec', 'a', 'ping', '-c', '1', '-W', '2', b.IPAddress);
    podman('exec', 'b', 'ping', '-c', '1', '-W', '2', a.IPAddress);
    podman('exec', 'a', 'ping', '-c', '1', '-W', '2', a.Gateway);
    podman('exec', '-d', 'b', ...say('from b', 8080));
    assert.equal(podman('exec', 'a', ...hear(b.IPAddress, 8080)), 'from b');
    podman('exec', '-d', 'a', ...say('from a', 8081));
    assert.equal(podman('exec', 'b', ...hear(a.IPAddress, 8081)), 'from a');
  });

  it('gives the address and the MAC that were asked for, and refuses an address that is taken', function () {
    // podman itself finds no subnet in the reference's short form of the configuration.
    if (reference) this.skip();
    start('a', '--network', network, '--ip', address(77), '--mac-address', '02:42:c0:ff:ee:01');
    assert.match(addresses('a'), new RegExp(`inet ${address(77).replaceAll('.', '\\.')}/`));
    assert.match(podman('exec', 'a', 'ip', 'link', 'show', 'eth0'), /link\/ether 02:42:c0:ff:ee:01 /);
    assert.equal(attached('a').IPAddress, address(77));
    const second = host.attempt([
      'podman',
      'run',
      '--rm',
      '--network',
      network,
      '--ip',
      address(77),
      '--rootfs',
      ROOTFS,
      'true',
    ]);
    assert.notEqual(second.code, 0);
    assert.match(second.stderr, new RegExp(address(77).replaceAll('.', '\\.')), 'the error names the address');
  });

  it('disconnects and connects a running container', () => {
    start('a', '--network', network);
    start('b', '--network', network);
    podman('network', 'disconnect', network, 'a');
    assert.doesNotMatch(podman('exec', 'a', 'ip', '-o', 'link'), /eth0/);
    podman('network', 'connect', network, 'a');
    podman('exec', 'b', 'ping', '-c', '1', '-W', '2', attached('a').IPAddress);
    assert.match(podman('exec', 'a', 'ip', '-o', 'addr'), new RegExp(`inet ${attached('a').IPAddress}/`));
  });

  it('lets two containers of one namespace meet on localhost', () => {
    start('a', '--network', network);
    start('b', '--network', 'container:a');
    assert.equal(addresses('b'), addresses('a'));
    podman('exec', '-d', 'a', ...say('hello', 8080));
    assert.equal(podman('exec', 'b', ...hear('127.0.0.1', 8080)), 'hello');
  });

  it('attaches a container to two networks, one of them dual stack', function () {
    if (reference) this.skip();
    const dual = installNetwork(host, 'dual-stack', { beside: true }).name;
    start('a', '--network', `${network},${dual}`);
    start('b', '--network', dual);
    const [one, two] = [podman('exec', 'a', 'ip', '-o', 'addr'), podman('exec', 'b', 'ip', '-o', 'addr')];
    assert.match(one, /eth0 +inet 10\.88\./);
    assert.match(one, /eth1 +inet 10\.89\./);
    const v6 = /eth0 +inet6 (fd00:89::[0-9a-f:]+)\/64/.exec(two)?.[1];
    const v4 = /eth0 +inet (10\.89\.[\d.]+)\//.exec(two)?.[1];
    assert.ok(v6 && v4, two);
    podman('exec', 'a', 'ping', '-c', '1', '-W', '2', v4);
    podman('exec', 'a', 'ping', '-6', '-c', '1', '-W', '2', v6);
    podman('network', 'disconnect', dual, 'a');
    assert.doesNotMatch(podman('exec', 'a', 'ip', '-o', 'link'), /eth1/);
    podman('exec', 'a', 'ping', '-c', '1', '-W', '2', attached('a').Gateway);
  });

  it('stops and starts a container again', () => {
    start('a', '--network', network);
    podman('stop', '-t', '0', 'a');
    assert.deepEqual(JSON.parse(host.run('ip', '-j', 'link', 'show', 'type', 'veth')), []);
    podman('start', 'a');
    podman('exec', 'a', 'ping', '-c', '1', '-W', '2', attached('a').Gateway);
  });
});

/** Without systemd, and within the limits on processes that a confined machine has. */
function config(): string {
  return `[network]
network_backend = "cni"
cni_plugin_dirs = ["${binDir}"]
network_config_dir = "${confDir}"
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
[containers]
default_ulimits = ["nofile=1024:2048", "nproc=1024:2048"]
`;
}
