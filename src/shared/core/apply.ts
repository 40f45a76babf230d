import { asNetError, type NetError } from '../errors/net-error.ts';
import { type Attachment, attachmentDigest } from '../model/attachment.ts';
import { type Endpoint, publishedOf } from '../model/endpoint.ts';
import { countChange } from '../store/changes.ts';
import type { LocalStore } from '../store/store.ts';
import { type Core, restBetween } from './core.ts';

/** Key of the lock that every call on one attachment takes first. */
export function attachmentKey(attachment: Attachment): string {
  return `attachment:${attachmentDigest(attachment)}`;
}

/** One change of one part of an attachment: from the facts on record to new facts. */
export interface Transition {
  /**
   * Leases addresses, claims ports and returns the new facts as an intent; undefined if nothing changes. Runs in the
   * transaction that journals the intent, before any kernel step. If it throws, nothing has changed.
   */
  readonly begin: (store: LocalStore) => Endpoint | undefined;
  /** Applies the facts that the kernel lacks, and returns the final facts. */
  readonly apply: () => Promise<Endpoint>;
  /** Writes to the store in the transaction of the final facts. */
  readonly commit?: (store: LocalStore) => void;
  /** Restores the state before the transition. */
  readonly revert: () => Promise<readonly NetError[]>;
}

/**
 * Moves one part to the facts that `apply` returns: journals the intent, applies it, commits the facts. After an error,
 * reverts to the state before. The caller holds the attachment's lock.
 */
export async function transition(core: Core, op: string, steps: Transition): Promise<void> {
  const { store } = core;
  const intent = store.transaction(() => {
    const begun = steps.begin(store);
    if (begun === undefined) return undefined;
    store.endpoints.put(begun);
    countChange(core);
    return begun;
  });
  core.mark?.('lease');
  if (intent === undefined) return;
  try {
    await restBetween(core, publishedOf(intent)?.entries.length ?? 0);
    const facts = await steps.apply();
    store.transaction(() => {
      store.endpoints.put(asReady(facts));
      steps.commit?.(store);
    });
    core.mark?.('commit');
  } catch (thrown) {
    const error = asNetError(thrown, op);
    for (const failure of await reverted(steps, op)) core.log.warn('revert.failed', { error: failure.message });
    throw error;
  }
}

/** The part as `ready`, without the journal that only a revert needs. */
function asReady(endpoint: Endpoint): Endpoint {
  const { journal: _, ...facts } = endpoint;
  return { ...facts, progress: 'ready' };
}

async function reverted({ revert }: Transition, op: string): Promise<readonly NetError[]> {
  try {
    return await revert();
  } catch (thrown) {
    return [asNetError(thrown, op)];
  }
}

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
