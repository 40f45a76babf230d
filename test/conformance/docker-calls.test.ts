import { strict as assert } from 'node:assert';
import { type DaemonBin, daemonBin } from '../support/daemon-site.ts';
import { type CalledEndpoint, enter, leave, Refusal } from '../support/docker-caller.ts';
import { type DockerLab, HOST, makeDockerLab, OUTSIDE } from '../support/docker-lab.ts';
import { netnsMissing } from '../support/netns.ts';
import { canPing, ping } from '../support/ping.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import { assertTraffic } from '../support/traffic.ts';

const bare = (address: string | undefined): string => address?.split('/')[0] ?? '';

describe('the daemon answers the calls of dockerd', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let lab: DockerLab;

  before(function () {
    skipIf(this, netnsMissing());
    bin = daemonBin();
  });
  beforeEach(async () => {
    lab = await makeDockerLab(bin);
  });
  afterEach(() => lab?.[Symbol.dispose]());
  after(() => bin?.[Symbol.dispose]());

  /** A first network and container, gone again: what stays of them (the state's files, forwarding) is there. */
  async function warm(): Promise<string> {
    const { docker, host } = lab;
    const network = await docker.createNetwork({ subnet: '10.98.0.0/24' });
    const endpoint = await docker.start(network, host, lab.container(0), { ports: [{ host: 9000, container: 90 }] });
    await docker.stop(endpoint, host, lab.container(0));
    await docker.removeNetwork(network);
    return lab.snapshot();
  }

  it('connects containers with each other and the outside, and leaves nothing', async () => {
    const { docker, host } = lab;
    const clean = await warm();
    const network = await docker.createNetwork({ subnet: '10.99.0.0/24', subnet6: 'fd00:99::/64' });
    const a = await docker.start(network, host, lab.container(0));
    const b = await docker.start(network, host, lab.container(1), { ip: '10.99.0.77', mac: '02:42:aa:bb:cc:dd' });
    assert.deepEqual(a.join.InterfaceName, { SrcName: `peer${a.id.slice(0, 11)}`, DstPrefix: 'eth' });
    assert.deepEqual([a.join.Gateway, a.join.GatewayIPv6], ['10.99.0.1', 'fd00:99::1']);
    assert.equal(b.addresses[0], '10.99.0.77/24');
    for (const address of ['10.99.0.1', 'fd00:99::1', '10.99.0.77', bare(b.addresses[1]), OUTSIDE]) {
      ping(lab.container(0), address);
    }
    ping(lab.container(1), bare(a.addresses[0]));
    assert.equal(canPing(lab.outside, '10.99.0.77'), false, 'not reachable from outside');
    await docker.stop(a, host, lab.container(0));
    await docker.stop(b, host, lab.container(1));
    await docker.removeNetwork(network);
    assertSame(lab.snapshot(), clean, 'all calls of two containers');
  });

  it("chooses a pool that overlaps nothing on the host, and works with Docker's own IPAM", async () => {
    const { docker, host } = lab;
    host.ip('route', 'add', '10.192.0.0/22', 'via', OUTSIDE);
    const chosen = await docker.createNetwork();
    assert.equal(chosen.pools[0]?.pool, '10.192.4.0/22');
    const next = await docker.createNetwork();
    assert.equal(next.pools[0]?.pool, '10.192.8.0/22');
    const theirs = await docker.createNetwork({ subnet: '172.25.0.0/16', ownIpam: true });
    const a = await docker.start(theirs, host, lab.container(0), { addresses: ['172.25.0.2/16'] });
    ping(lab.container(0), OUTSIDE);
    await docker.stop(a, host, lab.container(0));
    for (const network of [chosen, next, theirs]) await docker.removeNetwork(network);
    assert.doesNotMatch(host.ip('link'), /br-|veth/);
  });

  it('refuses a network without IPv4 and IPv6, before it asks for a pool', async () => {
    const { docker } = lab;
    const none = { 'com.docker.network.enable_ipv4': false, 'com.docker.network.enable_ipv6': false };
    const refusal = /--ipv4=false: IPv4 or IPv6 must be enabled.*Add --ipv6/;
    await assert.rejects(docker.call('NetworkDriver.GwAllocCheck', { Options: none }), refusal);
    const body = { NetworkID: 'a'.repeat(64), Options: none, IPv4Data: [], IPv6Data: [] };
    await assert.rejects(docker.call('NetworkDriver.CreateNetwork', body), refusal);
    const nothing = { ...none, 'com.docker.network.generic': { driver: 'null' } };
    await docker.call('NetworkDriver.CreateNetwork', { ...body, Options: nothing });
  });

  it('names the interface as the user does, by a prefix that leaves room for a number', async () => {
    const { docker } = lab;
    const network = await docker.createNetwork({ subnet: '10.99.0.0/24' });
    for (const [i, [name, prefix]] of [
      ['lan0', 'lan'],
      ['7', 'eth'],
      ['abcdefghijklmno', 'abcdefghijkl'],
    ].entries()) {
      const ids = { NetworkID: network.id, EndpointID: `${i}`.repeat(64) };
      const Options = { 'com.docker.network.endpoint.ifname': name };
      const Interface = { Address: `10.99.0.${i + 9}/24`, AddressIPv6: '', MacAddress: '' };
      await docker.call('NetworkDriver.CreateEndpoint', { ...ids, Interface, Options });
      const { InterfaceName } = await docker.call('NetworkDriver.Join', { ...ids, SandboxKey: '', Options: {} });
      assert.deepEqual(InterfaceName, {
        SrcName: `peer${ids.EndpointID.slice(0, 11)}`,
        DstPrefix: prefix,
        DstName: name,
      });
    }
  });

  it('publishes ports, replaces them, and unpublishes them at Revoke, Leave and DeleteEndpoint', async () => {
    const { docker, host, outside } = lab;
    const network = await docker.createNetwork({ subnet: '10.99.0.0/24' });
    const inside = lab.agent('c0', lab.container(0));
    const [out, own] = [lab.agent('out', outside), lab.agent('host', host)];
    const a = await docker.start(network, host, lab.container(0), { ports: [{ host: 8080, container: 80 }] });
    const ids = { NetworkID: network.id, EndpointID: a.id };
    await inside.serve('tcp', 80);
    const at = (port: number) => ({ address: HOST, port });
    await assertTraffic([
      [out, at(8080), 'c0'],
      [own, { address: '127.0.0.1', port: 8080 }, 'c0'],
      [inside, at(8080), 'c0'],
      [out, at(8081), 'blocked'],
    ]);
    const info = await docker.call('NetworkDriver.EndpointOperInfo', ids);
    assert.deepEqual(info.Value, { 'isthmus.ports': '*:8080/tcp' });
    await docker.program(a, [{ host: 8081, container: 80 }]);
    await assertTraffic([
      [out, at(8080), 'blocked'],
      [out, at(8081), 'c0'],
    ]);
    await docker.call('NetworkDriver.RevokeExternalConnectivity', ids);
    await assertTraffic([[out, at(8081), 'blocked']]);
    // Newer versions of Docker leave without having revoked.
    for (const method of ['Leave', 'DeleteEndpoint']) {
      await docker.program(a);
      await assertTraffic([[out, at(8080), 'c0']]);
      await docker.call(`NetworkDriver.${method}`, ids);
      await assertTraffic([[out, at(8080), 'blocked']]);
    }
    await docker.removeNetwork(network);
  });

  it('binds ports without an address as the network says, and names the holder of a port in use', async () => {
    const { docker, host, outside } = lab;
    const o = { 'com.docker.network.bridge.host_binding_ipv4': '127.0.0.1' };
    const network = await docker.createNetwork({ subnet: '10.99.0.0/24', o });
    const [inside, out, own] = [lab.agent('c0', lab.container(0)), lab.agent('out', outside), lab.agent('host', host)];
    const ports = [{ host: 8080, container: 80 }];
    const a = await docker.start(network, host, lab.container(0), { ports });
    await inside.serve('tcp', 80);
    await assertTraffic([
      [out, { address: HOST, port: 8080 }, 'blocked'],
      [own, { address: '127.0.0.1', port: 8080 }, 'c0'],
    ]);
    const b = await docker.connect(network, { ports });
    await assert.rejects(docker.program(b), (error) => error instanceof Refusal && /8080/.test(error.message));
    await own.serve('tcp', 8088, '127.0.0.1');
    await assert.rejects(docker.program(b, [{ host: 8088, container: 80 }]), /8088/);
    await docker.stop(a, host, lab.container(0));
    await docker.program(b);
  });

  it('accepts every call twice, in sequence or at once', async () => {
    const { docker, host } = lab;
    const clean = await warm();
    const twice = async (method: string, body: object): Promise<unknown> => {
      const [first, second] = await Promise.all([docker.call(method, { ...body }), docker.call(method, { ...body })]);
      assert.deepEqual(second, first, method);
      assert.deepEqual(await docker.call(method, { ...body }), first, method);
      return first;
    };
    const creation = { subnet: '10.99.0.0/24' };
    const pools = await docker.pools(creation);
    const id = 'a'.repeat(64);
    const network = { id, pools };
    const gateway = {
      PoolID: pools[0]?.id,
      Address: '10.99.0.1',
      Options: { RequestAddressType: 'com.docker.network.gateway' },
    };
    await twice('IpamDriver.RequestAddress', gateway);
    await twice('NetworkDriver.CreateNetwork', docker.networkBody(id, creation, pools));
    const addresses = await docker.requestAddresses(network);
    const ids = { NetworkID: id, EndpointID: 'b'.repeat(64) };
    const options = { 'com.docker.network.portmap': [{ Proto: 6, Port: 80, HostPort: 8080, HostPortEnd: 8080 }] };
    const wanted = { Address: addresses[0], AddressIPv6: '', MacAddress: '' };
    const made = await twice('NetworkDriver.CreateEndpoint', { ...ids, Interface: wanted, Options: options });
    const join = await docker.call('NetworkDriver.Join', { ...ids, SandboxKey: '', Options: options });
    assert.deepEqual(await twice('NetworkDriver.Join', { ...ids, SandboxKey: '', Options: options }), join);
    const { MacAddress: mac } = (made as { Interface: { MacAddress: string } }).Interface;
    const srcName = (join.InterfaceName as { SrcName: string }).SrcName;
    const endpoint: CalledEndpoint = { id: ids.EndpointID, network, addresses, srcName, mac, join, options };
    enter(host, lab.container(0), endpoint);
    await twice('NetworkDriver.ProgramExternalConnectivity', { ...ids, Options: options });
    ping(lab.container(0), '10.99.0.1');
    await twice('NetworkDriver.RevokeExternalConnectivity', ids);
    await twice('NetworkDriver.Leave', ids);
    leave(host, lab.container(0), endpoint);
    await twice('NetworkDriver.DeleteEndpoint', ids);
    await twice('IpamDriver.ReleaseAddress', { PoolID: pools[0]?.id, Address: bare(addresses[0]) });
    await twice('IpamDriver.ReleasePool', { PoolID: pools[0]?.id });
    await twice('NetworkDriver.DeleteNetwork', { NetworkID: id });
    assertSame(lab.snapshot(), clean, 'every call three times');
  });

  it('keeps everything after the daemon was killed, and traffic continues meanwhile', async () => {
    const { docker, host, outside, site } = lab;
    const clean = await warm();
    const network = await docker.createNetwork({ subnet: '10.99.0.0/24' });
    const inside = lab.agent('c0', lab.container(0));
    const out = lab.agent('out', outside);
    const a = await docker.start(network, host, lab.container(0), { ports: [{ host: 8080, container: 80 }] });
    const b = await docker.connect(network);
    await inside.serve('tcp', 80);
    await site.daemon.end('SIGKILL');
    ping(lab.container(0), OUTSIDE);
    await assertTraffic([[out, { address: HOST, port: 8080 }, 'c0']]);
    await site.start();
    ping(lab.container(0), OUTSIDE);
    await assertTraffic([[out, { address: HOST, port: 8080 }, 'c0']]);
    const ids = { NetworkID: network.id, EndpointID: b.id };
    assert.deepEqual(await docker.call('NetworkDriver.Join', { ...ids, SandboxKey: '', Options: {} }), b.join);
    enter(host, lab.container(1), b);
    ping(lab.container(1), bare(a.addresses[0]));
    const c = await docker.start(network, host, lab.container(2));
    assert.equal(new Set([...a.addresses, ...b.addresses, ...c.addresses]).size, 3, 'no address twice');
    for (const [i, endpoint] of [a, b, c].entries()) await docker.stop(endpoint, host, lab.container(i));
    await docker.removeNetwork(network);
    assertSame(lab.snapshot(), clean, 'with a daemon that was killed');
  });

  it('deletes a network with an endpoint that dockerd left in a container', async () => {
    const { docker, host } = lab;
    const clean = await warm();
    const network = await docker.createNetwork({ subnet: '10.99.0.0/24' });
    await docker.start(network, host, lab.container(0), { ports: [{ host: 8080, container: 80 }] });
    await docker.connect(network);
    await docker.removeNetwork(network);
    assertSame(lab.snapshot(), clean, 'DeleteNetwork with two endpoints');
    // The same ports and addresses are free again.
    const again = await docker.createNetwork({ subnet: '10.99.0.0/24' });
    await docker.start(again, host, lab.container(1), { ip: '10.99.0.2', ports: [{ host: 8080, container: 80 }] });
  });

  it('isolates internal networks, separates networks, and makes no interface for the driver null', async () => {
    const { docker, host } = lab;
    const internal = await docker.createNetwork({ subnet: '10.97.0.0/24', internal: true });
    const a = await docker.start(internal, host, lab.container(0), { ports: [{ host: 8080, container: 80 }] });
    assert.deepEqual([a.join.Gateway, a.join.DisableGatewayService], [undefined, true]);
    lab.container(0).ip('route', 'add', 'default', 'via', '10.97.0.1');
    assert.equal(canPing(lab.container(0), OUTSIDE), false);
    const closed = await docker.createNetwork({ subnet: '10.96.0.0/24' });
    const b = await docker.start(closed, host, lab.container(1));
    assert.equal(canPing(lab.container(0), bare(b.addresses[0])), false, 'from the internal one');
    const other = await docker.createNetwork({ subnet: '10.95.0.0/24' });
    await docker.start(other, host, lab.container(2));
    assert.equal(canPing(lab.container(2), bare(b.addresses[0])), false, 'from another one');
    const nothing = await docker.createNetwork({ subnet: '10.94.0.0/24', o: { driver: 'null' } });
    const links = host.ip('link');
    const c = await docker.connect(nothing);
    await docker.program(c);
    assert.deepEqual([c.join, c.mac], [{ DisableGatewayService: true }, '']);
    assert.equal(host.ip('link'), links);
    await assert.rejects(docker.requestAddresses(nothing, bare(c.addresses[0])), /10\.94\.0/);
  });

  it('isolates containers of a network without ICC from each other', async () => {
    const { docker, host } = lab;
    const o = { 'com.docker.network.bridge.enable_icc': 'false', 'com.docker.network.bridge.name': 'quiet0' };
    const network = await docker.createNetwork({ subnet: '10.99.0.0/24', o });
    const a = await docker.start(network, host, lab.container(0));
    await docker.start(network, host, lab.container(1));
    ping(lab.container(1), '10.99.0.1');
    ping(lab.container(1), OUTSIDE);
    assert.equal(canPing(lab.container(1), bare(a.addresses[0])), false);
    assert.match(host.ip('link', 'show', 'quiet0'), /quiet0/);
  });

  it('routed network: containers are reached at their own addresses, by published ports only', async () => {
    const { docker, host, outside } = lab;
    const o = { 'com.docker.network.bridge.gateway_mode_ipv4': 'routed' };
    const network = await docker.createNetwork({ subnet: '10.99.0.0/24', o });
    const [inside, out] = [lab.agent('c0', lab.container(0)), lab.agent('out', outside)];
    const a = await docker.start(network, host, lab.container(0), { ports: [{ host: 8080, container: 80 }] });
    const address = bare(a.addresses[0]);
    for (const port of [80, 81]) await inside.serve('tcp', port);
    await out.serve('tcp', 90);
    await assertTraffic([
      [out, { address, port: 80 }, 'c0'],
      [out, { address, port: 81 }, 'blocked'],
      [out, { address: HOST, port: 8080 }, 'blocked'],
      [inside, { address: OUTSIDE, port: 90 }, `out saw ${address}`],
    ]);
    await docker.stop(a, host, lab.container(0));
    await docker.removeNetwork(network);
  });

  it('gives the bridge no address on an isolated or inhibited network', async () => {
    const { docker, host } = lab;
    const isolated = { bridge: 'alone0', 'com.docker.network.bridge.gateway_mode_ipv4': 'isolated' };
    const check = { 'com.docker.network.generic': isolated, 'com.docker.network.internal': true };
    assert.deepEqual(await docker.call('NetworkDriver.GwAllocCheck', { Options: check }), {
      SkipIPv4: true,
      SkipIPv6: false,
    });
    const alone = await docker.createNetwork({ subnet: '10.97.0.0/24', internal: true, o: isolated });
    const a = await docker.start(alone, host, lab.container(0));
    await docker.start(alone, host, lab.container(1));
    ping(lab.container(1), bare(a.addresses[0]));
    assert.equal(canPing(lab.container(1), '10.97.0.1'), false);
    assert.equal(host.ip('-4', '-o', 'addr', 'show', 'dev', 'alone0'), '');
    const o = { bridge: 'bare0', 'com.docker.network.bridge.inhibit_ipv4': 'true' };
    const inhibited = await docker.createNetwork({ subnet: '10.96.0.0/24', o });
    const b = await docker.connect(inhibited);
    assert.equal(b.join.Gateway, '10.96.0.1');
    assert.equal(host.ip('-4', '-o', 'addr', 'show', 'dev', 'bare0'), '');
  });

  it('refuses what collides with existing objects, and leaves nothing of it', async () => {
    const { docker, host } = lab;
    const first = await docker.createNetwork({ subnet: '10.99.0.0/24', o: { bridge: 'one0' } });
    const before = lab.snapshot();
    await assert.rejects(docker.createNetwork({ subnet: '10.99.0.0/25' }), /overlaps/);
    await assert.rejects(docker.createNetwork({ subnet: '10.90.0.0/24', o: { bridge: 'one0' } }), /one0/);
    await assert.rejects(docker.createNetwork({ subnet: '10.90.0.0/24', o: { bridge: 'up0' } }), /up0/);
    assertSame(lab.snapshot(), before, 'three networks that cannot be');
    const a = await docker.start(first, host, lab.container(0), { ip: '10.99.0.9' });
    await assert.rejects(docker.requestAddresses(first, '10.99.0.9'), /10\.99\.0\.9/);
    await assert.rejects(docker.requestAddresses(first, '10.99.0.1'), /10\.99\.0\.1/);
    await docker.stop(a, host, lab.container(0));
  });
});
