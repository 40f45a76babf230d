import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fault } from '../../errors/fault.ts';
import type {
  ClusterChange,
  ClusterStatus,
  ClusterStore,
  Committed,
  Session,
  Snapshot,
  WatchItem,
} from '../cluster/cluster-store.ts';
import { checkChange } from '../cluster/limits.ts';
import { watch } from '../cluster/watch.ts';
import { tryCommit } from './commit.ts';
import type { Connection } from './connection.ts';
import { Feed } from './feed.ts';
import { catchUp, ensureHead } from './head.ts';
import type { Library } from './library.ts';
import { Link, TOTAL_MS } from './link.ts';
import { type Listed, list } from './list.ts';
import type { Endpoint, ZooKeeperOptions } from './options.ts';
import { Paths } from './paths.ts';
import { type BoundSession, startSession } from './session.ts';

/** Of calls and watches: the client pings after a third of it. */
const SESSION_MS = 6_000;
const DESCRIBE_MS = 500;

/**
 * The cluster's state in ZooKeeper 3.8 or later. Its transactions (zxid) are versions, and every commit changes one node,
 * so commits are one after the other: for networks of up to 1,000 endpoints.
 */
export class ZooKeeperStore implements ClusterStore {
  readonly #library: Library;
  readonly #options: ZooKeeperOptions;
  readonly #paths: Paths;
  readonly #link: Link;
  readonly #feed: Feed;
  readonly #closed = new AbortController();
  readonly #sessions = new Map<string, BoundSession>();
  /** Ends with the last commit of this host: two at a time would only be in each other's way. */
  #lane: Promise<unknown> = Promise.resolve();

  constructor(library: Library, options: ZooKeeperOptions) {
    this.#library = library;
    this.#options = options;
    this.#paths = new Paths(options.root);
    this.#link = new Link({ library, options, sessionMs: SESSION_MS });
    this.#feed = new Feed(this.#link, this.#paths);
  }

  async list(prefix: string): Promise<Snapshot> {
    return (await this.#list(prefix)).snapshot;
  }

  async commit(change: ClusterChange): Promise<Committed> {
    checkChange(change);
    const end = performance.now() + TOTAL_MS;
    const over = Promise.withResolvers<void>();
    const before = this.#lane;
    this.#lane = before.then(() => over.promise);
    try {
      const waited = new AbortController();
      const isLate = await Promise.race([before, sleep(TOTAL_MS, true, { signal: waited.signal })]).finally(() =>
        waited.abort(),
      );
      if (isLate === true) throw busy(this.#paths);
      return await this.#commit(change, end);
    } finally {
      over.resolve();
    }
  }

  watch(prefix: string, signal: AbortSignal): AsyncIterable<WatchItem> {
    return watch({
      list: () => this.#list(prefix),
      follow: (listed) => this.#feed.follow(prefix, listed),
      signal: AbortSignal.any([signal, this.#closed.signal]),
    });
  }

  async session(ttlSeconds: number, signal: AbortSignal): Promise<Session> {
    if (this.#closed.signal.aborted) throw fault.unavailable('session', 'store', 'it is closed');
    const parts = { library: this.#library, options: this.#options };
    const bound = await startSession(parts, ttlSeconds, signal, this.#closed.signal);
    const { session } = bound;
    this.#sessions.set(session.id, bound);
    void session.lost.then(() => this.#sessions.delete(session.id));
    return session;
  }

  async status(): Promise<ClusterStatus> {
    const end = performance.now() + TOTAL_MS - DESCRIBE_MS;
    const { head } = await this.#list('none/', end);
    const catching = async (connection: Connection): Promise<Endpoint> => {
      await catchUp(connection, this.#paths);
      return connection.endpoint;
    };
    const endpoint = await this.#link.call('status', catching, end);
    const [, version = 'unknown'] = /^Zookeeper version: ([\w.]+)/.exec(await describe(endpoint)) ?? [];
    // A member answers the call above when it has made all that was committed before.
    return { member: endpoint.text, version, hasLeader: true, lag: 0n, at: head.at, epoch: head.epoch };
  }

  [Symbol.dispose](): void {
    this.#closed.abort();
    this.#feed[Symbol.dispose]();
    this.#link[Symbol.dispose]();
    for (const { link } of this.#sessions.values()) link[Symbol.dispose]();
  }

  async #list(prefix: string, end?: number): Promise<Listed> {
    return await this.#link.call('list', (one) => list(one, this.#paths, this.#library, prefix), end);
  }

  async #commit(change: ClusterChange, end: number): Promise<Committed> {
    const link = this.#linkFor(change);
    for (let races = 0; ; races++) {
      const committed = await link.call('commit', (one) => tryCommit(one, this.#paths, change), end);
      if (committed !== undefined) return committed;
      // It looks the same where somebody has deleted a node that each commit needs.
      if (races % 4 === 3) await link.call('commit', (one) => ensureHead(one, this.#paths, this.#library), end);
      // The more hosts are at it, the longer it takes until one of them is alone.
      const pause = Math.random() * Math.min(150, 10 * 2 ** races);
      if (performance.now() + pause > end) throw busy(this.#paths);
      await sleep(pause);
    }
  }

  /** The connection of the session that entries of the change go with. */
  #linkFor({ put = [] }: ClusterChange): Link {
    const ids = new Set(put.flatMap(({ session }) => session?.id ?? []));
    const [id] = ids;
    if (id === undefined) return this.#link;
    if (ids.size > 1) throw fault.internal('commit', `sessions ${[...ids].join(', ')}`, 'one change has one session');
    const bound = this.#sessions.get(id);
    if (bound !== undefined) return bound.link;
    throw fault.unavailable('commit', `session ${id}`, 'it has ended', 'Start another one');
  }
}

function busy({ root }: Paths): Error {
  return fault.unavailable('commit', `ZooKeeper ${root}`, 'other changes were faster for 2.9 s', 'Try again');
}

/** The member's answer to the command `srvr`; empty where it is off. */
async function describe({ address }: Endpoint): Promise<string> {
  let text = '';
  const socket = connect(address, () => socket.write('srvr'));
  const timer = setTimeout(() => socket.destroy(), DESCRIBE_MS);
  socket.on('data', (bytes) => {
    text += bytes;
  });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('close', resolve));
  clearTimeout(timer);
  return text;
}
