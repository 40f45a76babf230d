import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Firewaller } from '../../src/shared/firewall/firewaller.ts';
import { openIptables } from '../../src/shared/firewall/iptables.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { LockQueue } from '../../src/shared/store/locks.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { makeTempDir } from '../support/temp.ts';

const HAIRPIN: FirewallEntry = { kind: 'hairpin', device: 'isth0', subnet: '10.88.0.0/16' };
const UNPRIVILEGED = ['--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all', '--inh-caps=-all'];

describe('the iptables firewaller while others hold a lock', () => {
  const holders: ChildProcess[] = [];

  before(function () {
    skipIf(this, netnsMissing());
  });
  afterEach(async () => {
    delete process.env.XTABLES_LOCKFILE;
    await Promise.all(holders.splice(0).map(end));
  });

  /** A process that has said that it holds its lock. */
  const hold = async (command: string, ...args: readonly string[]): Promise<ChildProcess> => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    holders.push(child);
    for await (const text of child.stdout) {
      assert.equal(String(text), 'held\n');
      return child;
    }
    throw new Error(`${command} ended without the lock`);
  };

  it('ignores an unprivileged process that holds flock(2) on the network namespace', () =>
    withFirewaller(async (firewaller, ns) => {
      const script = 'exec 9</proc/self/ns/net; flock -n -x 9 && echo held; exec sleep 60';
      await hold('nsenter', `--net=${ns.path}`, 'setpriv', ...UNPRIVILEGED, 'sh', '-c', script);
      await firewaller.add([HAIRPIN]);
      assert.deepEqual(await firewaller.missing([HAIRPIN]), []);
      assert.deepEqual(await firewaller.remove([HAIRPIN]), []);
    }));

  it('reads what a reset leaves once it has the lock: the call that had it may have changed the records', () =>
    withFirewaller(async (firewaller) => {
      let records: readonly FirewallEntry[] = [];
      const adding = firewaller.add([HAIRPIN]);
      const resetting = firewaller.reset(() => ({ entries: records }));
      records = [HAIRPIN];
      await Promise.all([adding, resetting]);
      assert.deepEqual(await firewaller.missing([HAIRPIN]), []);
    }));

  it('does not block the thread while another program holds xtables.lock', () =>
    withFirewaller(async (firewaller) => {
      using temp = makeTempDir();
      const file = join(temp.path, 'xtables.lock');
      process.env.XTABLES_LOCKFILE = file;
      const holder = await hold('sh', '-c', 'exec 9>"$0"; flock -x 9 && echo held; exec sleep 60', file);
      let done = false;
      const adding = firewaller.add([HAIRPIN]).then(() => {
        done = true;
      });
      await sleep(500);
      assert.equal(done, false, 'iptables does not wait for that lock');
      // Were the thread blocked, iptables-restore would give up before this is reached.
      await end(holder);
      await adding;
      assert.deepEqual(await firewaller.missing([HAIRPIN]), []);
    }));

  it('makes the changes of concurrent calls in sequence', () =>
    withFirewaller(async (firewaller) => {
      const entries = [1, 2, 3, 4].map(
        (n): FirewallEntry => ({ kind: 'hairpin', device: `isth${n}`, subnet: `10.8${n}.0.0/16` }),
      );
      await Promise.all(entries.map((entry) => firewaller.add([entry])));
      assert.deepEqual(await firewaller.missing(entries), []);
      const errors = await Promise.all(entries.map((entry) => firewaller.remove([entry])));
      assert.deepEqual(errors.flat(), []);
      assert.deepEqual(await firewaller.missing(entries), entries);
    }));
});

async function withFirewaller(work: (firewaller: Firewaller, ns: TestNetns) => Promise<void>): Promise<void> {
  using ns = makeNetns('ipw');
  using host = openLinuxHost({ ISTHMUS_HOST_ID: 'test' });
  using inside = host.open(ns.path);
  using temp = makeTempDir();
  const queue = new LockQueue(temp.path);
  using firewaller = openIptables(inside, { variant: 'legacy', lock: (key) => queue.lock(key) });
  await work(firewaller, ns);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
