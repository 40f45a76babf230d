import { readFileSync } from 'node:fs';
import type { Owner } from './store.ts';

/** The identity of this process, as an owner of intents. */
export function thisProcess(): Owner {
  const found = processAt('self');
  if (found === undefined) throw new Error('/proc/self/stat is not readable: /proc is not mounted');
  return { pid: process.pid, startTime: found.startTime };
}

/** True while the very process that `owner` names runs; false for its zombie and for a later one with its pid. */
export function isAlive(owner: Owner): boolean {
  const found = processAt(String(owner.pid));
  return found?.running === true && found.startTime === owner.startTime;
}

/** Fields 3 (state) and 22 (start time, clock ticks since boot) of proc_pid_stat(5); undefined without the process. */
function processAt(pid: string): { readonly running: boolean; readonly startTime: string } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // Field 2, the command's name, may hold anything, also spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = ''] = fields;
  return { running: !'ZXx'.includes(state), startTime: fields[19] ?? '' };
}
