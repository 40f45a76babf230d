import { strict as assert } from 'node:assert';
import { type CniAnswer, type PluginDir, type PluginRun, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { LAN4, LAN6, type Lan, makeLan, reaches } from '../support/lan.ts';
import { removeNetns } from '../support/netns.ts';

const NAMES = ['isthmus', 'host-device'] as const;
type Name = (typeof NAMES)[number];

describe('host-device', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  let host: CniHost;
  let lan: Lan;
  let mac: string;
  let untouched: string;

  const ipam = () => ({ type: 'host-local', subnet: '10.5.0.0/24', rangeStart: '10.5.0.50', dataDir: host.dataDir });
  const conf = (name: Name, keys: object = {}) => ({
    ...{ cniVersion: '1.0.0', name: 'lan', type: name, ipam: ipam() },
    ...(name === 'isthmus' ? { driver: 'host-device' } : {}),
    ...(Object.keys(keys).some((key) => key !== 'ipam') ? {} : { device: 'up0' }),
    ...keys,
  });
  const run = (command: 'ADD' | 'CHECK' | 'DEL', name: Name, keys: object = {}, call: object = {}): PluginRun =>
    host.run({ dir: bin.path, name, command, pod: 0, config: conf(name, keys), ...call });
  const ok = (command: 'ADD' | 'DEL', name: Name = 'isthmus', keys: object = {}, call: object = {}): CniAnswer => {
    const { code, json, stdout, stderr } = run(command, name, keys, call);
    assert.equal(code, 0, stdout + stderr);
    return json ?? {};
  };
  const refused = (name: Name, keys: object = {}, call: object = {}): CniAnswer => {
    const { code, json } = run('ADD', name, keys, call);
    assert.equal(code, 1, JSON.stringify(json));
    return json ?? {};
  };
  /** A device in use: its own MTU, an alias, addresses and routes. */
  const dress = (): void => {
    host.ns.ip('link', 'set', 'up0', 'mtu', '1400', 'alias', 'to the LAN');
    host.ns.ip('addr', 'add', '10.5.0.9/24', 'brd', '+', 'dev', 'up0');
    host.ns.ip('addr', 'add', '10.6.0.9/24', 'brd', '+', 'dev', 'up0', 'noprefixroute');
    host.ns.ip('addr', 'add', 'fd00:5::9/64', 'dev', 'up0', 'nodad');
    host.ns.ip('route', 'add', 'default', 'via', LAN4, 'metric', '7');
    host.ns.ip('route', 'add', '10.77.0.0/16', 'via', LAN4, 'src', '10.5.0.9');
    host.ns.ip('route', 'add', '10.78.0.0/16', 'dev', 'up0', 'table', '100');
    host.ns.ip('route', 'add', 'fd77::/64', 'via', LAN6);
    untouched = host.snapshot();
  };

  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(() => {
    host = makeHost(2);
    // What DEL gives back is as before at once.
    host.ns.run('sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0');
    lan = makeLan(host.ns);
    mac = /link\/ether (\S+)/.exec(host.ns.ip('link', 'show', 'up0'))?.[1] ?? assert.fail('up0 has no MAC');
    untouched = host.snapshot();
  });
  afterEach(() => {
    lan?.[Symbol.dispose]();
    host?.[Symbol.dispose]();
  });

  it('answers as the reference does, but for the gateway that IPAM gives', () => {
    const theirs = ok('ADD', 'host-device', {}, { dir: referenceDir });
    ok('DEL', 'host-device', {}, { dir: referenceDir });
    host.ns.ip('link', 'set', 'up0', 'up');
    const ours = ok('ADD', 'host-device');
    const plain = ({ interfaces, ips, routes = [] }: CniAnswer) => ({
      interfaces,
      ips: ips?.map((ip) => ({ ...ip, address: ip.address.replace(/5[01]\//, 'N/') })),
      routes,
    });
    assert.deepEqual(plain(ours), plain(theirs));
    assert.deepEqual(ours.interfaces, [{ name: 'eth0', mac, sandbox: host.pod(0).path }]);
  });

  for (const name of NAMES)
    it(`${name}: the pod has the device, and DEL gives it back with all that it had`, () => {
      dress();
      const result = ok('ADD', name);
      assert.doesNotMatch(host.ns.ip('link'), /up0/);
      assert.match(host.pod(0).ip('link', 'show', 'eth0'), new RegExp(`mtu 1400 .*${mac}`, 's'));
      assert.equal(reaches(host.pod(0), LAN4), true);
      assert.equal(run('CHECK', name, { device: 'up0', prevResult: result }).code, 0);
      ok('DEL', name);
      assert.equal(host.snapshot(), untouched);
      assert.match(host.ns.ip('link', 'show', 'up0'), /<[^>]*\bUP\b.*to the LAN/s);
      ok('DEL', name);
      assert.equal(host.snapshot(), untouched, 'a second DEL');
    });

  it('gives a port back to its bridge', () => {
    host.ns.ip('link', 'add', 'br9', 'up', 'type', 'bridge');
    host.ns.ip('link', 'set', 'up0', 'master', 'br9');
    untouched = host.snapshot();
    ok('ADD');
    ok('DEL');
    assert.equal(host.snapshot(), untouched);
  });

  it('gives a device back down that was down, and restores what the pod changed', () => {
    host.ns.ip('link', 'set', 'up0', 'down');
    untouched = host.snapshot();
    ok('ADD');
    host.pod(0).ip('link', 'set', 'eth0', 'down');
    host.pod(0).ip('link', 'set', 'eth0', 'name', 'net9', 'mtu', '1300', 'address', '0a:00:00:00:00:05');
    ok('DEL');
    assert.equal(host.snapshot(), untouched);
  });

  it('DEL without CNI_NETNS gives the device back and frees the address', () => {
    dress();
    ok('ADD');
    ok('DEL', 'isthmus', {}, { netns: '' });
    assert.equal(host.snapshot(), untouched);
  });

  it('DEL frees the address where the namespace is gone, and a virtual device with it', () => {
    const only = { ipam: { ...ipam(), rangeEnd: '10.5.0.50' } };
    ok('ADD', 'isthmus', { device: 'up0', ...only });
    removeNetns(host.pod(0).name);
    for (let i = 0; i < 2; i++) ok('DEL');
    assert.doesNotMatch(host.ns.ip('link'), /up0/);
    host.ns.ip('link', 'add', 'up1', 'type', 'veth', 'peer', 'name', 'up2');
    ok('ADD', 'isthmus', { device: 'up1', ...only }, { pod: 1 });
  });

  it('gives the device another name where its own is taken by now', () => {
    ok('ADD');
    host.ns.ip('link', 'add', 'up0', 'type', 'bridge');
    ok('DEL');
    assert.match(host.ns.ip('link', 'show', 'eth0'), new RegExp(mac));
    assert.match(host.ns.ip('-d', 'link', 'show', 'up0'), /bridge/);
  });

  it('finds the device by its hardware address', () => {
    ok('ADD', 'isthmus', { hwaddr: mac.toUpperCase() });
    assert.match(host.pod(0).ip('link', 'show', 'eth0'), new RegExp(mac));
    ok('DEL', 'isthmus', { hwaddr: mac });
    assert.equal(host.snapshot(), untouched);
  });

  for (const [title, keys, found] of [
    ['a device that is missing', { device: 'no' }, /\.device="no".*no such interface/],
    ['loopback', { device: 'lo' }, /\.device="lo".*loopback/],
    ['an address that nothing has', { hwaddr: '02:00:00:00:00:99' }, /\.hwaddr="02:.*no interface/],
    ['a PCI device that is missing', { pciBusID: 'ffff:ff:1f.7' }, /\.pciBusID="ffff:ff:1f\.7".*no such device/],
    ['a device ID that is missing', { runtimeConfig: { deviceID: 'nope.1' } }, /deviceID="nope\.1".*no such device/],
    ['a directory of several interfaces', { kernelpath: '/sys/devices/virtual' }, /\.kernelpath=.*(lo|interface)/],
    ['no key at all', { device: undefined }, /\.device.*no key says which device/],
  ] as const)
    it(`refuses ${title}, and changes nothing`, () => {
      assert.match(refused('isthmus', keys).msg ?? '', found);
      assert.equal(host.snapshot(), untouched);
    });

  it('refuses a bridge of ours', () => {
    const bridge = { cniVersion: '1.0.0', name: 'web', type: 'isthmus', bridge: 'isth7' };
    host.ok({ dir: bin.path, name: 'isthmus', command: 'ADD', pod: 1, config: bridge });
    assert.match(refused('isthmus', { device: 'isth7' }).msg ?? '', /isth7.*belongs to Isthmus/);
    host.ok({ dir: bin.path, name: 'isthmus', command: 'DEL', pod: 1, config: bridge });
  });

  it('refuses a device that another attachment has, and names that one', () => {
    ok('ADD');
    const given = host.snapshot();
    for (const keys of [{ device: 'up0' }, { hwaddr: mac }])
      assert.match(refused('isthmus', keys, { pod: 1 }).msg ?? '', /link up0.*container pod0 has it as eth0/);
    assert.equal(host.snapshot(), given);
  });

  it('gives the device back after an ADD that fails at its IPAM, or at a route', () => {
    dress();
    const addresses = [{ address: '10.5.0.60/24' }];
    const badRoute = { type: 'static', addresses, routes: [{ dst: '10.99.0.0/16', gw: '172.16.9.9' }] };
    for (const failing of [{ type: 'nosuch' }, badRoute]) {
      assert.match(refused('isthmus', { ipam: failing }).msg ?? '', /./);
      assert.equal(host.snapshot(), untouched, failing.type);
    }
  });

  it('DEL of what the reference moved gives it back', () => {
    ok('ADD', 'host-device', {}, { dir: referenceDir });
    ok('DEL', 'host-device');
    assert.match(host.ns.ip('link', 'show', 'up0'), new RegExp(mac));
  });

  it('DEL without a record gives the device back, and other drivers leave it alone', () => {
    ok('ADD');
    const elsewhere = { env: { ISTHMUS_STATE_DIR: `${host.stateDir}-lost`, ISTHMUS_RUN_DIR: `${host.stateDir}-none` } };
    const bridge = { ...conf('host-device'), type: 'bridge', name: 'other' };
    host.ok({ dir: bin.path, name: 'bridge', command: 'DEL', pod: 0, config: bridge, ...elsewhere });
    assert.match(host.pod(0).ip('link', 'show', 'eth0'), new RegExp(mac));
    ok('DEL', 'isthmus', {}, elsewhere);
    assert.match(host.ns.ip('link', 'show', 'up0'), new RegExp(mac));
    assert.doesNotMatch(host.ns.ip('link', 'show', 'up0'), /alias/);
  });

  it('CHECK sees a lost interface, address and route', () => {
    for (const breakIt of [
      ['addr', 'del', '10.5.0.50/24', 'dev', 'eth0'],
      ['link', 'set', 'eth0', 'down'],
    ]) {
      const result = ok('ADD', 'isthmus', { device: 'up0', ipam: { ...ipam(), rangeEnd: '10.5.0.50' } });
      const keys = { device: 'up0', prevResult: result };
      assert.equal(run('CHECK', 'isthmus', keys).code, 0);
      host.pod(0).ip(...breakIt);
      assert.equal(run('CHECK', 'isthmus', keys).code, 1, breakIt.join(' '));
      ok('DEL');
    }
  });
});
