import { strict as assert } from 'node:assert';
import { availableParallelism } from 'node:os';
import { expectOk, type PluginDir, pluginDir, runPluginAsync } from '../support/cni.ts';
import { choose, type Lab, makeLab } from './firewall-lab.ts';

const ENDPOINTS = 100;

describe('the number of rules', function () {
  this.timeout(180_000);
  let bin: PluginDir;
  let lab: Lab;
  before(async () => {
    bin = pluginDir();
    lab = await makeLab(1);
  });
  after(() => {
    lab?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  it(`is equal for 1 and ${ENDPOINTS} endpoints that masquerade and publish ports; only elements grow`, async () => {
    const asItWas = lab.rules();
    const all = (command: 'ADD' | 'DEL', from: number) => inTurns(from, (i) => call(lab, bin, command, i));
    expectOk(await runPluginAsync(call(lab, bin, 'ADD', 0)));
    const [rules, elements] = [counted(lab), published(lab)];
    assert.ok(rules > 10, `${rules} rules`);
    await all('ADD', 1);
    assert.equal(counted(lab), rules);
    assert.equal(published(lab), elements * ENDPOINTS);
    await all('DEL', 1);
    assert.equal(counted(lab), rules);
    assert.equal(published(lab), elements);
    expectOk(await runPluginAsync(call(lab, bin, 'DEL', 0)));
    assert.equal(lab.rules(), asItWas);
  });
});

/** Endpoint `i`: an interface of its own in the one pod, with two host ports. */
function call({ host, chain }: Lab, { path: dir }: PluginDir, command: 'ADD' | 'DEL', i: number) {
  const ports = [{ hostPort: 10_000 + i }, { hostPort: 20_000 + i, protocol: 'udp' as const }];
  const config = chain('isthmus', { dir, ports, defaultRoute: false, ...choose('isthmus', 'nftables') }).config(0);
  return host.call({ dir, name: 'isthmus', command, pod: 0, containerId: `c${i}`, ifName: `eth${i}`, config });
}

async function inTurns(from: number, make: (i: number) => Parameters<typeof runPluginAsync>[0]): Promise<void> {
  let next = from;
  const work = async (): Promise<void> => {
    while (next < ENDPOINTS) expectOk(await runPluginAsync(make(next++)));
  };
  await Promise.all(Array.from({ length: availableParallelism() * 2 }, work));
}

/** Rules, chains, sets and tables: whatever has a handle but is no element. */
function counted({ host }: Lab): number {
  return host.ns.run('nft', '-a', 'list', 'ruleset').match(/# handle \d+$/gm)?.length ?? 0;
}

function published({ rules }: Lab): number {
  return rules().match(/\b(tcp|udp) \. \d+ : 10\./g)?.length ?? 0;
}
