import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bundled } from '../support/bundled.ts';
import { environmentOf, type PluginDir, pluginDir } from '../support/cni.ts';
import { type CniHost, type HostCall, makeHost } from '../support/cni-host.ts';
import { COMPILE_CACHE } from '../support/compile-cache.ts';
import { netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

const NO_WARNING = ['--disable-warning=ExperimentalWarning'];
const MOST_OPS = 60;

describe('the process dies after each step, with a device of the host', function () {
  this.timeout(300_000);
  let bin: PluginDir;
  let host: CniHost;
  let config: object;
  let clean: string;
  let child: string;

  before(function () {
    skipIf(this, netnsMissing());
    child = bundled(join(import.meta.dirname, '../support/crash-child.ts'));
    bin = pluginDir();
    host = makeHost(1);
    host.ns.ip('link', 'add', 'br9', 'up', 'type', 'bridge');
    host.ns.ip('link', 'add', 'nic0', 'alias', 'a NIC', 'mtu', '1400', 'type', 'veth', 'peer', 'name', 'lan0');
    host.ns.ip('link', 'set', 'lan0', 'up');
    host.ns.ip('link', 'set', 'nic0', 'master', 'br9', 'up');
    host.ns.ip('addr', 'add', '10.5.0.9/24', 'brd', '+', 'dev', 'nic0');
    host.ns.ip('addr', 'add', 'fd00:5::9/64', 'dev', 'nic0', 'nodad');
    host.ns.ip('route', 'add', '10.77.0.0/16', 'via', '10.5.0.1');
    const ranges = [[{ subnet: '10.5.0.0/24', rangeStart: '10.5.0.50' }]];
    const ipam = { type: 'host-local', ranges, dataDir: host.dataDir };
    config = { cniVersion: '1.0.0', name: 'lan', type: 'isthmus', driver: 'host-device', device: 'nic0', ipam };
    // The first call makes the state directory, which stays.
    host.ok(how('ADD'));
    host.ok(how('DEL'));
    clean = host.snapshot();
  });
  after(() => {
    host?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  const how = (command: 'ADD' | 'DEL'): HostCall => ({ dir: bin.path, name: 'isthmus', command, pod: 0, config });

  /** True where the child died at Op `n`; false where its call had fewer and has succeeded. */
  const dies = (command: 'ADD' | 'DEL', n: number): boolean => {
    const { stderr, status, signal } = spawnSync(
      'nsenter',
      [`--net=${host.ns.path}`, '--', process.execPath, ...NO_WARNING, child, String(n)],
      {
        env: { ...environmentOf(host.call(how(command))), ...COMPILE_CACHE },
        input: JSON.stringify(config),
        encoding: 'utf8',
      },
    );
    assert.ok(signal === 'SIGKILL' || status === 0, `${command}, step ${n}: ${status} ${stderr}`);
    return signal === 'SIGKILL';
  };

  it('of ADD: DEL gives the device back as it was', () => {
    let n = 0;
    for (; n < MOST_OPS && dies('ADD', n); n++) {
      host.ok(how('DEL'));
      assert.equal(host.snapshot(), clean, `step ${n}`);
    }
    host.ok(how('DEL'));
    assert.equal(host.snapshot(), clean);
    assert.ok(n >= 4 && n < MOST_OPS, `${n} steps`);
  });

  it('of ADD: the next ADD of the same attachment needs no DEL', () => {
    let n = 0;
    for (; n < MOST_OPS && dies('ADD', n); n++) {
      host.ok(how('ADD'));
      host.ok(how('DEL'));
      assert.equal(host.snapshot(), clean, `step ${n}`);
    }
    host.ok(how('DEL'));
    assert.ok(n >= 4 && n < MOST_OPS, `${n} steps`);
  });

  it('of DEL: another DEL gives the device back as it was', () => {
    let n = 0;
    for (; n < MOST_OPS; n++) {
      host.ok(how('ADD'));
      const died = dies('DEL', n);
      host.ok(how('DEL'));
      assert.equal(host.snapshot(), clean, `step ${n}`);
      if (!died) break;
    }
    assert.ok(n >= 6 && n < MOST_OPS, `${n} steps`);
  });
});
