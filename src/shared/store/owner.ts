import { readFileSync } from 'node:fs';
import type { Owner } from './store.ts';

/** The identity of this process, as an owner of intents. */
export function thisProcess(): Owner {
  // Field 22 of proc_pid_stat(5), counted from behind field 2: the command's name may hold anything, also spaces.
  const text = readFileSync('/proc/self/stat', 'latin1');
  const startTime = text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  return { pid: process.pid, startTime };
}
