import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describeOverlay, reaches } from '../support/overlay-lab.ts';
import { waitFor } from '../support/test-host.ts';

/** Milliseconds within which every call succeeds, whichever member of etcd is lost. */
const LIMIT = 3_000;

describeOverlay('overlay networks on three members of etcd', { hosts: 2, pods: 2, etcd: { members: 3 } }, (lab) => {
  it('one member killed, then the leader: no call fails or is late, and no packet is lost', async () => {
    const { overlay, host } = lab;
    const net = overlay.network('web', { mode: 'shared' });
    const [a, b] = [host(0), host(1)];
    a.add(0, net);
    const [target = ''] = b.add(0, net);
    await reaches(a, 0, target);
    const pod = a.site.host.pod(0).path;
    const flow = spawn('nsenter', [`--net=${pod}`, '--', 'busybox', 'ping', '-i', '0.2', target]);
    let text = '';
    flow.stdout.on('data', (data) => {
      text += data;
    });
    const calls = async (): Promise<void> => {
      for (let i = 0; i < 8; i++)
        for (const command of ['ADD', 'DEL'] as const) {
          const begin = performance.now();
          const { code, stdout } = await a.site.begin(command, { pod: 1, config: net }).done;
          const ms = Math.round(performance.now() - begin);
          assert.equal(code, 0, `${command}: ${stdout}`);
          assert.ok(ms <= LIMIT, `${command} within ${LIMIT} ms: ${ms}`);
        }
    };
    const leader = (): string => leaderOf(overlay.etcd.ctl('endpoint', 'status', '-w', 'json'));
    const member = (name: string) => overlay.etcd.members.find((each) => each.name === name) ?? assert.fail(name);
    const follower = overlay.etcd.members.find(({ name }) => name !== leader()) ?? assert.fail('no follower');
    await follower.kill();
    await calls();
    await follower.start();
    await waitFor('the member has what the others have', () => {
      const status = overlay.etcd.ctl('endpoint', 'status', '-w', 'json');
      const revisions = [...status.matchAll(/"revision":(\d+)/g)].map(([, revision]) => revision);
      return revisions.length === 3 && new Set(revisions).size === 1;
    });
    const working = calls();
    await member(leader()).kill();
    await working;
    const closed = once(flow, 'close');
    flow.kill('SIGKILL');
    await closed;
    const answered = [...text.matchAll(/seq=(\d+)/g)].map(([, number]) => Number(number));
    assert.ok(answered.length > 10, text);
    assert.deepEqual(answered, [...answered.keys()], 'each request was answered, in order');
    b.del(0, net);
    a.del(0, net);
  });
});

/** Name of the leader, whose id all members say; each endpoint is a socket with a member's name. */
function leaderOf(json: string): string {
  const parts = (text: string, key: string): string => new RegExp(`"${key}":"?(\\d+)`).exec(text)?.[1] ?? '';
  for (const status of json.split('{"Endpoint"').slice(1))
    if (parts(status, 'member_id') === parts(status, 'leader')) return /\/(m\d):1/.exec(status)?.[1] ?? '';
  return assert.fail(json);
}
