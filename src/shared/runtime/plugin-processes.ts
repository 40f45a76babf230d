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
  attempted(() => process.kill(pid, 'SIGKILL'));
  for (let waited = 0; waited < ENDING_MS && sinceOf(pid) === since; waited += LOOK_MS) await sleep(LOOK_MS);
}

/**
 * Kills all processes whose environment names this namespace as the one to work in, with their groups: a daemon that was
 * killed right after it had started a plugin has no record of the process.
 */
export async function endPluginsIn(netns: string): Promise<void> {
  const variable = `\0CNI_NETNS=${netns}\0`;
  const { readdir, readFile } = process.getBuiltinModule('node:fs/promises');
  const found: ProcessRef[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    // It may have ended, or be a kernel thread.
    const text = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    const since = `\0${text}`.includes(variable) ? sinceOf(pid) : undefined;
    if (since !== undefined) found.push({ pid, since });
  }
  await Promise.all(found.map(endPlugin));
}

/** When a process has started; undefined for one that has ended, also if nobody has waited for it (`Z`). */
export function sinceOf(pid: number | undefined): string | undefined {
  const text = attempted(() => readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? '';
  // The name before, in parentheses, may contain anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}
