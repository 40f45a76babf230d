import { strict as assert } from 'node:assert';
import { docker, dockerMissing, flushRules, loadImage, rules, startDocker } from '../support/docker.ts';
import { binDir, useTestHost } from '../support/e2e.ts';
import { type Container, makeRuntime, type NetworkList, type Runtime } from '../support/runtime.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import { type Daemon, type TestHost, waitFor } from '../support/test-host.ts';
import { VIA } from '../support/via.ts';

const list = (backend: string): NetworkList => ({
  name: 'beside-docker',
  cniVersion: '1.1.0',
  disableCheck: false,
  plugins: [
    {
      firewall: { backend },
      ...{ type: 'isthmus', driver: 'bridge', bridge: 'isth-dock', isGateway: true, ipMasq: true, hairpinMode: true },
      capabilities: { portMappings: true },
      ipam: {
        ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]],
        routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
      },
    },
  ],
});

/** The neighbour of the host, which knows no way to pods and containers. */
const OUTSIDE = { 4: '192.0.2.9', 6: '2001:db8::9' } as const;
const HOST = { 4: '192.0.2.1', 6: '2001:db8::1' } as const;

for (const variant of ['nft', 'legacy'] as const) {
  describe(`with a dockerd that uses iptables-${variant}`, function () {
    this.timeout(120_000);
    describePods(variant, useTestHost());
  });
}

/** In a separate block: its objects must be deleted before the test host is checked. */
function describePods(variant: 'nft' | 'legacy', running: () => TestHost): void {
  describe('pods and containers', () => {
    let host: TestHost;
    let runtime: Runtime;
    let dockerd: Daemon | undefined;

    /** The answer that a client receives; empty without one. */
    const ask = (place: string, address: string, port: number): string => {
      const inside = place === 'host' ? [] : ['ip', 'netns', 'exec', place];
      return host.attempt([...inside, 'busybox', 'nc', '-w', '2', address, String(port)]).stdout.trim();
    };
    const hears = (place: string, address: string, port: number, text: string): Promise<void> =>
      waitFor(`${place} hears ${text} at ${address} port ${port}`, () => ask(place, address, port) === text, 5000);
    const pings = (place: string, address: string): boolean =>
      host.attempt(['ip', 'netns', 'exec', place, 'busybox', 'ping', '-c', '1', '-W', '2', address]).code === 0;
    const serve = (place: string, text: string): Promise<Daemon> =>
      host.start(`${text}-80`, ['ip', 'netns', 'exec', place, ...server(text)], () => true);

    const container = (name: string, hostPort: number): Container => ({
      id: name,
      netns: `/run/netns/${name}`,
      offers: { portMappings: [{ hostPort, containerPort: 80, protocol: 'tcp' }] },
    });
    const pods = { pod1: container('pod1', 8081), pod2: container('pod2', 8082) };

    const use = (backend: string): void => {
      runtime = makeRuntime(host, list(backend), [binDir]);
    };

    const addresses = new Map<string, string>();
    const addPod = async (name: keyof typeof pods): Promise<void> => {
      host.run('ip', 'netns', 'add', name);
      const [ip] = runtime.add(pods[name]).ips ?? [];
      addresses.set(name, ip?.address.split('/')[0] ?? '');
      await serve(name, name);
    };
    const deletePod = (name: keyof typeof pods): void => {
      runtime.del(pods[name]);
      addresses.delete(name);
      host.run('ip', 'netns', 'delete', name);
    };

    /** dockerd with a container that publishes a port, and nothing forwarded that no rule accepts. */
    const bringUpDocker = async (): Promise<void> => {
      dockerd = await startDocker(host);
      loadImage(host);
      docker(host, 'rm', '-f', 'box');
      docker(
        host,
        'run',
        '-d',
        '--name',
        'box',
        '-p',
        '8000:80',
        'localhost/isth-busybox:1',
        ...server('box').slice(1),
      );
      // dockerd leaves IPv6 alone; another firewall does not.
      host.run('ip6tables', '-P', 'FORWARD', 'DROP');
    };
    const takeDownDocker = async (): Promise<void> => {
      docker(host, 'rm', '-f', 'box');
      await dockerd?.stop();
      dockerd = undefined;
    };

    const dockerWorks = async (): Promise<void> => {
      await hears('outside', HOST[4], 8000, 'box');
      assert.equal(docker(host, 'exec', 'box', 'nc', '-w', '2', OUTSIDE[4], '80'), 'outside');
    };
    const podWorks = async (name: keyof typeof pods, port: number): Promise<void> => {
      await hears(name, OUTSIDE[4], 80, 'outside');
      assert.ok(pings(name, OUTSIDE[6]), `${name} pings ${OUTSIDE[6]}`);
      await hears('outside', HOST[4], port, name);
      await hears('host', '127.0.0.1', port, name);
      await hears(name, HOST[4], port, name);
      await hears(name, HOST[4], 8000, 'box');
      runtime.check(pods[name]);
    };
    const podsMeet = async (): Promise<void> => {
      await hears('pod1', addresses.get('pod2') ?? '', 80, 'pod2');
      await hears('pod2', addresses.get('pod1') ?? '', 80, 'pod1');
      await hears('pod1', HOST[4], 8082, 'pod2');
    };

    before('an outside, and the iptables that is wanted', async function () {
      skipIf(this, dockerMissing());
      host = running();
      use('auto');
      for (const tool of ['iptables', 'ip6tables'])
        host.run('update-alternatives', '--set', tool, `/usr/sbin/${tool}-${variant}`);
      host.run('sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=1', 'net.bridge.bridge-nf-call-ip6tables=1');
      host.run('sh', '-c', OUTSIDE_SCRIPT);
      await serve('outside', 'outside');
    });

    afterEach('pods of a test that failed', () => {
      for (const name of ['pod1', 'pod2'] as const) if (addresses.has(name)) deletePod(name);
    });

    after('dockerd and the outside', async () => {
      if (host === undefined) return;
      if (dockerd !== undefined) await takeDownDocker();
      flushRules(host);
      host.run('sh', '-c', AWAY_SCRIPT);
    });

    it('precondition: the host drops traffic that no rule accepts', async () => {
      // dockerd drops what it does not know where forwarding was off before it came.
      host.run('sysctl', '-qw', 'net.ipv4.ip_forward=0');
      await bringUpDocker();
      assert.match(host.run('iptables', '-S', 'FORWARD'), /^-P FORWARD DROP$/m);
      host.run('sh', '-c', FOREIGN_SCRIPT);
      assert.ok(!pings('foreign', OUTSIDE[4]), 'a foreign bridge reaches the outside');
      host.run('iptables', '-P', 'FORWARD', 'ACCEPT');
      assert.ok(pings('foreign', OUTSIDE[4]), 'it is something else that keeps a foreign bridge from the outside');
      host.run('iptables', '-P', 'FORWARD', 'DROP');
      host.run('sh', '-c', FOREIGN_AWAY_SCRIPT);
      await dockerWorks();
    });

    for (const backend of ['auto', 'iptables']) {
      it(`works when dockerd came first, by ${backend}, and keeps its rules`, async () => {
        use(backend);
        const before = rules(host);
        await addPod('pod1');
        await addPod('pod2');
        await podWorks('pod1', 8081);
        await podWorks('pod2', 8082);
        await podsMeet();
        await dockerWorks();
        deletePod('pod1');
        await podWorks('pod2', 8082);
        deletePod('pod2');
        assertSame(rules(host), before, 'two pods that came and went');
        await dockerWorks();
      });
    }

    it('works when dockerd comes later, and leaves the rules that dockerd alone would make', async () => {
      use('auto');
      const alone = rules(host);
      await takeDownDocker();
      flushRules(host);
      await addPod('pod1');
      await hears('outside', HOST[4], 8081, 'pod1');
      await bringUpDocker();
      // Forwarding was on already: somebody else needs it.
      host.run('iptables', '-P', 'FORWARD', 'DROP');
      await addPod('pod2');
      await podWorks('pod1', 8081);
      await podWorks('pod2', 8082);
      await podsMeet();
      await dockerWorks();
      deletePod('pod2');
      await podWorks('pod1', 8081);
      deletePod('pod1');
      assertSame(rules(host), alone, 'two pods that came and went');
      await dockerWorks();
    });

    it('moves to where dockerd wants it, and reports its deletion', async () => {
      const before = rules(host);
      await addPod('pod1');
      assert.match(host.run('iptables', '-S', 'ISTHMUS-FORWARD'), /-i isth-dock .*isthmus/);
      // A new network of Docker puts its jumps to the head of FORWARD again.
      docker(host, 'network', 'create', 'more');
      await podWorks('pod1', 8081);
      docker(host, 'network', 'rm', 'more');
      host.run('iptables', '-F', 'ISTHMUS-FORWARD');
      if (VIA === 'daemon') {
        // A daemon hears of changes of nftables, and may come across those of iptables-legacy: CHECK fails until then.
        if (!refuses(() => runtime.check(pods.pod1), /isth-dock/))
          assert.match(host.run('iptables', '-S'), /isth-dock/);
        if (variant === 'nft')
          await waitFor('the accepts are back', () => /isth-dock/.test(host.run('iptables', '-S')));
      } else {
        assert.equal(ask('pod1', OUTSIDE[4], 80), '');
        assert.throws(() => runtime.check(pods.pod1), /isth-dock/);
      }
      await addPod('pod2');
      await podWorks('pod1', 8081);
      await podsMeet();
      deletePod('pod1');
      deletePod('pod2');
      assertSame(rules(host), before, 'two pods that came and went');
    });
  });
}

/** Busybox command: sends `text` to every client, any number of times. */
function server(text: string): string[] {
  return ['busybox', 'nc', '-ll', '-p', '80', '-e', 'echo', text];
}

const OUTSIDE_SCRIPT = `set -e
  ip netns add outside
  ip link add up0 type veth peer name eth0 netns outside
  sysctl -qw net.ipv6.conf.up0.accept_dad=0
  ip netns exec outside sysctl -qw net.ipv6.conf.eth0.accept_dad=0
  ip addr add ${HOST[4]}/24 dev up0
  ip addr add ${HOST[6]}/64 dev up0 nodad
  ip link set up0 up
  ip -n outside addr add ${OUTSIDE[4]}/24 dev eth0
  ip -n outside addr add ${OUTSIDE[6]}/64 dev eth0 nodad
  ip -n outside link set lo up
  ip -n outside link set eth0 up`;

/** A network that nobody admits; its neighbour is told the way, so that only the filter keeps an answer away. */
const FOREIGN_SCRIPT = `set -e
  ip link add br-foreign type bridge
  ip addr add 10.99.0.1/24 dev br-foreign
  ip link set br-foreign up
  ip netns add foreign
  ip link add vforeign master br-foreign type veth peer name eth0 netns foreign
  ip link set vforeign up
  ip -n foreign addr add 10.99.0.2/24 dev eth0
  ip -n foreign link set eth0 up
  ip -n foreign route add default via 10.99.0.1
  ip -n outside route add 10.99.0.0/24 via ${HOST[4]}`;

/** Links first: the kernel deletes a namespace later than its name, and with it the other ends of its links. */
const FOREIGN_AWAY_SCRIPT = `set -e
  ip link delete vforeign
  ip link delete br-foreign
  ip netns delete foreign
  ip -n outside route del 10.99.0.0/24`;
const AWAY_SCRIPT = 'ip link delete up0; ip netns delete outside; ip link delete docker0; rm -rf /run/isth/docker';

/** True where the call throws an error of that text; throws any other. */
function refuses(call: () => unknown, text: RegExp): boolean {
  try {
    call();
    return false;
  } catch (error) {
    assert.match(String(error), text);
    return true;
  }
}
