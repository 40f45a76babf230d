import { Inbox } from '../cluster/inbox.ts';
import type { Listed } from './list.ts';
import type { Logged } from './log.ts';

/** One watched prefix. */
export class Follower extends Inbox {
  readonly epoch: string;
  /** The last commit that it has seen. */
  seen: number;
  /** ZooKeeper's number of it. */
  seenAt: bigint;
  readonly #prefix: string;
  /** Entries of sessions that its consumer holds: they go without a commit. */
  readonly #bound: Set<string>;

  constructor(prefix: string, { snapshot, head }: Listed, leave: (one: Follower) => void) {
    super(() => leave(this));
    this.#prefix = prefix;
    this.epoch = head.epoch;
    this.seen = head.version;
    this.seenAt = head.at;
    this.#bound = new Set([...snapshot.entries.values()].flatMap(({ key, session }) => (session ? key : [])));
  }

  /** Takes a commit, unless it has seen it. */
  see({ version, at, changes }: Logged): void {
    if (version <= this.seen) return;
    this.seen = version;
    this.seenAt = at;
    const own = changes.filter(({ key }) => key.startsWith(this.#prefix));
    for (const change of own)
      if (change.kind === 'put' && change.session !== undefined) this.#bound.add(change.key);
      else this.#bound.delete(change.key);
    this.push(own, at);
  }

  /** Takes the keys of all entries of sessions, read after the commits that it has seen. */
  seeBound(keys: ReadonlySet<string>): void {
    const gone = [...this.#bound].filter((key) => !keys.has(key));
    for (const key of gone) this.#bound.delete(key);
    this.push(
      gone.map((key) => ({ kind: 'delete', key })),
      this.seenAt,
    );
  }
}
