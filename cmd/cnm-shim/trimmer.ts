import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { releaseExecutable, trimHeap } from '../../src/shared/netlink/memory.ts';

/** So long nothing may have happened, in milliseconds. */
const IDLE_MS = 2000;
/** Calls that leave behind what is worth the 15 ms of a collection. */
const LEAST_CALLS = 50;

/** Keeps what is resident small. */
export interface Trimmer {
  /** A call has been answered. */
  readonly called: () => void;
}

/**
 * When so many calls have been followed by two seconds without any, V8 collects garbage, the C library gives free pages
 * back, and pages of the executable that are not needed now are let go. V8 alone would keep about 10 MB of garbage.
 */
export function makeTrimmer(): Trimmer {
  const collect = garbageCollector();
  let calls = 0;
  let timer: NodeJS.Timeout | undefined;
  const trim = (): void => {
    if (calls < LEAST_CALLS) return;
    calls = 0;
    collect();
    trimHeap();
    releaseExecutable();
  };
  return {
    called: () => {
      calls++;
      if (timer === undefined) timer = setTimeout(trim, IDLE_MS).unref();
      else timer.refresh();
    },
  };
}

/** V8's, which shows itself to contexts made while the flag is set. */
function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return typeof collect === 'function' ? () => void collect() : () => {};
}
