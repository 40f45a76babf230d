import { strict as assert } from 'node:assert';
import { type Chain, makeChain } from '../support/chain.ts';
import { type PluginDir, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { bridgeConf } from '../support/netconf.ts';
import { removeNetns } from '../support/netns.ts';
import { assertSame } from '../support/snapshot.ts';
import { unlikeReference } from './unlike-reference.ts';

const LIST = { cniVersion: '1.1.0', name: 'web' };
const OLD_LIST = { cniVersion: '1.0.0', name: 'web' };
const EVERYTHING = {
  sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1', 'net/ipv4/tcp_rmem': '4096  16384 4194304' },
  mac: '0A:00:00:00:00:77',
  mtu: 1300,
  promisc: true,
  allmulti: true,
  txQLen: 77,
};
const PART = { pod: 0 };

describe('tuning, chained', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  let host: CniHost;
  let untouched: string;

  const ours = (conf: object): Chain =>
    makeChain(
      host,
      [
        { dir: bin.path, conf: bridgeConf('isthmus', host) },
        { dir: bin.path, conf: { type: 'tuning', ...conf } },
      ],
      LIST,
    );
  const reference = (conf: object): Chain =>
    makeChain(
      host,
      [
        { dir: referenceDir, conf: bridgeConf('bridge', host) },
        { dir: referenceDir, conf: { type: 'tuning', dataDir: `${host.dataDir}/tuning`, ...conf } },
      ],
      OLD_LIST,
    );
  const link = (): string => host.pod(0).ip('-d', 'link', 'show', 'eth0');
  const sysctl = (key: string): string => host.pod(0).run('cat', `/proc/sys/${key}`).trim();

  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(() => {
    host = makeHost(1);
    untouched = host.snapshot();
  });
  afterEach(() => host?.[Symbol.dispose]());

  for (const [what, refused] of [
    ['a sysctl that cannot be written', { 'net.ipv4.tcp_available_congestion_control': 'nonesuch' }],
    ['a value that the kernel does not take', { 'net.ipv4.conf.IFNAME.arp_filter': 'nonesuch' }],
    ['a sysctl that does not exist', { 'net.ipv4.nonesuch': '1' }],
  ] as const)
    it(`an ADD that fails on ${what} undoes what it did, and wedges neither ADD, DEL nor GC`, () => {
      const sysctls = { 'net.ipv4.conf.IFNAME.log_martians': '1', ...refused };
      const chain = ours({ sysctl: sysctls });
      const made = host.ok({ ...PART, dir: bin.path, name: 'isthmus', command: 'ADD', config: chain.config(0) });
      const before = host.snapshot();
      const config = chain.config(1, made);
      const call = { ...PART, dir: bin.path, name: 'tuning', config };
      for (let round = 0; round < 2; round++) {
        const { code, json } = host.run({ ...call, command: 'ADD' });
        assert.equal(code, 1);
        assert.match(json?.msg ?? '', /sysctl\.set .*net.ipv4/);
        assert.equal(sysctl('net/ipv4/conf/eth0/log_martians'), '0');
        assertSame(host.snapshot(), before);
        host.ok({ ...call, command: 'DEL' });
        const gc = { ...config, cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] };
        host.ok({ dir: bin.path, name: 'tuning', command: 'GC', config: gc });
      }
      const good = chain.config(1, made);
      host.ok({ ...call, config: { ...good, sysctl: {} }, command: 'ADD' });
      host.ok({ ...call, command: 'DEL' });
      host.ok({ ...PART, dir: bin.path, name: 'isthmus', command: 'DEL', config: chain.config(0) });
      assertSame(host.snapshot(), untouched);
    });

  it('a sysctl that cannot be written and has the value already is set', () => {
    const key = 'net/ipv4/tcp_available_congestion_control';
    const chain = ours({ sysctl: { [key]: sysctl(key) } });
    chain.add(PART);
    chain.del(PART);
    assertSame(host.snapshot(), untouched);
  });

  it('applies the settings, reports them, and DEL restores every value', () => {
    const chain = ours(EVERYTHING);
    const made = host.ok({ ...PART, dir: bin.path, name: 'isthmus', command: 'ADD', config: chain.config(0) });
    const [asItWas, rmem] = [link(), sysctl('net/ipv4/tcp_rmem')];
    const result = host.ok({ ...PART, dir: bin.path, name: 'tuning', command: 'ADD', config: chain.config(1, made) });
    assert.match(link(), /ALLMULTI,PROMISC.* mtu 1300 .*qlen 77\b/);
    assert.match(link(), /link\/ether 0a:00:00:00:00:77/);
    assert.equal(sysctl('net/ipv4/conf/eth0/arp_filter'), '1');
    assert.equal(sysctl('net/ipv4/tcp_rmem').replace(/\s+/g, ' '), '4096 16384 4194304');
    const own = result.interfaces?.find(({ name }) => name === 'eth0');
    assert.deepEqual([own?.mac, own?.mtu], ['0a:00:00:00:00:77', 1300]);
    assert.deepEqual(result.ips, made.ips);
    chain.check(PART, result);
    host.ok({ ...PART, dir: bin.path, name: 'tuning', command: 'DEL', config: chain.config(1) });
    assert.equal(link(), asItWas);
    assert.equal(sysctl('net/ipv4/conf/eth0/arp_filter'), '0');
    assert.equal(sysctl('net/ipv4/tcp_rmem'), rmem);
    chain.del(PART);
    assertSame(host.snapshot(), untouched);
  });

  it('CHECK reports every value that changed', () => {
    const chain = ours(EVERYTHING);
    const result = chain.add(PART);
    for (const [breaking, says] of [
      ['ip link set eth0 address 0a:00:00:00:00:78', '0a:00:00:00:00:78'],
      ['ip link set eth0 mtu 1301', '1301'],
      ['ip link set eth0 promisc off', 'promisc'],
      ['ip link set eth0 allmulticast off', 'allMulticast'],
      ['ip link set eth0 txqueuelen 78', '78'],
      ['echo 0 >/proc/sys/net/ipv4/conf/eth0/arp_filter', 'arp_filter'],
      ['ip link delete eth0', 'eth0'],
    ] as const) {
      host.pod(0).run('sh', '-c', breaking);
      const run = chain.run(1, 'CHECK', PART, result);
      assert.deepEqual([run.code, run.json?.code], [1, 102], `${breaking}: ${run.stdout}`);
      assert.ok(run.json?.msg?.includes(says), `${breaking}: ${run.stdout}`);
      chain.del(PART);
      chain.check(PART, chain.add(PART));
    }
  });

  it('DEL works twice, and without namespace or valid configuration', () => {
    for (const part of [{}, { netns: '' }, { netns: '/nowhere' }]) {
      ours(EVERYTHING).add(PART);
      const wrecked = ours({ sysctl: 7, mtu: 'x', mac: [] });
      for (let round = 0; round < 2; round++) wrecked.del({ ...PART, ...part });
      // Sysctls of the whole namespace stay where it could not be entered.
      if (part.netns === undefined) assertSame(host.snapshot(), untouched);
    }
    ours(EVERYTHING).add(PART);
    removeNetns(host.pod(0).name);
    for (let round = 0; round < 2; round++) ours(EVERYTHING).del(PART);
  });

  it('ADD that fails half way restores every value', () => {
    const chain = ours({ ...EVERYTHING, mtu: 100_000 });
    const made = chain.run(0, 'ADD', PART).json ?? {};
    const [asItWas, rmem] = [host.snapshot(), sysctl('net/ipv4/tcp_rmem')];
    const run = chain.run(1, 'ADD', PART, made);
    assert.deepEqual([run.code, run.json?.code], [1, 103], run.stdout);
    assert.match(run.json?.msg ?? '', /100000.*(mtu|Invalid argument)/i);
    assertSame(host.snapshot(), asItWas);
    assert.equal(sysctl('net/ipv4/tcp_rmem'), rmem);
    const missing = ours({ sysctl: { 'net.ipv4.nothing.here': '1' } }).run(1, 'ADD', PART, made);
    assert.match(missing.json?.msg ?? '', /net\/ipv4\/nothing\/here.*No such file/);
    assertSame(host.snapshot(), asItWas);
  });

  it('sets MAC of CNI_ARGS, and refuses an unknown argument', () => {
    const chain = ours({});
    const made = chain.run(0, 'ADD', PART).json ?? {};
    const run = chain.run(1, 'ADD', { ...PART, args: 'IgnoreUnknown=1;K8S_POD_NAME=x;MAC=0a:00:00:00:00:79' }, made);
    assert.equal(run.code, 0, run.stdout);
    assert.match(link(), /0a:00:00:00:00:79/);
    const unknown = chain.run(1, 'CHECK', { ...PART, args: 'K8S_POD_NAME=x' }, made);
    assert.deepEqual([unknown.code, unknown.json?.code], [1, 4], unknown.stdout);
  });

  it('sets only sysctls in the allowlist, if there is one', () => {
    const conf = { sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1' } };
    const chain = ours(conf);
    const made = chain.run(0, 'ADD', PART).json ?? {};
    const call = (list: string) => {
      const script = `mount -t tmpfs none /etc && mkdir -p /etc/cni/tuning && printf '%s\\n' '${list}' >/etc/cni/tuning/allowlist.conf && exec "$0"`;
      return chain.run(1, 'ADD', { ...PART, prefix: ['unshare', '-m', 'sh', '-c', script] }, made);
    };
    const refused = call('^net\\.core\\.');
    assert.deepEqual([refused.code, refused.json?.code], [1, 7], refused.stdout);
    assert.match(refused.json?.msg ?? '', /net\.ipv4\.conf\.IFNAME\.arp_filter.*allowlist/);
    assert.equal(sysctl('net/ipv4/conf/eth0/arp_filter'), '0');
    assert.equal(call('  ^net\\.ipv4\\.conf\\.  ').code, 0);
    assert.equal(sysctl('net/ipv4/conf/eth0/arp_filter'), '1');
  });

  for (const [what, make] of [
    ['a FIFO', 'mkfifo'],
    ['a device', 'mknod -m 600 "$f" c 1 5; true'],
    ['a huge file', 'truncate -s 3G'],
  ] as const)
    it(`sets no sysctl if the allowlist is ${what}, and does not wait for it`, () => {
      const chain = ours({ sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1' } });
      const made = chain.run(0, 'ADD', PART).json ?? {};
      const script = `mount -t tmpfs none /etc && mkdir -p /etc/cni/tuning && f=/etc/cni/tuning/allowlist.conf && ${make} "$f" && exec timeout 10 "$0"`;
      const call = chain.run(1, 'ADD', { ...PART, prefix: ['unshare', '-m', 'sh', '-c', script] }, made);
      assert.deepEqual([call.code, call.json?.code], [1, 5], call.stdout);
      assert.match(call.json?.msg ?? '', /allowlist\.conf: cannot be read: it (is not a regular|has more than)/);
      assert.equal(sysctl('net/ipv4/conf/eth0/arp_filter'), '0');
    });

  const nilMap = { args: { cni: { sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1' } } } };
  unlikeReference('D18', 'args.cni.sysctl without sysctl', {
    reference: () => {
      const chain = reference(nilMap);
      const run = chain.run(1, 'ADD', PART, chain.run(0, 'ADD', PART).json);
      assert.notEqual(run.code, 0);
      assert.equal(run.json, undefined);
      assert.match(run.stderr, /^panic: .*assignment to entry in nil map/);
    },
    ours: {
      tuning: () => {
        const chain = ours(nilMap);
        chain.check(PART, chain.add(PART));
        assert.equal(sysctl('net/ipv4/conf/eth0/arp_filter'), '1');
        chain.del(PART);
        assertSame(host.snapshot(), untouched);
      },
    },
  });

  const checkPromiscuous = (chain: Chain) => {
    const result = chain.add(PART);
    host.pod(0).ip('link', 'set', 'eth0', 'promisc', 'on');
    return chain.run(1, 'CHECK', PART, result);
  };
  unlikeReference('D22', 'an interface that somebody else made promiscuous', {
    reference: () => assert.match(checkPromiscuous(reference({ mtu: 1400 })).stdout, /promisc is false/),
    ours: { tuning: () => assert.equal(checkPromiscuous(ours({ mtu: 1400 })).code, 0) },
  });

  const check = (chain: Chain) => chain.run(1, 'CHECK', PART, chain.add(PART));
  const ofInterface = { sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1' } };
  unlikeReference('D23', 'a sysctl of the interface', {
    reference: {
      '1.1.1': () => assert.match(check(reference(ofInterface)).stdout, /IFNAME\/arp_filter: no such file/),
      '1.9.1': () => assert.equal(check(reference(ofInterface)).code, 0),
    },
    ours: { tuning: () => assert.equal(check(ours(ofInterface)).code, 0) },
  });

  const severalNumbers = { sysctl: { 'net.ipv4.tcp_rmem': '4096 16384 4194304' } };
  unlikeReference('D23', 'a sysctl of several numbers', {
    reference: () => assert.match(check(reference(severalNumbers)).stdout, /configured value of .*tcp_rmem/),
    ours: { tuning: () => assert.equal(check(ours(severalNumbers)).code, 0) },
  });
});
