import { asNetError, type NetError } from '../errors/net-error.ts';
import type { ClusterStore, KeyChange, Snapshot } from '../store/cluster/cluster-store.ts';
import { backOff } from '../store/cluster/pause.ts';

/** What takes the items of a watch. */
export interface Follower {
  readonly prefix: string;
  replace(snapshot: Snapshot): void;
  change(changes: readonly KeyChange[], at: bigint): void;
}

/** A watch that runs until it is disposed of. */
export class Following implements Disposable {
  readonly prefix: string;
  /** Resolves with the first snapshot. */
  readonly isComplete: Promise<void>;
  /** Why changes are late, and since when by `Site.now`; undefined while they arrive. */
  lost: { readonly since: number; readonly error: NetError } | undefined;
  readonly #end = new AbortController();
  #turn = new AbortController();
  readonly #complete = Promise.withResolvers<void>();

  constructor(store: ClusterStore, follower: Follower, now: () => number, notify: () => void = () => {}) {
    this.prefix = follower.prefix;
    this.isComplete = this.#complete.promise;
    void this.#run(store, follower, now, notify);
  }

  [Symbol.dispose](): void {
    this.#end.abort();
  }

  /** Takes a new snapshot: whatever the watch missed, and what should not be there, is right afterwards. */
  relist(): void {
    this.#turn.abort();
  }

  async #run(store: ClusterStore, follower: Follower, now: () => number, notify: () => void): Promise<void> {
    const { signal } = this.#end;
    for (let failures = 0; !signal.aborted; failures++) {
      this.#turn = new AbortController();
      const turn = AbortSignal.any([signal, this.#turn.signal]);
      try {
        for await (const item of store.watch(follower.prefix, turn)) {
          if (turn.aborted) break;
          if (item.kind === 'lost') this.lost ??= { since: now(), error: item.error };
          else this.lost = undefined;
          if (item.kind === 'snapshot') {
            failures = 0;
            follower.replace(item);
            this.#complete.resolve();
          } else if (item.kind === 'changes') follower.change(item.changes, item.at);
          else notify();
        }
      } catch (error) {
        this.lost ??= { since: now(), error: asNetError(error, 'cluster.watch') };
        notify();
      }
      if (!turn.aborted) await backOff(failures, signal);
    }
  }
}
