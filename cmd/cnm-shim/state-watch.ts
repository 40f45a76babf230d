import { asNetError } from '../../src/shared/errors/net-error.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import { watchClosed } from '../../src/shared/netlink/inotify.ts';

export interface StateWatchOptions {
  readonly stateDir: string;
  readonly log: Logger;
  /** Called soon after another process has changed the state. Never rejects. */
  readonly changed: () => Promise<void>;
}

/** Every change of the state writes it. This process keeps it open, so that what it writes itself is not noticed. */
const COUNTER = 'changes';
/** Milliseconds that the other process may take to end, and between two calls of `changed`. */
const [SETTLE_MS, INTERVAL_MS] = [100, 1000];
/** Milliseconds between attempts to watch a directory that was removed. */
const RETRY_MS = 2000;

/** Notices the calls of stand-alone plugins beside the daemon, until disposed. */
export function watchState({ stateDir, log, changed }: StateWatchOptions): Disposable {
  let watch: Disposable | undefined;
  let timer: NodeJS.Timeout | undefined;
  let last = Number.NEGATIVE_INFINITY;
  let isOpen = true;
  const after = (ms: number, work: () => void): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      if (isOpen) work();
    }, ms).unref();
  };
  const report = (): void => {
    last = performance.now();
    void changed();
  };
  const open = (isFirst = false): void => {
    watch?.[Symbol.dispose]();
    watch = undefined;
    try {
      watch = watchClosed(stateDir, (names) => {
        // The kernel's last event, without a name: the directory is gone.
        if (names.includes('')) after(RETRY_MS, () => open());
        else if (names.includes(COUNTER)) after(Math.max(SETTLE_MS, last + INTERVAL_MS - performance.now()), report);
      });
      // What was changed until now went unnoticed.
      if (!isFirst) after(SETTLE_MS, report);
    } catch (thrown) {
      log.debug('state.watch', { error: asNetError(thrown, 'watch').message });
      after(RETRY_MS, () => open());
    }
  };
  open(true);
  return {
    [Symbol.dispose](): void {
      isOpen = false;
      clearTimeout(timer);
      watch?.[Symbol.dispose]();
    },
  };
}
