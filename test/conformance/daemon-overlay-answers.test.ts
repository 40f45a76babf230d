import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeOverlay, reaches } from '../support/overlay-lab.ts';
import type { Member } from '../support/overlay-site.ts';

/** Within this many milliseconds an ADD is refused that waiting does not help; and any other answered. */
const [SOON, ELECTION] = [1_500, 3_000] as const;
/** What a call of the test costs besides, on a busy machine. */
const CALL = 300;

/** Refused with code 50, in time. Returns the milliseconds. */
function refused(member: Member, pod: number, config: object, limit: number = SOON): number {
  const begin = performance.now();
  const { json, stdout } = member.site.run('ADD', { pod, config: config as Record<string, unknown> });
  const ms = Math.round(performance.now() - begin);
  assert.equal(json?.code, 50, stdout);
  assert.ok(ms <= limit + CALL, `within ${limit} ms: ${ms}. ${json?.msg}`);
  return ms;
}

describeOverlay('how soon ADDs are refused, with one member of etcd', { hosts: 1, pods: 3 }, (lab) => {
  const etcd = () => lab.overlay.etcd.members[0] ?? assert.fail('no etcd');
  const nets = () => ({
    used: lab.overlay.network('used', { mode: 'shared' }),
    unused: lab.overlay.network('unused', { mode: 'shared' }, { subnet: '10.110.0.0/16' }),
    routed: lab.overlay.network('routed', { mode: 'per-host' }, { subnet: '10.120.0.0/16' }),
  });

  for (const [how, stop, start] of [
    ['does not answer', () => etcd().pause(), () => etcd().resume()],
    ['refuses connections', () => etcd().kill(), () => etcd().start()],
  ] as const)
    it(`etcd ${how}: at once and later, on networks that this host uses or not`, async () => {
      const { host } = lab;
      const { used, unused, routed } = nets();
      host(0).add(0, used);
      await stop();
      for (let round = 0; round < 2; round++) for (const net of [used, unused, routed]) refused(host(0), 1, net);
      // Its session has ended meanwhile, on both sides.
      await sleep(3_000);
      for (const net of [used, unused, routed]) refused(host(0), 1, net);
      await start();
      host(0).del(0, used);
    });

  it('a daemon that has never reached etcd', async () => {
    const { host } = lab;
    const { used, unused, routed } = nets();
    await host(0).site.daemon.end();
    await etcd().kill();
    await host(0).start();
    for (const net of [used, unused, routed]) refused(host(0), 1, net);
    await etcd().start();
  });
});

describeOverlay(
  'how soon ADDs are refused, with three members of etcd',
  { hosts: 2, pods: 3, etcd: { members: 3 } },
  (lab) => {
    it('without a quorum: at the latest when an election would be over, from then on within 1.5 s', async () => {
      const { overlay, host } = lab;
      const net = overlay.network('web', { mode: 'shared' });
      host(0).add(0, net);
      const [target = ''] = host(1).add(0, net);
      await reaches(host(0), 0, target);
      const [one, two] = overlay.etcd.members;
      await Promise.all([one?.kill(), two?.kill()]);
      refused(host(0), 1, net, ELECTION);
      for (let round = 0; round < 3; round++) refused(host(0), 1, net);
      // hasleader: the watches of host B learn of it, without a call.
      await sleep(6_000);
      refused(host(1), 1, net);
      const other = overlay.network('other', { mode: 'shared' }, { subnet: '10.110.0.0/16' });
      refused(host(1), 1, other);
      await reaches(host(0), 0, target);
      await Promise.all([one?.start(), two?.start()]);
      for (let tries = 0; host(0).site.run('ADD', { pod: 1, config: net }).code !== 0; tries++) {
        assert.ok(tries < 20, 'a quorum again');
        await sleep(1_000);
      }
      for (const [index, pod] of [
        [0, 0],
        [0, 1],
        [1, 0],
      ] as const)
        host(index).del(pod, net);
    });
  },
);
