import type { NetError } from '../../errors/net-error.ts';

/**
 * State that several hosts share: entries under a flat space of keys, which a consistent store replicates. Keys are
 * relative to the cluster's own directory in that store, without a leading slash: `a/<network>/<address>`.
 *
 * Every call ends within three seconds. Throws NetError `unavailable` if no member of the store answers by then, refuses
 * our credentials, or has lost its data since (`epoch`): the same call can succeed later.
 */
export interface ClusterStore extends Disposable {
  /** Returns all entries below the prefix, as they were at one moment. */
  list(prefix: string): Promise<Snapshot>;
  /**
   * Makes all of the change, or nothing if a condition does not hold. A commit may be repeated: it counts as done if its
   * effects exist already. So values should name their owner: otherwise a host takes another's effects for its own.
   */
  commit(change: ClusterChange): Promise<Committed>;
  /**
   * Yields a snapshot, then every change after it in order, or another snapshot after a gap: the consumer replaces what
   * it holds. Ends only by `signal`, without an error.
   */
  watch(prefix: string, signal: AbortSignal): AsyncIterable<WatchItem>;
  /** Starts a session that is renewed until `signal` aborts. Entries put with it go when it ends. */
  session(ttlSeconds: number, signal: AbortSignal): Promise<Session>;
  /** Returns what the member that serves this host says of itself. */
  status(): Promise<ClusterStatus>;
}

export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Changes with each put, and is larger than that of every earlier put in this epoch. */
  readonly version: bigint;
  /** Id of the session whose end deletes the entry. */
  readonly session?: string;
}

export interface Snapshot {
  readonly entries: ReadonlyMap<string, Entry>;
  /** Revision of the store; grows within an epoch. */
  readonly at: bigint;
  /** The store's identity, which changes if it loses its data, even with the same addresses and flags. */
  readonly epoch: string;
}

/** When a store was seen. */
export type Moment = Pick<Snapshot, 'epoch' | 'at'>;

export type Condition =
  | { readonly kind: 'absent'; readonly key: string }
  | { readonly kind: 'version'; readonly key: string; readonly version: bigint }
  | { readonly kind: 'value'; readonly key: string; readonly value: string }
  /** No key begins with the prefix. */
  | { readonly kind: 'empty'; readonly prefix: string };

export interface Put {
  readonly key: string;
  readonly value: string;
  /** The end of this session deletes the entry. */
  readonly session?: Session;
}

/**
 * At most `MAX_KEYS` keys and `MAX_BYTES`. Every key of `put` and `delete` needs a condition of its own: without one, a
 * repetition could undo what another host did meanwhile.
 */
export interface ClusterChange {
  /** Epoch of the snapshot that the change is based on: a store with another epoch refuses. */
  readonly epoch: string;
  readonly compare: readonly Condition[];
  readonly put?: readonly Put[];
  readonly delete?: readonly string[];
}

export interface Committed {
  /** False: a condition did not hold, and nothing changed. */
  readonly done: boolean;
  /** If not done: the entries that exist under the keys of the change; of an `empty` prefix, one of them. */
  readonly found: readonly Entry[];
  readonly at: bigint;
}

export type KeyChange = ({ readonly kind: 'put' } & Entry) | { readonly kind: 'delete'; readonly key: string };

export type WatchItem =
  | ({ readonly kind: 'snapshot' } & Snapshot)
  /** Whole commits, in order; the last of them at `at`. */
  | { readonly kind: 'changes'; readonly changes: readonly KeyChange[]; readonly at: bigint }
  /** The store does not answer. Until `back`, changes are late, not lost. */
  | { readonly kind: 'lost'; readonly error: NetError }
  | { readonly kind: 'back' };

export interface Session {
  readonly id: string;
  /** Seconds that the store grants; at least those asked for. */
  readonly ttlSeconds: number;
  /** Resolves when the session has ended: by its signal, or because it could not be renewed. Never rejects. */
  readonly lost: Promise<void>;
}

export interface ClusterStatus {
  /** Address of the member that answered. */
  readonly member: string;
  readonly version: string;
  /** False: the member serves reads at most. */
  readonly hasLeader: boolean;
  /** Commits that the member knows of and has not applied yet. */
  readonly lag: bigint;
  readonly at: bigint;
  readonly epoch: string;
}
