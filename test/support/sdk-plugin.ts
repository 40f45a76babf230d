import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon, TestHost } from './test-host.ts';

const BUILD = join(import.meta.dirname, 'sdk-plugin/build.sh');
const GO = '/usr/bin/go';

const FAULTS = '/run/sdk-plugin.faults';
const LOG = '/run/sdk-plugin.log';

/** Why there can be no plugin on Docker's SDK here, or undefined where there can. */
export function sdkMissing(): string | undefined {
  return existsSync(GO) ? undefined : `${GO} is missing: install golang-go`;
}

let file: string | undefined;

/** The plugin's executable. Half a minute, unless the set-up has built it. */
export function buildSdkPlugin(): string {
  file ??= execFileSync('sh', [BUILD], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
  return file;
}

/** A network plugin `gp` and an IPAM plugin `gpipam` in one process, on Docker's own SDK. */
export interface SdkPlugin {
  /** Methods that were called since the last look, in order. */
  calls(): string[];
  /** From now on the methods do this: `exit`, `hang`, or an error's text. */
  fail(faults: Readonly<Record<string, string>>): void;
  stop(): Promise<void>;
}

/** Starts the plugin in the host; its state is new, its links are those of an earlier one. */
export async function startSdkPlugin(host: TestHost, name = 'gp'): Promise<SdkPlugin> {
  const sockets = [name, `${name}ipam`].map((each) => host.outside(`/run/docker/plugins/${each}.sock`));
  host.run('rm', '-f', FAULTS, ...sockets.map((socket) => socket.replace(/^.*root/, '')));
  const daemon: Daemon = await host.start('sdk-plugin', [buildSdkPlugin(), name], () => sockets.every(existsSync));
  host.run('rm', '-f', LOG);
  return {
    calls: () => {
      const text = existsSync(host.outside(LOG)) ? readFileSync(host.outside(LOG), 'utf8') : '';
      host.run('rm', '-f', LOG);
      return text.split('\n').filter((line) => line !== '');
    },
    fail: (faults) => {
      const lines = Object.entries(faults).map(([method, fault]) => `${method} ${fault}`);
      host.write(FAULTS, lines.join('\n'));
    },
    stop: () => daemon.stop(),
  };
}
