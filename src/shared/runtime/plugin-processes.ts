import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessRef } from '../model/chain.ts';
import { attempted } from './attempted.ts';

/** Milliseconds that a killed process may take to end, and between two looks. */
const [ENDING_MS, LOOK_MS] = [2000, 10];

/** Kills a plugin with its process group. Accepts that it has ended. */
export async function endPlugin({ pid, since }: ProcessRef): Promise<void> {
  if (sinceOf(pid) !== since) return;
  attempted(() => process.kill(-pid, 'SIGKILL'));
  for (let waited = 0; waited < ENDING_MS && sinceOf(pid) === since; waited += LOOK_MS) await sleep(LOOK_MS);
}

/** Characters of a process's name that the kernel keeps: TASK_COMM_LEN of linux/sched.h, without the NUL. */
const NAME_LENGTH = 15;

/**
 * Kills the plugins of these types that work in this namespace, with their groups: a daemon that was killed right after it
 * had started a plugin has no record of the process. A service that a plugin has started for all containers, such as a
 * name server, has the same environment, but another name and a group of its own. It stays.
 */
export async function endPluginsIn(netns: string, types: readonly string[]): Promise<void> {
  const variable = `\0CNI_NETNS=${netns}\0`;
  const { readdir, readFile } = process.getBuiltinModule('node:fs/promises');
  const names = new Set(types.map((type) => type.slice(0, NAME_LENGTH)));
  const found: ProcessRef[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    // It may have ended, or be a kernel thread.
    const text = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (!`\0${text}`.includes(variable)) continue;
    const comm = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    const since = names.has(comm.trimEnd()) ? sinceOf(pid) : undefined;
    if (since !== undefined) found.push({ pid, since });
  }
  await Promise.all(found.map(endPlugin));
}

/** Returns the start time of a process, in ticks since boot; undefined for an ended process and for a zombie (`Z`). */
export function sinceOf(pid: number | undefined): string | undefined {
  const text = attempted(() => readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? '';
  // The name before, in parentheses, may contain anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}
