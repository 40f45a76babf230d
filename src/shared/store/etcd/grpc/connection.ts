import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2';
import type { Endpoint } from '../options.ts';
import { authorityOf, openSocket, type Security, wordsOf } from './socket.ts';
import { CODE, GrpcError, nameOfReset } from './status.ts';

/** Milliseconds. */
export interface Timing {
  /** From the first packet to the server's settings; TLS included. */
  readonly connect: number;
  /** From one answer to the next ping. */
  readonly ping: number;
  /** From a ping to its answer. */
  readonly pong: number;
}

/** etcd ends connections that ping more than once in five seconds (GOAWAY `too_many_pings`). */
export const TIMING: Timing = { connect: 3_000, ping: 6_000, pong: 1_500 };
/** What a server may send before it is read: of one call, and of all together. HTTP/2's 64 KiB make a list slow. */
const CALL_WINDOW = 1 << 20;
const WINDOW = 4 << 20;
/** MiB that Node may hold for a connection before it refuses calls; its default is less than ten large commits. */
const MOST_HELD = 256;
/** Numbers of calls end at 2³¹, each uses two: the next connection begins anew. */
const LAST_CALL = 2 ** 31 - 10_000;

export interface ConnectionEvents {
  /** The server has answered. */
  ready(): void;
  /** It takes no further calls; those under way may go on. */
  retired(): void;
  /** It has ended, and with it every call. */
  lost(error: GrpcError): void;
}

/** One HTTP/2 connection. It pings while calls are under way, and ends if the answer is missing. */
export class Connection implements Disposable {
  readonly #opened = Promise.withResolvers<void>();
  readonly #socket: ReturnType<typeof openSocket>;
  readonly #session: ClientHttp2Session;
  readonly #authority: string;
  readonly #events: ConnectionEvents;
  readonly #timing: Timing;
  #timer: NodeJS.Timeout;
  #calls = 0;
  #isReady = false;
  /** When a ping may go out. */
  #nextPing = 0;
  #isRetired = false;
  #lost: GrpcError | undefined;

  constructor(endpoint: Endpoint, security: Security | undefined, timing: Timing, events: ConnectionEvents) {
    this.#authority = authorityOf(endpoint);
    this.#events = events;
    this.#timing = timing;
    // It may fail while no call waits for it.
    this.#opened.promise.catch(() => {});
    this.#socket = openSocket(endpoint, security);
    // Before Node's own listeners, which end the calls.
    this.#socket.on('error', (error) => this.#lose(wordsOf(error)));
    this.#socket.once('close', () => this.#lose('the connection ended'));
    this.#session = connect(`${security === undefined ? 'http' : 'https'}://${this.#authority}`, {
      createConnection: () => this.#socket,
      settings: { enablePush: false, initialWindowSize: CALL_WINDOW },
      maxSessionMemory: MOST_HELD,
    });
    this.#session.on('error', (error) => this.#lose(wordsOf(error)));
    this.#session.once('connect', () => this.#session.setLocalWindowSize(WINDOW));
    this.#session.on('goaway', (code, _, why) => this.#goAway(code, why));
    this.#session.once('remoteSettings', () => this.#open());
    this.#timer = setTimeout(() => this.#lose(`no connection within ${timing.connect / 1_000} s`), timing.connect);
  }

  /** Resolves when calls can begin; rejects with `lost`. */
  get ready(): Promise<void> {
    return this.#opened.promise;
  }

  /** Why it ended; undefined while it stands. */
  get lost(): GrpcError | undefined {
    return this.#lost;
  }

  /** True once calls can begin without waiting. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Begins a call; throws if none can any more. `ready` has resolved. */
  begin(headers: OutgoingHttpHeaders): ClientHttp2Stream {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#isRetired) throw new GrpcError(CODE.unavailable, 'the server takes no more calls');
    const stream = this.#session.request({ ':authority': this.#authority, ...headers }, { endStream: false });
    this.#calls++;
    stream.once('close', () => {
      this.#calls--;
      this.#leave();
    });
    if ((stream.id ?? 0) > LAST_CALL) this.#retire();
    return stream;
  }

  /** A call has waited in vain. A server that is there answers a ping. */
  doubt(): void {
    if (this.#lost !== undefined || performance.now() < this.#nextPing) return;
    clearTimeout(this.#timer);
    this.#ping();
  }

  [Symbol.dispose](): void {
    this.#end(new GrpcError(CODE.cancelled, 'the connection was closed on this side'));
  }

  #open(): void {
    if (this.#lost !== undefined) return;
    this.#isReady = true;
    clearTimeout(this.#timer);
    this.#keepAlive();
    this.#opened.resolve();
    this.#events.ready();
  }

  #lose(why: string): void {
    this.#end(new GrpcError(CODE.unavailable, why));
  }

  #end(error: GrpcError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    clearTimeout(this.#timer);
    // Node frees a call twice if its session ends while it reads: code that awaits an answer runs within the read.
    setImmediate(() => {
      this.#session.destroy();
      // The session would wait until all is sent, also to a peer that is not there.
      this.#socket.destroy();
    });
    this.#opened.reject(error);
    this.#events.lost(error);
  }

  #goAway(code: number, why: Buffer | undefined): void {
    if (code === 0) this.#retire();
    else this.#lose(`the server ended the connection: ${nameOfReset(code)} ${why?.toString('latin1') ?? ''}`.trim());
  }

  #retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    this.#events.retired();
    this.#leave();
  }

  /** Ends after the last call, once there will be no other. */
  #leave(): void {
    if (this.#isRetired && this.#calls === 0) this.#lose('the server takes no more calls');
  }

  /**
   * Pings after a while. Counted from the last answer, so that pings never arrive faster than they may. Where no call is
   * under way etcd does not want any.
   */
  #keepAlive(): void {
    this.#timer = setTimeout(() => (this.#calls > 0 ? this.#ping() : this.#keepAlive()), this.#timing.ping);
  }

  #ping(): void {
    this.#nextPing = Number.POSITIVE_INFINITY;
    this.#awaitPong();
    this.#session.ping((error) => {
      if (error !== null || this.#lost !== undefined) return;
      clearTimeout(this.#timer);
      this.#nextPing = performance.now() + this.#timing.ping;
      this.#keepAlive();
    });
  }

  #awaitPong(): void {
    const { bytesRead } = this.#socket;
    // A process that was busy reads what has come after its timers.
    this.#timer = setTimeout(() => setImmediate(() => this.#check(bytesRead)), this.#timing.pong);
  }

  /** Whatever arrives is a sign of life: behind a long list the answer is late. */
  #check(bytesRead: number): void {
    const isAnswered = this.#nextPing < Number.POSITIVE_INFINITY;
    if (this.#lost !== undefined || isAnswered) return;
    if (this.#socket.bytesRead > bytesRead) this.#awaitPong();
    else this.#lose(`no answer to a ping within ${this.#timing.pong / 1_000} s`);
  }
}
