import { strict as assert } from 'node:assert';
import { type CniAnswer, type PluginDir, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { LAN4, LAN6, type Lan, makeLan, reaches } from '../support/lan.ts';
import type { TestNetns } from '../support/netns.ts';

const SUBNETS = [[{ subnet: '10.5.0.0/24', rangeStart: '10.5.0.50', gateway: LAN4 }], [{ subnet: 'fd00:5::/64' }]];

describe('macvlan', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  let host: CniHost;
  let lan: Lan;
  let untouched: string;

  const conf = (keys: object = {}, ranges: readonly object[] = SUBNETS) => ({
    ...{ cniVersion: '1.0.0', name: 'lan', type: 'macvlan', master: lan.parent },
    ipam: { type: 'host-local', ranges, routes: [{ dst: '0.0.0.0/0' }], dataDir: host.dataDir },
    ...keys,
  });
  const call = (command: 'ADD' | 'DEL', pod: number, keys: object = {}, dir = bin.path): CniAnswer =>
    host.ok({ dir, name: 'macvlan', command, pod, config: conf(keys) });
  const refused = (command: 'ADD' | 'CHECK' | 'DEL', pod: number, keys: object): CniAnswer => {
    const { code, json, stderr } = host.run({ dir: bin.path, name: 'macvlan', command, pod, config: conf(keys) });
    assert.equal(code, 1, `${JSON.stringify(json)}${stderr}`);
    return json ?? assert.fail('no answer');
  };

  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(() => {
    host = makeHost(3);
    lan = makeLan(host.ns);
    untouched = host.snapshot();
  });
  afterEach(() => {
    lan?.[Symbol.dispose]();
    host?.[Symbol.dispose]();
  });

  it('answers as the reference does, but for MAC and MTU', () => {
    const [ours, theirs] = [bin.path, referenceDir].map((dir, pod) => call('ADD', pod, {}, dir));
    const facts = ({ interfaces = [], ips, routes, dns = {} }: CniAnswer, pod: number) => ({
      interfaces: interfaces.map(({ name, sandbox }) => ({ name, isPod: sandbox === host.pod(pod).path })),
      ips: ips?.map((ip) => ({ ...ip, address: ip.address.replace(/50|51|::[23]/, 'N') })),
      routes,
      dns,
    });
    assert.deepEqual(facts(ours ?? {}, 0), facts(theirs ?? {}, 1));
  });

  for (const mode of ['bridge', 'private', 'vepa'] as const)
    it(`${mode}: pods reach the LAN over IPv4 and IPv6, and each other as the mode says`, () => {
      for (const pod of [0, 1]) call('ADD', pod, { mode });
      for (const address of [LAN4, LAN6]) assert.equal(reaches(host.pod(0), address), true, address);
      assert.equal(reaches(lan.ns, '10.5.0.50'), true);
      // Nobody on this LAN sends frames back where they came from, as vepa needs.
      assert.equal(reaches(host.pod(0), '10.5.0.51'), mode === 'bridge');
      for (const pod of [0, 1]) call('DEL', pod, { mode });
      assert.equal(host.snapshot(), untouched);
    });

  it('passthru: the pod has the MAC of its parent, and no other pod fits beside it', () => {
    const mac = macOf(host.ns, lan.parent);
    call('ADD', 0, { mode: 'passthru' });
    assert.equal(macOf(host.pod(0), 'eth0'), mac);
    assert.equal(reaches(host.pod(0), LAN4), true);
    const { msg } = refused('ADD', 1, {});
    assert.match(msg ?? '', /up0/);
    call('DEL', 0);
    assert.equal(host.snapshot(), untouched);
  });

  it('takes the device of the default route for its parent', () => {
    host.ns.ip('addr', 'add', '10.5.0.9/24', 'dev', lan.parent);
    host.ns.ip('route', 'add', 'default', 'via', LAN4);
    call('ADD', 0, { master: undefined });
    assert.equal(reaches(host.pod(0), LAN4), true);
    host.ns.ip('route', 'del', 'default');
    call('DEL', 0, { master: undefined });
  });

  it('has the MAC and the MTU that are asked for', () => {
    call('ADD', 0, { mac: '0a:00:00:00:00:09', mtu: 1400, runtimeConfig: {} });
    assert.match(host.pod(0).ip('link', 'show', 'eth0'), /mtu 1400 .*0a:00:00:00:00:09/s);
  });

  it('serves a pod without addresses', () => {
    const { ips = [] } = host.ok({
      ...{ dir: bin.path, name: 'macvlan', command: 'ADD', pod: 0 },
      config: conf({ ipam: undefined }),
    });
    assert.deepEqual(ips, []);
    host.pod(0).ip('addr', 'add', '10.5.0.77/24', 'dev', 'eth0');
    assert.equal(reaches(host.pod(0), LAN4), true);
  });

  it('the LAN learns at once that an address has another MAC', () => {
    const fixed = { ipam: { type: 'static', addresses: [{ address: '10.5.0.60/24', gateway: LAN4 }] } };
    call('ADD', 0, fixed);
    assert.equal(reaches(lan.ns, '10.5.0.60'), true);
    // The successor comes before its predecessor goes.
    call('ADD', 1, fixed);
    assert.match(lan.ns.ip('neigh', 'show', '10.5.0.60'), new RegExp(macOf(host.pod(1), 'eth0')));
    call('DEL', 0, fixed);
    assert.equal(reaches(lan.ns, '10.5.0.60'), true);
  });

  for (const [title, keys, found] of [
    ['a parent that is missing', { master: 'no' }, /\.master="no".*no such interface/],
    ['loopback as parent', { master: 'lo' }, /\.master="lo".*loopback/],
    ['an MTU over the parent’s', { mtu: 9000 }, /\.mtu=9000.*1500/],
    [
      'an IPAM that has no address left',
      { ipam: { type: 'host-local', subnet: '10.5.0.0/30', gateway: '10.5.0.2', rangeEnd: '10.5.0.1' } },
      /./,
    ],
  ] as const)
    it(`refuses ${title}, and changes nothing`, () => {
      if ('ipam' in keys) {
        const ipam = { ...keys.ipam, dataDir: host.dataDir };
        host.ok({ dir: bin.path, name: 'macvlan', command: 'ADD', pod: 0, config: conf({ ipam }) });
        const before = host.snapshot();
        assert.match(refused('ADD', 1, { ipam }).msg ?? '', found);
        assert.equal(host.snapshot(), before);
        return;
      }
      assert.match(refused('ADD', 0, keys).msg ?? '', found);
      assert.equal(host.snapshot(), untouched);
    });

  it('refuses a port of a bridge as parent, and says which bridge', () => {
    host.ns.ip('link', 'add', 'br9', 'type', 'bridge');
    host.ns.ip('link', 'set', lan.parent, 'master', 'br9');
    assert.match(refused('ADD', 0, {}).msg ?? '', /up0.*br9/);
  });

  it('DEL without a namespace, with a lost one and once more succeeds and frees the address', () => {
    call('ADD', 0);
    host.ok({
      dir: bin.path,
      name: 'macvlan',
      command: 'DEL',
      containerId: 'pod0',
      ifName: 'eth0',
      netns: '',
      config: conf(),
    });
    assert.doesNotMatch(host.pod(0).ip('link'), /eth0/, 'the namespace is on record');
    assert.equal(host.snapshot(), untouched);
    call('ADD', 1);
    const gone = { netns: '/run/netns/isth-gone', containerId: 'pod1', ifName: 'eth0' };
    for (let i = 0; i < 2; i++) host.ok({ dir: bin.path, name: 'macvlan', command: 'DEL', ...gone, config: conf() });
  });

  it('DEL needs no parent: it may be gone, and the interface with it', () => {
    call('ADD', 0);
    host.ns.ip('link', 'del', lan.parent);
    assert.match(
      refused('CHECK', 0, { prevResult: { cniVersion: '1.0.0', interfaces: [], ips: [] } }).msg ?? '',
      /up0/,
    );
    call('DEL', 0);
    call('DEL', 0);
  });

  it('DEL of what the reference made takes it away', () => {
    call('ADD', 0, {}, referenceDir);
    call('DEL', 0);
    assert.doesNotMatch(host.pod(0).ip('link'), /eth0/);
  });

  it('CHECK sees a lost interface, address and route, and passes otherwise', () => {
    const check = (prevResult: CniAnswer) =>
      host.run({ dir: bin.path, name: 'macvlan', command: 'CHECK', pod: 0, config: conf({ prevResult }) });
    for (const breakIt of [
      ['addr', 'del', '10.5.0.50/24', 'dev', 'eth0'],
      ['route', 'del', 'default'],
      ['link', 'del', 'eth0'],
    ]) {
      const result = call('ADD', 0);
      assert.equal(check(result).code, 0);
      host.pod(0).ip(...breakIt);
      assert.equal(check(result).code, 1, breakIt.join(' '));
      call('DEL', 0);
    }
  });

  it('CHECK says why an interface vanished, and passes while it is there, whatever its parent is called', () => {
    const result = call('ADD', 0);
    const check = () =>
      host.run({ dir: bin.path, name: 'macvlan', command: 'CHECK', pod: 0, config: conf({ prevResult: result }) });
    const parent = (...args: string[]) => host.ns.ip('link', ...args);
    parent('set', 'up0', 'down');
    parent('set', 'up0', 'name', 'up9');
    parent('set', 'up9', 'up');
    assert.ok(reaches(host.pod(0), LAN4));
    assert.equal(check().code, 0);
    parent('set', 'up9', 'netns', host.pod(1).name);
    assert.equal(check().code, 0, 'in another namespace it still carries the interface');
    host.pod(1).ip('link', 'del', 'up9');
    assert.match(check().json?.msg ?? '', /link up0: is gone, and eth0 with it, whose parent it was/);
    lan[Symbol.dispose]();
    lan = makeLan(host.ns);
    assert.match(
      check().json?.msg ?? '',
      /link eth0: is gone from the container: .* its parent up0, and made that again/,
    );
    call('DEL', 0);
  });
});

function macOf(ns: TestNetns, name: string): string {
  return /link\/ether (\S+)/.exec(ns.ip('link', 'show', 'dev', name))?.[1] ?? assert.fail(`${name} has no MAC`);
}
