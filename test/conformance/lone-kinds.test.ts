import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { compileStatic } from '../../build/launcher.ts';
import { type PluginDir, type PluginRun, pluginDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { until } from '../support/daemon-site.ts';
import { kindMissing } from '../support/kinds.ts';
import { type Lan, makeLan, reaches } from '../support/lan.ts';
import { makeTempDir } from '../support/temp.ts';

const KINDS = ['ipvlan', 'vlan', 'dummy'] as const;
type Kind = (typeof KINDS)[number];

describe('drivers of interfaces without a side on the host', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  let host: CniHost;
  let lan: Lan;
  let untouched: string;

  const ipam = () => ({ type: 'host-local', subnet: '10.5.0.0/24', rangeStart: '10.5.0.50', dataDir: host.dataDir });
  const conf = (keys: object) => ({ cniVersion: '1.0.0', name: 'net', ipam: ipam(), ...keys });
  const run = (command: 'ADD' | 'CHECK' | 'DEL', name: 'isthmus' | 'tap' | Kind, config: object): PluginRun =>
    host.run({ dir: bin.path, name, command, pod: 0, config });
  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(() => {
    host = makeHost(1);
    lan = makeLan(host.ns);
    untouched = host.snapshot();
  });
  afterEach(() => {
    lan?.[Symbol.dispose]();
    host?.[Symbol.dispose]();
  });

  for (const kind of KINDS)
    it(`${kind}: the kernel has it, or the error says what it lacks, and nothing is left`, () => {
      const config = conf({ type: kind, ...(kind === 'dummy' ? {} : { master: lan.parent }), ...KEYS[kind] });
      const { code, json } = run('ADD', kind, config);
      const missing = kindMissing(host.ns, kind);
      if (missing === undefined) {
        assert.equal(code, 0, JSON.stringify(json));
        assert.match(host.pod(0).ip('-d', 'link', 'show', 'eth0'), new RegExp(kind));
        assert.equal(run('DEL', kind, config).code, 0);
      } else {
        assert.deepEqual([code, json?.code], [1, 104]);
        assert.ok((json?.msg ?? '').includes(missing), JSON.stringify(json));
      }
      assert.equal(host.snapshot(), untouched);
    });

  it('tap: the device has the owner, group, MAC and MTU that are asked for, and frames without a header', () => {
    const config = conf({ type: 'tap', owner: 1000, group: 1001, mac: '0a:00:00:00:00:0b', mtu: 1400 });
    const { code, json } = run('ADD', 'tap', config);
    assert.equal(code, 0, JSON.stringify(json));
    assert.deepEqual(
      json?.interfaces,
      [{ name: 'eth0', mac: '0a:00:00:00:00:0b', mtu: 1400, sandbox: host.pod(0).path }].map(
        ({ mtu: _, ...rest }) => rest,
      ),
    );
    const pod = host.pod(0);
    assert.match(pod.ip('tuntap'), /^eth0: tap persist user \S+ group 1001/m);
    const details = pod.ip('-d', 'link', 'show', 'eth0');
    assert.match(
      details,
      /mtu 1400 .*0a:00:00:00:00:0b.*tun type tap pi off vnet_hdr off persist on user \S+ group 1001/s,
    );
    assert.match(pod.ip('addr', 'show', 'eth0'), /inet 10\.5\.0\.50\/24/);
    assert.equal(run('ADD', 'tap', config).json?.code, 4, 'it is attached already');
    assert.equal(run('DEL', 'tap', config).code, 0);
    assert.equal(host.snapshot(), untouched);
  });

  it('tap: a program in the pod opens the device and exchanges frames with the pod', async () => {
    const config = conf({ type: 'tap' });
    assert.equal(run('ADD', 'tap', config).code, 0);
    const pod = host.pod(0);
    assert.match(pod.ip('link', 'show', 'eth0'), /NO-CARRIER/);
    using dir = makeTempDir();
    const file = join(dir.path, 'tap-peer');
    compileStatic([join(import.meta.dirname, '../support/tap-peer.c')], file);
    const peer = spawn('ip', ['netns', 'exec', pod.name, file, 'eth0', '10.5.0.77'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(peer.stdout, 'data');
      await until(() => reaches(pod, '10.5.0.77'), 'an answer of the program');
      assert.match(pod.ip('neigh', 'show', '10.5.0.77'), /lladdr 02:00:00:00:00:77/);
      assert.equal(reaches(pod, '10.5.0.78'), false);
    } finally {
      peer.kill();
      await once(peer, 'exit');
    }
    assert.equal(run('DEL', 'tap', config).code, 0);
    assert.equal(host.snapshot(), untouched);
  });

  it('tap: the device is a port of a bridge in the pod; without that bridge nothing is left', () => {
    const config = conf({ type: 'tap', bridge: 'br0', ipam: undefined });
    assert.equal(run('ADD', 'tap', config).code, 1);
    assert.equal(host.snapshot(), untouched);
    host.pod(0).ip('link', 'add', 'br0', 'type', 'bridge');
    assert.equal(run('ADD', 'tap', config).code, 0);
    assert.match(host.pod(0).ip('link', 'show', 'eth0'), /master br0/);
    assert.equal(run('DEL', 'tap', config).code, 0);
  });

  it('macvlan under the plugin’s own name, with its keys and no others', () => {
    const config = conf({ type: 'isthmus', driver: 'macvlan', master: lan.parent });
    const { code, json } = run('ADD', 'isthmus', config);
    assert.equal(code, 0, JSON.stringify(json));
    assert.equal(run('CHECK', 'isthmus', { ...config, prevResult: json }).code, 0);
    assert.equal(run('DEL', 'isthmus', config).code, 0);
    assert.equal(host.snapshot(), untouched);
    const { json: refused } = run('ADD', 'isthmus', { ...config, bridge: 'br0' });
    assert.equal(refused?.code, 7);
    assert.match(refused?.msg ?? '', /\.bridge/);
  });
});

const KEYS: Readonly<Record<Kind, object>> = { ipvlan: { mode: 'l2' }, vlan: { vlanId: 10 }, dummy: {} };
