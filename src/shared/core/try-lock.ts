import { asNetError } from '../errors/net-error.ts';

/** Takes a free lock. Throws NetError `busy` if another call holds it. */
export type TryLock = (key: string) => Disposable;

/** Runs `work` under the lock; returns undefined if another call holds it. */
export async function ifFree<T>(tryLock: TryLock, key: string, work: () => Promise<T>): Promise<T | undefined> {
  let held: Disposable;
  try {
    held = tryLock(key);
  } catch (thrown) {
    if (asNetError(thrown, 'lock').kind !== 'busy') throw thrown;
    return undefined;
  }
  using _held = held;
  return await work();
}

/** True if no call holds the lock. */
export function isFree(tryLock: TryLock, key: string): boolean {
  try {
    tryLock(key)[Symbol.dispose]();
    return true;
  } catch (thrown) {
    if (asNetError(thrown, 'lock').kind !== 'busy') throw thrown;
    return false;
  }
}
