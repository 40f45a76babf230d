import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { tracesOf } from '../support/e2e.ts';
import { makeTestHost, waitFor } from '../support/test-host.ts';

/** Makes a test host with a daemon and an orphan of a process in it, says its name and waits. */
const PROGRAM = `
import { makeTestHost } from ${JSON.stringify(join(import.meta.dirname, '../support/test-host.ts'))};
const host = await makeTestHost();
await host.start('sleeper', ['sh', '-c', 'setsid sleep 1000 & sleep 1000'], () => true);
host.run('mkdir', '/sys/fs/cgroup/' + CGROUP + host.name);
console.log(host.name);
setInterval(() => {}, 1000);
`;

/** The places where a machine with Isthmus has its plugins, configurations and records. */
const OWN = [
  ...['/opt/cni/bin', '/etc/cni/net.d', '/usr/lib/cni', '/usr/lib/isthmus'],
  ...['/var/lib/isthmus', '/var/lib/cni/networks', '/run/isthmus'],
];

/** Prints the files that a test host sees in `OWN`. */
const LOOK = `
import { makeTestHost } from ${JSON.stringify(join(import.meta.dirname, '../support/test-host.ts'))};
await using host = await makeTestHost();
console.log(host.attempt(${JSON.stringify(['find', ...OWN, '-type', 'f'])}).stdout);
`;

describe('a test host', function () {
  this.timeout(20_000);

  it('isolates its files from the machine', async () => {
    await using host = await makeTestHost();
    host.write('/var/lib/isthmus/here', 'only here');
    host.write('/opt/cni/bin/here', 'only here');
    assert.equal(host.run('cat', '/var/lib/isthmus/here', '/opt/cni/bin/here'), 'only hereonly here');
    for (const path of ['/var/lib/isthmus/here', '/opt/cni/bin/here']) assert.throws(() => statSync(path), /ENOENT/);
    const links: { ifname: string }[] = JSON.parse(host.run('ip', '-j', 'link'));
    assert.deepEqual(
      links.map((link) => link.ifname),
      ['lo'],
    );
    assert.notEqual(host.run('readlink', '/proc/self/ns/net'), host.run('readlink', '/proc/1/ns/net'));
  });

  it('hides what is installed, configured or recorded on the machine', async () => {
    await using machine = await makeTestHost();
    for (const dir of OWN) machine.write(join(dir, 'own'), '');
    const seen = machine.run(process.execPath, '--input-type=module', '-e', LOOK);
    assert.equal(seen.trim(), '');
    assert.equal(
      machine
        .run('find', ...OWN, '-name', 'own')
        .trim()
        .split('\n').length,
      OWN.length,
    );
  });

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
    it(`disappears after ${signal} to the process that created it`, async () => {
      const [maker, name] = await start();
      assert.notDeepEqual(tracesOf(name), []);
      maker.kill(signal);
      await once(maker, 'exit');
      await waitFor('nothing of it is left', () => tracesOf(name).length === 0, 10_000);
    });
  }
});

async function start(): Promise<[ChildProcess, string]> {
  const cgroup = existsSync('/sys/fs/cgroup/pids') ? 'pids/' : '';
  const program = PROGRAM.replace('CGROUP', JSON.stringify(cgroup));
  const maker = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(maker, 'exit').then(([code]) => assert.fail(`the maker ended with ${code}`));
  const [name] = await Promise.race([once(createInterface({ input: maker.stdout }), 'line'), ended]);
  return [maker, name];
}
