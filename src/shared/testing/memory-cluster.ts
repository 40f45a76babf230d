import { randomUUID } from 'node:crypto';
import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import type {
  ClusterChange,
  ClusterStore,
  Committed,
  Condition,
  Entry,
  KeyChange,
  Moment,
  Session,
  Snapshot,
  WatchItem,
} from '../store/cluster/cluster-store.ts';
import { checkChange, EPOCH_KEY, isDone, keysOf, wasReset } from '../store/cluster/limits.ts';
import { orAborted } from '../store/cluster/pause.ts';

interface Commit {
  readonly at: bigint;
  readonly changes: readonly KeyChange[];
}

/** A cluster's store in memory, with its faults. Each `open` is another host's store. */
export class MemoryCluster {
  epoch: string = randomUUID();
  #at = 1n;
  #entries = new Map<string, Entry>();
  #log: Commit[] = [];
  #compactedAt = 0n;
  #isStopped = false;
  #changed = Promise.withResolvers<void>();
  readonly #sessions = new Map<string, AbortController>();

  open(seen?: Moment): ClusterStore {
    return new MemoryClusterStore(this, seen);
  }

  /** Nothing answers until `resume`. */
  stop(): void {
    this.#isStopped = true;
    this.#notify();
  }

  resume(): void {
    this.#isStopped = false;
    this.#notify();
  }

  /** All data is gone, sessions too. */
  wipe(): void {
    for (const id of [...this.#sessions.keys()]) this.endSession(id);
    this.epoch = randomUUID();
    this.#at = 1n;
    this.#entries = new Map();
    this.#log = [];
    this.#compactedAt = 0n;
    this.#notify();
  }

  /** What it has now, to restore later: what came after is gone then, its sessions too. The epoch is the same. */
  backUp(): () => void {
    const [at, entries] = [this.#at, new Map([...this.#entries].filter(([, { session }]) => session === undefined))];
    return () => {
      for (const id of [...this.#sessions.keys()]) this.endSession(id);
      this.#at = at;
      this.#entries = new Map(entries);
      this.compact();
      this.#notify();
    };
  }

  /** Gets another epoch if it is behind a moment that somebody has seen. */
  meet(seen: Moment | undefined): void {
    if (seen?.epoch === this.epoch && this.#at < seen.at) this.epoch = randomUUID();
  }

  /** Forgets the changes so far. */
  compact(): void {
    this.#compactedAt = this.#at;
    this.#log = [];
  }

  /** The session's entries are gone. */
  endSession(id: string): void {
    this.#sessions.get(id)?.abort();
  }

  /** Throws while nothing answers. */
  assertAnswers(op: string): void {
    if (this.#isStopped) throw this.unavailable(op);
  }

  unavailable(op: string): NetError {
    return fault.unavailable(op, 'cluster in memory', 'it is stopped');
  }

  list(prefix: string): Snapshot {
    const entries = [...this.#entries].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
    return { entries: new Map(entries), at: this.#at, epoch: this.epoch };
  }

  commit(change: ClusterChange): Committed {
    if (change.epoch !== this.epoch) throw wasReset('cluster in memory', change.epoch, this.epoch);
    if (!change.compare.every((condition) => this.#holds(condition))) return this.#refuse(change);
    const { put = [], delete: deleted = [] } = change;
    const version = this.#at + 1n;
    for (const { session } of put)
      if (session !== undefined && !this.#sessions.has(session.id))
        throw fault.unavailable('commit', `session ${session.id}`, 'it has ended', 'Start another one');
    this.#apply([
      ...put.map(({ key, value, session }): KeyChange => {
        return { kind: 'put', key, value, version, ...(session === undefined ? {} : { session: session.id }) };
      }),
      ...deleted.filter((key) => this.#entries.has(key)).map((key): KeyChange => ({ kind: 'delete', key })),
    ]);
    return { done: true, found: [], at: this.#at };
  }

  startSession(ttlSeconds: number, end: AbortSignal): Session {
    const id = randomUUID();
    const gone = new AbortController();
    const { promise: lost, resolve } = Promise.withResolvers<void>();
    this.#sessions.set(id, gone);
    const finish = (): void => {
      if (!this.#sessions.delete(id)) return;
      const keys = [...this.#entries.values()].filter(({ session }) => session === id).map(({ key }) => key);
      this.#apply(keys.map((key) => ({ kind: 'delete', key })));
      resolve();
    };
    AbortSignal.any([end, gone.signal]).addEventListener('abort', finish, { once: true });
    if (end.aborted) finish();
    return { id, ttlSeconds, lost };
  }

  /** As `ClusterStore.watch`. */
  async *watch(prefix: string, signal: AbortSignal): AsyncGenerator<WatchItem> {
    let isLost = false;
    let seen: Moment | undefined;
    while (!signal.aborted) {
      this.meet(seen);
      const changed = this.#changed.promise;
      if (this.#isStopped !== isLost) {
        isLost = this.#isStopped;
        yield isLost ? { kind: 'lost', error: this.unavailable('watch') } : { kind: 'back' };
      } else if (isLost) await orAborted(changed, signal);
      else if (seen?.epoch !== this.epoch || seen.at < this.#compactedAt) {
        const snapshot = this.list(prefix);
        seen = snapshot;
        yield { kind: 'snapshot', ...snapshot };
      } else {
        const { at } = seen;
        const commit = this.#log.find((one) => one.at > at);
        const changes = commit?.changes.filter(({ key }) => key.startsWith(prefix)) ?? [];
        if (commit !== undefined) seen = { ...seen, at: commit.at };
        if (commit === undefined) await orAborted(changed, signal);
        else if (changes.length > 0) yield { kind: 'changes', changes, at: commit.at };
      }
    }
  }

  #apply(changes: readonly KeyChange[]): void {
    if (changes.length === 0) return;
    this.#at++;
    for (const change of changes) {
      if (change.kind === 'delete') this.#entries.delete(change.key);
      else {
        const { kind: _, ...entry } = change;
        this.#entries.set(change.key, entry);
      }
    }
    this.#log.push({ at: this.#at, changes });
    this.#notify();
  }

  #holds(condition: Condition): boolean {
    if (condition.kind === 'empty') return this.list(condition.prefix).entries.size === 0;
    const entry = this.#entries.get(condition.key);
    if (condition.kind === 'absent') return entry === undefined;
    return condition.kind === 'version' ? entry?.version === condition.version : entry?.value === condition.value;
  }

  #refuse(change: ClusterChange): Committed {
    const entries = keysOf(change).flatMap((key) => this.#entries.get(key) ?? []);
    const found = new Map(entries.map((entry) => [entry.key, entry]));
    if (isDone(change, found)) return { done: true, found: [], at: this.#at };
    for (const condition of change.compare) {
      const [first] = condition.kind === 'empty' ? this.list(condition.prefix).entries.values() : [];
      if (first !== undefined) found.set(first.key, first);
    }
    return { done: false, found: [...found.values()], at: this.#at };
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

class MemoryClusterStore implements ClusterStore {
  readonly #cluster: MemoryCluster;
  readonly #seen: Moment | undefined;
  readonly #closed = new AbortController();

  constructor(cluster: MemoryCluster, seen: Moment | undefined) {
    this.#cluster = cluster;
    this.#seen = seen;
  }

  async list(prefix: string): Promise<Snapshot> {
    this.#enter('list');
    this.#cluster.meet(this.#seen);
    return this.#cluster.list(prefix);
  }

  async commit(change: ClusterChange): Promise<Committed> {
    checkChange(change);
    this.#enter('commit');
    return this.#cluster.commit(change);
  }

  watch(prefix: string, signal: AbortSignal): AsyncIterable<WatchItem> {
    this.#cluster.meet(this.#seen);
    return this.#cluster.watch(prefix, AbortSignal.any([signal, this.#closed.signal]));
  }

  async session(ttlSeconds: number, signal: AbortSignal): Promise<Session> {
    this.#enter('session');
    return this.#cluster.startSession(ttlSeconds, AbortSignal.any([signal, this.#closed.signal]));
  }

  async status() {
    this.#enter('status');
    const { at, epoch } = this.#cluster.list(EPOCH_KEY);
    return { member: 'memory', version: 'memory', hasLeader: true, lag: 0n, at, epoch };
  }

  [Symbol.dispose](): void {
    this.#closed.abort();
  }

  #enter(op: string): void {
    if (this.#closed.signal.aborted) throw fault.unavailable(op, 'store', 'it is closed');
    this.#cluster.assertAnswers(op);
  }
}
