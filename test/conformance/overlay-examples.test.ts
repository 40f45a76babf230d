import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { type DaemonBin, daemonBin, until } from '../support/daemon-site.ts';
import { etcdMissing } from '../support/etcd.ts';
import { type Member, makeOverlay, type Overlay } from '../support/overlay-site.ts';
import { canPing } from '../support/ping.ts';
import { EXAMPLES, readList } from '../support/runtime.ts';
import { skipIf } from '../support/skip.ts';

/** The examples that need a cluster, on two hosts of one. */
describe('netconf-examples of overlay networks', function () {
  this.timeout(60_000);
  let bin: DaemonBin;
  let overlay: Overlay;
  let members: readonly [Member, Member];

  before(async function () {
    skipIf(this, etcdMissing());
    bin = daemonBin();
    overlay = await makeOverlay(bin, { hosts: 2, pods: 2 });
    const [a, b] = overlay.members;
    assert.ok(a !== undefined && b !== undefined);
    members = [a, b];
    await Promise.all([a.start(), b.start()]);
  });
  after(async () => {
    await overlay?.[Symbol.asyncDispose]();
    bin?.[Symbol.dispose]();
  });

  /** The only plugin of an example, as a runtime gives it. */
  const configOf = (example: string): object => {
    const { name, plugins } = readList(join(EXAMPLES, `${example}.conflist`));
    assert.equal(plugins.length, 1);
    return { cniVersion: '1.1.0', name, ...plugins[0], capabilities: undefined };
  };
  const reaches = async ({ site }: Member, pod: number, address: string): Promise<void> =>
    until(() => canPing(site.host.pod(pod), address), `a pod reaches ${address}`);

  it('overlay-routed: each host has a range, pods reach each other, and hosts reach all pods', async () => {
    const [a, b] = members;
    const config = configOf('overlay-routed');
    const [[first = ''], [second = '']] = [a.add(0, config), b.add(0, config)];
    assert.match(`${first} ${second}`, /^10\.100\.\d+\.\d+ 10\.100\.\d+\.\d+$/);
    assert.notEqual(first.replace(/\.\d+$/, ''), second.replace(/\.\d+$/, ''));
    await reaches(a, 0, second);
    await reaches(b, 0, first);
    await until(() => canPing(a.site.host.ns, second), 'the host reaches a remote pod');
    for (const member of members) member.del(0, config);
  });

  it('overlay-bridged: an address that moves to another host is reached there', async () => {
    const [a, b] = members;
    const config = configOf('overlay-bridged');
    const [moving = ''] = a.add(0, config);
    const [staying = ''] = b.add(0, config);
    assert.match(`${moving} ${staying}`, /^10\.101\.\d+\.\d+ 10\.101\.\d+\.\d+$/);
    await reaches(b, 0, moving);
    a.del(0, config);
    const wanted = { ...config, args: { cni: { ips: [moving] } } };
    await until(() => b.site.run('ADD', { pod: 1, config: wanted as Record<string, unknown> }).code === 0, 'it moves');
    await reaches(b, 1, staying);
    b.del(1, wanted);
    b.del(0, config);
  });

  it('overlay-internal: pods and hosts reach each other, and nothing outside', async () => {
    const [a, b] = members;
    const config = configOf('overlay-internal');
    const [[first = ''], [second = '']] = [a.add(0, config), b.add(0, config)];
    await reaches(a, 0, second);
    await reaches(b, 0, first);
    await until(() => canPing(a.site.host.ns, second), 'the host reaches a remote pod');
    a.site.host.pod(0).ip('route', 'add', 'default', 'via', '10.102.0.1');
    assert.equal(canPing(a.site.host.pod(0), b.address), false, 'the underlay');
    for (const member of members) member.del(0, config);
  });
});
