import type {
  ClusterChange,
  ClusterStatus,
  ClusterStore,
  Committed,
  Moment,
  Session,
  Snapshot,
  WatchItem,
} from '../cluster/cluster-store.ts';
import { checkChange } from '../cluster/limits.ts';
import { watch } from '../cluster/watch.ts';
import { EtcdClient } from './client.ts';
import { Epoch } from './epoch.ts';
import { isLeaseGone } from './failures.ts';
import { Keys, revisionOf } from './keys.ts';
import { list } from './list.ts';
import type { EtcdOptions } from './options.ts';
import { KVService, MaintenanceService } from './services.ts';
import { startSession } from './session.ts';
import { decodeOutcome, encodeChange } from './transaction.ts';
import { WatchHub } from './watch-hub.ts';

/** The cluster's state in etcd 3.4 or later. Revisions are versions, and a session is a lease. */
export class EtcdStore implements ClusterStore {
  readonly #client: EtcdClient;
  readonly #keys: Keys;
  readonly #epoch: Epoch;
  readonly #hub: WatchHub;
  readonly #root: string;
  readonly #seen: Moment | undefined;
  readonly #closed = new AbortController();
  /** Ends the session of each id. */
  readonly #sessions = new Map<string, AbortController>();

  constructor(options: EtcdOptions) {
    this.#root = options.root;
    this.#seen = options.seen;
    this.#client = new EtcdClient(options);
    this.#keys = new Keys(options.root);
    this.#epoch = new Epoch(this.#client, this.#keys);
    this.#hub = new WatchHub(this.#client, this.#keys, this.#epoch);
  }

  async list(prefix: string): Promise<Snapshot> {
    return await list(this.#client, this.#keys, this.#epoch, prefix, this.#seen);
  }

  async commit(change: ClusterChange): Promise<Committed> {
    checkChange(change);
    try {
      const outcome = await this.#client.call('commit', KVService.txn, encodeChange(change, this.#keys, this.#epoch));
      return decodeOutcome(change, outcome, this.#keys, `etcd below ${this.#root}`);
    } catch (error) {
      if (isLeaseGone(error))
        for (const { session } of change.put ?? []) this.#sessions.get(session?.id ?? '')?.abort();
      throw error;
    }
  }

  watch(prefix: string, signal: AbortSignal): AsyncIterable<WatchItem> {
    const either = AbortSignal.any([signal, this.#closed.signal]);
    return watch({
      list: async () => ({ snapshot: await this.list(prefix) }),
      follow: ({ snapshot }) => this.#hub.follow(prefix, snapshot),
      signal: either,
    });
  }

  async session(ttlSeconds: number, signal: AbortSignal): Promise<Session> {
    const gone = new AbortController();
    const end = AbortSignal.any([signal, gone.signal]);
    const session = await startSession(this.#client, ttlSeconds, end, this.#closed.signal);
    this.#sessions.set(session.id, gone);
    void session.lost.then(() => this.#sessions.delete(session.id));
    return session;
  }

  async status(): Promise<ClusterStatus> {
    const { epoch } = await this.list('epoch');
    const { value, member } = await this.#client.ask('status', MaintenanceService.status, {});
    return {
      member: member.endpoint,
      version: value.version,
      hasLeader: value.leader !== 0n,
      lag: value.raftIndex - value.raftAppliedIndex,
      at: revisionOf(value.header),
      epoch,
    };
  }

  [Symbol.dispose](): void {
    this.#closed.abort();
    this.#hub[Symbol.dispose]();
    this.#client[Symbol.dispose]();
  }
}
