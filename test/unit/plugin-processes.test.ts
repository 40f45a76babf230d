import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { endPluginsIn, sinceOf } from '../../src/shared/runtime/plugin-processes.ts';

describe('plugins that a killed daemon left running', () => {
  const children: ChildProcess[] = [];

  /** A plugin as the daemon starts it, with a child of its own that ignores SIGTERM. */
  async function plugin(netns: string): Promise<readonly [plugin: number, child: number]> {
    const script = '(trap "" TERM; exec sleep 600) & echo $!; wait';
    const child = spawn('sh', ['-c', script], {
      detached: true,
      env: { PATH: process.env.PATH, CNI_NETNS: netns },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const [text] = await once(child.stdout, 'data');
    return [child.pid ?? 0, Number(String(text))];
  }

  afterEach(() => {
    for (const { pid } of children.splice(0))
      if (pid !== undefined && sinceOf(pid) !== undefined) process.kill(-pid, 'SIGKILL');
  });

  it('are found by their namespace, and ended with their children', async () => {
    const [own, other] = await Promise.all(['/run/netns/isth-test-a', '/run/netns/isth-test-ab'].map(plugin));
    assert.ok(own !== undefined && other !== undefined);
    await endPluginsIn('/run/netns/isth-test-a', ['bridge', 'sh']);
    assert.deepEqual(own.map(sinceOf), [undefined, undefined]);
    for (const pid of other) assert.notEqual(sinceOf(pid), undefined, 'it works in another namespace');
  });

  it('are ended without a service that one of them has started for all containers', async () => {
    const env = { PATH: process.env.PATH, CNI_NETNS: '/run/netns/isth-test-s' };
    const service = spawn('sleep', ['600'], { detached: true, env, stdio: 'ignore' });
    children.push(service);
    await once(service, 'spawn');
    const [own] = await plugin('/run/netns/isth-test-s');
    await endPluginsIn('/run/netns/isth-test-s', ['sh']);
    assert.equal(sinceOf(own), undefined);
    assert.notEqual(sinceOf(service.pid), undefined);
  });

  it('need not be there', async () => {
    await endPluginsIn('/run/netns/isth-test-none', ['sh']);
  });
});
