import { strict as assert } from 'node:assert';
import type { PluginRun } from '../support/cni.ts';
import { until } from '../support/daemon-site.ts';
import { allReady, assertGone, describeOverlay } from '../support/overlay-lab.ts';
import type { Member } from '../support/overlay-site.ts';
import { keysOf } from '../support/overlay-tables.ts';

const PODS = 16;

describeOverlay('addresses of a shared network that several hosts take at a time', { pods: PODS }, (lab) => {
  const web = () => lab.overlay.network('web', { mode: 'shared' });
  /** Repeats an ADD that etcd did not answer in time, as a runtime does. */
  const add = async ({ site }: Member, pod: number): Promise<PluginRun> => {
    for (let tries = 1; ; tries++) {
      const run = await site.begin('ADD', { pod, config: web() }).done;
      if (run.json?.code !== 50 || tries === 5) return run;
    }
  };
  const begin = (member: Member) => Array.from({ length: PODS }, (_, pod) => add(member, pod));
  const taken = () => [...keysOf(lab.overlay).keys()].filter((key) => key.startsWith('a/'));

  it('16 parallel ADDs on each of three hosts: no address twice, and a key for each', async () => {
    const { members, overlay } = lab;
    const runs = await Promise.all(members.flatMap(begin));
    for (const { code, stdout } of runs) assert.equal(code, 0, stdout);
    const addresses = runs.map(({ json }) => json?.ips?.[0]?.address ?? assert.fail('no address'));
    assert.equal(new Set(addresses).size, addresses.length, addresses.join());
    await until(() => taken().length === addresses.length, 'each address has a key, and nothing else has', 20);
    await Promise.all(
      members.flatMap(({ site }) =>
        Array.from({ length: PODS }, (_, pod) => site.begin('DEL', { pod, config: web() }).done),
      ),
    );
    await assertGone(overlay);
  });

  it('a daemon killed during 16 ADDs: no address is lost, and none is given twice', async () => {
    const { overlay, host } = lab;
    const [a, b] = [host(0), host(1)];
    for (let round = 0; round < 2; round++) {
      const under = begin(a);
      const others = begin(b);
      const from = Date.now();
      while (taken().length < 2 + round && Date.now() - from < 5_000);
      await a.site.daemon.end('SIGKILL');
      await Promise.all(under);
      await a.start();
      await allReady(overlay, 40);
      const before = await Promise.all(others);
      const again = await Promise.all(begin(a));
      const held = [...before, ...again].flatMap(({ code, json }) => (code === 0 ? [json?.ips?.[0]?.address] : []));
      assert.equal(new Set(held).size, held.length, held.join());
      await Promise.all(
        [a, b].flatMap(({ site }) =>
          Array.from({ length: PODS }, (_, pod) => site.begin('DEL', { pod, config: web() }).done),
        ),
      );
      await assertGone(overlay);
    }
  });
});
