import { strict as assert } from 'node:assert';
import { importImage, startContainerd } from '../support/containerd.ts';
import { useTestHost } from '../support/e2e.ts';
import { hear, IMAGE, say } from '../support/image.ts';
import { EXAMPLES, installNetwork } from '../support/networks.ts';
import type { Daemon, TestHost } from '../support/test-host.ts';

const RUN = ['run', '--rm', '--cni', '--snapshotter', 'native'];

describe('ctr run --cni', function () {
  this.timeout(60_000);
  const running = useTestHost();
  let host: TestHost;
  let execs = 0;

  const ctr = (...args: string[]): string => host.run('ctr', '-n', host.name, ...args).trim();
  const exec = (id: string, ...command: string[]): string =>
    ctr('task', 'exec', '--exec-id', `exec${++execs}`, id, ...command);
  const address = (id: string): string => {
    let shown = '';
    // On a busy machine ctr may end before it has passed on what the command printed.
    for (let i = 0; i < 5 && shown === ''; i++) shown = exec(id, 'ip', '-o', '-4', 'addr', 'show', 'dev', 'eth0');
    const found = /inet ([\d.]+)\//.exec(shown)?.[1];
    assert.ok(found, `${id} has no address: ${shown}`);
    return found;
  };
  // In the foreground: a detached `ctr run` never asks for DEL. A task that ADD still works on is created, and can
  // execute commands; it is running after ADD.
  const start = (id: string): Promise<Daemon> =>
    host.start(`ctr-${id}`, ['ctr', '-n', host.name, ...RUN, IMAGE, id], () =>
      new RegExp(`^${id} .*RUNNING`, 'm').test(host.attempt(['ctr', '-n', host.name, 'task', 'ls']).stdout),
    );
  /** DEL has an empty CNI_NETNS: the process has exited by then. */
  const end = (id: string, foreground: Daemon): Promise<unknown> => {
    ctr('task', 'kill', '-s', 'KILL', id);
    return foreground.ended;
  };

  before(async () => {
    host = running();
    await startContainerd(host);
    importImage(host, host.name);
  });

  for (const example of EXAMPLES) {
    it(`connects two containers on the example ${example}, which reach each other and leave nothing`, async () => {
      installNetwork(host, example);
      const runs = [await start('a'), await start('b')] as const;
      const [a, b] = [address('a'), address('b')];
      assert.notEqual(a, b);
      exec('a', 'ping', '-c', '1', '-W', '2', b);
      exec('b', 'ping', '-c', '1', '-W', '2', a);
      ctr('task', 'exec', '-d', '--exec-id', `exec${++execs}`, 'b', ...say('from b', 8080));
      assert.equal(exec('a', ...hear(b, 8080)), 'from b');
      await end('a', runs[0]);
      await end('b', runs[1]);
      assert.deepEqual(JSON.parse(host.run('ip', '-j', 'link', 'show', 'type', 'veth')), []);
    });
  }
});
