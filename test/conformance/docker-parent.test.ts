import { strict as assert } from 'node:assert';
import { type DaemonBin, daemonBin, until } from '../support/daemon-site.ts';
import { type CalledEndpoint, type CalledNetwork, enter, leave, type Start } from '../support/docker-caller.ts';
import { type DockerLab, makeDockerLab, OUTSIDE } from '../support/docker-lab.ts';
import { LAN4, LAN6, type Lan, makeLan, reaches } from '../support/lan.ts';
import { netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';

const LAN = { subnet: '10.5.0.0/24', subnet6: 'fd00:5::/64' } as const;
const MACVLAN = { driver: 'macvlan', parent: 'lan0' } as const;
/** Kinds of links that a kernel may lack, and the option that it lacks then. */
const OPTIONS = { ipvlan: 'CONFIG_IPVLAN', vlan: 'CONFIG_VLAN_8021Q', dummy: 'CONFIG_DUMMY' } as const;

const bare = (address: string | undefined): string => address?.split('/')[0] ?? '';
const macOf = (ns: TestNetns, dev: string): string => /link\/ether (\S+)/.exec(ns.ip('link', 'show', dev))?.[1] ?? '';

describe('the daemon answers the calls of dockerd for networks on a parent', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let lab: DockerLab;
  let lan: Lan;
  let clean: string;

  const start = (network: CalledNetwork, index: number, more: Start = {}): Promise<CalledEndpoint> =>
    lab.docker.start(network, lab.host, lab.container(index), { sandboxKey: lab.container(index).path, ...more });
  const stop = (endpoint: CalledEndpoint, index: number): Promise<void> =>
    lab.docker.stop(endpoint, lab.host, lab.container(index));
  /** Addresses that the LAN's own machine does not have. */
  const create = (o: Readonly<Record<string, string>> = {}, more: object = {}): Promise<CalledNetwork> =>
    lab.docker.createNetwork({ ...LAN, o: { ...MACVLAN, ...o }, ...more });
  const refused = async (o: Readonly<Record<string, string>>, text: RegExp): Promise<void> => {
    const before = lab.snapshot();
    await assert.rejects(create(o, { subnet: '10.6.0.0/24', subnet6: undefined }), text);
    assertSame(lab.snapshot(), before, `refused: ${JSON.stringify(o)}`);
  };

  before(function () {
    skipIf(this, netnsMissing());
    bin = daemonBin();
  });
  beforeEach(async () => {
    lab = await makeDockerLab(bin);
    lan = makeLan(lab.host, 'lan0');
    // The pool's gateway is the LAN's machine.
    await lab.docker.removeNetwork(await lab.docker.createNetwork({ subnet: '10.98.0.0/24' }));
    clean = lab.snapshot();
  });
  afterEach(() => {
    lan?.[Symbol.dispose]();
    lab?.[Symbol.dispose]();
  });
  after(() => bin?.[Symbol.dispose]());

  for (const mode of ['bridge', 'private', 'vepa'] as const)
    it(`macvlan_mode=${mode}: containers reach the LAN over IPv4 and IPv6, and each other as the mode says`, async () => {
      const network = await create({ macvlan_mode: mode });
      const a = await start(network, 0);
      const b = await start(network, 1, { ip: '10.5.0.77', mac: '02:42:aa:bb:cc:dd' });
      assert.deepEqual(
        [a.join.Gateway, a.join.GatewayIPv6, a.join.DisableGatewayService, a.join.StaticRoutes],
        [LAN4, LAN6, true, []],
      );
      assert.equal(macOf(lab.container(1), 'eth0'), '02:42:aa:bb:cc:dd');
      for (const address of [LAN4, LAN6]) assert.ok(reaches(lab.container(0), address), address);
      assert.ok(reaches(lan.ns, '10.5.0.77'));
      // Nobody on this LAN sends frames back where they came from, as vepa needs.
      for (const address of b.addresses) assert.equal(reaches(lab.container(0), bare(address)), mode === 'bridge');
      assert.equal(reaches(lab.container(0), OUTSIDE), false, 'the host does not route for them');
      await stop(a, 0);
      await stop(b, 1);
      await lab.docker.removeNetwork(network);
      assertSame(lab.snapshot(), clean, 'all calls of two containers');
    });

  it('macvlan_mode=passthru: one container has the parent for itself, and its MAC', async () => {
    const mac = macOf(lab.host, 'lan0');
    const network = await create({ macvlan_mode: 'passthru' });
    const a = await start(network, 0);
    assert.equal(a.mac, '');
    assert.equal(macOf(lab.container(0), 'eth0'), mac);
    assert.ok(reaches(lab.container(0), LAN4));
    const second = lab.docker.connect(network, {});
    await assert.rejects(second, /mode passthru needs lan0 for itself, and another macvlan is on it/);
    await refused({}, /parent=lan0: network \w+ .*is on it, with mode passthru/);
    await stop(a, 0);
    const b = await start(network, 1, { mac: '02:42:aa:bb:cc:dd' });
    assert.ok(reaches(lab.container(1), LAN4));
    await stop(b, 1);
    await lab.docker.removeNetwork(network);
    assertSame(lab.snapshot(), clean, 'the parent has its MAC again');
  });

  it('two networks share a parent, one with the addresses of another IPAM', async () => {
    const ours = await create();
    const theirs = await create({}, { subnet: '10.6.0.0/24', subnet6: undefined, ownIpam: true });
    lan.ns.ip('addr', 'add', '10.6.0.1/24', 'dev', 'lan0');
    const a = await start(ours, 0);
    const b = await start(theirs, 1, { addresses: ['10.6.0.2/24'] });
    for (const [index, address] of [
      [0, LAN4],
      [1, '10.6.0.1'],
    ] as const)
      assert.ok(reaches(lab.container(index), address), address);
    await stop(a, 0);
    await lab.docker.removeNetwork(ours);
    assert.ok(reaches(lab.container(1), '10.6.0.1'), 'the other network goes on');
    await stop(b, 1);
    await lab.docker.removeNetwork(theirs);
    assertSame(lab.snapshot(), clean, 'both networks');
  });

  it('two networks share a parent and a subnet of our IPAM, which gives no address twice', async () => {
    const [first, second] = [await create(), await create({ macvlan_mode: 'private' })];
    const [a, b] = [await start(first, 0), await start(second, 1)];
    assert.equal(new Set([...a.addresses, ...b.addresses]).size, 4);
    for (const index of [0, 1]) assert.ok(reaches(lab.container(index), LAN4));
    await assert.rejects(lab.docker.requestAddresses(second, bare(a.addresses[0])), /10\.5\.0\.\d+/);
    const theirs = create({}, { subnet: '10.5.0.0/25', subnet6: undefined, ownIpam: true });
    await assert.rejects(theirs, /with addresses of 10\.5\.0\.0\/24, which overlap: give each an --ip-range/);
    await stop(a, 0);
    await stop(b, 1);
    for (const network of [first, second]) await lab.docker.removeNetwork(network);
    assertSame(lab.snapshot(), clean, 'both networks');
  });

  it('host_access=true: the host and containers reach each other, until the network goes', async () => {
    const aux = { aux: { host: '10.5.0.200' }, aux6: { host: 'fd00:5::200' } };
    const [open, other] = [await create({ host_access: 'true' }, aux), await create({})];
    const a = await start(open, 0);
    for (const address of a.addresses) assert.ok(reaches(lab.host, bare(address)), address);
    for (const address of ['10.5.0.200', 'fd00:5::200']) assert.ok(reaches(lab.container(0), address), address);
    assert.ok(reaches(lab.container(0), LAN4));
    await assert.rejects(lab.docker.requestAddresses(open, '10.5.0.200'), /10\.5\.0\.200/);

    // The daemon brings it back, and the network takes it along although another one is on the parent.
    const [shim = ''] = /shim[0-9a-f]{11}/.exec(lab.host.ip('link')) ?? [];
    lab.host.ip('link', 'del', shim);
    await until(() => lab.host.ip('link').includes(shim), 'the interface of the host is back');
    await until(() => reaches(lab.host, bare(a.addresses[0])), 'the host reaches the container again');
    await stop(a, 0);
    await lab.docker.removeNetwork(open);
    assert.doesNotMatch(lab.host.ip('link'), /shim/);
    const b = await start(other, 1);
    assert.equal(reaches(lab.host, bare(b.addresses[0])), false, 'without it, the kernel keeps the two apart');
    await stop(b, 1);
    await lab.docker.removeNetwork(other);
    assertSame(lab.snapshot(), clean, 'both networks');
  });

  for (const [o, text] of [
    [{ host_access: 'yes' }, /-o host_access=yes: it is neither true nor false/],
    [{ host_access: 'true' }, /--aux-address host=: -o host_access=true needs an address of 10\.6\.0\.0\/24/],
    [{ host_access: 'true', macvlan_mode: 'vepa' }, /-o host_access=true: the host cannot reach.*macvlan_mode=bridge/],
    [{ host_access: 'true', parent: '' }, /-o host_access=true: a network without a parent/],
  ] as const)
    it(`refuses ${JSON.stringify(o)}`, async () => await refused(o, text));

  it('--internal: no gateway; published ports are ignored, and the log says so', async () => {
    const network = await create({}, { internal: true });
    const a = await start(network, 0, { ports: [{ host: 8080, container: 80 }] });
    assert.deepEqual([a.join.Gateway, a.join.GatewayIPv6, a.join.DisableGatewayService], [undefined, undefined, true]);
    assert.ok(reaches(lab.container(0), LAN4));
    assert.match(lab.site.daemon.log(), /event=ports\.ignored .*driver macvlan publishes no ports/);
    const info = await lab.docker.call('NetworkDriver.EndpointOperInfo', { NetworkID: network.id, EndpointID: a.id });
    assert.deepEqual(info.Value, {});
    await stop(a, 0);
    await lab.docker.removeNetwork(network);
  });

  it('asks dockerd for no gateway of its own choice', async () => {
    const Options = { 'com.docker.network.generic': MACVLAN };
    const answer = await lab.docker.call('NetworkDriver.GwAllocCheck', { Options });
    assert.deepEqual(answer, { SkipIPv4: true, SkipIPv6: true });
  });

  it('keeps everything after the daemon was killed, and finds interfaces wherever they are', async () => {
    const { docker, site, host } = lab;
    const network = await create();
    const a = await start(network, 0);
    const b = await docker.connect(network, { sandboxKey: lab.container(1).path });
    await site.daemon.end('SIGKILL');
    assert.ok(reaches(lab.container(0), LAN4));
    await site.start();
    assert.ok(reaches(lab.container(0), LAN4));
    enter(host, lab.container(1), b);
    assert.ok(reaches(lab.container(1), bare(a.addresses[0])));
    // dockerd was killed: the interfaces stay where they are, one under another name.
    leave(host, lab.container(1), b);
    host.ip('link', 'set', b.srcName, 'name', 'dev7');
    for (const { id } of [a, b])
      await docker.call('NetworkDriver.DeleteEndpoint', { NetworkID: network.id, EndpointID: id });
    assert.doesNotMatch(lab.container(0).ip('link'), /eth0/);
    assert.doesNotMatch(host.ip('link'), /dev7/);
    for (const { addresses } of [a, b])
      for (const [i, { id }] of network.pools.entries())
        await docker.call('IpamDriver.ReleaseAddress', { PoolID: id, Address: bare(addresses[i]) });
    await docker.removeNetwork(network);
    assertSame(lab.snapshot(), clean, 'with a daemon that was killed');
  });

  it('gives an address of a container that is gone to the next one, never one that is in use', async () => {
    const network = await create({}, { subnet6: undefined });
    const first = await start(network, 0, { ip: '10.5.0.9' });
    const again = { addresses: first.addresses, sandboxKey: lab.container(1).path };
    await assert.rejects(lab.docker.connect(network, again), /10\.5\.0\.9/);
    assert.ok(reaches(lab.container(0), LAN4));
    // dockerd was killed and the container with it: the kernel deletes the interface.
    lab.container(0).ip('link', 'del', 'eth0');
    const second = await start(network, 1, again);
    assert.ok(reaches(lab.container(1), LAN4));
    await stop(second, 1);
    await lab.docker.removeNetwork(network);
  });

  it('deletes a network with an endpoint that dockerd left in a container', async () => {
    const network = await create();
    await start(network, 0);
    await lab.docker.connect(network);
    await lab.docker.removeNetwork(network);
    assertSame(lab.snapshot(), clean, 'DeleteNetwork with two endpoints');
  });

  it('a container whose parent vanishes can be stopped, and starts again once there is one', async () => {
    const network = await create();
    const a = await start(network, 0);
    lan[Symbol.dispose]();
    lab.host.run('sh', '-c', 'until ! ip link show lan0 2>/dev/null; do :; done');
    assert.doesNotMatch(lab.container(0).ip('link'), /eth0/);
    await lab.docker.call('NetworkDriver.DeleteEndpoint', { NetworkID: network.id, EndpointID: a.id });
    const none = /parent=lan0: there is no such interface on this host/;
    await assert.rejects(lab.docker.connect(network, {}), none);
    lan = makeLan(lab.host, 'lan0');
    const b = await start(network, 1);
    assert.ok(reaches(lab.container(1), LAN4));
    await stop(b, 1);
    await lab.docker.removeNetwork(network);
  });

  it('shows the network and its endpoint to the operator', async () => {
    const network = await create();
    const a = await start(network, 0);
    const shown = JSON.parse(
      lab.site.host.ns.run(
        'env',
        `ISTHMUS_STATE_DIR=${lab.site.host.stateDir}`,
        `${lab.site.bin}/cnm-shim`,
        'network',
        'inspect',
        `docker-${network.id.slice(0, 12)}`,
        '-o',
        'json',
      ),
    );
    const { driver, device, endpoints } = Array.isArray(shown) ? shown[0] : shown;
    assert.deepEqual([driver, device, endpoints[0]?.mac], ['macvlan', 'lan0', a.mac]);
    await stop(a, 0);
    await lab.docker.removeNetwork(network);
  });

  for (const [o, text] of [
    [{ parent: 'nope' }, /parent=nope: there is no such interface on this host/],
    [{ parent: 'lo' }, /parent=lo: is loopback/],
    [{ parent: 'port0' }, /parent=port0: is a port of br0/],
    [{ parent: 'lan0.0' }, /parent=lan0\.0: .*no VLAN 0 to make/],
    [{ parent: 'lan0.4095' }, /parent=lan0\.4095: .*no VLAN 4095 to make/],
    [{ parent: 'a-name-of-sixteen' }, /-o parent=a-name-of-sixteen: it is longer than 15 bytes/],
    [{ mtu: '9000' }, /mtu=9000: is over 1500, the MTU of its parent lan0/],
    [{ macvlan_mode: 'brigde' }, /-o macvlan_mode=brigde: .*Did you mean bridge\?/],
    [{ network: 'web' }, /-o network=web: networks of driver macvlan share their parent/],
  ] as const)
    it(`refuses a network: ${JSON.stringify(o)}`, async () => {
      lab.host.ip('link', 'add', 'br0', 'type', 'bridge');
      lab.host.ip('link', 'add', 'port0', 'master', 'br0', 'type', 'veth', 'peer', 'name', 'port1');
      await refused(o, text);
    });

  for (const [kind, o] of [
    ['vlan', { parent: 'lan0.10' }],
    ['ipvlan', { driver: 'ipvlan' }],
    ['dummy', { parent: '' }],
  ] as const)
    it(`${kind}: the kernel has it, or CreateNetwork says what it lacks`, async () => {
      const missing = new RegExp(`this kernel has no ${kind} \\(${OPTIONS[kind]}\\)`);
      const lacks = (error: Error): string => (missing.test(error.message) ? 'lacks' : assert.fail(error));
      const network = await create(o, { subnet6: undefined }).catch(lacks);
      if (network === 'lacks') return assertSame(lab.snapshot(), clean, 'refused');
      const a = await start(network as CalledNetwork, 0);
      await stop(a, 0);
      await lab.docker.removeNetwork(network as CalledNetwork);
      assertSame(lab.snapshot(), clean, 'removed');
    });
});
