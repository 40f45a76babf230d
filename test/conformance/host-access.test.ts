import { strict as assert } from 'node:assert';
import { type CniAnswer, expectOk, type PluginDir, pluginDir, runPluginAsync } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { until } from '../support/daemon-site.ts';
import { LAN4, LAN6, type Lan, makeLan, reaches } from '../support/lan.ts';
import { VIA } from '../support/via.ts';

/** The part of the LAN's subnets that is the network's; the host has an address of each subnet outside it. */
const RANGES = [
  [{ subnet: '10.5.0.0/24', rangeStart: '10.5.0.64', rangeEnd: '10.5.0.127', gateway: LAN4 }],
  [{ subnet: 'fd00:5::/64', rangeStart: 'fd00:5::40', rangeEnd: 'fd00:5::7f', gateway: LAN6 }],
];
const [OWN4, OWN6] = ['10.5.0.9', 'fd00:5::9'];
const [SHIM4, SHIM6] = ['10.5.0.127', 'fd00:5::7f'];
const [POD4, POD6] = ['10.5.0.64', 'fd00:5::40'];

describe('host access of macvlan', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  let host: CniHost;
  let lan: Lan;
  let untouched: string;

  const conf = (keys: object = {}, ipam: object = {}) => ({
    ...{ cniVersion: '1.0.0', name: 'lan', type: 'isthmus', driver: 'macvlan', master: lan.parent, hostAccess: true },
    ipam: { ranges: RANGES, routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }], dataDir: host.dataDir, ...ipam },
    ...keys,
  });
  const call = (command: 'ADD' | 'DEL', pod: number, keys: object = {}, ipam: object = {}): CniAnswer =>
    host.ok({ dir: bin.path, name: 'isthmus', command, pod, config: conf(keys, ipam) });
  const refused = (keys: object, ipam: object = {}, command: 'ADD' | 'CHECK' = 'ADD'): CniAnswer => {
    const run = host.run({ dir: bin.path, name: 'isthmus', command, pod: 1, config: conf(keys, ipam) });
    assert.equal(run.code, 1, `${run.stdout}${run.stderr}`);
    return run.json ?? assert.fail('no answer');
  };
  const shim = (): string => /^(shim[0-9a-f]{11})@/m.exec(host.ns.ip('-br', 'link'))?.[1] ?? '';

  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(() => {
    host = makeHost(3);
    lan = makeLan(host.ns);
    host.ns.ip('addr', 'add', `${OWN4}/24`, 'dev', lan.parent);
    host.ns.ip('addr', 'add', `${OWN6}/64`, 'dev', lan.parent, 'nodad');
    untouched = host.snapshot();
  });
  afterEach(() => {
    lan?.[Symbol.dispose]();
    host?.[Symbol.dispose]();
  });

  it('off: the host and its pods do not reach each other', () => {
    for (const pod of [0, 1]) call('ADD', pod, { hostAccess: false });
    assert.equal(shim(), '');
    assert.deepEqual(
      [POD4, POD6].map((address) => reaches(host.ns, address)),
      [false, false],
    );
    for (const address of [OWN4, OWN6]) assert.equal(reaches(host.pod(0), address), false, address);
    for (const pod of [0, 1]) call('DEL', pod, { hostAccess: false });
    assert.equal(host.snapshot(), untouched);
  });

  it('on: the host reaches its pods and they reach it, over both families; the last pod takes it away', () => {
    for (const pod of [0, 1]) call('ADD', pod);
    assert.match(host.ns.ip('-d', 'link', 'show', shim()), /alias isthmus macvlan net=lan/);
    for (const address of [POD4, POD6, '10.5.0.65', 'fd00:5::41'])
      assert.equal(reaches(host.ns, address), true, address);
    // The host's own address answers too, although the parent's MAC is out of reach.
    for (const address of [SHIM4, SHIM6, OWN4]) assert.equal(reaches(host.pod(1), address), true, address);
    assert.equal(reaches(host.pod(0), '10.5.0.65'), true);
    call('DEL', 0);
    assert.equal(reaches(host.ns, '10.5.0.65'), true);
    call('DEL', 1);
    assert.equal(host.snapshot(), untouched);
  });

  it('the host keeps its own way to the LAN, and the LAN its way to the host', () => {
    call('ADD', 0);
    assert.match(host.ns.ip('route', 'get', LAN4), new RegExp(`dev ${lan.parent} src ${OWN4} `));
    assert.match(host.ns.ip('-6', 'route', 'get', LAN6), new RegExp(`dev ${lan.parent} .*src ${OWN6} `));
    for (const address of [LAN4, LAN6]) assert.equal(reaches(host.ns, address), true, address);
    for (const address of [OWN4, OWN6, SHIM4, SHIM6]) assert.equal(reaches(lan.ns, address), true, address);
    // One MAC answers for the address of the parent: its own.
    const mac = /link\/ether (\S+)/.exec(host.ns.ip('link', 'show', lan.parent))?.[1];
    const said = lan.ns.run('busybox', 'arping', '-c', '2', '-w', '3', '-I', 'lan0', OWN4);
    assert.deepEqual([...new Set(said.match(/\[[0-9a-f:]{17}\]/g))], [`[${mac}]`], said);
    call('DEL', 0);
  });

  it('takes no address and no route from routers of the LAN', () => {
    call('ADD', 0);
    const settings = ['accept_ra', 'disable_ipv6'].map((key) =>
      host.ns.run('sysctl', '-n', `net.ipv6.conf.${shim()}.${key}`),
    );
    assert.deepEqual(
      settings.map((text) => text.trim()),
      ['0', '0'],
    );
    call('DEL', 0);
    const only4 = { ranges: [RANGES[0]] };
    call('ADD', 0, {}, only4);
    assert.doesNotMatch(host.ns.ip('addr', 'show', shim()), /inet6/);
    call('DEL', 0, {}, only4);
    assert.equal(host.snapshot(), untouched);
  });

  it('a pod never gets the address of the host, even where it asks for it', () => {
    const two = {
      ranges: [[{ subnet: '10.5.0.0/24', rangeStart: '10.5.0.64', rangeEnd: '10.5.0.65', gateway: LAN4 }]],
    };
    const { ips = [] } = call('ADD', 0, {}, two);
    assert.deepEqual(
      ips.map(({ address }) => address),
      ['10.5.0.64/24'],
    );
    assert.match(refused({}, two).msg ?? '', /1 of 1 addresses are leased/);
    const asks = { args: { cni: { ips: ['10.5.0.65'] } } };
    assert.match(refused(asks, two).msg ?? '', /10\.5\.0\.65.*for the host itself/);
    call('DEL', 0, {}, two);
    const first = { hostAddresses: ['10.5.0.64'] };
    assert.equal(call('ADD', 0, first, two).ips?.[0]?.address, '10.5.0.65/24');
    assert.match(host.ns.ip('addr', 'show', shim()), /inet 10\.5\.0\.64\/32 /);
    assert.equal(reaches(host.ns, '10.5.0.65'), true);
    call('DEL', 0, first, two);
    assert.equal(host.snapshot(), untouched);
  });

  it('is refused for an address that a pod has, and the pod keeps it', () => {
    const asks = { hostAccess: false, args: { cni: { ips: [SHIM4] } } };
    call('ADD', 0, asks);
    const before = host.snapshot();
    const { code, msg } = refused({});
    assert.equal(code, 101);
    assert.match(msg ?? '', /10\.5\.0\.127.*container pod0/);
    assert.equal(host.snapshot(), before);
    call('DEL', 0, asks);
  });

  for (const [title, breakIt] of [
    ['deletes it', ['link', 'del']],
    ['sets it down', ['link', 'set', 'down', 'dev']],
    ['removes its address', ['addr', 'flush', 'dev']],
    ['removes its routes', ['route', 'flush', 'dev']],
  ] as const)
    it(`somebody ${title}: CHECK says so, and the daemon or the next ADD brings it back`, async () => {
      const prevResult = call('ADD', 0);
      const check = { dir: bin.path, name: 'isthmus', command: 'CHECK', pod: 0, config: conf({ prevResult }) } as const;
      host.ok(check);
      const before = host.ns.ip('route');
      host.ns.ip(...breakIt, shim());
      if (VIA === 'daemon')
        await until(() => host.ns.ip('route') === before && reaches(host.ns, POD4), 'the shim is back');
      else {
        const { code, json } = host.run(check);
        assert.deepEqual([code, json?.code], [1, 102], JSON.stringify(json));
        call('ADD', 1);
      }
      assert.equal(host.ns.ip('route'), before);
      host.ok(check);
      for (const address of [POD4, POD6]) assert.equal(reaches(host.ns, address), true, address);
      for (const pod of [0, 1]) call('DEL', pod);
      assert.equal(host.snapshot(), untouched);
    });

  for (const [title, keys, ipam, found] of [
    ['mode private', { mode: 'private' }, {}, /\.mode="private".*hostAccess/],
    ['a parent in the container', { linkInContainer: true }, {}, /\.linkInContainer=true.*hostAccess/],
    [
      'an IPAM without ranges',
      { ipam: { type: 'static', addresses: [{ address: '10.5.0.77/24' }] } },
      {},
      /\.hostAccess=true.*IPAM/,
    ],
    [
      'an address of another subnet',
      { hostAddresses: ['10.6.0.9'] },
      {},
      /\.hostAddresses\[0\]="10\.6\.0\.9".*10\.5\.0\.0\/24/,
    ],
    ['the gateway as its address', { hostAddresses: [LAN4] }, {}, /\.hostAddresses\[0\].*gateway/],
    ['no address at all', { hostAddresses: ['nine'] }, {}, /\.hostAddresses\[0\]="nine".*no IP address/],
    [
      'addresses without access',
      { hostAccess: false, hostAddresses: ['10.5.0.99'] },
      {},
      /\.hostAddresses=.*no access/,
    ],
    ['a pod whose route fails', {}, { routes: [{ dst: '10.99.0.0/16', gw: '172.31.0.1' }] }, /10\.99\.0\.0\/16/],
    [
      'a range that has an address of the parent',
      {},
      { ranges: [[{ subnet: '10.5.0.0/24', gateway: LAN4 }]] },
      /link up0: has 10\.5\.0\.9\/24, which is inside 10\.5\.0\.0\/24/,
    ],
  ] as const)
    it(`refuses ${title}, and changes nothing`, () => {
      assert.match(refused(keys, ipam).msg ?? '', found);
      assert.equal(host.snapshot(), untouched);
    });

  it('refuses to take the place of a route of the host', () => {
    host.ns.ip('link', 'add', 'own0', 'up', 'type', 'ifb');
    host.ns.ip('route', 'add', '10.5.0.64/26', 'dev', 'own0');
    const before = host.snapshot();
    assert.match(refused({}).msg ?? '', /link own0: has a route to 10\.5\.0\.64\/26/);
    assert.equal(host.snapshot(), before);
  });

  it('two pods at once make one, and a parent that is deleted takes it along', async () => {
    const add = { dir: bin.path, name: 'isthmus', command: 'ADD', config: conf() } as const;
    const runs = await Promise.all([0, 1].map((pod) => runPluginAsync(host.call({ ...add, pod }))));
    for (const run of runs) expectOk(run);
    assert.equal(host.ns.ip('-br', 'link').match(/^shim/gm)?.length, 1);
    host.ns.ip('link', 'del', lan.parent);
    assert.equal(shim(), '');
    for (const pod of [0, 1]) call('DEL', pod);
  });
});
