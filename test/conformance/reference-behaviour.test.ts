import { strict as assert } from 'node:assert';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PluginDir, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { assertSame } from '../support/snapshot.ts';
import { startAgent } from '../support/traffic.ts';

const V1 = { cniVersion: '1.0.0', name: 'web' };
/** Runs the command in a mount namespace with a read-only /proc/sys, as in a container. */
const READ_ONLY_SYSCTLS = [
  ...['unshare', '--mount', 'sh', '-c'],
  'mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec "$@"',
  'sh',
];

describe('documented behaviour of the reference plugins', () => {
  let bin: PluginDir;
  let host: CniHost;
  let clean: string;

  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(() => {
    host = makeHost(3);
    clean = host.snapshot();
  });
  afterEach(() => host?.[Symbol.dispose]());

  const bridge = (more: object = {}): object => ({
    ...{ ...V1, type: 'bridge', bridge: 'br0', isGateway: true },
    ipam: { type: 'host-local', subnet: '10.22.0.0/24', dataDir: host.dataDir },
    ...more,
  });
  const addPort = (name: string, mac: string): string =>
    host.ns.ip('link', 'add', name, 'address', mac, 'master', 'br0', 'type', 'veth', 'peer', 'name', `${name}p`);
  const macOf = (name: string): string => / link\/ether (\S+)/.exec(host.ns.ip('link', 'show', name))?.[1] ?? '';

  describe('bridge', () => {
    const call = (command: 'ADD' | 'DEL', pod: number, config = bridge()) =>
      host.ok({ dir: bin.path, name: 'bridge', command, pod, config });

    it('a bridge that was there keeps its MAC address from its first gateway on, whichever ports come and go', () => {
      host.ns.ip('link', 'add', 'br0', 'type', 'bridge');
      addPort('port0', '02:00:00:00:00:02');
      host.ns.ip('link', 'set', 'br0', 'up');
      clean = host.snapshot();
      call('ADD', 0);
      const mac = macOf('br0');
      addPort('port1', '02:00:00:00:00:01');
      assert.equal(macOf('br0'), mac);
      call('ADD', 1);
      host.ns.ip('link', 'delete', 'port1');
      host.ns.ip('link', 'set', 'port0', 'nomaster');
      call('DEL', 0);
      assert.equal(macOf('br0'), mac);
      call('DEL', 1);
      host.ns.ip('link', 'set', 'port0', 'master', 'br0');
      assertSame(host.snapshot(), clean);
    });

    it('a bridge without a gateway is left as it is', () => {
      host.ns.ip('link', 'add', 'br0', 'type', 'bridge');
      call('ADD', 0, bridge({ isGateway: false }));
      addPort('port1', '02:00:00:00:00:01');
      assert.equal(macOf('br0'), '02:00:00:00:00:01');
    });

    it('a changed bridge is refused while containers have the former one, and the error names the way out', () => {
      call('ADD', 0);
      const { code, json } = host.run({
        ...{ dir: bin.path, name: 'bridge', command: 'ADD', pod: 1 },
        config: bridge({ bridge: 'br1' }),
      });
      assert.deepEqual([code, json?.code], [1, 101]);
      assert.match(json?.msg ?? '', /network web: .*bridge br0 .*bridge br1/);
      assert.match(json?.details ?? '', /^Remove its endpoints first, or give the changed network another name$/);
      call('DEL', 0);
      call('ADD', 1, bridge({ bridge: 'br1' }));
      call('DEL', 1, bridge({ bridge: 'br1' }));
      assertSame(host.snapshot(), clean);
    });

    it('a read-only /proc/sys is enough if the host has the right values', () => {
      const alone = { ISTHMUS_RUN_DIR: '/nonexistent' };
      const how = { dir: bin.path, name: 'bridge', prefix: READ_ONLY_SYSCTLS, env: alone, pod: 0, config: bridge() };
      for (const command of ['ADD', 'DEL'] as const) {
        const { code, stdout } = host.run({ ...how, command });
        assert.equal(code, 0, stdout);
      }
      assertSame(host.snapshot(), clean);
    });

    it('a read-only /proc/sys is an error if a setting that the network needs is wrong', () => {
      host.ns.run('sysctl', '-qw', 'net.ipv4.ip_forward=0');
      clean = host.snapshot();
      const alone = { ISTHMUS_RUN_DIR: '/nonexistent' };
      const { code, json } = host.run({
        ...{ dir: bin.path, name: 'bridge', prefix: READ_ONLY_SYSCTLS, env: alone, pod: 0, config: bridge() },
        command: 'ADD',
      });
      assert.deepEqual([code, json?.code], [1, 103]);
      assert.match(json?.msg ?? '', /ip_forward.*not set to "1" \(Read-only file system\)/);
      assertSame(host.snapshot(), clean);
    });
  });

  describe("host-local's files, for programs that read them", () => {
    const files = (): string => {
      const directory = join(host.dataDir, 'web');
      const names = existsSync(directory) ? readdirSync(directory).sort() : [];
      return names.map((name) => `${name}: ${JSON.stringify(readFileSync(join(directory, name), 'utf8'))}`).join(', ');
    };
    const config = (more: object = {}): object => {
      const ipam = { type: 'host-local', subnet: '10.22.0.0/24', dataDir: host.dataDir, writeFiles: true, ...more };
      return bridge({ type: 'isthmus', ipam });
    };
    const call = (name: string, command: 'ADD' | 'DEL' | 'GC', pod: number, conf = config()) =>
      host.ok({
        ...{ dir: bin.path, name, command, config: conf, netns: host.pod(pod).path },
        ...{ containerId: `pod${pod}`, ifName: 'eth0' },
      });

    for (const name of ['isthmus', 'bridge', 'host-local'])
      it(`${name} writes them with writeFiles, and DEL deletes them`, () => {
        const before = host.snapshot();
        call(name, 'ADD', 0);
        call(name, 'ADD', 1);
        assert.equal(files(), String.raw`10.22.0.2: "pod0\r\neth0", 10.22.0.3: "pod1\r\neth0"`);
        call(name, 'DEL', 0);
        assert.equal(files(), String.raw`10.22.0.3: "pod1\r\neth0"`);
        call(name, 'DEL', 1);
        assert.equal(files(), '');
        rmSync(join(host.dataDir, 'web'), { recursive: true });
        assertSame(host.snapshot(), before);
      });

    it('writes none without the key', () => {
      call('isthmus', 'ADD', 0, config({ writeFiles: false }));
      assert.equal(files(), '');
    });

    it('the reference reads them: it gives no address that a container of ours has', () => {
      call('bridge', 'ADD', 0);
      const how = { dir: referenceDir, name: 'host-local', containerId: 'other', ifName: 'eth0' };
      const theirs = {
        ...V1,
        type: 'bridge',
        ipam: { type: 'host-local', subnet: '10.22.0.0/24', dataDir: host.dataDir },
      };
      const { ips = [] } = host.ok({ ...how, command: 'ADD', netns: host.pod(1).path, config: theirs });
      assert.deepEqual(
        ips.map(({ address }) => address),
        ['10.22.0.3/24'],
      );
    });

    it('a failed ADD and GC leave none', () => {
      const taken = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '192.0.2.9' }] };
      const failing = { ...config(), runtimeConfig: taken };
      const add = { dir: bin.path, name: 'isthmus', command: 'ADD', pod: 0 } as const;
      assert.equal(host.run({ ...add, config: failing }).code, 1);
      mkdirSync(join(host.dataDir, 'web'), { recursive: true });
      host.pod(0).ip('link', 'add', 'eth0', 'type', 'bridge');
      assert.equal(host.run({ ...add, config: config() }).code, 1);
      host.pod(0).ip('link', 'delete', 'eth0');
      assert.equal(files(), '');
      call('isthmus', 'ADD', 0);
      call('isthmus', 'GC', 0, { ...config(), cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] });
      assert.equal(files(), '');
    });

    it('a directory that cannot be written fails ADD and changes nothing', () => {
      mkdirSync(host.dataDir);
      writeFileSync(join(host.dataDir, 'web'), 'a file');
      clean = host.snapshot();
      const { code, json } = host.run({ dir: bin.path, name: 'isthmus', command: 'ADD', pod: 0, config: config() });
      assert.deepEqual([code, json?.code], [1, 5]);
      assertSame(host.snapshot(), clean);
    });
  });

  describe('static', () => {
    const NAMED = { ipam: { type: 'static', addresses: [{ address: '10.1.0.2/24', gateway: '10.1.0.1' }] } };
    const RUNTIME = { runtimeConfig: { ips: ['10.3.0.2/24'] } };
    const ARGS = { args: { cni: { ips: ['10.4.0.2/24'] } } };
    const CNI_ARGS = 'IP=10.2.0.2/24;GATEWAY=10.2.0.1';

    for (const [title, more, args, expected] of [
      ['the configuration', {}, '', ['10.1.0.2/24 10.1.0.1']],
      ['CNI_ARGS add to the configuration', {}, CNI_ARGS, ['10.1.0.2/24 10.1.0.1', '10.2.0.2/24 10.2.0.1']],
      ['args.cni.ips override both', ARGS, CNI_ARGS, ['10.4.0.2/24 -']],
      ['runtimeConfig.ips overrides all', { ...ARGS, ...RUNTIME }, CNI_ARGS, ['10.3.0.2/24 -']],
      ['an overridden gateway is ignored', RUNTIME, `${CNI_ARGS},10.3.0.1`, ['10.3.0.2/24 -']],
    ] as const)
      it(title, () => {
        const config = { ...V1, type: 'bridge', ...NAMED, ...more };
        const [pod, ids] = [host.pod(0).path, { containerId: 'pod0', ifName: 'eth0' }];
        const { ips = [] } = host.ok({
          dir: bin.path,
          name: 'static',
          command: 'ADD',
          netns: pod,
          ...ids,
          args,
          config,
        });
        assert.deepEqual(
          ips.map(({ address, gateway = '-' }) => `${address} ${gateway}`),
          expected,
        );
      });
  });

  it('loopback reads no CNI_ARGS, and refuses none', () => {
    const config = { cniVersion: '1.0.0', name: 'lo', type: 'loopback' };
    for (const args of ['UNKNOWN=1', 'MAC=x', 'no pair', 'K8S_POD_NAME=a;K8S_POD_UID=b'])
      for (const command of ['ADD', 'CHECK', 'DEL'] as const)
        host.ok({
          ...{ dir: bin.path, name: 'loopback', command, args, ifName: 'lo', containerId: 'pod0' },
          ...{ netns: host.pod(0).path, config: command === 'CHECK' ? { ...config, prevResult: LOOPBACK } : config },
        });
  });

  describe('tuning', () => {
    const PREVIOUS = { cniVersion: '1.0.0', interfaces: [{ name: 'eth0', sandbox: '/x' }], ips: [] };
    const add = (sysctl: string) => {
      const config = JSON.stringify({ ...V1, type: 'tuning', sysctl: 0, prevResult: PREVIOUS }).replace(
        '"sysctl":0',
        `"sysctl":${sysctl}`,
      );
      return host.run({ dir: bin.path, name: 'tuning', command: 'ADD', pod: 0, config });
    };

    const twice: readonly [what: string, sysctl: string, says: string][] = [
      ['under one name', '{"net.ipv4.tcp_ecn":"0","net.ipv4.tcp_ecn":"1"}', '"net.ipv4.tcp_ecn" sets the same sysctl'],
      ['with a dot and a slash', '{"net.ipv4.tcp_ecn":"0","net/ipv4/tcp_ecn":"0"}', '"net.ipv4.tcp_ecn" sets the same'],
      [
        'for the interface and by its name',
        '{"net.ipv4.conf.IFNAME.arp_filter":"1","net.ipv4.conf.eth0.arp_filter":"0"}',
        '"net.ipv4.conf.IFNAME.arp_filter" sets the same sysctl',
      ],
      ['with an escape', '{"net.ipv4.tcp_ecn":"0","net.ipv4.tcp\\u005fecn":"1"}', '"net.ipv4.tcp_ecn" sets the same'],
    ];
    for (const [what, sysctl, says] of twice)
      it(`refuses a sysctl that is there twice, ${what}`, () => {
        const { code, json } = add(sysctl);
        assert.deepEqual([code, json?.code], [1, 7]);
        assert.ok((json?.msg ?? '').includes(says), json?.msg ?? '');
        assertSame(host.snapshot(), clean);
      });

    it('takes sysctls that only look alike', () => {
      host.pod(0).ip('link', 'add', 'eth0', 'type', 'bridge');
      const { code, stdout } = add('{"net.ipv4.tcp_ecn":"0","net.ipv4.tcp_ecn_fallback":"1"}');
      assert.equal(code, 0, stdout);
    });
  });

  describe('a host port on an address that another host has now (keepalived)', () => {
    const VIP = { 4: '192.0.2.77', 6: '2001:db8::77' } as const;
    const NONLOCAL = { 4: 'net/ipv4/ip_nonlocal_bind=1', 6: 'net/ipv6/ip_nonlocal_bind=1' } as const;
    const mapping = (family: 4 | 6) => [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: VIP[family] }];
    const ranges = [[{ subnet: '10.22.0.0/24' }], [{ subnet: 'fd00:22::/64' }]];

    /** The port works from another pod once the host has the address. */
    async function assertWorksLater(family: 4 | 6): Promise<void> {
      using server = startAgent('pod', host.pod(0));
      using client = startAgent('client', host.pod(1));
      await server.serve('tcp', 80);
      host.ns.ip('link', 'add', 'vip0', 'up', 'type', 'bridge');
      host.ns.ip(
        'addr',
        'add',
        `${VIP[family]}/${family === 4 ? 32 : 128}`,
        'dev',
        'vip0',
        ...(family === 6 ? ['nodad'] : []),
      );
      assert.match(await client.probe({ address: VIP[family], port: 8080 }), /^pod saw /);
    }

    for (const family of [4, 6] as const) {
      it(`portmap takes it as it is, IPv${family}`, async () => {
        const gateways = { isDefaultGateway: true, ipam: { type: 'host-local', ranges, dataDir: host.dataDir } };
        const config = bridge(gateways);
        host.ok({ dir: bin.path, name: 'bridge', command: 'ADD', pod: 1, config });
        const prevResult = host.ok({ dir: bin.path, name: 'bridge', command: 'ADD', pod: 0, config });
        const portmap = { ...V1, type: 'portmap', runtimeConfig: { portMappings: mapping(family) }, prevResult };
        host.ok({ dir: bin.path, name: 'portmap', command: 'ADD', pod: 0, config: portmap });
        await assertWorksLater(family);
      });

      it(`isthmus takes it where the sysctl lets processes bind to it, IPv${family}`, async () => {
        const common = { ...V1, type: 'isthmus', bridge: 'br0', isDefaultGateway: true, ipam: { ranges } };
        const config = { ...common, runtimeConfig: { portMappings: mapping(family) } };
        const refused = host.run({ dir: bin.path, name: 'isthmus', command: 'ADD', pod: 0, config });
        assert.deepEqual([refused.code, refused.json?.code], [1, 7]);
        const [, command = ''] = /run: (.*)$/.exec(refused.json?.details ?? '') ?? [];
        assertSame(host.snapshot(), clean);
        assert.equal(command, `sysctl -w ${NONLOCAL[family]}`);
        host.ns.run('sh', '-c', command);
        host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod: 0, config });
        host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod: 1, config: common });
        await assertWorksLater(family);
      });
    }
  });

  it('bandwidth: a burst of 4 GiB, which containerd asks for at every rate, delays nothing', () => {
    const limits = { ingressRate: 1_000_000, ingressBurst: 4_294_967_295 };
    const egress = { egressRate: 8000, egressBurst: 4_294_967_295 };
    const config = bridge({ type: 'isthmus', ...limits, ...egress, ipam: { subnet: '10.22.0.0/24' } });
    const prevResult = host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod: 0, config });
    const buckets = host.ns.run('tc', 'qdisc').match(/qdisc tbf .*/g) ?? [];
    assert.equal(buckets.length, 2);
    for (const bucket of buckets) {
      // Some bytes more than the burst: what arrives in 25 ms.
      const [, latency = '0', unit = bucket] = / lat ([\d.]+)(us|ms|s)\b/.exec(bucket) ?? [];
      const milliseconds = Number(latency) * ({ us: 0.001, ms: 1, s: 1000 }[unit] ?? Number.NaN);
      assert.ok(milliseconds <= 26, bucket);
    }
    host.ok({ dir: bin.path, name: 'isthmus', command: 'CHECK', pod: 0, config: { ...config, prevResult } });
  });
});

const LOOPBACK = {
  cniVersion: '1.0.0',
  interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: '/x' }],
  ips: [
    { address: '127.0.0.1/8', interface: 0 },
    { address: '::1/128', interface: 0 },
  ],
};
