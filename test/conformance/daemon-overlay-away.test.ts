import { strict as assert } from 'node:assert';
import { until } from '../support/daemon-site.ts';
import { allReady, describeOverlay, reachEachOther, reaches } from '../support/overlay-lab.ts';
import type { Member } from '../support/overlay-site.ts';
import { contentKeys, keysOf } from '../support/overlay-tables.ts';

/** Milliseconds within which every call is answered while etcd is away. */
const LIMIT = 3_000;

function timed<T>(call: () => T): T {
  const begin = performance.now();
  const result = call();
  const ms = Math.round(performance.now() - begin);
  assert.ok(ms <= LIMIT, `answered within ${LIMIT} ms: ${ms}`);
  return result;
}

describeOverlay('overlay networks while etcd is away', { hosts: 2, pods: 4 }, (lab) => {
  const shared = () => lab.overlay.network('flat', { mode: 'shared' });
  const routed = () => lab.overlay.network('routed', { mode: 'per-host' }, { subnet: '10.101.0.0/16' });
  const etcd = () => lab.overlay.etcd.members[0] ?? assert.fail('no etcd');

  /** A pod of each network on each host, which reach each other. */
  async function populate(): Promise<string[][]> {
    const found = [shared(), routed()].map((net, pod) =>
      lab.members.map((member) => member.add(pod, net)[0] ?? assert.fail('no address')),
    );
    for (const [pod, addresses] of found.entries()) await reachEachOther(lab.members, pod, addresses);
    return found;
  }

  function clear(pods: readonly (readonly [member: Member, pod: number, net: object])[]): void {
    for (const [member, pod, net] of pods) member.del(pod, net);
  }

  for (const [how, stop, start] of [
    ['stopped', () => etcd().pause(), () => etcd().resume()],
    ['killed', () => etcd().kill(), () => etcd().start()],
  ] as const)
    it(`etcd ${how}: what runs goes on, per-host ADDs too, shared ADDs answer 50, DELs at once`, async () => {
      const { overlay, members, host } = lab;
      const found = await populate();
      await stop();
      const { code, json, stdout } = timed(() => host(0).site.run('ADD', { pod: 2, config: shared() }));
      assert.equal(code, 1, stdout);
      assert.equal(json?.code, 50, stdout);
      const [added = ''] = timed(() => host(0).add(3, routed()));
      await reaches(host(1), 1, added);
      timed(() => host(1).del(0, shared()));
      for (const member of members) await reaches(member, 1, found[1]?.[member === host(0) ? 1 : 0] ?? '');
      await start();
      await until(
        () => [...keysOf(overlay).keys()].filter((key) => key.startsWith('a/')).length === 1,
        'the key of the pod that was deleted goes',
        20,
      );
      await allReady(overlay, 40);
      clear([
        [host(0), 0, shared()],
        [host(0), 3, routed()],
        ...members.map((member) => [member, 1, routed()] as const),
      ]);
      await until(() => contentKeys(overlay).length === 0, 'no key is left', 20);
    });

  it('etcd wiped and made again with the same flags: all hosts publish again', async () => {
    const { overlay, members, host } = lab;
    const found = await populate();
    const content = (): string[] =>
      [...keysOf(overlay).keys()].filter((key) => /^(?:a|r|u|net|name|vni)\//.test(key)).sort();
    const before = content();
    await etcd().wipe();
    await until(() => content().join() === before.join(), 'all keys are back', 30);
    for (const [pod, addresses] of found.entries()) await reachEachOther(members, pod, addresses);
    const [added = ''] = host(0).add(2, shared());
    assert.ok(!found.flat().includes(added));
    await reaches(host(1), 0, added);
    await allReady(overlay, 40);
    clear([
      [host(0), 2, shared()],
      ...members.flatMap((member) => [[member, 0, shared()] as const, [member, 1, routed()] as const]),
    ]);
    await until(() => contentKeys(overlay).length === 0, 'no key is left', 20);
  });

  it('a daemon that starts without etcd: forwards with what it kept, and serves per-host ADDs', async () => {
    const { overlay, members, host } = lab;
    const found = await populate();
    await host(0).site.daemon.end();
    await etcd().kill();
    const { ns } = host(0).site.host;
    for (const { ifname } of JSON.parse(ns.ip('-j', 'link', 'show', 'type', 'vxlan'))) ns.ip('link', 'del', ifname);
    await host(0).start();
    for (const [pod, addresses] of found.entries()) await reachEachOther(members, pod, addresses);
    const [added = ''] = timed(() => host(0).add(3, routed()));
    await reaches(host(1), 1, added);
    await etcd().start();
    await allReady(overlay, 40);
    clear([
      [host(0), 3, routed()],
      ...members.flatMap((member) => [[member, 0, shared()] as const, [member, 1, routed()] as const]),
    ]);
    await until(() => contentKeys(overlay).length === 0, 'no key is left', 20);
  });

  it('a daemon that leaves a network without etcd, and is killed: its next start deletes the network', async () => {
    const { overlay, host } = lab;
    host(0).add(0, shared());
    await etcd().pause();
    host(0).del(0, shared());
    const { site } = host(0);
    // The keys of the address and of the use.
    const outbox = async (): Promise<number> =>
      (await host(0).verbs.json<{ readonly outbox: number }>('cluster', 'status')).outbox;
    for (const end = Date.now() + 20_000; (await outbox()) < 2; ) assert.ok(Date.now() < end, 'it has left');
    await site.daemon.end('SIGKILL');
    await etcd().resume();
    assert.ok(contentKeys(overlay).some((key) => key.startsWith('net/')));
    await host(0).start();
    await until(() => contentKeys(overlay).length === 0, 'no key is left', 20);
  });
});
