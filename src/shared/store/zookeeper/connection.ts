import type { ACL, Client, Transaction } from 'node-zookeeper-client';
import { CODE, codeOf, noAnswer, refusal } from './failures.ts';
import type { Inner, Library, Node, Op, SessionKey, Stat } from './library.ts';
import { aclsOf, makeClient, rawOps, sessionText, statOf } from './library.ts';
import type { Endpoint, ZooKeeperUser } from './options.ts';

/** How long an answer may take beyond the time after which the client pings. */
const PONG_MS = 1_500;
const LOOK_MS = 500;
/** How long the end of a session may take. */
const CLOSE_MS = 1_500;

export interface ConnectionParts {
  readonly library: Library;
  readonly endpoint: Endpoint;
  readonly sessionMs: number;
  /** The session to take over. Default: a new one. */
  readonly session?: SessionKey | undefined;
  readonly user?: ZooKeeperUser | undefined;
}

/** The result of a transaction: the transaction's number, which its nodes have as `mzxid`, if a step set data. */
export type Applied = bigint | undefined;

type Raw<T extends readonly unknown[]> = (error: unknown, ...results: T) => void;
type RawStat = Parameters<typeof statOf>[0];

/**
 * One connection to one member, which never connects again. Missing nodes are undefined, other refusals reject with the
 * member's code; after its end every call rejects.
 */
export class Connection {
  readonly endpoint: Endpoint;
  /** Resolves with the reason once the connection has ended. */
  readonly ended: Promise<Error>;
  reason: Error | undefined;
  /** The member does not know the session that was to be taken over, or has ended it. */
  isExpired = false;
  /** When the member said something last (`performance.now`). */
  heardAt = performance.now();
  readonly #client: Client;
  readonly #inner: Inner;
  readonly #acls: readonly ACL[];
  readonly #opened = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<Error>();
  /** Rejects each call that has no answer yet. */
  readonly #waiting = new Set<(reason: Error) => void>();
  #watchdog: NodeJS.Timeout | undefined;

  constructor({ library, endpoint, sessionMs, session, user }: ConnectionParts) {
    this.endpoint = endpoint;
    this.ended = this.#ended.promise;
    this.#opened.promise.catch(() => {});
    const { client, inner } = makeClient(library, endpoint, { sessionMs, session });
    this.#client = client;
    this.#inner = inner;
    this.#acls = aclsOf(library)[user === undefined ? 'open' : 'own'];
    if (user !== undefined) client.addAuthInfo('digest', Buffer.from(`${user.name}:${user.password}`));
    const take = inner.onSocketData;
    inner.onSocketData = (bytes) => {
      this.heardAt = performance.now();
      try {
        take.call(inner, bytes);
      } catch (error) {
        this.destroy(refusal(CODE.connectionLoss, `it sent what the client cannot read: ${error}`));
      }
    };
    const fail = inner.onSocketError;
    inner.onSocketError = (error) => {
      this.reason ??= error;
      fail.call(inner, error);
    };
    const close = inner.onSocketClosed;
    inner.onSocketClosed = () => {
      close.call(inner);
      this.#end(refusal(CODE.connectionLoss, 'it ended the connection'));
    };
    const { State } = library;
    client.on('state', (state: object) => {
      if (state === State.SYNC_CONNECTED) this.#open();
      else if (state === State.EXPIRED) this.#expire();
      else if (state === State.AUTH_FAILED) this.destroy(refusal(CODE.authFailed, 'it refuses the user'));
    });
  }

  /** Connects; the member has then granted the session. Rejects if it does not. */
  async open(): Promise<this> {
    this.#client.connect();
    this.#inner.connect = () => {};
    await this.#opened.promise;
    return this;
  }

  get session(): SessionKey {
    return { id: this.#client.getSessionId(), password: this.#client.getSessionPassword() };
  }

  get sessionId(): string {
    return sessionText(this.#client.getSessionId());
  }

  /** What the member has granted. */
  get sessionMs(): number {
    return this.#client.getSessionTimeout();
  }

  /** `watcher` is called once, when the node changes or goes. */
  async read(path: string, watcher?: () => void): Promise<Node | undefined> {
    const answer = await this.#ask<[Buffer | undefined, RawStat]>((done) =>
      watcher === undefined ? this.#client.getData(path, done) : this.#client.getData(path, watcher, done),
    );
    return answer && { data: answer[0]?.toString() ?? '', stat: statOf(answer[1]) };
  }

  /** Names of the children. `watcher` is called once, when one comes or goes. */
  async list(
    path: string,
    watcher?: () => void,
  ): Promise<{ readonly names: string[]; readonly stat: Stat } | undefined> {
    const answer = await this.#ask<[string[], RawStat]>((done) =>
      watcher === undefined ? this.#client.getChildren(path, done) : this.#client.getChildren(path, watcher, done),
    );
    return answer && { names: answer[0], stat: statOf(answer[1]) };
  }

  async stat(path: string): Promise<Stat | undefined> {
    const answer = await this.#ask<[RawStat | null]>((done) => this.#client.exists(path, done));
    return answer?.[0] ? statOf(answer[0]) : undefined;
  }

  /** Makes all steps or none; then rejects with the code of the one that failed. */
  async apply(ops: readonly Op[], acls: readonly ACL[] = this.#acls): Promise<Applied> {
    const made = await this.#settle<[{ readonly stat?: RawStat }[]]>((done) => {
      const transaction = this.#client.transaction() as Transaction & { readonly ops: object[] };
      transaction.ops.push(...rawOps(ops, acls));
      transaction.commit(done);
    });
    const raw = made[0].find(({ stat }) => stat !== undefined)?.stat;
    return raw && statOf(raw).mzxid;
  }

  /** Ends the connection, and leaves the session as it is. */
  destroy(reason: Error): void {
    this.reason ??= reason;
    const { socket, connectTimeoutHandler } = this.#inner;
    clearTimeout(connectTimeoutHandler);
    if (socket !== undefined) socket.destroy();
    else process.nextTick(() => this.#inner.socket?.destroy());
    this.#end(reason);
  }

  /** Ends the session, and the connection with it. */
  async close(): Promise<void> {
    const reason = refusal(CODE.connectionLoss, 'the session was ended');
    if (this.reason !== undefined) return;
    const timer = setTimeout(() => this.destroy(reason), CLOSE_MS);
    this.#client.close();
    await this.ended;
    clearTimeout(timer);
  }

  /** The result of work with this connection, which ends if it is silent for `ms`, or at `end` (`performance.now`). */
  async limit<T>(ms: number, work: () => Promise<T>, end = Number.POSITIVE_INFINITY): Promise<T> {
    const since = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const look = (): void => {
      const now = performance.now();
      const left = Math.min(Math.max(since, this.heardAt) + ms, end) - now;
      if (left <= 0) this.destroy(noAnswer(now - since));
      else timer = setTimeout(look, Math.ceil(left));
    };
    look();
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  }

  /** As `#settle`; undefined for a node that is not there. */
  async #ask<T extends readonly unknown[]>(call: (done: Raw<T>) => void): Promise<T | undefined> {
    try {
      return await this.#settle(call);
    } catch (error) {
      if (codeOf(error) === CODE.noNode) return undefined;
      throw error;
    }
  }

  async #settle<T extends readonly unknown[]>(call: (done: Raw<T>) => void): Promise<T> {
    if (this.reason !== undefined) throw this.reason;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // The client forgets calls that it had not sent when the connection ended.
    this.#waiting.add(reject);
    try {
      call((error, ...results) => (error === null || error === undefined ? resolve(results as T) : reject(error)));
      return await promise;
    } finally {
      this.#waiting.delete(reject);
    }
  }

  #open(): void {
    this.#opened.resolve();
    const longest = this.sessionMs / 3 + PONG_MS;
    this.#watchdog = setInterval(() => {
      const silent = performance.now() - this.heardAt;
      if (silent > longest) this.destroy(noAnswer(longest));
    }, LOOK_MS);
    this.#watchdog.unref();
  }

  #expire(): void {
    this.isExpired = true;
    this.destroy(refusal(CODE.sessionExpired, 'the session has ended'));
  }

  #end(reason: Error): void {
    this.reason ??= reason;
    clearInterval(this.#watchdog);
    for (const reject of this.#waiting) reject(this.reason);
    this.#opened.reject(this.reason);
    this.#ended.resolve(this.reason);
  }
}
