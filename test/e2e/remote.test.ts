import { strict as assert } from 'node:assert';
import { binDir, hostState, useTestHost } from '../support/e2e.ts';
import { addressOf, type Command, type Config, REMOTE, REMOTE_IPAM, remoteCalls } from '../support/remote-calls.ts';
import { buildSdkPlugin, type SdkPlugin, sdkMissing, startSdkPlugin } from '../support/sdk-plugin.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import type { TestHost } from '../support/test-host.ts';

const BRIDGE: Config = {
  ...{ cniVersion: '1.1.0', name: 'bridged', type: 'isthmus', bridge: 'br0', isGateway: true },
  ipam: { ...REMOTE_IPAM, routes: [{ dst: '0.0.0.0/0' }] },
};
const PODS = ['one', 'two'];
/** Calls a plugin for both pods at once. */
const BOTH = `for pod in one two; do
  CNI_CONTAINERID=$pod CNI_NETNS=/run/netns/$pod "$1" </run/isth/config & done; wait; rm /run/isth/config`;

describe("plugins on Docker's SDK", function () {
  this.timeout(120_000);
  const running = useTestHost();
  let host: TestHost;
  let plugin: SdkPlugin;
  let untouched: string;

  const calls = remoteCalls(() => host);
  const attempt = (command: Command, pod: string, config = REMOTE) => calls.with(config).attempt(command, pod);
  const call = (command: Command, pod: string, config = REMOTE) => calls.with(config).call(command, pod);
  const refused = (command: Command, pod: string, config = REMOTE) => calls.with(config).refused(command, pod);
  const inPod = (pod: string, ...command: string[]) => host.attempt(['ip', 'netns', 'exec', pod, ...command]);
  const pings = (pod: string, address: string): boolean =>
    inPod(pod, 'busybox', 'ping', '-c', '1', '-W', '2', address).code === 0;

  before(function () {
    this.timeout(300_000);
    skipIf(this, sdkMissing());
    buildSdkPlugin();
    host = running();
    untouched = hostState(host);
  });
  beforeEach(async () => {
    plugin = await startSdkPlugin(host);
    for (const pod of PODS) host.run('ip', 'netns', 'add', pod);
  });
  afterEach(async () => {
    plugin.fail({});
    for (const pod of PODS) {
      for (const config of [REMOTE, BRIDGE]) attempt('DEL', pod, config);
      host.run('ip', 'netns', 'delete', pod);
    }
    await plugin.stop();
    host.run('sh', '-c', 'rmdir /run/netns 2>/dev/null; true');
    assertSame(hostState(host), untouched, 'the calls');
  });

  it('ADD, CHECK and DEL: two pods reach each other and the host, and nothing is left', () => {
    const [one, two] = PODS.map((pod) => call('ADD', pod));
    assert.ok(one && two);
    assert.deepEqual(
      one.interfaces?.map(({ name, sandbox }) => ({ name, sandbox })),
      [{ name: 'eth0', sandbox: '/run/netns/one' }],
    );
    assert.deepEqual(one.ips, [{ address: '10.77.1.2/24', gateway: '10.77.1.1', interface: 0 }]);
    assert.deepEqual(one.routes, [{ dst: '0.0.0.0/0', gw: '10.77.1.1' }]);
    assert.equal(addressOf(two), '10.77.1.3');
    assert.ok(pings('one', '10.77.1.3'));
    assert.ok(pings('two', '10.77.1.1'));
    call('CHECK', 'one', { ...REMOTE, prevResult: one });
    call('STATUS', 'one');
    plugin.calls();
    call('DEL', 'one');
    const ofEndpoint = ['RevokeExternalConnectivity', 'Leave', 'DeleteEndpoint', 'ReleaseAddress'];
    assert.deepEqual(plugin.calls(), ofEndpoint, "dockerd's order");
    call('DEL', 'two');
    assert.deepEqual(plugin.calls(), [...ofEndpoint, 'ReleaseAddress', 'ReleasePool', 'DeleteNetwork']);
  });

  it('both families, and the addresses that the caller asks for', () => {
    const pools = [{ subnet: '10.77.9.0/24', gateway: '10.77.9.254' }, { family: 6 }];
    const config = {
      ...REMOTE,
      ipam: { ...REMOTE_IPAM, pools },
      capabilities: { ips: true },
      runtimeConfig: { ips: ['10.77.9.40', 'fd00:77:1::40'] },
    };
    const added = call('ADD', 'one', config);
    assert.deepEqual(
      added.ips?.map(({ address, gateway }) => [address, gateway]),
      [
        ['10.77.9.40/24', '10.77.9.254'],
        ['fd00:77:1::40/64', 'fd00:77:1::1'],
      ],
    );
    assert.ok(pings('one', 'fd00:77:1::1'));
    call('CHECK', 'one', { ...config, prevResult: added });
    call('DEL', 'one', config);
  });

  it('our own IPAM gives the addresses, and the plugin is told', () => {
    const config = { ...REMOTE, ipam: { ranges: [[{ subnet: '10.77.5.0/24', gateway: '10.77.5.1' }]] } };
    assert.deepEqual(addressOf(call('ADD', 'one', config)), '10.77.5.2');
    assert.ok(pings('one', '10.77.5.1'));
    call('DEL', 'one', config);
  });

  it('driver bridge takes its addresses from the plugin', () => {
    const [one, two] = PODS.map((pod) => call('ADD', pod, BRIDGE));
    assert.ok(one && two);
    assert.equal(addressOf(one), '10.77.1.2');
    assert.ok(pings('one', addressOf(two)));
    assert.ok(pings('one', '10.77.1.1'));
    call('CHECK', 'one', { ...BRIDGE, prevResult: one });
    call('STATUS', 'one', BRIDGE);
    plugin.calls();
    for (const pod of PODS) call('DEL', pod, BRIDGE);
    assert.deepEqual(plugin.calls(), ['ReleaseAddress', 'ReleaseAddress', 'ReleaseAddress', 'ReleasePool']);
  });

  it('publishes host ports where the host has a route to the address, and tells the plugin', () => {
    const config = {
      ...REMOTE,
      capabilities: { portMappings: true },
      runtimeConfig: { portMappings: [{ hostPort: 8077, containerPort: 80, protocol: 'tcp' }] },
    };
    const added = call('ADD', 'one', config);
    assert.match(plugin.calls().join(' '), /Join ProgramExternalConnectivity/);
    assert.match(host.run('nft', 'list', 'ruleset'), /8077/);
    host.run('sh', '-c', 'ip netns exec one sh -c "echo hello | busybox nc -l -p 80" >/dev/null 2>&1 &');
    const hear = 'for try in $(seq 100); do busybox nc -w 3 10.77.1.1 8077 && break; sleep 0.1; done';
    assert.equal(host.attempt(['sh', '-c', hear]).stdout, 'hello\n');
    call('CHECK', 'one', { ...config, prevResult: added });
    call('DEL', 'one', config);
    assert.doesNotMatch(host.run('nft', 'list', 'ruleset'), /8077/);
  });

  it('leaves no port where the version has no words for the result', () => {
    const config = {
      ...{ ...REMOTE, cniVersion: '0.2.0', ipam: undefined },
      capabilities: { portMappings: true },
      runtimeConfig: { portMappings: [{ hostPort: 8077, containerPort: 80, protocol: 'tcp' }] },
    };
    refused('ADD', 'one', config);
    assert.equal(inPod('one', 'ip', 'link', 'show', 'eth0').code, 1);
    assert.equal(host.attempt(['nft', 'list', 'ruleset']).stdout.includes('8077'), false);
  });

  it('two first pods at once share one network', () => {
    host.write('/run/isth/config', JSON.stringify(REMOTE));
    const env = { CNI_COMMAND: 'ADD', CNI_IFNAME: 'eth0', CNI_PATH: binDir };
    const { stdout } = host.attempt(['sh', '-c', BOTH, 'sh', `${binDir}/isthmus`], { env });
    assert.deepEqual(stdout.match(/10\.77\.\d+\.[2-9]\/24/g)?.toSorted(), ['10.77.1.2/24', '10.77.1.3/24'], stdout);
    assert.equal(plugin.calls().filter((method) => method === 'CreateNetwork').length, 1);
    assert.ok(pings('one', '10.77.1.1') && pings('two', '10.77.1.1'));
  });

  it('refuses to call itself', async () => {
    await plugin.stop();
    plugin = await startSdkPlugin(host, 'isthmus');
    const { code, msg, details } = refused('ADD', 'one', { ...REMOTE, plugin: 'isthmus', ipam: undefined });
    assert.equal(code, 7);
    assert.match(`${msg} ${details}`, /is this program: it would call itself at \/run\/docker\/plugins\/isthmus\.sock/);
  });

  it('GC deletes the endpoints that are not listed', () => {
    for (const pod of PODS) call('ADD', pod);
    plugin.calls();
    call('GC', 'one', { ...REMOTE, 'cni.dev/valid-attachments': [{ containerID: 'one', ifname: 'eth0' }] });
    assert.deepEqual(plugin.calls().filter((method) => method === 'DeleteEndpoint').length, 1);
    assert.equal(inPod('two', 'ip', 'link', 'show', 'eth0').code, 1);
    assert.ok(pings('one', '10.77.1.1'));
  });

  it('DEL works after the namespace is gone', () => {
    call('ADD', 'one');
    host.run('ip', 'netns', 'delete', 'one');
    call('DEL', 'one');
    host.run('ip', 'netns', 'add', 'one');
    assert.doesNotMatch(host.run('ip', '-br', 'link'), /^g[pio]/m, 'links of the plugin');
  });

  it('DEL works where the state is lost: the plugin is told, and the interface goes back', () => {
    call('ADD', 'one');
    host.run('rm', '-rf', '/var/lib/isthmus');
    plugin.calls();
    call('DEL', 'one');
    assert.deepEqual(plugin.calls(), ['RevokeExternalConnectivity', 'Leave', 'DeleteEndpoint']);
    assert.equal(inPod('one', 'ip', 'link', 'show', 'eth0').code, 1);
    host.run('sh', '-c', 'ip link delete $(ip -br link | grep -o "^gp[0-9a-f]*")');
  });

  it('a plugin that dies between CreateEndpoint and Join: ADD fails, and works once it is there again', async () => {
    plugin.fail({ Join: 'exit' });
    const { code, msg } = refused('ADD', 'one');
    assert.equal(code, 50);
    assert.match(msg ?? '', /NetworkDriver\.Join plugin gp/);
    assert.equal(inPod('one', 'ip', 'link', 'show', 'eth0').code, 1);
    plugin = await startSdkPlugin(host);
    const added = call('ADD', 'one');
    assert.ok(pings('one', added.ips?.[0]?.gateway ?? ''));
  });

  it('a DeleteEndpoint that answers 500 twice: the first DEL says so, the second ends it', () => {
    call('ADD', 'one');
    plugin.fail({ DeleteEndpoint: 'internal error 7' });
    const { code, msg } = refused('DEL', 'one');
    assert.equal(code, 105);
    assert.match(msg ?? '', /NetworkDriver\.DeleteEndpoint plugin gp: failed \(internal error 7\)/);
    assert.equal(inPod('one', 'ip', 'link', 'show', 'eth0').code, 1, 'the interface is given back all the same');
    call('DEL', 'one');
    host.run('sh', '-c', 'for l in $(ip -br link | grep -o "^go[0-9a-f]*"); do ip link delete $l; done');
  });

  it('a second DeleteEndpoint is no failure where the SDK answers 500 "Cannot find device"', () => {
    call('ADD', 'one');
    host.run('sh', '-c', 'ip link delete $(ip -br link | grep -o "^go[0-9a-f]*")');
    call('DEL', 'one');
  });

  it('an overlapping pool that the plugin gives again and again: one error, no loop', () => {
    host.run('ip', 'link', 'add', 'taken', 'type', 'bridge');
    host.run('ip', 'addr', 'add', '10.66.0.1/16', 'dev', 'taken');
    try {
      plugin.fail({ RequestPool: 'always 10.66.1.0/24' });
      plugin.calls();
      const { code, msg } = refused('ADD', 'one');
      assert.equal(code, 11);
      assert.match(msg ?? '', /offers only 10\.66\.1\.0\/24, which overlaps networks of this host/);
      assert.ok(plugin.calls().filter((method) => method === 'RequestPool').length <= 2);
    } finally {
      host.run('ip', 'link', 'delete', 'taken');
    }
  });

  it('an interface in another namespace: says so, and leaves nothing', () => {
    plugin.fail({ JoinElsewhere: 'yes' });
    const { code, msg } = refused('ADD', 'one');
    assert.equal(code, 105);
    assert.match(msg ?? '', /its interface elsewhere0 is not in this network namespace/);
  });

  it('an interface that the plugin puts into the sandbox itself: it works as others do', () => {
    plugin.fail({ JoinInside: 'x' });
    const added = call('ADD', 'one');
    assert.deepEqual(
      added.interfaces?.map(({ name, sandbox }) => [name, sandbox]),
      [['eth0', '/run/netns/one']],
    );
    // Such a Join tells no gateway.
    assert.equal(addressOf(added), '10.77.1.2');
    assert.ok(pings('one', '10.77.1.1'));
    assert.doesNotMatch(host.run('ip', '-n', 'one', 'link'), /placed0/);
    call('CHECK', 'one', { ...REMOTE, prevResult: added });
    call('DEL', 'one');
  });

  it('no interface anywhere: says so, and leaves nothing', () => {
    plugin.fail({ JoinNothing: 'x' });
    const { code, msg } = refused('ADD', 'one');
    assert.equal(code, 105);
    assert.match(
      msg ?? '',
      /plugin gp: its answer has no InterfaceName\.SrcName, and it put no interface into the sandbox/,
    );
  });

  it('a plugin that hangs: ADD ends with "try again" after ten seconds', () => {
    plugin.fail({ CreateEndpoint: 'hang' });
    const since = Date.now();
    const { code, msg } = refused('ADD', 'one');
    assert.equal(code, 11);
    assert.match(msg ?? '', /plugin gp: did not answer within 10 s/);
    assert.ok(Date.now() - since < 45_000, `${Date.now() - since} ms`);
  });

  it('a plugin that is not there: the error names the places searched, and STATUS is 50', () => {
    const config = { ...REMOTE, name: 'lost', plugin: 'nowhere', ipam: undefined };
    for (const command of ['ADD', 'STATUS'] as const) {
      const { code, msg } = refused(command, 'one', config);
      assert.equal(code, 50);
      assert.match(msg ?? '', /\/run\/docker\/plugins.*\/etc\/docker\/plugins, \/usr\/lib\/docker\/plugins/);
    }
    call('DEL', 'one', config);
  });

  it('a plugin that has ended: ADD leaves nothing, CHECK and STATUS say so, and DEL waits for it', async () => {
    const added = call('ADD', 'one');
    await plugin.stop();
    assert.equal(refused('ADD', 'two').code, 50);
    assert.equal(refused('STATUS', 'one').code, 50);
    assert.equal(refused('CHECK', 'one', { ...REMOTE, prevResult: added }).code, 50);
    call('DEL', 'two');
    assert.equal(refused('DEL', 'one').code, 50);
    plugin = await startSdkPlugin(host);
    call('DEL', 'one');
  });

  for (const [name, words] of [
    ['../gp', /is not the name of a plugin/],
    ['vieux/sshfs:latest', /Only dockerd runs managed plugins/],
    ['', /needs the name of a plugin/],
  ] as const)
    it(`refuses the name ${JSON.stringify(name)}`, () => {
      const { code, msg, details } = refused('ADD', 'one', { ...REMOTE, plugin: name });
      assert.equal(code, 7);
      assert.match(msg ?? '', /\.plugin/);
      assert.match(`${msg} ${details}`, words);
    });
});
