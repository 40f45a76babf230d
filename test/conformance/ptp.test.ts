import { strict as assert } from 'node:assert';
import { type CniAnswer, type PluginDir, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { reaches } from '../support/lan.ts';

const RANGES = [[{ subnet: '10.6.0.0/24' }], [{ subnet: 'fd00:6::/64' }]];

describe('ptp', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  let host: CniHost;
  let untouched: string;

  const conf = (keys: object = {}) => ({
    ...{ cniVersion: '1.0.0', name: 'pair', type: 'ptp' },
    ipam: {
      type: 'host-local',
      ranges: RANGES,
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
      dataDir: host.dataDir,
    },
    ...keys,
  });
  const call = (command: 'ADD' | 'CHECK' | 'DEL', pod: number, keys: object = {}, dir = bin.path): CniAnswer =>
    host.ok({ dir, name: 'ptp', command, pod, config: conf(keys) });
  const fails = (pod: number, keys: object): string => {
    const { code, json, stderr } = host.run({ dir: bin.path, name: 'ptp', command: 'ADD', pod, config: conf(keys) });
    assert.equal(code, 1, `${JSON.stringify(json)}${stderr}`);
    return json?.msg ?? '';
  };

  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(() => {
    host = makeHost(3);
    untouched = host.snapshot();
  });
  afterEach(() => host?.[Symbol.dispose]());

  it('answers as the reference does, but for names, MACs and MTUs', () => {
    const facts = ({ interfaces = [], ips, routes, dns = {} }: CniAnswer, pod: number) => ({
      interfaces: interfaces.map(({ sandbox }) => sandbox === host.pod(pod).path),
      ips: ips?.map((ip) => ({ ...ip, address: ip.address.replace(/\.[23]\/|::[23]\//, 'N/') })),
      routes,
      dns,
    });
    const [ours, theirs] = [bin.path, referenceDir].map((dir, pod) => facts(call('ADD', pod, {}, dir), pod));
    assert.deepEqual(ours, theirs);
  });

  it('pods reach the host and each other at once, over IPv4 and IPv6, and DEL leaves nothing', () => {
    for (const pod of [0, 1]) call('ADD', pod);
    for (const address of ['10.6.0.1', '10.6.0.3', 'fd00:6::1', 'fd00:6::3'])
      assert.ok(reaches(host.pod(0), address), address);
    assert.ok(reaches(host.ns, '10.6.0.2'));
    for (const pod of [0, 1]) call('DEL', pod);
    assert.equal(host.snapshot(), untouched);
  });

  it('a link-local gateway of IPv6 leads out of the pod, as with the reference', () => {
    const ipam = { subnet: 'fd00:6::/64', gateway: 'fe80::1', routes: [{ dst: '::/0' }], dataDir: host.dataDir };
    const keys = { ipam: { type: 'host-local', ...ipam } };
    const [ours, theirs] = [bin.path, referenceDir].map((dir, pod) => call('ADD', pod, keys, dir).ips?.[0]?.gateway);
    assert.deepEqual([ours, theirs], ['fe80::1', 'fe80::1']);
    host.ns.run('ip', '-6', 'addr', 'add', '2001:db8::1/128', 'dev', 'lo', 'nodad');
    assert.ok(reaches(host.pod(0), '2001:db8::1'));
    for (const [pod, dir] of [bin.path, referenceDir].entries()) call('DEL', pod, keys, dir);
  });

  it('masquerades, and CHECK sees what is missing', () => {
    const keys = { ipMasq: true };
    const result = call('ADD', 0, keys);
    const check = (): number | null =>
      host.run({ dir: bin.path, name: 'ptp', command: 'CHECK', pod: 0, config: conf({ ...keys, prevResult: result }) })
        .code;
    assert.equal(check(), 0);
    host.ns.ip('route', 'del', '10.6.0.2/32');
    assert.equal(check(), 1, 'the route to the pod is gone');
    call('DEL', 0, keys);
  });

  it('serves a pod without addresses, with the MTU that is asked for', () => {
    call('ADD', 0, { ipam: undefined, mtu: 1400 });
    assert.match(host.pod(0).ip('link', 'show', 'eth0'), /mtu 1400/);
    call('DEL', 0, { ipam: undefined });
    assert.equal(host.snapshot(), untouched);
  });

  it('DEL without a namespace deletes both ends and frees the address', () => {
    call('ADD', 0, { ipMasq: true });
    const config = conf({ ipMasq: true });
    const lost = { netns: '', containerId: 'pod0', ifName: 'eth0' };
    for (let i = 0; i < 2; i++) host.ok({ dir: bin.path, name: 'ptp', command: 'DEL', ...lost, config });
    assert.equal(host.snapshot(), untouched);
  });

  it('an ADD that fails leaves nothing', () => {
    assert.match(fails(0, { ipam: { type: 'nonesuch' } }), /nonesuch/);
    assert.match(fails(0, { mtu: 10 }), /\.mtu/);
    assert.equal(host.snapshot(), untouched);
  });
});
