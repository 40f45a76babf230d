import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLEAN_PACKAGES } from '../../build/packages.mjs';
import { provideRoot } from '../../build/runtimes.ts';
import { hostAt, makeTestHost, type TestHost, waitFor } from './test-host.ts';

const SCRIPT = join(import.meta.dirname, 'clean-machine.sh');

/** Debian 12 with systemd and runtimes, of which nothing runs, and without anything of ours. */
export async function makeCleanMachine(env: Readonly<Record<string, string>> = {}): Promise<TestHost> {
  const root = await provideRoot('bookworm', CLEAN_PACKAGES);
  const host = await makeTestHost();
  try {
    const pidFile = host.outside('/run/isth/machine.init');
    await host.start('machine', ['sh', SCRIPT, 'start', host.name, root], () => existsSync(pidFile));
    const pid = readFileSync(pidFile, 'utf8').trim();
    const inner = ['nsenter', `--target=${pid}`, '--mount', '--pid', '--uts', '--ipc', '--cgroup', '--'];
    const machine = hostAt({
      ...{ name: host.name, env },
      enter: [...host.enter, ...inner],
      root: host.outside(`/proc/${pid}/root`),
      dispose: async () => await host[Symbol.asyncDispose](),
    });
    const isReady = (): boolean => /running|degraded/.test(machine.attempt(['systemctl', 'is-system-running']).stdout);
    await waitFor('systemd has started', isReady);
    return machine;
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
}
