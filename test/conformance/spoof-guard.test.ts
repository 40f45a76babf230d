import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { linkLocalOf } from '../../src/shared/model/mac.ts';
import { type PluginDir, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import {
  advertisement,
  arp,
  BROADCAST,
  ethernet,
  FramePort,
  icmp6,
  isEchoFor,
  marker,
  neighbour,
  packet,
  udp,
} from '../support/frames.ts';
import { bridgeConf, type NetConf } from '../support/netconf.ts';
import type { TestNetns } from '../support/netns.ts';
import { canPing, ping } from '../support/ping.ts';
import { waitFor } from '../support/test-host.ts';

const DUAL_STACK = {
  ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};
const [GATEWAY4, GATEWAY6] = ['10.88.0.1', 'fd00:88::1'];
const [VICTIM4, VICTIM6] = ['10.88.0.3', 'fd00:88::3'];
const [FREE4, FREE6] = ['10.88.0.200', 'fd00:88::200'];
const [OWN4, OWN6] = ['10.88.0.2', 'fd00:88::2'];
const [ALL6, WITNESS4, WITNESS6] = ['ff02::1', '10.88.0.4', 'fd00:88::4'];
const EXPERIMENT = 0x88b6;

/** The MACs that attacks need. */
interface Macs {
  readonly own: string;
  readonly victim: string;
  readonly bridge: string;
}

type Frames = Readonly<Record<string, (macs: Macs) => Buffer>>;

/** Every way to be somebody else, by a frame from the port of 10.88.0.2. */
const FORGED: Frames = {
  "a frame with a neighbour's MAC": ({ victim }) => ethernet(victim, BROADCAST, EXPERIMENT, Buffer.alloc(46, 1)),
  "a frame with the bridge's MAC": ({ bridge }) => ethernet(bridge, BROADCAST, EXPERIMENT, Buffer.alloc(46, 2)),
  "an ARP request from a neighbour's address": ({ own }) => arp({ mac: own, claims: VICTIM4, asks: WITNESS4 }),
  "a gratuitous ARP of a neighbour's address": ({ own }) => arp({ mac: own, claims: VICTIM4 }),
  "an ARP answer with the gateway's address": ({ own }) => arp({ mac: own, claims: GATEWAY4, answer: true }),
  'ARP of IEEE 802': ({ own }) => arp({ mac: own, claims: VICTIM4, hardware: 6 }),
  "ARP with a neighbour's MAC inside": ({ own, victim }) => arp({ mac: own, claims: FREE4, senderMac: victim }),
  'ARP in a priority tag': ({ own }) => arp({ mac: own, claims: VICTIM4, tags: [0] }),
  'ARP in two priority tags': ({ own }) => arp({ mac: own, claims: VICTIM4, tags: [0, 0] }),
  "an advertisement of a neighbour's address": ({ own }) => nd(own, [OWN6, ALL6], 136, VICTIM6),
  "an advertisement of the gateway's address": ({ own }) => nd(own, [OWN6, ALL6], 136, GATEWAY6),
  "an advertisement of a neighbour's link-local address": ({ own, victim }) =>
    nd(own, [OWN6, ALL6], 136, linkLocalOf(victim)),
  "an advertisement of a neighbour's address behind a hop-by-hop header": ({ own }) =>
    nd(own, [OWN6, ALL6], 136, VICTIM6, true),
  "a solicitation from a neighbour's address": ({ own }) => nd(own, [VICTIM6, ALL6], 135, WITNESS6),
  "a test whether a neighbour's address is taken": ({ own }) => nd(own, ['::', ALL6], 135, VICTIM6),
  "an IPv4 packet from a neighbour's address": ({ own }) => datagram(own, [VICTIM4, '255.255.255.255']),
  "an IPv4 packet from the gateway's address": ({ own }) => datagram(own, [GATEWAY4, '255.255.255.255']),
  "an IPv6 packet from a neighbour's address": ({ own }) => datagram(own, [VICTIM6, ALL6]),
  "an IPv6 packet from the gateway's address": ({ own }) => datagram(own, [GATEWAY6, ALL6]),
  "an IPv6 packet from a neighbour's link-local address": ({ own, victim }) =>
    datagram(own, [linkLocalOf(victim), ALL6]),
  "a router's advertisement": ({ own }) => router(own),
  "a router's advertisement behind a hop-by-hop header": ({ own }) => router(own, true),
  'a redirect': ({ own }) => {
    const pair = [linkLocalOf(own), ALL6] as const;
    return packet(own, pair, 58, icmp6(pair, 137, Buffer.alloc(36)));
  },
  "a DHCP server's answer": ({ own }) => datagram(own, [OWN4, '255.255.255.255'], [67, 68]),
  "a DHCPv6 server's answer": ({ own }) => datagram(own, [OWN6, ALL6], [547, 546]),
};

/** What an endpoint has every right to send. */
const HONEST: Frames = {
  'ARP of its own address': ({ own }) => arp({ mac: own, claims: OWN4, asks: WITNESS4 }),
  'a gratuitous ARP of an address that nobody has': ({ own }) => arp({ mac: own, claims: FREE4 }),
  'an ARP probe': ({ own }) => arp({ mac: own, claims: '0.0.0.0', asks: FREE4 }),
  'an advertisement of its own address': ({ own }) => nd(own, [OWN6, ALL6], 136, OWN6),
  'an advertisement of an address that nobody has': ({ own }) => nd(own, [FREE6, ALL6], 136, FREE6),
  "a solicitation of a neighbour's address": ({ own }) => nd(own, [OWN6, ALL6], 135, VICTIM6),
  'a packet from its own IPv4 address': ({ own }) => datagram(own, [OWN4, '255.255.255.255']),
  'a packet from its own IPv6 address': ({ own }) => datagram(own, [OWN6, ALL6]),
  'a packet from its link-local address': ({ own }) => datagram(own, [linkLocalOf(own), ALL6]),
  'a packet from an IPv4 address that nobody has': ({ own }) => datagram(own, [FREE4, '255.255.255.255']),
  'a packet from an IPv6 address that nobody has': ({ own }) => datagram(own, [FREE6, ALL6]),
  VRRP: ({ own }) => packet(own, [OWN4, '224.0.0.18'], 112, Buffer.alloc(20, 7)),
  "a router's solicitation": ({ own }) => {
    const pair = [linkLocalOf(own), 'ff02::2'] as const;
    return packet(own, pair, 58, icmp6(pair, 133, Buffer.alloc(4)));
  },
  "a DHCP client's request": ({ own }) => datagram(own, ['0.0.0.0', '255.255.255.255'], [68, 67]),
};

function nd(mac: string, pair: readonly [string, string], type: 135 | 136, target: string, extension = false): Buffer {
  return packet(mac, pair, 58, icmp6(pair, type, neighbour(type, target, mac)), { extension });
}

function router(mac: string, extension = false): Buffer {
  const pair = [linkLocalOf(mac), ALL6] as const;
  return packet(mac, pair, 58, icmp6(pair, 134, advertisement('2001:db8:66::')), { extension });
}

function datagram(mac: string, pair: readonly [string, string], ports: readonly [number, number] = [9, 9]): Buffer {
  return packet(mac, pair, 17, udp(pair, ports));
}

/** Where a neighbour sends to. */
const TARGETS = [VICTIM4, VICTIM6, GATEWAY4, GATEWAY6];
/** A neighbour takes no other MAC for so long after it has resolved an address (`locktime`, one second). */
const LOCK_MS = 1100;
const STRANGE = '02:00:00:00:00:66';

/** A forged ARP reply or neighbour advertisement for each target; its MAC is that of the frame too. */
function forgedReplies(whose: string, mac: (macs: Macs) => string): Frames {
  const replies = TARGETS.map((target) => [
    `a reply for ${target} with ${whose} MAC`,
    (macs: Macs) =>
      target.includes(':')
        ? nd(mac(macs), [OWN6, ALL6], 136, target)
        : arp({ mac: mac(macs), claims: target, answer: true }),
  ]);
  return Object.fromEntries(replies);
}

/** Those of TARGETS that answer. All are asked at once: a host that asks for the MAC of its neighbour tells its own. */
function answers(from: TestNetns): string[] {
  const pings = TARGETS.map((address) => `busybox ping -c1 -W1 ${address} >/dev/null && echo ${address} &`);
  const answering = from.run('busybox', 'sh', '-c', `${pings.join('\n')}\nwait`).split('\n');
  return TARGETS.filter((address) => answering.includes(address));
}

/** A host with an attacker, a victim and a witness on one bridge. */
interface Site extends Disposable {
  readonly host: CniHost;
  readonly macs: Macs;
  /** The names of those frames that reach the witness, and those that reach the host. */
  reach(frames: Frames): Promise<{ readonly witness: string[]; readonly host: string[] }>;
  /**
   * Of TARGETS: those that answer the witness once the attacker has sent these frames, and those whose echo requests come
   * to the attacker.
   */
  steal(frames: Frames): Promise<{ readonly answering: string[]; readonly stolen: string[] }>;
}

async function makeSite(
  dir: string,
  conf: (host: CniHost) => NetConf,
  before?: (host: CniHost) => void,
): Promise<Site> {
  using stack = new DisposableStack();
  const host = stack.use(makeHost(3, { forwarding: false }));
  before?.(host);
  const config = conf(host);
  for (const pod of [0, 1, 2]) host.ok({ dir, name: config.type, command: 'ADD', pod, config });
  const attacker = stack.use(new FramePort(host.pod(0), 'eth0'));
  const witness = stack.use(new FramePort(host.pod(2), 'eth0'));
  const bridge = stack.use(new FramePort(host.ns, 'isth0'));
  const victim = /link\/ether (\S+)/.exec(host.pod(1).ip('link', 'show', 'dev', 'eth0'))?.[1] ?? '';
  const macs = { own: attacker.mac, victim, bridge: bridge.mac };
  let round = 0;
  const reach: Site['reach'] = async (frames) => {
    const found = { witness: [] as string[], host: [] as string[] };
    for (const [name, make] of Object.entries(frames)) {
      const frame = make(macs);
      const end = `end ${round++}`;
      attacker.send(frame);
      attacker.send(marker(macs.own, end));
      for (const [who, port] of [['witness', witness] as const, ['host', bridge] as const]) {
        const heard: Buffer[] = [];
        // Frames of one sender keep their order.
        await waitFor(`the frame after ${name}`, () => {
          heard.push(...port.seen());
          return heard.some((one) => one.includes(end));
        });
        const body = frame.subarray(frame.length - 24);
        if (heard.some((one) => one.includes(body))) found[who].push(name);
      }
    }
    return found;
  };
  const steal: Site['steal'] = async (frames) => {
    // With the reference, IPv6 addresses wait for duplicate address detection.
    await waitFor('all answer the witness', () => answers(host.pod(2)).length === TARGETS.length);
    await sleep(LOCK_MS);
    for (const make of Object.values(frames)) attacker.send(make(macs));
    ping(host.pod(0), WITNESS4);
    attacker.seen();
    const answering = answers(host.pod(2));
    const heard = attacker.seen();
    return { answering, stolen: TARGETS.filter((address) => heard.some((frame) => isEchoFor(frame, address))) };
  };
  const kept = stack.move();
  return { host, macs, reach, steal, [Symbol.dispose]: () => kept.dispose() };
}

describe('the spoof guard', function () {
  this.timeout(120_000);
  let bin: PluginDir;
  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());

  const ours =
    (conf: object = {}) =>
    (host: CniHost) =>
      bridgeConf('isthmus', host, { ipam: DUAL_STACK, conf: { ...conf } });
  const dropIn =
    (conf: object = {}) =>
    (host: CniHost) =>
      bridgeConf('bridge', host, { ipam: DUAL_STACK, conf: { ...conf } });
  const all = Object.keys(FORGED);

  for (const backend of ['nftables', 'iptables', 'none'] as const) {
    it(`stops every forged frame, and no honest one (${backend})`, async () => {
      using site = await makeSite(bin.path, ours({ firewall: { backend } }));
      assert.deepEqual(await site.reach(FORGED), { witness: [], host: [] });
      const honest = Object.keys(HONEST);
      assert.deepEqual(await site.reach(HONEST), { witness: honest, host: honest });
      for (const address of [VICTIM4, VICTIM6, GATEWAY4, GATEWAY6]) ping(site.host.pod(0), address);
    });
  }

  it('lets neither neighbours nor the host believe a forged frame', async () => {
    const quiet = (host: CniHost): void => {
      host.ns.ip('link', 'add', 'isth0', 'type', 'bridge');
      host.ns.ip('link', 'set', 'isth0', 'up');
    };
    const four = (host: CniHost): NetConf => bridgeConf('isthmus', host);
    using site = await makeSite(bin.path, four, quiet);
    await site.reach(FORGED);
    for (const ns of [site.host.ns, site.host.pod(1), site.host.pod(2)]) {
      assert.doesNotMatch(ns.ip('-6', 'route'), /proto ra/);
      assert.doesNotMatch(ns.ip('-6', 'addr'), /2001:db8:66:/);
      for (const line of ns
        .ip('neigh')
        .split('\n')
        .filter((text) => text.includes(site.macs.own)))
        assert.match(line, new RegExp(`^(${OWN4}|${linkLocalOf(site.macs.own)}) `));
    }
  });

  it('is off under the reference name, where the reference lets everything pass too', async () => {
    for (const [dir, conf] of [
      [referenceDir, dropIn()],
      [bin.path, dropIn()],
      [bin.path, ours({ spoofGuard: false })],
    ] as const) {
      using site = await makeSite(dir, conf);
      assert.deepEqual((await site.reach(FORGED)).witness, all);
    }
  });

  it('is on under the reference name by its key, where macspoofchk keeps its meaning', async () => {
    using guarded = await makeSite(bin.path, dropIn({ spoofGuard: true }));
    assert.deepEqual(await guarded.reach(FORGED), { witness: [], host: [] });
    using checked = await makeSite(bin.path, dropIn({ macspoofchk: true }));
    const ofMacs = all.filter((name) => /^a frame with/.test(name));
    assert.deepEqual(
      (await checked.reach(FORGED)).witness,
      all.filter((name) => !ofMacs.includes(name)),
    );
  });

  describe("forged ARP replies and neighbour advertisements move a neighbour's traffic", () => {
    const strange = {
      ...forgedReplies('a strange', () => STRANGE),
      "a frame with a neighbour's MAC": ({ victim }: Macs) =>
        ethernet(victim, BROADCAST, EXPERIMENT, Buffer.alloc(46, 1)),
    };
    const own = forgedReplies('its own', ({ own }) => own);
    const unmoved = { answering: TARGETS, stolen: [] };

    it('under the drop-in name without a check', async () => {
      for (const frames of [strange, own]) {
        using site = await makeSite(bin.path, dropIn());
        assert.deepEqual((await site.steal(frames)).stolen, TARGETS);
      }
    });

    it('under macspoofchk only if the frame has the MAC of its port, with the reference too', async () => {
      for (const dir of [bin.path, referenceDir]) {
        using first = await makeSite(dir, dropIn({ macspoofchk: true }));
        assert.deepEqual(await first.steal(strange), unmoved);
        using second = await makeSite(dir, dropIn({ macspoofchk: true }));
        assert.deepEqual((await second.steal(own)).stolen, TARGETS);
      }
    });

    for (const [title, conf] of [
      ['under the drop-in name with the guard', dropIn({ macspoofchk: true, spoofGuard: true })],
      ['with the guard', ours()],
    ] as const)
      it(`never ${title}`, async () => {
        using site = await makeSite(bin.path, conf);
        assert.deepEqual(await site.steal({ ...strange, ...own }), unmoved);
      });
  });

  it('refuses a value that is neither on nor off', () => {
    using host = makeHost(1);
    for (const conf of [ours({ spoofGuard: 'yes' }), dropIn({ spoofGuard: 1 })]) {
      const config = conf(host);
      const { code, json } = host.run({ dir: bin.path, name: config.type, command: 'ADD', pod: 0, config });
      assert.deepEqual([code, json?.code], [1, 7], JSON.stringify(json));
      assert.match(String(json?.msg), /\.spoofGuard/);
    }
    assert.doesNotMatch(host.ns.run('nft', 'list', 'tables'), /isthmus/);
  });

  it('lets an address move: the next endpoint has it at once, and DEL of the old one takes nothing from it', async () => {
    using host = makeHost(3);
    const fixed = (address: string): NetConf => {
      const ipam = { type: 'static', addresses: [{ address: `${address}/24`, gateway: GATEWAY4 }] };
      const conf = bridgeConf('isthmus', host, { conf: { ipam } });
      return { ...conf, ipam };
    };
    const call = (command: 'ADD' | 'DEL', pod: number, address: string): void =>
      void host.ok({ dir: bin.path, name: 'isthmus', command, pod, config: fixed(address) });
    call('ADD', 2, WITNESS4);
    call('ADD', 0, '10.88.0.9');
    ping(host.pod(2), '10.88.0.9');
    // The successor comes before the predecessor goes, with the same address and MAC, as kubelet restarts a sandbox.
    call('ADD', 1, '10.88.0.9');
    host.pod(0).ip('link', 'set', 'eth0', 'down');
    host.pod(2).ip('neigh', 'flush', 'all');
    ping(host.pod(2), '10.88.0.9');
    call('DEL', 0, '10.88.0.9');
    ping(host.pod(2), '10.88.0.9');
    const leased = host.ns.run('nft', 'list', 'set', 'bridge', 'isthmus', 'leased4');
    assert.match(leased, /10\.88\.0\.9 comment "veth/);
    call('DEL', 1, '10.88.0.9');
    call('ADD', 0, '10.88.0.9');
    ping(host.pod(2), '10.88.0.9');
  });

  it('leaves nothing, and its table goes with the last endpoint', () => {
    using host = makeHost(2);
    const config = ours()(host);
    for (const pod of [0, 1]) host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod, config });
    host.ok({ dir: bin.path, name: 'isthmus', command: 'DEL', pod: 0, config });
    const table = host.ns.run('nft', 'list', 'table', 'bridge', 'isthmus');
    assert.doesNotMatch(table, /10\.88\.0\.2\b|fd00:88::2\b/);
    assert.match(table, /10\.88\.0\.3/);
    host.ok({ dir: bin.path, name: 'isthmus', command: 'DEL', pod: 1, config });
    assert.doesNotMatch(host.ns.run('nft', 'list', 'tables'), /bridge/);
  });

  it('has no rule for each endpoint', () => {
    using host = makeHost(3);
    const config = ours()(host);
    const rules = (): number => host.ns.run('nft', '-s', 'list', 'table', 'bridge', 'isthmus').split(' drop\n').length;
    host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod: 0, config });
    const before = rules();
    for (const pod of [1, 2]) host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod, config });
    assert.equal(rules(), before);
  });

  it('is missed by CHECK, and restored: by reload, or by the daemon at once', async () => {
    using host = makeHost(1);
    const config = ours()(host);
    const prevResult = host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod: 0, config });
    const check = (): unknown =>
      host.run({ dir: bin.path, name: 'isthmus', command: 'CHECK', pod: 0, config: { ...config, prevResult } }).json
        ?.code;
    const variables = [`PATH=${process.env.PATH}`, `ISTHMUS_STATE_DIR=${host.stateDir}`];
    const leased = (): string => host.ns.run('nft', 'list', 'ruleset', 'bridge');
    const whole = leased();
    assert.match(whole, /10\.88\.0\.2 comment/);
    assert.equal(check(), undefined);
    for (const damage of [
      ['delete', 'element', 'bridge', 'isthmus', 'leased4', '{ 10.88.0.2 }'],
      ['flush', 'chain', 'bridge', 'isthmus', 'claims4'],
      ['flush', 'ruleset'],
    ]) {
      host.ns.run('nft', ...damage);
      if (host.daemon === undefined) {
        assert.equal(check(), 102);
        host.ns.run('env', '-i', ...variables, `${bin.path}/isthmus`, 'reload');
      }
      await waitFor('the guard is back', () => leased() === whole);
      assert.equal(check(), undefined);
    }
  });

  it('passes CHECK with a result that names no gateway', () => {
    using host = makeHost(1);
    const config = ours()(host);
    const result = host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod: 0, config });
    const ips = (result.ips ?? []).map(({ gateway: _, ...rest }) => rest);
    assert.equal(ips.length, 2);
    host.ok({
      dir: bin.path,
      name: 'isthmus',
      command: 'CHECK',
      pod: 0,
      config: { ...config, prevResult: { ...result, ips } },
    });
  });

  it('lets a tuning change the MAC, and takes the MAC back with it', () => {
    using host = makeHost(2);
    const config = ours()(host);
    for (const pod of [0, 1]) host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod, config });
    const mac = '0a:58:99:00:00:07';
    const ipam = { dataDir: host.dataDir };
    const prevResult = { cniVersion: '1.0.0', interfaces: [{ name: 'eth0', sandbox: host.pod(0).path }], ips: [] };
    const tuning = { cniVersion: '1.0.0', name: 'web', type: 'tuning', mac, ipam, prevResult };
    host.ok({ dir: bin.path, name: 'tuning', command: 'ADD', pod: 0, config: tuning });
    ping(host.pod(0), VICTIM4);
    host.pod(0).ip('link', 'set', 'eth0', 'address', '0a:58:99:00:00:08');
    assert.ok(!canPing(host.pod(0), VICTIM4));
    host.ok({ dir: bin.path, name: 'tuning', command: 'DEL', pod: 0, config: tuning });
    assert.doesNotMatch(host.ns.run('nft', 'list', 'set', 'bridge', 'isthmus', 'macspoof'), new RegExp(mac));
    ping(host.pod(0), VICTIM4);
  });

  it('lets a bridge inside a container work once it is off', () => {
    using host = makeHost(2);
    const config = ours({ spoofGuard: 'off' })(host);
    for (const pod of [0, 1]) host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod, config });
    const inside = host.addPod();
    const outer = host.pod(0);
    outer.ip('link', 'add', 'br0', 'type', 'bridge');
    outer.ip('link', 'set', 'eth0', 'master', 'br0');
    outer.ip('link', 'set', 'br0', 'up');
    outer.ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', inside.name);
    outer.ip('link', 'set', 'v0', 'master', 'br0', 'up');
    inside.ip('addr', 'add', `${FREE4}/24`, 'dev', 'eth0');
    inside.ip('link', 'set', 'eth0', 'up');
    ping(inside, VICTIM4);
  });

  it('lets an address that nobody has move between containers, as keepalived does', () => {
    using host = makeHost(3);
    const config = ours()(host);
    for (const pod of [0, 1, 2]) host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod, config });
    for (const [from, to] of [
      [1, 0],
      [0, 1],
    ] as const) {
      const ns = host.pod(to);
      if (host.pod(from).ip('addr').includes(FREE4)) host.pod(from).ip('addr', 'del', `${FREE4}/32`, 'dev', 'eth0');
      ns.ip('addr', 'add', `${FREE4}/32`, 'dev', 'eth0');
      using port = new FramePort(ns, 'eth0');
      port.send(arp({ mac: port.mac, claims: FREE4 }));
      ping(host.pod(2), FREE4);
      assert.ok(canPing(host.ns, FREE4));
    }
  });
});

describe('separate ports', function () {
  this.timeout(120_000);
  let bin: PluginDir;
  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());

  /** Whether a container reaches its neighbour by way of the gateway, in each family. */
  async function reached(dir: string, make: (host: CniHost) => NetConf): Promise<boolean[]> {
    using host = makeHost(2);
    const config = make(host);
    for (const pod of [0, 1]) host.ok({ dir, name: config.type, command: 'ADD', pod, config });
    host.ns.run('sysctl', '-qw', 'net.ipv4.conf.all.send_redirects=0', 'net.ipv4.conf.isth0.send_redirects=0');
    // Both ends, because the answer takes the same way.
    for (const [pod, four, six] of [
      [0, VICTIM4, VICTIM6],
      [1, OWN4, OWN6],
    ] as const) {
      const ns = host.pod(pod);
      ns.run('sysctl', '-qw', 'net.ipv6.conf.eth0.accept_redirects=0');
      ns.ip('route', 'add', four, 'via', GATEWAY4);
      ns.ip('route', 'add', six, 'via', GATEWAY6);
    }
    // A bridge forwards IPv6 once its link-local address is no duplicate.
    const tentative = (): string => host.ns.ip('-6', 'addr', 'show', 'dev', 'isth0', 'tentative');
    await waitFor('the addresses of the bridge', () => !tentative().includes('inet6'));
    for (const address of [GATEWAY4, GATEWAY6]) ping(host.pod(0), address);
    return [VICTIM4, VICTIM6].map((address) => canPing(host.pod(0), address));
  }

  const conf = (type: 'isthmus' | 'bridge', more: object) => (host: CniHost) =>
    bridgeConf(type, host, { ipam: DUAL_STACK, conf: { ...more } });

  it('reach each other through the gateway with the reference', async () => {
    assert.deepEqual(await reached(referenceDir, conf('bridge', { portIsolation: true })), [true, true]);
  });

  for (const [type, more] of [
    ['isthmus', { icc: false, firewall: { backend: 'nftables' } }],
    ['isthmus', { icc: false, firewall: { backend: 'iptables' } }],
    ['isthmus', { portIsolation: true, ingressPolicy: 'same-bridge' }],
    ['bridge', { portIsolation: true }],
  ] as const)
    it(`do not reach each other through the gateway: ${type} ${JSON.stringify(more)}`, async () => {
      assert.deepEqual(await reached(bin.path, conf(type, more)), [false, false]);
    });
});
