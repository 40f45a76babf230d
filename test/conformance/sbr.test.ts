import { strict as assert } from 'node:assert';
import { existsSync } from 'node:fs';
import { type CniAnswer, type PluginDir, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { LAN4, LAN6, type Lan, makeLan } from '../support/lan.ts';
import type { TestNetns } from '../support/netns.ts';
import { waitFor } from '../support/test-host.ts';

const ADDRESSES = [
  { address: '10.5.0.77/24', gateway: LAN4 },
  { address: '10.5.0.78/24', gateway: LAN4 },
  { address: 'fd00:5::77/64', gateway: LAN6 },
];

describe('sbr', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  let host: CniHost;
  let lan: Lan;

  const list = { cniVersion: '1.0.0', name: 'lan' };
  const call = (name: 'macvlan' | 'sbr', command: 'ADD' | 'CHECK' | 'DEL', keys: object, more: object = {}) => ({
    ...{ dir: bin.path, name, command, pod: 0, ifName: 'net1', containerId: 'pod0' },
    ...{ config: { ...list, type: name, ...keys } },
    ...more,
  });
  const attach = (more: object = {}): CniAnswer => {
    const ipam = { type: 'static', addresses: ADDRESSES, routes: [{ dst: '10.66.0.0/16' }, { dst: '0.0.0.0/0' }] };
    return host.ok(call('macvlan', 'ADD', { master: lan.parent, ipam }, more));
  };
  const route = (prevResult: CniAnswer, keys: object = {}, more: object = {}): CniAnswer =>
    host.ok(call('sbr', 'ADD', { prevResult, ...keys }, more));
  const unroute = (more: object = {}): CniAnswer => host.ok(call('sbr', 'DEL', {}, more));
  const table = (pod: TestNetns, number: number | string, family: '-4' | '-6'): string[] => {
    try {
      return wordsOf(pod.ip(family, 'route', 'show', 'table', String(number)));
    } catch {
      // No route was ever in this table.
      return [];
    }
  };

  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(() => {
    host = makeHost(2);
    lan = makeLan(host.ns);
  });
  afterEach(() => {
    lan?.[Symbol.dispose]();
    host?.[Symbol.dispose]();
  });

  it('answers, and routes what leaves from each address, as the reference does', () => {
    const seen = [bin.path, referenceDir].map((dir, pod) => {
      const place = { pod, containerId: `pod${pod}` };
      const made = attach(place);
      const { interfaces, ips, routes } = route(made, {}, { dir, ...place });
      assert.deepEqual([interfaces, ips, routes], [made.interfaces, made.ips, made.routes]);
      const ns = host.pod(pod);
      const rules = (['-4', '-6'] as const).map((family) => wordsOf(ns.ip(family, 'rule')));
      // Of our tables, each has its own address for source.
      const tables = [100, 101].map((number) => table(ns, number, '-4').map((line) => line.replace(/ src \S+/, '')));
      const main = table(ns, 'main', '-4');
      host.ok(call('macvlan', 'DEL', { master: lan.parent }, place));
      return { rules, tables, main };
    });
    assert.deepEqual(seen[0], seen[1]);
  });

  it('keeps IPv6 link-local in the main table, and each family in its own', async () => {
    const pod = host.pod(0);
    route(attach());
    assert.deepEqual(table(pod, 'main', '-4'), []);
    assert.deepEqual(
      table(pod, 'main', '-6').filter((line) => !line.startsWith('fe80::/64')),
      [],
    );
    assert.equal(table(pod, 102, '-4').length, 0);
    assert.match(table(pod, 102, '-6').join('\n'), /default via fd00:5::1/);
    const local = /inet6 (fe80\S+)\//.exec(lan.ns.ip('addr', 'show', 'lan0'))?.[1] ?? assert.fail('no link-local');
    // The kernel may still be looking whether another interface has one of these addresses.
    await waitFor('an answer from the link-local address', () => pings(pod, `${local}%net1`));
    assert.equal(pings(pod, LAN4, '10.5.0.78'), true);
    assert.equal(pings(pod, LAN6, 'fd00:5::77'), true);
  });

  it('DEL cleans the tables and gives the routes back, and ADD works again', () => {
    const pod = host.pod(0);
    const made = attach();
    const [before, snapshot] = [wordsOf(pod.ip('route')), pod.ip('rule')];
    for (let round = 0; round < 2; round++) {
      const result = route(made);
      assert.equal(host.run(call('sbr', 'CHECK', { prevResult: result })).code, 0);
      assert.match(pod.ip('rule'), /from 10\.5\.0\.77 lookup 100/);
      for (let again = 0; again < 2; again++) unroute();
      assert.equal(pod.ip('rule'), snapshot);
      for (const number of [100, 101, 102]) assert.deepEqual(table(pod, number, '-4'), []);
      assert.deepEqual(wordsOf(pod.ip('route')), before);
    }
  });

  it('DEL without a namespace succeeds, and makes nothing where its path leads nowhere', () => {
    const pod = host.pod(0);
    route(attach());
    unroute({ netns: '' });
    assert.doesNotMatch(pod.ip('rule'), /lookup 100/);
    const path = '/run/netns/isth-gone9';
    unroute({ netns: path });
    assert.equal(existsSync(path), false);
  });

  it('with a table it adds rules only, and with gateways and hints it follows them', () => {
    const pod = host.pod(0);
    const made = attach();
    const before = wordsOf(pod.ip('route'));
    route(made, { table: 200 });
    assert.match(pod.ip('rule'), /from 10\.5\.0\.77 lookup 200/);
    assert.deepEqual(wordsOf(pod.ip('route')), before);
    unroute();
    route(made, { gateways: ['10.5.0.254'], addSourceHints: true });
    assert.match(table(pod, 100, '-4').join('\n'), /default via 10\.5\.0\.254 dev net1 src 10\.5\.0\.77/);
    assert.match(table(pod, 101, '-4').join('\n'), /default via 10\.5\.0\.254 dev net1 src 10\.5\.0\.78/);
  });

  it('CHECK sees a rule and a route that are gone', () => {
    const pod = host.pod(0);
    const check = () => host.run(call('sbr', 'CHECK', { prevResult: made }));
    const made = route(attach());
    for (const breaking of [
      ['rule', 'del', 'from', '10.5.0.77', 'table', '100'],
      ['route', 'del', 'default', 'table', '100'],
    ]) {
      pod.ip(...breaking);
      assert.equal(check().code, 1, breaking.join(' '));
      unroute();
      route(made);
      assert.equal(check().code, 0);
    }
  });

  for (const [title, keys, found] of [
    ['a table that is none', { table: -1 }, /\.table=-1/],
    ['two gateways of a family', { gateways: [LAN4, '10.5.0.2'] }, /\.gateways\[1\].*second IPv4/],
    ['an interface without addresses', { prevResult: { cniVersion: '1.0.0', ips: [] } }, /no address of net1/],
    ['a call without an earlier plugin', { prevResult: undefined }, /prevResult.*chained plugin/],
  ] as const)
    it(`refuses ${title}, and changes nothing`, () => {
      const made = attach();
      const before = host.snapshot();
      const { code, json } = host.run(call('sbr', 'ADD', { prevResult: made, ...keys }));
      assert.equal(code, 1);
      assert.match(json?.msg ?? '', found);
      assert.equal(host.snapshot(), before);
    });

  it('vrf: the kernel has it, or the error says what it lacks, and nothing is left', () => {
    const made = attach();
    const before = host.snapshot();
    const vrf = { ...call('sbr', 'ADD', { type: 'vrf', vrfname: 'blue', prevResult: made }), name: 'vrf' };
    const { code, json } = host.run(vrf);
    if (code === 0) assert.match(host.pod(0).ip('-d', 'link', 'show', 'net1'), /master blue/);
    else assert.match(json?.msg ?? '', /this kernel has no vrf.*CONFIG_NET_VRF/);
    host.ok({ ...vrf, command: 'DEL' });
    assert.equal(host.snapshot(), before);
  });
});

function wordsOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/ proto \S+/, '').trim())
    .filter((line) => line !== '')
    .sort();
}

function pings(ns: TestNetns, address: string, from?: string): boolean {
  try {
    ns.run('busybox', 'ping', '-c1', '-W1', ...(from === undefined ? [] : ['-I', from]), address);
    return true;
  } catch {
    return false;
  }
}
