import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** True if a process with this name (`comm`) exists, according to `proc`. */
export async function isProcessRunning(name: string, proc = '/proc'): Promise<boolean> {
  for (const pid of await readdir(proc)) if (/^\d+$/.test(pid) && (await commOf(join(proc, pid))) === name) return true;
  return false;
}

/** Undefined if the process has ended meanwhile. */
async function commOf(dir: string): Promise<string | undefined> {
  try {
    return (await readFile(join(dir, 'comm'), 'utf8')).trimEnd();
  } catch {
    return undefined;
  }
}
