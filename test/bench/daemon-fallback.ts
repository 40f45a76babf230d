import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentOf } from '../support/cni.ts';
import { all } from './daemon-serial.ts';
import type { Programs } from './daemon-site.ts';
import { compileNoOp, type SpawnCall, type Spawner } from './spawner.ts';
import { type Summary, summarize } from './stats.ts';

/** A plugin that does nothing, started directly, or by a launcher without a socket or with a dead one. */
export interface Fallback {
  readonly plugin: Summary;
  readonly absent: Summary;
  readonly refused: Summary;
}

export async function measureFallback(spawner: Spawner, { dir }: Programs, count: number): Promise<Fallback> {
  const own = mkdtempSync(join(tmpdir(), 'isth-fallback-'));
  try {
    const [launcher, plugin] = [join(own, 'isthmus'), join(own, 'cni-plugin')];
    copyFileSync(join(dir, 'isthmus'), launcher);
    compileNoOp(plugin, '{}', 0);
    const [absent, refused] = [join(own, 'absent'), join(own, 'refused')];
    mkdirSync(refused);
    await abandonSocket(refused);
    const call = (file: string, runDir: string): SpawnCall => {
      const environment = environmentOf({ dir: own, name: '', command: 'ADD', containerId: 'pod', ifName: 'eth0' });
      const env = { ...environment, CNI_NETNS: '/proc/self/ns/net', ISTHMUS_RUN_DIR: runDir };
      return { steps: [{ netns: '/proc/self/ns/net', file, env, input: INPUT }] };
    };
    const turn = [call(plugin, absent), call(launcher, absent), call(launcher, refused)];
    const times = all(spawner.run(Array.from({ length: count }, () => turn).flat())).map(({ ms }) => ms);
    const of = (offset: number): Summary => summarize(times.filter((_, i) => i % turn.length === offset));
    return { plugin: of(0), absent: of(1), refused: of(2) };
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

const INPUT = JSON.stringify({ cniVersion: '1.1.0', name: 'bench', type: 'isthmus', bridge: 'isth0' });

/** Leaves `cni.sock` in the directory as a socket that nobody serves, as a killed daemon does. */
async function abandonSocket(directory: string): Promise<void> {
  const made = join(directory, 'made');
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(made, resolve));
  // close() deletes only the original name of the socket.
  renameSync(made, join(directory, 'cni.sock'));
  await new Promise((resolve) => server.close(resolve));
}
