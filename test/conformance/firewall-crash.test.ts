import { strict as assert } from 'node:assert';
import type { Chain } from '../support/chain.ts';
import { type PluginDir, pluginDir } from '../support/cni.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import { distinct, killedAt, pointsOf, straceMissing, type TracedPoint } from '../support/strace.ts';
import { choose, FORMS, type Form, type Lab, makeLab } from './firewall-lab.ts';

/** ISTHMUS_CRASH=all tries every point, and ADD after each; by default one point in two, and ADD after a few. */
const ALL = process.env.ISTHMUS_CRASH === 'all';
const PORTS = [{ hostPort: 8080 }, { hostPort: 5353, protocol: 'udp' }] as const;
const POD = { pod: 0 } as const;

/**
 * kill -9 at the system calls of an ADD that tell the kernel something, before the one and right after the next: what
 * the store does between them is tested without a packet filter.
 */
for (const form of FORMS) {
  describe(`the plugin is killed while it creates rules: ${form}`, function () {
    this.timeout(300_000);
    let bin: PluginDir;
    let lab: Lab;
    let chain: Chain;
    let clean: string;
    let rules: string;

    before(async function () {
      skipIf(this, straceMissing());
      bin = pluginDir();
      lab = await makeLab(1);
      rules = lab.rules();
      chain = lab.chain(form, { dir: bin.path, ports: PORTS, ...choose(form, 'nftables') });
      chain.add(POD);
      chain.del(POD);
      clean = lab.host.snapshot();
    });
    after(() => {
      lab?.[Symbol.dispose]();
      bin?.[Symbol.dispose]();
    });

    for (const [index, name] of form.split(', ').entries()) {
      it(`${name}: DEL leaves nothing, and ADD works`, () => {
        const previous = upTo(chain, index);
        const call = callOf(lab, bin, form, chain, index, previous());
        const { before, after } = pointsOf(call);
        chain.del(POD);
        assertSame(lab.host.snapshot(), clean);
        const points = telling(before, after);
        let hit = 0;
        const missed: string[] = [];
        for (const [i, point] of points.entries()) {
          const { signal } = killedAt(callOf(lab, bin, form, chain, index, previous()), point);
          if (signal !== null) hit++;
          else missed.push(point.what);
          chain.del(POD);
          assertSame(lab.host.snapshot(), clean, point.what);
          if (!ALL && i % 6 !== 0) continue;
          chain.check(POD, chain.add(POD));
          chain.del(POD);
          assertSame(lab.host.snapshot(), clean, point.what);
        }
        assert.equal(lab.rules(), rules);
        console.log(`      ${before.length} changes, killed at ${hit} of ${points.length} points`);
        const unhit = `${points.length - hit} of ${points.length} points were not hit: ${missed.join('; ')}`;
        assert.ok(hit > 0 && hit >= points.length * 0.8, unhit);
      });
    }
  });
}

/** The elements before this one have been added; returns what the last of them said. */
function upTo(chain: Chain, index: number): () => Parameters<Chain['config']>[1] {
  return () => {
    let result: Parameters<Chain['config']>[1];
    for (let i = 0; i < index; i++) {
      const run = chain.run(i, 'ADD', POD, result);
      assert.equal(run.code, 0, run.stdout);
      result = run.json;
    }
    return result;
  };
}

function callOf(
  { host }: Lab,
  { path }: PluginDir,
  form: Form,
  chain: Chain,
  index: number,
  previous: Parameters<Chain['config']>[1],
) {
  const name = form.split(', ')[index] ?? '';
  return host.call({ ...POD, dir: path, name, command: 'ADD', config: chain.config(index, previous) });
}

function telling(before: readonly TracedPoint[], after: readonly TracedPoint[]): TracedPoint[] {
  const told = before.map(({ syscall }) => /^send|^write$/.test(syscall));
  const points = before.flatMap((point, i) =>
    [point, ...(after[i] === undefined ? [] : [after[i]])].filter(() => told[i]),
  );
  return ALL ? [...before, ...after] : distinct(points.filter((_, i) => i % 4 === 0 || i % 4 === 3));
}
