import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { releaseExecutable, trimHeap } from '../../src/shared/netlink/memory.ts';

/** Milliseconds without a call before trimming. */
const IDLE_MS = 2000;
/** Milliseconds of calls without such a pause before trimming. */
const BUSY_MS = 30_000;
/** Calls whose garbage is worth the 15 ms of a collection. */
const LEAST_CALLS = 50;

/** Keeps resident memory small. */
export interface Trimmer {
  /** Called after each answered call, and each batch of changes in a cluster. */
  readonly called: () => void;
}

/**
 * After this many calls and two seconds without any, or half a minute of them, V8 collects garbage, the C library
 * returns free pages, and unused pages of the executable are released. V8 alone would keep about 10 MB of garbage.
 */
export function makeTrimmer(): Trimmer {
  const collect = garbageCollector();
  let calls = 0;
  let since = 0;
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
      if (calls++ === 0) since = performance.now();
      if (timer === undefined) timer = setTimeout(trim, IDLE_MS).unref();
      else if (calls === 1 || performance.now() - since < BUSY_MS) timer.refresh();
    },
  };
}

/** V8's `gc`, which appears in contexts created while the flag is set. */
function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return typeof collect === 'function' ? () => void collect() : () => {};
}
