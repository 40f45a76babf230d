import { fault } from '../../../../src/shared/errors/fault.ts';

export interface DeadlineOptions {
  /** What has to be ready in time, for the error. */
  readonly op: string;
  readonly ms: number;
  /** Called with the error if the work fails after the deadline, when no caller waits for it. */
  readonly late: (thrown?: unknown) => void;
}

/**
 * Resolves with the result of `work`. Rejects with NetError `busy` after the deadline; the work itself continues to its
 * end.
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
    // A caller that waits has a connection open; the deadline alone must not keep the process alive.
    timer.unref();
  });
  // An async function, so that a synchronous throw rejects.
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
