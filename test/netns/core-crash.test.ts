import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bundled } from '../support/bundled.ts';
import { environmentOf, type PluginDir, pluginDir } from '../support/cni.ts';
import { type CniHost, type HostCall, makeHost } from '../support/cni-host.ts';
import { COMPILE_CACHE } from '../support/compile-cache.ts';
import { bridgeConf, layer2Conf, type NetConf } from '../support/netconf.ts';
import { netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

const NO_WARNING = ['--disable-warning=ExperimentalWarning'];
const MOST_OPS = 60;

/** Each network, with the least number of Ops that its ADD has. */
const NETWORKS: Readonly<Record<string, { readonly least: number; readonly conf: (host: CniHost) => NetConf }>> = {
  'a gateway bridge of two families with hairpin and MAC guard': {
    least: 18,
    conf: (host) => bridgeConf('isthmus', host, { conf: { hairpinMode: true, macspoofchk: true }, ipam: DUAL_STACK }),
  },
  'a bridge without addresses': { least: 5, conf: () => layer2Conf('isthmus') },
  'a bridge that was there': {
    least: 5,
    conf: (host) => bridgeConf('isthmus', host, { conf: { bridge: 'there0', promiscMode: true } }),
  },
};

const DUAL_STACK = {
  ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};

for (const [title, { conf, least }] of Object.entries(NETWORKS)) {
  describe(`the process dies after each step, on ${title}`, function () {
    this.timeout(300_000);
    let bin: PluginDir;
    let host: CniHost;
    let config: NetConf;
    let clean: string;
    let child: string;

    before(function () {
      skipIf(this, netnsMissing());
      child = bundled(join(import.meta.dirname, '../support/crash-child.ts'));
      bin = pluginDir();
      host = makeHost(2);
      host.ns.ip('link', 'add', 'there0', 'up', 'type', 'bridge');
      config = conf(host);
      // The first call makes the state directory, which stays.
      host.ok(how('ADD', 0));
      host.ok(how('DEL', 0));
      clean = host.snapshot();
    });
    after(() => {
      host?.[Symbol.dispose]();
      bin?.[Symbol.dispose]();
    });

    const how = (command: 'ADD' | 'DEL', pod: number): HostCall => ({
      dir: bin.path,
      name: 'isthmus',
      command,
      pod,
      config,
    });

    /** True where the child died at Op `n`; false where its call had fewer and has succeeded. */
    const dies = (command: 'ADD' | 'DEL', n: number): boolean => {
      const { stderr, status, signal } = spawnSync(
        'nsenter',
        [`--net=${host.ns.path}`, '--', process.execPath, ...NO_WARNING, child, String(n)],
        {
          env: { ...environmentOf(host.call(how(command, 0))), ...COMPILE_CACHE },
          input: JSON.stringify(config),
          encoding: 'utf8',
        },
      );
      assert.ok(signal === 'SIGKILL' || status === 0, `${command}, step ${n}: ${status} ${stderr}`);
      return signal === 'SIGKILL';
    };

    it('of ADD: DEL leaves nothing, and ADD works again', () => {
      let n = 0;
      for (; n < MOST_OPS && dies('ADD', n); n++) {
        host.ok(how('DEL', 0));
        assert.equal(host.snapshot(), clean, `step ${n}`);
        host.ok(how('ADD', 0));
        host.ok(how('DEL', 0));
        assert.equal(host.snapshot(), clean, `step ${n}, and once more`);
      }
      host.ok(how('DEL', 0));
      console.log(`      ${n} steps`);
      assert.ok(n >= least && n < MOST_OPS, `${n} steps`);
    });

    it('of ADD: the next ADD of the same attachment needs no DEL, and another pod keeps its network', () => {
      const kept = host.ok(how('ADD', 1));
      const withOther = host.snapshot();
      let n = 0;
      for (; n < MOST_OPS && dies('ADD', n); n++) {
        host.ok(how('ADD', 0));
        host.ok(how('DEL', 0));
        assert.equal(host.snapshot(), withOther, `step ${n}`);
      }
      host.ok(how('DEL', 0));
      host.ok({ ...how('ADD', 1), command: 'CHECK', config: { ...config, prevResult: kept } });
      host.ok(how('DEL', 1));
      assert.equal(host.snapshot(), clean);
      assert.ok(n > 2 && n < MOST_OPS, `${n} steps`);
    });

    it('of DEL: another DEL leaves nothing, and ADD works again', () => {
      let n = 0;
      for (; n < MOST_OPS; n++) {
        host.ok(how('ADD', 0));
        const died = dies('DEL', n);
        host.ok(how('DEL', 0));
        assert.equal(host.snapshot(), clean, `step ${n}`);
        if (!died) break;
      }
      console.log(`      ${n} steps`);
      assert.ok(n > 0 && n < MOST_OPS, `${n} steps`);
    });
  });
}
