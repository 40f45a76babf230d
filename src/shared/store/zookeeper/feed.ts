import { asNetError } from '../../errors/net-error.ts';
import { keepServing } from '../cluster/serving.ts';
import type { Connection } from './connection.ts';
import { codeOf, failureOf, isTransient, reasonOf } from './failures.ts';
import { Follower } from './follower.ts';
import { catchUp, type Head, readHead, replaceEpoch } from './head.ts';
import { CALL_MS, type Link } from './link.ts';
import type { Listed } from './list.ts';
import { readLog } from './log.ts';
import type { Paths } from './paths.ts';
import { boundKeys } from './read.ts';

/** Commits that are read at a time. */
const BATCH = 200;

/**
 * What all watches of a host share: two watches in ZooKeeper, on the head and on the entries of sessions. Each commit
 * costs a host a notification and two reads; the log has every change, so none is merged with another.
 */
export class Feed implements Disposable {
  readonly #link: Link;
  readonly #paths: Paths;
  readonly #followers = new Set<Follower>();
  readonly #closed = new AbortController();
  #isRunning = false;
  #isHeadOld = true;
  #areBoundOld = true;
  #wake = Promise.withResolvers<void>();

  constructor(link: Link, paths: Paths) {
    this.#link = link;
    this.#paths = paths;
  }

  /** Follows the changes after the list. Dispose of the result. */
  follow(prefix: string, listed: Listed): Follower {
    const follower = new Follower(prefix, listed, (one) => {
      this.#followers.delete(one);
      if (this.#followers.size === 0) this.#notify();
    });
    this.#followers.add(follower);
    // What the feed has read may be older than the list, or newer.
    this.#isHeadOld = true;
    this.#areBoundOld = true;
    this.#notify();
    if (!this.#isRunning) void this.#run();
    return follower;
  }

  [Symbol.dispose](): void {
    this.#closed.abort();
    this.#notify();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    await keepServing({
      followers: () => [...this.#followers],
      serve: (served) => this.#serve(served),
      signal: this.#closed.signal,
    });
    this.#isRunning = false;
  }

  /** Serves all followers until nobody follows any more, or throws why it cannot. */
  async #serve(onServing: () => void): Promise<void> {
    const connection = await this.#link.call('watch', async (one) => {
      await catchUp(one, this.#paths);
      return one;
    });
    void connection.ended.then(() => this.#notify());
    this.#isHeadOld = true;
    this.#areBoundOld = true;
    onServing();
    for (const follower of this.#followers) follower.back();
    for (let isFirst = true; ; isFirst = false) {
      const woken = this.#wake.promise;
      if (connection.reason !== undefined) throw lossOf(connection, connection.reason);
      if (this.#closed.signal.aborted || this.#followers.size === 0) return;
      if (this.#isHeadOld || this.#areBoundOld) {
        await connection
          .limit(CALL_MS, () => this.#look(connection, isFirst))
          .catch((error: unknown) => {
            throw lossOf(connection, error);
          });
      } else await woken;
    }
  }

  /** Reads what is new, and hands it to the followers. */
  async #look(connection: Connection, isFirst: boolean): Promise<void> {
    // One that comes later may have seen more than the head says.
    const present = [...this.#followers];
    this.#isHeadOld = false;
    const head = await readHead(connection, this.#paths, this.#onHead);
    if (head === undefined) return this.#gap();
    await this.#assertSame(connection, head, present, isFirst);
    await this.#readCommits(connection, head);
    if (!this.#areBoundOld) return;
    this.#areBoundOld = false;
    const keys = await boundKeys(connection, this.#paths, this.#onBound);
    if (keys === undefined) return this.#gap();
    const known = new Set(keys);
    for (const follower of this.#followers) if (follower.seen >= head.version) follower.seeBound(known);
  }

  /** Followers whose past is not this store's begin again. */
  async #assertSame(connection: Connection, head: Head, present: readonly Follower[], isFirst: boolean): Promise<void> {
    const same = present.filter(({ epoch }) => epoch === head.epoch);
    for (const follower of present) if (follower.epoch !== head.epoch) follower.gap();
    // The same epoch at an earlier time: the store was restored from a copy.
    if (same.some(({ seen }) => seen > head.version)) {
      await replaceEpoch(connection, this.#paths, head);
      return this.#gap();
    }
    if (!isFirst) return;
    // A copy that others have changed since: what it did with that number is something else.
    for (const version of new Set(same.map(({ seen }) => seen))) {
      const at = version === head.version ? head.at : (await readLog(connection, this.#paths, head.epoch, version))?.at;
      this.#gap(({ seen, seenAt }) => seen === version && seenAt !== at);
    }
  }

  async #readCommits(connection: Connection, head: Head): Promise<void> {
    for (;;) {
      const from = Math.min(...[...this.#followers].map(({ seen }) => seen));
      if (this.#followers.size === 0 || from >= head.version) return;
      const count = Math.min(BATCH, head.version - from);
      const versions = Array.from({ length: count }, (_, index) => from + 1 + index);
      const logs = await Promise.all(versions.map((version) => readLog(connection, this.#paths, head.epoch, version)));
      for (const [index, log] of logs.entries())
        if (log === undefined) this.#gap(({ seen }) => seen < (versions[index] ?? 0));
        else for (const follower of this.#followers) if (follower.seen === log.version - 1) follower.see(log);
    }
  }

  #gap(isMeant: (follower: Follower) => boolean = () => true): void {
    for (const follower of [...this.#followers]) if (isMeant(follower)) follower.gap();
  }

  readonly #onHead = (): void => {
    this.#isHeadOld = true;
    this.#notify();
  };

  readonly #onBound = (): void => {
    this.#areBoundOld = true;
    this.#notify();
  };

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

function lossOf({ endpoint }: Connection, error: unknown): Error {
  if (codeOf(error) === undefined && !isTransient(error)) return asNetError(error, 'watch');
  return failureOf('watch', new Map([[endpoint.text, reasonOf(error)]]), error);
}
