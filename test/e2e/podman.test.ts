import { strict as assert } from 'node:assert';
import { reference, useTestHost } from '../support/e2e.ts';
import { hear, IMAGE, makeImage, say } from '../support/image.ts';
import { installNetwork } from '../support/networks.ts';
import { makePodman, PODMAN_ENV, type Podman } from '../support/podman.ts';
import type { TestHost } from '../support/test-host.ts';

/** `podman inspect`'s NetworkSettings.Networks.<name>. */
interface Attached {
  readonly IPAddress: string;
  readonly MacAddress: string;
  readonly Gateway: string;
}

describe('podman with the CNI backend', function () {
  this.timeout(60_000);
  const running = useTestHost(PODMAN_ENV);
  let host: TestHost;
  let engine: Podman;
  let network = '';
  let address: (last: number) => string;

  const podman = (...args: string[]): string => engine.run(...args);
  const start = (name: string, ...options: string[]): void => engine.start(name, ...options);
  const attached = (name: string): Attached =>
    JSON.parse(podman('inspect', '-f', `{{json (index .NetworkSettings.Networks "${network}")}}`, name));
  const addresses = (name: string): string => podman('exec', name, 'ip', '-o', '-4', 'addr', 'show', 'dev', 'eth0');

  before(() => {
    host = running();
    engine = makePodman(host);
    ({ name: network, address } = installNetwork(host));
  });

  afterEach(() => {
    // In this order: two may live in one's namespace. (No name is the beginning of an id, which podman takes too.)
    engine.remove('three', 'two', 'one');
  });

  it('lists the network', () => {
    assert.match(podman('network', 'ls', '--format', '{{.Name}}'), new RegExp(`^${network}$`, 'm'));
  });

  it('connects two containers, which reach each other by ping and TCP and have the address that inspect shows', () => {
    start('one', '--network', network);
    start('two', '--network', network);
    const [a, b] = [attached('one'), attached('two')];
    assert.notEqual(a.IPAddress, b.IPAddress);
    for (const [name, { IPAddress, MacAddress }] of [
      ['one', a],
      ['two', b],
    ] as const) {
      assert.match(addresses(name), new RegExp(`inet ${IPAddress}/`));
      assert.match(podman('exec', name, 'ip', 'link', 'show', 'eth0'), new RegExp(`link/ether ${MacAddress} `));
    }
    podman('exec', 'one', 'ping', '-c', '1', '-W', '2', b.IPAddress);
    podman('exec', 'two', 'ping', '-c', '1', '-W', '2', a.IPAddress);
    podman('exec', 'one', 'ping', '-c', '1', '-W', '2', a.Gateway);
    podman('exec', '-d', 'two', ...say('from two', 8080));
    assert.equal(podman('exec', 'one', ...hear(b.IPAddress, 8080)), 'from two');
    podman('exec', '-d', 'one', ...say('from one', 8081));
    assert.equal(podman('exec', 'two', ...hear(a.IPAddress, 8081)), 'from one');
  });

  it('assigns the requested address and MAC, and refuses an address in use', function () {
    // podman itself finds no subnet in the reference's short form of the configuration.
    if (reference) this.skip();
    start('one', '--network', network, '--ip', address(77), '--mac-address', '02:42:c0:ff:ee:01');
    assert.match(addresses('one'), new RegExp(`inet ${address(77).replaceAll('.', '\\.')}/`));
    assert.match(podman('exec', 'one', 'ip', 'link', 'show', 'eth0'), /link\/ether 02:42:c0:ff:ee:01 /);
    assert.equal(attached('one').IPAddress, address(77));
    const second = engine.tryStart('two', '--network', network, '--ip', address(77));
    assert.notEqual(second.code, 0);
    assert.match(second.stderr, new RegExp(address(77).replaceAll('.', '\\.')), 'the error names the address');
  });

  it('disconnects and connects a running container', () => {
    start('one', '--network', network);
    start('two', '--network', network);
    podman('network', 'disconnect', network, 'one');
    assert.doesNotMatch(podman('exec', 'one', 'ip', '-o', 'link'), /eth0/);
    podman('network', 'connect', network, 'one');
    podman('exec', 'two', 'ping', '-c', '1', '-W', '2', attached('one').IPAddress);
    assert.match(podman('exec', 'one', 'ip', '-o', 'addr'), new RegExp(`inet ${attached('one').IPAddress}/`));
  });

  it('lets two containers in one namespace meet on localhost', () => {
    start('one', '--network', network);
    start('two', '--network', 'container:one');
    assert.equal(addresses('two'), addresses('one'));
    podman('exec', '-d', 'one', ...say('hello', 8080));
    assert.equal(podman('exec', 'two', ...hear('127.0.0.1', 8080)), 'hello');
  });

  it('lets two containers of a pod meet on localhost, and another container reach the pod', () => {
    podman('load', '-q', '-i', makeImage(host));
    const infra = ['--infra-image', IMAGE, '--infra-command', '/bin/sleep 1000', '--infra-name', 'infra'];
    podman('pod', 'create', '--name', 'p', '--cgroup-parent', `/${host.name}`, '--network', network, ...infra);
    start('one', '--pod', 'p');
    start('two', '--pod', 'p');
    const { IPAddress } = attached('infra');
    assert.match(addresses('one'), new RegExp(`inet ${IPAddress}/`));
    assert.equal(addresses('two'), addresses('one'));
    podman('exec', '-d', 'one', ...say('hello', 8080));
    assert.equal(podman('exec', 'two', ...hear('127.0.0.1', 8080)), 'hello');
    start('three', '--network', network);
    podman('exec', 'three', 'ping', '-c', '1', '-W', '2', IPAddress);
    podman('pod', 'rm', '-f', '-t', '0', 'p');
  });

  it('reloads the network of a running container, which keeps its address', function () {
    if (reference) this.skip();
    start('one', '--network', network);
    const before = attached('one');
    podman('network', 'reload', 'one');
    assert.equal(attached('one').IPAddress, before.IPAddress);
    podman('exec', 'one', 'ping', '-c', '1', '-W', '2', before.Gateway);
  });

  it('attaches a container to two networks, one of them dual stack', function () {
    if (reference) this.skip();
    const dual = installNetwork(host, 'dual-stack', { beside: true }).name;
    start('one', '--network', `${network},${dual}`);
    start('two', '--network', dual);
    // podman chooses at random which of the two is eth0.
    const shown = podman('exec', 'one', 'ip', '-o', 'addr');
    assert.match(shown, /eth[01] +inet 10\.77\./);
    const dualIf = /(eth[01]) +inet 10\.89\./.exec(shown)?.[1] ?? '';
    const other = podman('exec', 'two', 'ip', '-o', 'addr', 'show', 'dev', 'eth0');
    const v4 = /inet (10\.89\.[\d.]+)\//.exec(other)?.[1] ?? '';
    const v6 = /inet6 (fd00:89::[0-9a-f:]+)\/64/.exec(other)?.[1] ?? '';
    podman('exec', 'one', 'ping', '-c', '1', '-W', '2', v4);
    podman('exec', 'one', 'ping', '-6', '-c', '1', '-W', '2', v6);
    podman('network', 'disconnect', dual, 'one');
    assert.doesNotMatch(podman('exec', 'one', 'ip', '-o', 'link'), new RegExp(dualIf));
    assert.match(podman('exec', 'one', 'ip', 'route'), /^default via 10\.77\.0\.1 /m);
    podman('exec', 'one', 'ping', '-c', '1', '-W', '2', attached('one').Gateway);
  });

  it('stops and starts a container again', () => {
    start('one', '--network', network);
    podman('stop', '-t', '0', 'one');
    assert.deepEqual(JSON.parse(host.run('ip', '-j', 'link', 'show', 'type', 'veth')), []);
    podman('start', 'one');
    podman('exec', 'one', 'ping', '-c', '1', '-W', '2', attached('one').Gateway);
  });
});
