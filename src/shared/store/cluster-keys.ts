/**
 * What this host knows of a key of the cluster's store that it put there. `claimed`: it may be there, since a commit was
 * tried and its use is not committed here. `held`: it is there, and in use. `released`: it has to be deleted there.
 */
export type ClusterKeyState = 'claimed' | 'held' | 'released';

export interface ClusterKeyRow {
  /** `a/<network>/<address>`. */
  readonly key: string;
  readonly state: ClusterKeyState;
  /** The value that we put, which nobody else puts. */
  readonly value: string;
  /** Until when a commit that did not answer may still put it, in milliseconds since the epoch. */
  readonly until: number;
}

/**
 * Keys of the cluster's store that this host put there. Those that are not `held` are the outbox: work that the
 * cluster's store has not seen, or may not have seen. Survives reboots.
 */
export interface ClusterKeyTable {
  get(key: string): ClusterKeyRow | undefined;
  put(row: ClusterKeyRow): void;
  /** Accepts absence. */
  delete(key: string): void;
  /** Rows whose key begins with `prefix`, in the order of their keys. */
  list(prefix: string): ClusterKeyRow[];
  /** Rows that are not `held`, in the order of their keys. As fast beside a thousand held ones as beside none. */
  outbox(): ClusterKeyRow[];
}
