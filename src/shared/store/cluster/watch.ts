import { asNetError } from '../../errors/net-error.ts';
import type { Snapshot, WatchItem } from './cluster-store.ts';
import type { Inbox } from './inbox.ts';
import { backOff, orAborted } from './pause.ts';

export interface WatchParts<T extends { readonly snapshot: Snapshot }> {
  readonly list: () => Promise<T>;
  /** Follows the changes after the list. */
  readonly follow: (listed: T) => Inbox;
  readonly signal: AbortSignal;
}

/** As `ClusterStore.watch`: lists, then follows; lists again after each gap. */
export async function* watch<T extends { readonly snapshot: Snapshot }>({
  list,
  follow,
  signal,
}: WatchParts<T>): AsyncGenerator<WatchItem> {
  let isLost = false;
  for (let failures = 0; !signal.aborted; ) {
    let listed: T | undefined;
    try {
      listed = await orAborted(list(), signal);
    } catch (thrown) {
      if (!isLost) yield { kind: 'lost', error: asNetError(thrown, 'watch') };
      isLost = true;
      await backOff(failures++, signal);
      continue;
    }
    if (listed === undefined) return;
    failures = 0;
    if (isLost) yield { kind: 'back' };
    isLost = false;
    yield { kind: 'snapshot', ...listed.snapshot };
    using inbox = follow(listed);
    for (;;) {
      const item = await inbox.take(signal);
      if (item === undefined) return;
      if (item.kind === 'gap') break;
      if (item.kind !== 'changes') isLost = item.kind === 'lost';
      yield item;
    }
  }
}
