import { strict as assert } from 'node:assert';
import { readdirSync } from 'node:fs';
import type { CniCommand, PluginRun } from '../support/cni.ts';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite, until } from '../support/daemon-site.ts';
import { assertSame } from '../support/snapshot.ts';

const CALLS = 500;
const PODS = 8;

/** More launchers than a node ever starts at once; each pod has many interfaces. */
describe(`${CALLS} concurrent launchers`, function () {
  this.timeout(180_000);
  let bin: DaemonBin;
  let site: DaemonSite;

  before(() => {
    bin = daemonBin();
    site = makeSite(bin, { pods: PODS, ipam: { ranges: [[{ subnet: '10.88.0.0/22' }]] } });
  });
  after(() => {
    site?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  const all = (command: CniCommand): Promise<PluginRun[]> =>
    Promise.all(
      Array.from({ length: CALLS }, (_, i) => {
        const call = { pod: i % PODS, containerId: `pod${i % PODS}`, ifName: `eth${Math.floor(i / PODS)}` };
        return site.begin(command, { ...call, timeout: 90_000 }).done;
      }),
    );
  const failures = (runs: readonly PluginRun[]) =>
    runs
      .filter(({ code }) => code !== 0)
      .map(({ code, signal, stdout, stderr }) => `${code ?? signal}: ${stdout}${stderr}`);

  it('all get an answer and distinct addresses, and as many DELs leave nothing', async () => {
    const daemon = await site.start();
    // The second finds the network: from then on, the daemon has open what it keeps open.
    for (const command of ['ADD', 'DEL'] as const) for (const pod of [0, 1]) site.ok(command, { pod });
    const clean = site.host.snapshot();
    const open = readdirSync(`/proc/${daemon.pid}/fd`).length;

    const started = performance.now();
    const added = await all('ADD');
    const between = performance.now();
    assert.deepEqual(failures(added), []);
    assert.equal(new Set(added.map(({ json }) => json?.ips?.[0]?.address)).size, CALLS);
    for (const pod of site.host.pods)
      assert.equal(
        pod.ip('-o', '-4', 'addr', 'show', 'scope', 'global').trim().split('\n').length,
        Math.ceil((CALLS - site.host.pods.indexOf(pod)) / PODS),
      );

    const ready = performance.now();
    const deleted = await all('DEL');
    const rate = (ms: number) => `${Math.round((CALLS * 1000) / ms)}/s`;
    console.log(
      `      ADD ${rate(between - started)}, DEL ${rate(performance.now() - ready)}; ` +
        `by the daemon: ${daemon.served('ADD') - 1} and ${daemon.served('DEL') - 1}`,
    );
    assert.deepEqual(failures(deleted), []);
    assertSame(site.host.snapshot(), clean);
    assert.ok(
      daemon.served('ADD') > 1 + CALLS / 2 && daemon.served('DEL') > 1 + CALLS / 2,
      'most are served by the daemon',
    );
    await until(() => readdirSync(`/proc/${daemon.pid}/fd`).length <= open, 'descriptors are closed');
    assert.doesNotMatch(daemon.log(), /level=(warn|error)/);
  });
});
