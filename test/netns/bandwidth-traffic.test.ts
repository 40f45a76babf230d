import { strict as assert } from 'node:assert';
import { makeChain } from '../support/chain.ts';
import { type CniAnswer, type PluginDir, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { bridgeConf } from '../support/netconf.ts';
import { netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { throughput } from '../support/throughput.ts';

const INGRESS = 80e6;
const EGRESS = 40e6;
/** Twenty milliseconds' worth. */
const LIMITS = { ingressRate: INGRESS, ingressBurst: INGRESS / 50, egressRate: EGRESS, egressBurst: EGRESS / 50 };
const GATEWAY = '10.88.0.1';
const DURATION = 2500;

describe('limited traffic', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  let host: CniHost;

  before(function () {
    skipIf(this, netnsMissing());
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(() => {
    host = makeHost(1);
  });
  afterEach(() => host?.[Symbol.dispose]());

  const bothWays = async (result: CniAnswer): Promise<{ readonly ingress: number; readonly egress: number }> => {
    const pod = result.ips?.[0]?.address.split('/')[0] ?? '';
    host.pod(0).ip('link', 'set', 'lo', 'up');
    const ingress = await throughput(host.ns, host.pod(0), pod, DURATION);
    const egress = await throughput(host.pod(0), host.ns, GATEWAY, DURATION);
    return { ingress, egress };
  };
  const near = (rate: number, limit: number): void =>
    assert.ok(rate > limit * 0.75 && rate < limit * 1.25, `${(rate / 1e6).toFixed(1)} of ${limit / 1e6} Mbit/s`);
  const far = (rate: number, limit: number): void =>
    assert.ok(rate > limit * 4, `${(rate / 1e6).toFixed(1)} Mbit/s, but nothing should limit it`);
  const chained = (limits: object, dir = bin.path, name: 'bridge' | 'isthmus' = 'bridge') =>
    makeChain(
      host,
      [
        { dir, conf: bridgeConf(name, host) },
        { dir: bin.path, conf: { type: 'bandwidth', ...limits } },
      ],
      { cniVersion: '1.0.0', name: 'web' },
    );

  it('has the configured rate both ways, and no limit after DEL', async () => {
    const chain = chained(LIMITS);
    const result = chain.add({ pod: 0 });
    const limited = await bothWays(result);
    near(limited.ingress, INGRESS);
    near(limited.egress, EGRESS);
    assert.equal(chain.run(1, 'DEL', { pod: 0 }).code, 0);
    const free = await bothWays(result);
    far(free.ingress, INGRESS);
    far(free.egress, EGRESS);
  });

  it('has the configured rate in one direction only, on a bridge of the reference', async () => {
    const result = chained({ egressRate: EGRESS, egressBurst: EGRESS / 50 }, referenceDir).add({ pod: 0 });
    const { ingress, egress } = await bothWays(result);
    far(ingress, INGRESS);
    near(egress, EGRESS);
  });

  it('has the configured rate in a list whose single element does everything', async () => {
    const config = { ...bridgeConf('isthmus', host), runtimeConfig: { bandwidth: LIMITS } };
    const how = { dir: bin.path, name: 'isthmus', pod: 0, config };
    const { ingress, egress } = await bothWays(host.ok({ ...how, command: 'ADD' }));
    near(ingress, INGRESS);
    near(egress, EGRESS);
    host.ok({ ...how, command: 'DEL' });
    assert.doesNotMatch(host.snapshot(), /ifb|tbf/);
  });

  it('passes whole packets although the configured burst is smaller than one', async () => {
    const result = chained({ ingressRate: INGRESS, ingressBurst: 8 }).add({ pod: 0 });
    const pod = result.ips?.[0]?.address.split('/')[0] ?? '';
    const rate = await throughput(host.ns, host.pod(0), pod, DURATION);
    assert.ok(rate > INGRESS / 4 && rate < INGRESS * 1.25, `${(rate / 1e6).toFixed(1)} of ${INGRESS / 1e6} Mbit/s`);
  });
});
