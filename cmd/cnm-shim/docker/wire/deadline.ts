import { fault } from '../../../../src/shared/errors/fault.ts';

export interface DeadlineOptions {
  /** Who has to be ready by then, for the error. */
  readonly op: string;
  readonly ms: number;
  /** Called where the work ends when nobody waits for it any more, with what it threw. */
  readonly late: (thrown?: unknown) => void;
}

/**
 * What `work` resolves with. Rejects with NetError `busy` where it has not ended in time: it goes on to its
 * own end.
 */
export async function withDeadline<T>({ op, ms, late }: DeadlineOptions, work: () => Promise<T> | T): Promise<T> {
  let isLate = false;
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const what = `it has not ended within its deadline of ${ms / 1000} s`;
      const hint = 'It goes on; the log tells how it ends';
      const error = fault.busy(op, 'call', what, hint);
      isLate = true;
      reject(error);
    }, ms);
    // Whoever waits for the answer has a connection; the deadline alone keeps no process alive.
    timer.unref();
  });
  // In a function of its own, so that one that throws at once rejects.
  const result = (async () => await work())();
  result.then(
    () => isLate && late(),
    (thrown: unknown) => isLate && late(thrown),
  );
  try {
    return await Promise.race([result, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
