import { setTimeout as sleep } from 'node:timers/promises';
import { fault } from '../../errors/fault.ts';
import { NetError } from '../../errors/net-error.ts';
import { backOff } from '../cluster/pause.ts';
import { Connection } from './connection.ts';
import { CODE, codeOf, failureOf, isTransient, noAnswer, reasonOf, refusal } from './failures.ts';
import type { Library, SessionKey } from './library.ts';
import { type Endpoint, parseEndpoint, type ZooKeeperOptions } from './options.ts';

/** How long one member may be silent. */
export const CALL_MS = 1_500;
/** How long a call may take: with its repetitions, or at a member that answers in many parts. */
export const TOTAL_MS = 2_900;
/** Less than this is no time for another attempt. */
const LEAST_MS = 50;

export interface LinkParts {
  readonly library: Library;
  readonly options: ZooKeeperOptions;
  /** Asked of the members; they grant what their configuration allows. */
  readonly sessionMs: number;
  /** All connections have one session: entries of this host go with it. Default: each has its own. */
  readonly isKept?: boolean;
}

/**
 * A connection to one member at a time, and the next one where that fails. A call is repeated after an unknown outcome,
 * so each must be safe to repeat. After disposal every call, also one under way, fails.
 */
export class Link implements Disposable {
  readonly #parts: LinkParts;
  readonly #members: readonly Endpoint[];
  readonly #lost = Promise.withResolvers<void>();
  #at: number;
  #opening: Promise<Connection> | undefined;
  #newest: Connection | undefined;
  /** The last one that a member has accepted. */
  #accepted: Connection | undefined;
  #isLost = false;
  #isClosed = false;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.#members = parts.options.endpoints.map(parseEndpoint);
    // The hosts of a cluster have the same list: they spread over its members.
    this.#at = Math.floor(Math.random() * this.#members.length);
  }

  /** Resolves once a kept session has ended. */
  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  /** `op` names the call in errors. It is over at `end` (`performance.now`). */
  async call<T>(
    op: string,
    attempt: (connection: Connection) => Promise<T>,
    end: number = performance.now() + TOTAL_MS,
  ): Promise<T> {
    const reasons = new Map<string, string>();
    const last = this.#members.length > 1 ? end : Math.min(end, performance.now() + CALL_MS);
    for (let tries = 1; ; tries++) {
      this.#assertOpen(op);
      const { text } = this.#current;
      const ms = Math.max(LEAST_MS, Math.min(CALL_MS, last - performance.now()));
      try {
        const connection = await this.#connected(ms);
        return await connection.limit(ms, () => attempt(connection), end);
      } catch (error) {
        if (error instanceof NetError) throw error;
        this.#assertOpen(op);
        if (codeOf(error) === undefined && !isTransient(error)) throw error;
        reasons.set(text, reasonOf(error));
        if (!isTransient(error)) throw failureOf(op, new Map([...reasons].slice(-1)), error);
        // Once around, wait a little: an election takes a second.
        const pause = tries % this.#members.length === 0 ? 30 + Math.random() * 70 : 0;
        if (performance.now() + pause + LEAST_MS > last) throw failureOf(op, reasons, error);
        await sleep(pause);
      }
    }
  }

  /** Keeps a kept session until `signal` aborts: takes it over at another member whenever the connection ends. */
  async keep(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted && !this.#isLost; ) {
      const connection = this.#newest;
      if (connection !== undefined && connection.reason === undefined) {
        failures = 0;
        const over = Promise.withResolvers<void>();
        const end = (): void => over.resolve();
        signal.addEventListener('abort', end, { once: true });
        await Promise.race([connection.ended, over.promise]);
        signal.removeEventListener('abort', end);
        continue;
      }
      // The members count from what they heard last, which is not later than their last answer.
      const last = this.#accepted;
      if (last !== undefined && performance.now() - last.heardAt > last.sessionMs) this.#lose();
      await this.call('session', async () => {}).catch(() => {});
      if (this.#newest?.reason !== undefined) await backOff(failures++, signal);
    }
  }

  /** Ends a kept session at the member; without an answer it ends by itself. */
  async end(): Promise<void> {
    await this.#newest?.close();
    this.#lose();
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#newest?.destroy(refusal(CODE.connectionLoss, 'it is closed'));
    this.#lose();
  }

  async #connected(ms: number): Promise<Connection> {
    this.#opening ??= this.#open();
    const connection = this.#newest;
    const timer = setTimeout(() => {
      if (connection !== this.#accepted) connection?.destroy(noAnswer(ms));
    }, ms);
    try {
      return await this.#opening;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Later calls go to the next member once the connection has ended. */
  async #open(): Promise<Connection> {
    const { library, options, sessionMs, isKept = false } = this.#parts;
    const session: SessionKey | undefined = isKept ? this.#accepted?.session : undefined;
    const connection = new Connection({ library, endpoint: this.#current, sessionMs, session, user: options.user });
    this.#newest = connection;
    void connection.ended.then(() => {
      this.#at = (this.#at + 1) % this.#members.length;
      this.#opening = undefined;
      if (isKept && connection.isExpired) this.#lose();
    });
    await connection.open();
    this.#accepted = connection;
    return connection;
  }

  get #current(): Endpoint {
    const member = this.#members[this.#at];
    if (member === undefined) throw new RangeError('ZooKeeper: no endpoints');
    return member;
  }

  #lose(): void {
    this.#isLost = true;
    this.#lost.resolve();
  }

  #assertOpen(op: string): void {
    if (this.#isClosed) throw fault.unavailable(op, 'store', 'it is closed');
    if (this.#isLost) throw fault.unavailable(op, 'session', 'it has ended', 'Start another one');
  }
}
