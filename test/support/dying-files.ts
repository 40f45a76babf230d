import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/** What changes files, and that an installation uses. */
const CHANGES = [
  ...(['renameSync', 'symlinkSync', 'linkSync', 'copyFileSync', 'writeFileSync', 'chmodSync'] as const),
  ...(['mkdirSync', 'rmdirSync', 'rmSync', 'openSync'] as const),
];

export interface Faulty {
  /** Changes that were made or tried. */
  readonly count: number;
  /** True if the fault has happened. */
  readonly hit: boolean;
}

/** How changes end from the nth on: that one fails, or none is made any more, as if the process had been killed. */
export type Fault = { readonly nth: number; readonly code: string } | { readonly nth: number; readonly killed: true };

/** Runs `work` in this process, with the fault; what it throws counts as its end. */
export function withFault(fault: Fault | undefined, work: () => void): Faulty {
  const original = Object.fromEntries(CHANGES.map((name) => [name, fs[name]]));
  let count = 0;
  let hit = false;
  const wrap = (name: (typeof CHANGES)[number]) => {
    const call = original[name] as (...args: unknown[]) => unknown;
    return (...args: unknown[]): unknown => {
      if (name === 'openSync' && args[1] !== 'a') return call(...args);
      const at = count++;
      if (fault !== undefined && (at === fault.nth || ('killed' in fault && at > fault.nth))) {
        hit = true;
        const code = 'killed' in fault ? 'EINTR' : fault.code;
        throw Object.assign(new Error(`${code}: ${name} ${String(args[0])}`), { code });
      }
      return call(...args);
    };
  };
  Object.assign(fs, Object.fromEntries(CHANGES.map((name) => [name, wrap(name)])));
  syncBuiltinESMExports();
  try {
    work();
  } catch (error) {
    if (!hit) throw error;
  } finally {
    Object.assign(fs, original);
    syncBuiltinESMExports();
  }
  return { count, hit };
}
