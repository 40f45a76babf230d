import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerOf, callPlugin, POD, withPod } from './warm-up.ts';

/** The verbs that look at a host, in the ways people and scripts use them. */
const VERBS: readonly string[] = [
  ...['--version', 'version', '--help', 'status', 'status -o json', 'doctor', 'events'],
  ...['network ls', 'network ls -o json', `network inspect ${POD}`, `network inspect -o table ${POD}`],
  ...['endpoint ls', 'endpoint ls -o json', `endpoint inspect ${POD}`, 'ports', 'ports -o json'],
  ...['topology', 'topology -o json', `check-path ${POD} 192.0.2.1`, 'cluster status'],
];
const START_MS = 10_000;

/**
 * Runs the verbs that look at a host, in this process, by `start`, which starts the command line. The plugin has connected
 * a pod there, and a daemon runs; both are processes of their own, from the files `plugin` and `program`. This process
 * must be in its own network and user namespaces. Replaces standard input and output.
 * Throws if plugin or daemon does not start; a verb may find whatever it finds.
 */
export async function warmUpVerbs(program: string, plugin: string, start: () => void): Promise<void> {
  await withPod(async (dir, prepare) => {
    callPlugin(plugin, prepare(['ADD', 'eth0']));
    for (const name of Object.keys(process.env)) if (name.startsWith('CNI_')) delete process.env[name];
    process.env.ISTHMUS_RUN_DIR = join(dir, 'run');
    const args = ['serve', '--docker-socket', 'none', '--cluster', 'none', '--log-level', 'error'];
    const daemon = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
    try {
      await untilServing(daemon, join(dir, 'run', 'control.sock'));
      for (const verb of VERBS) await runVerb(verb.split(' '), dir, start);
    } finally {
      daemon.kill();
    }
  });
}

async function runVerb(words: readonly string[], dir: string, start: () => void): Promise<void> {
  const { argv } = process;
  process.argv = [process.execPath, '', ...words];
  await answerOf(start, dir, '');
  process.argv = argv;
  // What the verb has set: status and doctor found something.
  process.exitCode = undefined;
}

async function untilServing(daemon: ChildProcess, socket: string): Promise<void> {
  for (const end = performance.now() + START_MS; !existsSync(socket); await sleep(10))
    if (daemon.exitCode !== null || performance.now() > end) throw new Error('the daemon did not start');
}
