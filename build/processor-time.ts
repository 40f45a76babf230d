import { readFileSync } from 'node:fs';

/** In a second, as /proc counts them. */
const TICKS = 100;

/** Seconds of processor time of this process, and of its descendants that have ended and whose end their parents saw. */
export function processorSeconds(): { readonly own: number; readonly children: number } {
  const [, fields = ''] = readFileSync('/proc/self/stat', 'utf8').split(') ');
  const [user = 0, system = 0, ofChildren = 0, systemOfChildren = 0] = fields.split(' ').slice(11, 15).map(Number);
  return { own: (user + system) / TICKS, children: (ofChildren + systemOfChildren) / TICKS };
}
