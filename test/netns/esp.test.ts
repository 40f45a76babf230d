import { strict as assert } from 'node:assert';
import { missingEsp } from '../../src/shared/core/remote/esp.ts';
import { diffSeal, SEAL_QUERY, type Seal, type SealKey } from '../../src/shared/core/remote/seal.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { Secret } from '../../src/shared/model/secret.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { canPing } from '../support/ping.ts';
import { skipIf } from '../support/skip.ts';

/** Ports of the cluster's encrypted and of its other networks. */
const [SEALED, OPEN] = [4790, 4789];
const UNDERLAY = { a: '192.0.2.7', b: '192.0.2.8' } as const;

const key = (byte: number): SealKey => ({ spi: 0x100 + byte, key: new Secret(Buffer.alloc(20, byte)) });
/** What host a has in generation `g`. */
const sealOf = (g: number): Seal => ({
  ...{ port: SEALED, family: 4, local: UNDERLAY.a },
  peers: [{ host: UNDERLAY.b, send: key(g), receive: [key(100 + g), key(101 + g)] }],
});
/** The other end of `sealOf`. */
const mirrored = (g: number): Seal => ({
  ...{ port: SEALED, family: 4, local: UNDERLAY.b },
  peers: [{ host: UNDERLAY.a, send: key(100 + g), receive: [key(g), key(1 + g)] }],
});
const ALONE: Seal = { ...sealOf(1), peers: [] };

describe('encrypted networks on a real kernel', () => {
  const host = openLinuxHost();
  let [a, b, pod]: TestNetns[] = [];
  const at = (ns: TestNetns | undefined): TestNetns => ns ?? assert.fail('no namespace');

  /** Two hosts with an encrypted network (10.1.0.0/24) and another one (10.2.0.0/24), and a pod behind the first. */
  before(function () {
    skipIf(this, netnsMissing());
    [a, b, pod] = [makeNetns('esp-a'), makeNetns('esp-b'), makeNetns('esp-pod')];
    at(a).ip('link', 'add', 'e0', 'type', 'veth', 'peer', 'name', 'e0', 'netns', at(b).name);
    at(a).ip('link', 'add', 'p0', 'type', 'veth', 'peer', 'name', 'p0', 'netns', at(pod).name);
    for (const [ns, own, other, last] of [
      [at(a), UNDERLAY.a, UNDERLAY.b, 7],
      [at(b), UNDERLAY.b, UNDERLAY.a, 8],
    ] as const) {
      ns.ip('addr', 'add', `${own}/24`, 'dev', 'e0');
      ns.ip('link', 'set', 'e0', 'up');
      for (const [number, port] of [
        [1, SEALED],
        [2, OPEN],
      ] as const) {
        const vxlan = ['id', String(number), 'dstport', String(port), 'local', own, 'remote', other];
        ns.ip('link', 'add', `vx${number}`, 'type', 'vxlan', ...vxlan);
        ns.ip('addr', 'add', `10.${number}.0.${last}/24`, 'dev', `vx${number}`);
        ns.ip('link', 'set', `vx${number}`, 'up');
      }
    }
    at(a).ip('addr', 'add', '10.50.0.1/24', 'dev', 'p0');
    at(a).ip('link', 'set', 'p0', 'up');
    at(a).run('sysctl', '-qw', 'net.ipv4.ip_forward=1');
    at(pod).ip('addr', 'add', '10.50.0.2/24', 'dev', 'p0');
    at(pod).ip('link', 'set', 'p0', 'up');
    at(pod).ip('route', 'add', 'default', 'via', '10.50.0.1');
    const own = `udp dport ${SEALED} ip saddr`;
    const rules = [`${own} ${UNDERLAY.a}`, `${own} 10.50.0.2`, 'ip protocol esp'].map((match) => `${match} counter`);
    const lines = [
      'table netdev t {',
      'chain c {',
      'type filter hook ingress device "e0" priority 0;',
      ...rules,
      '}',
      '}',
    ];
    at(b).run('nft', lines.join('\n'));
  });
  after(() => {
    for (const ns of [a, b, pod]) ns?.[Symbol.dispose]();
    host[Symbol.dispose]();
  });
  afterEach(() => {
    for (const ns of [a, b]) if (ns !== undefined) make(ns, undefined);
  });

  const make = (ns: TestNetns, seal: Seal | undefined): string[] => {
    using opened = host.open(ns.path);
    const ops = diffSeal(seal, SEALED, host.observe(opened, SEAL_QUERY));
    return host.revert(ops, { host: opened }).map(({ kind }) => kind);
  };
  const reaches = (ns: TestNetns | undefined, address: string): boolean => canPing(at(ns), address);
  /** Packets that b has got: datagrams of host a and of its pod in clear text, and ESP. */
  const arrived = (): number[] =>
    [
      ...at(b)
        .run('nft', 'list', 'table', 'netdev', 't')
        .matchAll(/counter packets (\d+)/g),
    ].map(([, n]) => Number(n));
  const received = (ns: TestNetns | undefined): string => at(ns).run('cat', '/sys/class/net/vx1/statistics/rx_packets');
  const left = (ns: TestNetns): string => ns.ip('xfrm', 'state') + ns.ip('xfrm', 'policy');

  it('without a seal, both networks reach the other host', () => {
    assert.deepEqual([reaches(a, '10.1.0.8'), reaches(b, '10.1.0.7'), reaches(a, '10.2.0.8')], [true, true, true]);
    assert.ok((arrived()[0] ?? 0) > 0, 'the counter counts');
  });

  for (const [name, seal] of [
    ['no key', ALONE],
    ['a kernel that refuses its keys', sealOf(1)],
  ] as const)
    it(`with ${name}, nothing of an encrypted network leaves or arrives in clear text; the rest does`, function () {
      skipIf(this, name !== 'no key' && missingEsp(host, 4) === undefined ? 'this kernel has ESP' : undefined);
      const errors = make(at(a), seal);
      assert.deepEqual([...new Set(errors)], name === 'no key' ? [] : ['unsupported']);
      const [before] = arrived();
      assert.equal(reaches(a, '10.1.0.8'), false);
      assert.equal(arrived()[0], before, 'nothing left');
      const got = received(a);
      assert.equal(reaches(b, '10.1.0.7'), false);
      assert.equal(received(a), got, 'nothing arrived');
      assert.deepEqual([reaches(a, '10.2.0.8'), reaches(b, '10.2.0.7')], [true, true]);
    });

  it('pods may send to this port of other hosts', () => {
    make(at(a), ALONE);
    const [, before = 0] = arrived();
    at(pod).run('bash', '-c', `echo x > /dev/udp/${UNDERLAY.b}/${SEALED}`);
    assert.equal(arrived()[1], before + 1);
  });

  it('leaves nothing in the kernel', () => {
    make(at(a), sealOf(1));
    assert.notEqual(left(at(a)), '');
    make(at(a), undefined);
    assert.equal(left(at(a)), '');
    assert.deepEqual([reaches(a, '10.1.0.8'), reaches(b, '10.1.0.7')], [true, true]);
  });

  it('a kernel without ESP is told by its answer, and keeps nothing of the question', function () {
    const missing = missingEsp(host, 4);
    skipIf(this, missing === undefined ? 'this kernel has ESP' : undefined);
    assert.match(missing ?? '', /^this kernel has no ESP \(CONFIG_INET_ESP\)/);
    assert.match(missingEsp(host, 6) ?? '', /^this kernel has no ESP \(CONFIG_INET6_ESP\)/);
    const { states, policies } = host.observe(host.own, SEAL_QUERY);
    assert.deepEqual([states, policies], [[], []]);
  });

  it('with ESP, an encrypted network reaches the other host, also while keys rotate', function () {
    skipIf(this, missingEsp(host, 4));
    for (const [g, h] of [
      [1, 1],
      [2, 1],
      [2, 2],
    ] as const) {
      assert.deepEqual([make(at(a), sealOf(g)), make(at(b), mirrored(h))], [[], []]);
      const [plain, , esp = 0] = arrived();
      assert.deepEqual([reaches(a, '10.1.0.8'), reaches(b, '10.1.0.7')], [true, true], `generations ${g} and ${h}`);
      assert.equal(arrived()[0], plain, 'nothing in clear text');
      assert.ok((arrived()[2] ?? 0) > esp);
    }
  });
});
