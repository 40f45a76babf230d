import { strict as assert } from 'node:assert';
import { type CniAnswer, type PluginDir, type PluginRun, pluginDir, runPluginAsync } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { bridgeConf } from '../support/netconf.ts';
import { ping } from '../support/ping.ts';
import { assertSame } from '../support/snapshot.ts';

const CLIENTS = 8;
const PODS = 60;
const ROUNDS = 3;

describe('the daemon and the stand-alone plugin share one network under load', function () {
  this.timeout(180_000);
  const made = new DisposableStack();
  let dirs: readonly [PluginDir, PluginDir];
  let host: CniHost;

  before(() => {
    dirs = [made.use(pluginDir('daemon')), made.use(pluginDir('alone'))];
    host = makeHost(PODS, { via: 'daemon' });
  });
  after(() => {
    host?.[Symbol.dispose]();
    made.dispose();
  });

  /** Only as many addresses as pods, so that each is allocated again as soon as it is free. */
  const config = (pod: number) => ({
    ...bridgeConf('isthmus', host, {
      conf: { ipMasq: true, runtimeConfig: { portMappings: [{ hostPort: 9000 + pod, containerPort: 80 }] } },
      ipam: { ranges: [[{ subnet: '10.88.0.0/24', rangeStart: '10.88.0.2', rangeEnd: `10.88.0.${PODS + 1}` }]] },
    }),
    cniVersion: '1.1.0',
  });
  /** The way changes with the pod, from one command to the next, and from round to round. */
  const call = (command: 'ADD' | 'CHECK' | 'DEL', pod: number, way: number, more = {}): Promise<PluginRun> => {
    const { path: dir } = way % 2 === 0 ? dirs[0] : dirs[1];
    return runPluginAsync(
      host.call({ dir, name: 'isthmus', command, pod, config: { ...config(pod), ...more }, timeout: 90_000 }),
    );
  };
  const succeeds = async (command: 'ADD' | 'CHECK' | 'DEL', pod: number, way: number, more = {}) => {
    const { code, signal, stdout, stderr, json } = await call(command, pod, way, more);
    assert.equal(code, 0, `${command} of pod ${pod}: ${signal ?? ''}${stdout}${stderr}`);
    return json ?? {};
  };
  /** Clients that take one pod after the other, until none is left. */
  const byClients = async (count: number, work: (pod: number) => Promise<void>): Promise<void> => {
    const pods = Array.from({ length: count }, (_, pod) => pod).values();
    await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        for (const pod of pods) await work(pod);
      }),
    );
  };
  const served = (): number => host.daemon?.served() ?? 0;

  it(`${CLIENTS} clients, ${PODS} pods, ${ROUNDS} rounds: each pod has its own address; nothing is left`, async () => {
    host.daemon?.serve();
    const untouched = host.snapshot();
    for (let round = 0; round < ROUNDS; round++) {
      const [before, results] = [served(), new Map<number, CniAnswer>()];
      await byClients(PODS, async (pod) => {
        results.set(pod, await succeeds('ADD', pod, pod + round));
      });
      assert.equal(new Set([...results.values()].map(addressOf)).size, PODS, 'as many addresses as pods');
      for (const [pod, result] of results)
        assert.match(host.pod(pod).ip('-o', 'addr', 'show', 'eth0'), new RegExp(` ${addressOf(result)}/24 `));
      ping(host.pod(0), addressOf(results.get(PODS - 1) ?? {}));
      await byClients(PODS, async (pod) => {
        if (pod % 6 === 0) await succeeds('CHECK', pod, pod / 6, { prevResult: results.get(pod) });
        await succeeds('DEL', pod, pod + round + 1);
      });
      assertSame(host.snapshot(), untouched, `round ${round}`);
      assert.equal(served() - before, PODS + PODS / 12, "half of the calls were the daemon's");
    }
  });

  it('pods come and go, and addresses are reused at once: no two pods hold the same one', async () => {
    const untouched = host.snapshot();
    const alive = new Map<string, number>();
    await byClients(3 * CLIENTS, async (pod) => {
      for (let round = 0; round < ROUNDS; round++) {
        const address = addressOf(await succeeds('ADD', pod, pod + round));
        assert.equal(alive.get(address), undefined, `${address} of pod ${pod} is another pod's`);
        alive.set(address, pod);
        ping(host.pod(pod), '10.88.0.1');
        alive.delete(address);
        await succeeds('DEL', pod, pod + round + (pod % 3));
      }
    });
    assertSame(host.snapshot(), untouched);
  });

  it('ADD by one while the other runs DEL: the attachment is complete or gone', async () => {
    const untouched = host.snapshot();
    for (let pod = 0; pod < 2 * CLIENTS; pod++) {
      const adding = call('ADD', pod, pod);
      await new Promise((later) => setTimeout(later, 5 * (pod % CLIENTS)));
      await succeeds('DEL', pod, pod + 1);
      const { code, json, stdout } = await adding;
      const links = host.pod(pod).ip('-br', 'link');
      if (code === 0 && links.includes('eth0')) await succeeds('CHECK', pod, pod + 1, { prevResult: json });
      else assert.doesNotMatch(links, /eth0/, stdout);
      await succeeds('DEL', pod, pod);
    }
    assertSame(host.snapshot(), untouched);
  });
});

function addressOf({ ips }: CniAnswer): string {
  return (ips?.[0]?.address ?? '').replace(/\/.*/, '');
}
