import { asNetError, type NetError } from '../errors/net-error.ts';
import { type Attachment, attachmentDigest } from '../model/attachment.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { LocalStore } from '../store/store.ts';
import type { Core } from './core.ts';
import { countChange } from './rebuild.ts';

/** The lock that every call on one attachment takes first. */
export function attachmentKey(attachment: Attachment): string {
  return `attachment:${attachmentDigest(attachment)}`;
}

/** One change of one part of an attachment, from the facts on record to others. */
export interface Transition {
  /**
   * Leases and claims what the part will have, and returns its facts as an intent; undefined where nothing changes.
   * Runs in the transaction that journals them, before the kernel is touched; where it throws, nothing has changed.
   */
  readonly begin: (store: LocalStore) => Endpoint | undefined;
  /** Applies what the kernel lacks of the facts, and returns them as they turned out to be. */
  readonly apply: () => Promise<Endpoint>;
  /** Stored together with the final facts. */
  readonly commit?: (store: LocalStore) => void;
  /** Puts back what there was before. */
  readonly revert: () => Promise<readonly NetError[]>;
}

/**
 * The part has the facts that `apply` returns, in the kernel and on record; after an error there is what there was
 * before. Journals, applies, commits. For a caller that holds the attachment's lock.
 */
export async function transition(core: Core, op: string, steps: Transition): Promise<void> {
  const { store } = core;
  const begun = store.transaction(() => {
    const intent = steps.begin(store);
    if (intent === undefined) return false;
    store.endpoints.put(intent);
    countChange(core);
    return true;
  });
  core.mark?.('lease');
  if (!begun) return;
  try {
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

/** The part with its transition done: the prior values are of no use any more. */
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
