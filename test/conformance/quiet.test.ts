import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { linkLocalOf } from '../../src/shared/model/mac.ts';
import { type PluginDir, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { until } from '../support/daemon-site.ts';
import { ARRIVAL_MS, advertisement, FramePort, icmp6, kindsFrom, packet } from '../support/frames.ts';
import { type BridgeType, bridgeConf, type NetConf } from '../support/netconf.ts';
import { canPing, ping } from '../support/ping.ts';
import { VIA } from '../support/via.ts';

const DUAL_STACK = {
  ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};
const STATIC_MAC = '02:00:00:00:00:77';

/** A new pod beside a neighbour. */
interface Arrival {
  readonly title: string;
  readonly type: BridgeType;
  readonly conf?: Readonly<Record<string, unknown>>;
  readonly ipam?: Readonly<Record<string, unknown>>;
  /** Changes the host once the neighbour is there. */
  readonly before?: (host: CniHost) => void;
}

/** The frames of the new pod that its neighbour receives within 16 s. */
async function heardOf(bin: PluginDir, { type, conf, ipam, before }: Arrival): Promise<string[]> {
  using host = makeHost(2);
  const config = bridgeConf(type, host, { ...(ipam && { ipam }), conf: { ...conf } });
  const { runtimeConfig: _, ...first } = config;
  host.ok({ dir: bin.path, name: type, command: 'ADD', pod: 0, config: first as NetConf });
  before?.(host);
  using port = new FramePort(host.pod(0), 'eth0');
  const { interfaces = [] } = host.ok({ dir: bin.path, name: type, command: 'ADD', pod: 1, config });
  return await framesFrom(port, interfaces.find(({ sandbox }) => sandbox !== undefined)?.mac ?? assert.fail());
}

async function framesFrom(port: FramePort, mac: string): Promise<string[]> {
  await sleep(ARRIVAL_MS);
  return kindsFrom(port.seen(), mac);
}

/** The same for a pod that is connected by hand, with the kernel's defaults. */
async function heardOfKernel(bin: PluginDir): Promise<string[]> {
  using host = makeHost(2);
  host.ok({ dir: bin.path, name: 'bridge', command: 'ADD', pod: 0, config: bridgeConf('bridge', host) });
  using port = new FramePort(host.pod(0), 'eth0');
  host.ns.ip('link', 'add', 'vethbyhand', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host.pod(1).name);
  host.ns.ip('link', 'set', 'vethbyhand', 'up', 'master', 'isth0', 'addrgenmode', 'none');
  const mac = /link\/ether (\S+)/.exec(host.pod(1).ip('link', 'show', 'dev', 'eth0'))?.[1] ?? '';
  host.pod(1).ip('addr', 'add', '10.88.0.99/24', 'dev', 'eth0');
  host.pod(1).ip('link', 'set', 'eth0', 'up');
  return await framesFrom(port, mac);
}

const ARRIVALS = {
  ipv4: { title: 'IPv4', type: 'isthmus' },
  dual: { title: 'dual stack', type: 'isthmus', ipam: DUAL_STACK },
  static: {
    title: 'a MAC of its own',
    type: 'isthmus',
    conf: { capabilities: { mac: true }, runtimeConfig: { mac: STATIC_MAC } },
  },
  uplink: {
    title: 'an uplink',
    type: 'isthmus',
    before: (host) => {
      host.ns.ip('link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up1');
      host.ns.ip('link', 'set', 'up0', 'up', 'master', 'isth0');
    },
  },
  dropIn: { title: 'the drop-in name', type: 'bridge' },
} as const satisfies Record<string, Arrival>;

describe('a new pod', function () {
  this.timeout(120_000);
  let bin: PluginDir;
  let heard: Record<keyof typeof ARRIVALS, string[]>;
  let byKernel: string[];
  const announced = VIA === 'daemon' ? [] : ['ARP'];

  before(async () => {
    bin = pluginDir();
    const all = Object.entries(ARRIVALS).map(async ([name, arrival]) => [name, await heardOf(bin, arrival)] as const);
    const reference = heardOfKernel(bin);
    heard = Object.fromEntries(await Promise.all(all)) as typeof heard;
    byKernel = await reference;
  });
  after(() => bin?.[Symbol.dispose]());

  it('with IPv4 only is not heard by its neighbours', () => {
    // A call without a daemon does not know whether the bridge has an uplink.
    assert.deepEqual(heard.ipv4, announced);
  });

  it('of two families only reports its multicast groups', () => {
    const others = heard.dual.filter((kind) => kind !== 'MLD');
    assert.deepEqual(others, VIA === 'daemon' ? [] : ['ARP', 'NA']);
    assert.ok(heard.dual.length - others.length <= 4, heard.dual.join());
  });

  it('with a MAC that the runtime chose is announced', () => {
    assert.deepEqual(heard.static, ['ARP']);
  });

  it('is announced beyond an uplink', () => {
    assert.deepEqual(heard.uplink, ['ARP']);
  });

  it('under the drop-in name sends no frame that the kernel would not send by itself', () => {
    const count = (frames: readonly string[], kind: string): number => frames.filter((one) => one === kind).length;
    assert.deepEqual([...new Set(heard.dropIn)], [...new Set(byKernel)]);
    for (const kind of ['ARP', 'NS', 'NA', 'RS']) assert.equal(count(heard.dropIn, kind), count(byKernel, kind), kind);
    // Reports go out after random times, and one may tell two groups.
    assert.ok(Math.abs(count(heard.dropIn, 'MLD') - count(byKernel, 'MLD')) <= 1);
  });
});

describe('neighbours', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());

  const dualStack = (host: CniHost, conf: object = {}, ipam: object = {}): NetConf =>
    bridgeConf('isthmus', host, { ipam: { ...DUAL_STACK, ...ipam }, conf: { ...conf } });
  const ips = ['10.88.0.9/24', 'fd00:88::9/64'];
  const moved = (mac?: string) => ({
    capabilities: { ips: true, mac: true },
    runtimeConfig: { ips, ...(mac === undefined ? {} : { mac }) },
  });

  for (const [title, first, then] of [
    ['the MAC that follows from its address', STATIC_MAC, undefined],
    ['a MAC of its own', undefined, STATIC_MAC],
  ] as const)
    it(`learn at once that an address has moved to a pod with ${title}`, () => {
      using host = makeHost(3);
      host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod: 0, config: dualStack(host) });
      host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod: 1, config: dualStack(host, moved(first)) });
      for (const address of ips) ping(host.pod(0), address);
      host.ok({ dir: bin.path, name: 'isthmus', command: 'DEL', pod: 1, config: dualStack(host, moved(first)) });
      host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod: 2, config: dualStack(host, moved(then)) });
      for (const address of ips) assert.ok(canPing(host.pod(0), address.slice(0, address.indexOf('/'))), address);
    });

  it('learn at once that an address has moved to a pod with a MAC from a tuning', () => {
    using host = makeHost(3);
    const [config, again] = [dualStack(host, moved()), { dir: bin.path, name: 'isthmus' } as const];
    host.ok({ ...again, command: 'ADD', pod: 0, config: dualStack(host) });
    host.ok({ ...again, command: 'ADD', pod: 1, config });
    for (const address of ips) ping(host.pod(0), address);
    host.ok({ ...again, command: 'DEL', pod: 1, config });
    const prevResult = host.ok({ ...again, command: 'ADD', pod: 2, config });
    const { cniVersion, name } = config;
    const tuning = { cniVersion, name, type: 'tuning', mac: STATIC_MAC, prevResult };
    host.ok({ dir: bin.path, name: 'tuning', command: 'ADD', pod: 2, config: tuning });
    for (const address of ips) assert.ok(canPing(host.pod(0), address.slice(0, address.indexOf('/'))), address);
  });

  it('cannot give a pod of ours a route by a router advertisement, and can give one to a pod of the reference', async () => {
    const routed = async (type: BridgeType, dir: string): Promise<boolean> => {
      using host = makeHost(2);
      const conf = type === 'isthmus' ? { spoofGuard: false } : {};
      const config = bridgeConf(type, host, { ipam: { ...DUAL_STACK, routes: [] }, conf });
      for (const pod of [0, 1]) host.ok({ dir, name: type, command: 'ADD', pod, config });
      using port = new FramePort(host.pod(1), 'eth0');
      const pair = [linkLocalOf(port.mac), 'ff02::1'] as const;
      port.send(packet(port.mac, pair, 58, icmp6(pair, 134, advertisement('2001:db8:66::'))));
      // Frames of one sender keep their order.
      ping(host.pod(1), 'fd00:88::2');
      await sleep(100);
      const found = `${host.pod(0).ip('-6', 'route')}${host.pod(0).ip('-6', 'addr')}`;
      return /proto ra|2001:db8:66:/.test(found);
    };
    assert.equal(await routed('isthmus', bin.path), false);
    assert.equal(await routed('bridge', referenceDir), true);
  });

  it('reach a pod at its link-local address at once, and again after its interface was down', async () => {
    using host = makeHost(2);
    for (const pod of [0, 1]) host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod, config: dualStack(host) });
    const address = /inet6 (fe80::\S+)\/64 scope link (?!tentative)/.exec(host.pod(1).ip('-6', 'addr'))?.[1];
    assert.ok(address);
    ping(host.pod(0), `${address}%eth0`);
    host.pod(1).ip('link', 'set', 'eth0', 'down');
    host.pod(1).ip('link', 'set', 'eth0', 'up');
    // The kernel adds it once it sees the carrier, which takes up to a second.
    await until(() => host.pod(1).ip('-6', 'addr').includes(`inet6 ${address}/64`), 'the address is back');
  });
});

describe('key ipv6', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());

  /** The IPv6 addresses of the interface, `link` for its link-local one. */
  const addressesFor = (conf: object, type: BridgeType = 'isthmus', ipam: object = {}): string[] => {
    using host = makeHost(1);
    const config = bridgeConf(type, host, { conf: { ...conf }, ipam: { ...ipam } });
    host.ok({ dir: bin.path, name: type, command: 'ADD', pod: 0, config });
    host.ok({
      dir: bin.path,
      name: type,
      command: 'CHECK',
      pod: 0,
      config: { ...config, prevResult: prevResultOf(host) },
    });
    const lines = host.pod(0).ip('-6', '-o', 'addr', 'show', 'dev', 'eth0').split('\n');
    return lines.flatMap((line) => /inet6 (\S+) scope (\w+)/.exec(line)?.[2] ?? []).sort();
  };
  const prevResultOf = (host: CniHost): object => {
    const mac = /link\/ether (\S+)/.exec(host.pod(0).ip('link', 'show', 'dev', 'eth0'))?.[1];
    return {
      cniVersion: '1.0.0',
      interfaces: [{ name: 'eth0', mac, sandbox: host.pod(0).path }],
      ips: [],
      routes: [],
    };
  };

  it('is auto: a pod with IPv4 only has no IPv6', () => {
    assert.deepEqual(addressesFor({}), []);
    assert.deepEqual(addressesFor({ ipv6: 'auto' }, 'bridge'), []);
  });

  it('is auto: a pod with an IPv6 address has a link-local one too', () => {
    assert.deepEqual(addressesFor({}, 'isthmus', DUAL_STACK), ['global', 'link']);
  });

  it('on gives a pod with IPv4 only a link-local address', () => {
    assert.deepEqual(addressesFor({ ipv6: 'on' }), ['link']);
  });

  it('is as the reference has it under the drop-in name', () => {
    assert.deepEqual(addressesFor({}, 'bridge'), ['link']);
  });

  it('off together with IPv6 addresses is refused, and nothing changes', () => {
    using host = makeHost(1);
    const config = bridgeConf('isthmus', host, { ipam: DUAL_STACK, conf: { ipv6: 'off' } });
    const before = host.snapshot();
    const { code, json } = host.run({ dir: bin.path, name: 'isthmus', command: 'ADD', pod: 0, config });
    assert.notEqual(code, 0);
    assert.match(JSON.stringify(json), /\.ipv6=.*fd00:88::2\/64.*Remove \.ipv6/);
    assert.equal(host.snapshot(), before);
  });

  it('off leaves a pod able to listen at ::', () => {
    using host = makeHost(1);
    const config = bridgeConf('isthmus', host);
    host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod: 0, config });
    const program = `require('net').createServer().listen(8080, '::', function () { console.log(this.address().address); this.close(); })`;
    assert.equal(host.pod(0).run(process.execPath, '-e', program).trim(), '::');
  });
});
