import { strict as assert } from 'node:assert';
import { type Chain, makeChain, type Part } from '../support/chain.ts';
import { type CniAnswer, type PluginDir, pluginDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { bridgeConf } from '../support/netconf.ts';
import { ping } from '../support/ping.ts';
import { assertSame } from '../support/snapshot.ts';

type Way = 'the daemon' | 'the plugin';
const ORDERS: readonly (readonly [Way, Way])[] = [
  ['the daemon', 'the plugin'],
  ['the plugin', 'the daemon'],
];

/** One element that does everything, and the reference's list. */
type Form = 'isthmus' | 'bridge, portmap, firewall, bandwidth';
const FORMS: readonly Form[] = ['isthmus', 'bridge, portmap, firewall, bandwidth'];

const LIST = { cniVersion: '1.1.0', name: 'web' };
const PORTS = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] };
const BANDWIDTH = { ingressRate: 8e6, ingressBurst: 8e5, egressRate: 16e6, egressBurst: 16e5 };
const FIRST: Part = { pod: 0 };
const SECOND: Part = { pod: 1 };

describe('the daemon and the stand-alone plugin share one host', function () {
  this.timeout(60_000);
  const made = new DisposableStack();
  let dirs: Readonly<Record<Way, PluginDir>>;
  let host: CniHost;
  let untouched: string;

  before(() => {
    dirs = { 'the daemon': made.use(pluginDir('daemon')), 'the plugin': made.use(pluginDir('alone')) };
  });
  after(() => made.dispose());
  beforeEach(() => {
    host = makeHost(2, { via: 'daemon' });
    untouched = host.snapshot();
  });
  afterEach(() => host?.[Symbol.dispose]());

  /** `form` as it is called by one of the two ways; `port` says whether the list publishes one. */
  const chainOf = (form: Form, way: Way, { port = true } = {}): Chain => {
    const dir = dirs[way].path;
    const whole = { ipMasq: true, runtimeConfig: { ...(port ? PORTS : {}), bandwidth: BANDWIDTH } };
    if (form === 'isthmus') return makeChain(host, [{ dir, conf: bridgeConf('isthmus', host, { conf: whole }) }], LIST);
    const runtimeConfig = port ? PORTS : {};
    const elements = [
      { dir, conf: bridgeConf('bridge', host, { conf: { ipMasq: true } }) },
      { dir, conf: { type: 'portmap', capabilities: { portMappings: true }, runtimeConfig } },
      { dir, conf: { type: 'firewall' } },
      { dir, conf: { type: 'bandwidth', runtimeConfig: { bandwidth: BANDWIDTH } } },
    ];
    return makeChain(host, elements, LIST);
  };
  const attachmentsOf = (...pods: readonly number[]) =>
    pods.map((pod) => ({ containerID: `pod${pod}`, ifname: 'eth0' }));
  const collect = (form: Form, way: Way, valid: readonly object[]): void => {
    const chain = chainOf(form, way);
    for (const [index, name] of form.split(', ').entries()) {
      const config = { ...chain.config(index), ...LIST, 'cni.dev/valid-attachments': valid };
      host.ok({ dir: dirs[way].path, name, command: 'GC', config });
    }
  };
  const served = (): number => host.daemon?.served() ?? 0;

  for (const form of FORMS)
    for (const [first, second] of ORDERS) {
      describe(`${form}: ${first}, then ${second}`, () => {
        it('one checks and deletes what the other added, and nothing is left', () => {
          const [here, there] = [chainOf(form, first), chainOf(form, second)];
          const result = here.add(FIRST);
          there.check(FIRST, result);
          here.check(FIRST, result);
          ping(host.pod(0), '10.88.0.1');
          there.del(FIRST, result);
          assert.doesNotMatch(host.pod(0).ip('-br', 'link'), /eth0/);
          here.del(FIRST, result);
          assertSame(host.snapshot(), untouched);
          assert.ok(served() > 0, 'the daemon has had its part of it');
        });

        it('pods of both share one bridge and have distinct addresses', () => {
          const [here, there] = [chainOf(form, first), chainOf(form, second, { port: false })];
          const [one, two] = [here.add(FIRST), there.add(SECOND)];
          assert.notEqual(addressOf(one), addressOf(two));
          ping(host.pod(0), addressOf(two));
          here.del(FIRST, one);
          there.check(SECOND, two);
          chainOf(form, first, { port: false }).check(SECOND, two);
          ping(host.pod(1), '10.88.0.1');
          chainOf(form, first, { port: false }).del(SECOND, two);
          assertSame(host.snapshot(), untouched);
        });

        it('one refuses an attachment or a host port that the other has allocated', () => {
          const [here, there] = [chainOf(form, first), chainOf(form, second)];
          const result = here.add(FIRST);
          const asItWas = host.snapshot();
          const again = there.run(0, 'ADD', FIRST);
          assert.equal(again.code, 1, again.stdout);
          assertSame(host.snapshot(), asItWas, 'an ADD of what is there');
          const portmap = form === 'isthmus' ? 0 : 1;
          const before = portmap === 0 ? undefined : there.run(0, 'ADD', SECOND).json;
          const taken = there.run(portmap, 'ADD', SECOND, before);
          assert.equal(taken.code, 1, taken.stdout);
          assert.match(taken.json?.msg ?? '', /8080\/tcp/);
          there.del(SECOND);
          assertSame(host.snapshot(), asItWas, 'an ADD that was refused');
          here.del(FIRST, result);
          assertSame(host.snapshot(), untouched);
        });

        it('GC of one deletes unlisted attachments of the other, and nothing else', () => {
          const [here, there] = [chainOf(form, first), chainOf(form, first, { port: false })];
          const [kept] = [here.add(FIRST), there.add(SECOND)];
          collect(form, second, attachmentsOf(0));
          assert.equal(JSON.parse(host.ns.ip('-j', 'link', 'show', 'type', 'veth')).length, 1);
          here.check(FIRST, kept);
          chainOf(form, second).check(FIRST, kept);
          collect(form, second, []);
          assertSame(host.snapshot(), untouched);
        });
      });
    }

  describe('after the daemon was killed', () => {
    for (const form of FORMS) {
      it(`${form}: the plugin, and the launcher without a daemon, check and delete what it added`, () => {
        const one = chainOf(form, 'the daemon').add(FIRST);
        const two = chainOf(form, 'the daemon', { port: false }).add(SECOND);
        host.daemon?.kill();
        const before = served();
        const plugin = chainOf(form, 'the plugin');
        plugin.check(FIRST, one);
        plugin.del(FIRST, one);
        const launcher = chainOf(form, 'the daemon', { port: false });
        launcher.check(SECOND, two);
        ping(host.pod(1), '10.88.0.1');
        launcher.del(SECOND, two);
        assert.equal(served(), before);
        assertSame(host.snapshot(), untouched);
      });

      it(`${form}: its successor checks and deletes what was added before and meanwhile`, () => {
        const one = chainOf(form, 'the daemon').add(FIRST);
        host.daemon?.kill();
        const two = chainOf(form, 'the plugin', { port: false }).add(SECOND);
        host.daemon?.restart();
        const before = served();
        chainOf(form, 'the daemon').check(FIRST, one);
        chainOf(form, 'the daemon', { port: false }).check(SECOND, two);
        chainOf(form, 'the daemon').del(FIRST, one);
        chainOf(form, 'the daemon', { port: false }).del(SECOND, two);
        assert.equal(served(), before + 4 * form.split(', ').length);
        assertSame(host.snapshot(), untouched);
      });
    }
  });
});

function addressOf({ ips }: CniAnswer): string {
  return (ips?.[0]?.address ?? '').replace(/\/.*/, '');
}
