import { strict as assert } from 'node:assert';
import { type CniAnswer, type PluginDir, type PluginRun, pluginDir, runPluginAsync } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { bridgeConf, type NetConf } from '../support/netconf.ts';
import { ping } from '../support/ping.ts';
import { assertSame } from '../support/snapshot.ts';

const PODS = 50;

describe('concurrent stand-alone calls', function () {
  this.timeout(180_000);
  let bin: PluginDir;
  let host: CniHost;

  before(() => {
    bin = pluginDir();
    host = makeHost(PODS);
  });
  after(() => {
    host?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  const network = (name: string, index: number): NetConf => ({
    ...bridgeConf('isthmus', host, { ipam: { ranges: [[{ subnet: `10.${88 + index}.0.0/24` }]] } }),
    name,
    bridge: `isth${index}`,
  });
  const call = (command: 'ADD' | 'DEL' | 'CHECK', pod: number, config: unknown) =>
    runPluginAsync(host.call({ dir: bin.path, name: 'isthmus', command, pod, config, timeout: 90_000 }));
  const all = (work: (pod: number) => Promise<PluginRun>) => Promise.all(host.pods.map((_, pod) => work(pod)));

  it(`${PODS} ADDs without state: ${PODS} addresses, no error; then ${PODS} DELs: nothing left`, async () => {
    const before = withoutState(host);
    const config = network('web', 0);
    const started = performance.now();
    const added = await all((pod) => call('ADD', pod, config));
    const between = performance.now();
    assert.deepEqual(failuresOf(added), []);
    assert.equal(new Set(added.map(({ json }) => addressOf(json))).size, PODS);
    for (const [pod, { json }] of added.entries()) assertPod(host, pod, json);
    ping(host.pod(0), addressOf(added.at(-1)?.json));
    const ready = performance.now();
    const deleted = await all((pod) => call('DEL', pod, config));
    assert.deepEqual(failuresOf(deleted), []);
    assertSame(withoutState(host), before, 'the bridge is gone too');
    const empty = host.snapshot();
    console.log(`      ADD ${rate(between - started)}, DEL ${rate(performance.now() - ready)}`);
    assert.deepEqual(failuresOf([await call('ADD', 0, config), await call('DEL', 0, config)]), []);
    assertSame(host.snapshot(), empty, 'no row is left either');
  });

  it('random ADDs and DELs on two networks: every attachment is complete or gone', async () => {
    const before = withoutState(host);
    const configs = [network('web', 0), network('db', 1)] as const;
    const configOf = (pod: number): NetConf => configs[pod % 2 === 0 ? 0 : 1];
    const alive = new Map<number, CniAnswer | undefined>();
    // Every pod lives a life of its own: pod n ends attached when n is not a multiple of three.
    const lives = host.pods.map(async (_, pod): Promise<PluginRun[]> => {
      const runs: PluginRun[] = [];
      const steps = (['ADD', 'DEL', 'ADD', 'DEL'] as const).slice(0, pod % 3 === 0 ? 4 : 3);
      for (const step of steps) {
        const run = await call(step, pod, configOf(pod));
        runs.push(run);
        if (step === 'ADD') alive.set(pod, run.json);
        else alive.delete(pod);
      }
      return runs;
    });
    assert.deepEqual(failuresOf((await Promise.all(lives)).flat()), []);
    assert.equal(new Set([...alive.values()].map(addressOf)).size, alive.size);
    for (const [pod, result] of alive) assertPod(host, pod, result);
    for (const [pod] of host.pods.entries()) {
      if (!alive.has(pod)) assert.doesNotMatch(host.pod(pod).ip('-br', 'link'), /eth0/);
    }
    const checks = [...alive].map(([pod, prevResult]) => call('CHECK', pod, { ...configOf(pod), prevResult }));
    assert.deepEqual(failuresOf(await Promise.all(checks)), []);
    assert.deepEqual(failuresOf(await all((pod) => call('DEL', pod, configOf(pod)))), []);
    assertSame(withoutState(host), before);
  });
});

function failuresOf(runs: readonly PluginRun[]): string[] {
  return runs.filter(({ code }) => code !== 0).map(({ stdout, stderr, signal }) => `${signal ?? ''}${stdout}${stderr}`);
}

function addressOf(answer: CniAnswer | undefined): string {
  const address = answer?.ips?.[0]?.address;
  assert.ok(address !== undefined, 'the answer has an address');
  return address;
}

/** The pod has the address and the MAC that its answer says, and is a port of the bridge of the answer. */
function assertPod(host: CniHost, pod: number, answer: CniAnswer | undefined): void {
  const link = host.pod(pod).ip('-o', 'addr', 'show', 'eth0') + host.pod(pod).ip('-o', 'link', 'show', 'eth0');
  const inside = answer?.interfaces?.find(({ sandbox }) => sandbox !== undefined && sandbox !== '');
  assert.ok(link.includes(` ${addressOf(answer)} `), `pod ${pod} has ${addressOf(answer)}: ${link}`);
  assert.ok(link.includes(inside?.mac ?? 'no mac'), `pod ${pod} has ${inside?.mac}: ${link}`);
  const bridge = answer?.interfaces?.[0]?.name;
  const port = answer?.interfaces?.[1]?.name;
  assert.match(host.ns.ip('-o', 'link', 'show', port ?? ''), new RegExp(` master ${bridge} `));
}

function withoutState(host: CniHost): string {
  return host.snapshot().split('## state')[0] ?? '';
}

function rate(milliseconds: number): string {
  return `${Math.round((PODS * 1000) / milliseconds)}/s`;
}
