import type { OutgoingHttpHeaders } from 'node:http2';
import type { Endpoint } from '../options.ts';
import { Call, type Receiver } from './call.ts';
import { Connection, TIMING, type Timing } from './connection.ts';
import type { Method } from './method.ts';
import type { Security } from './socket.ts';
import { CODE, GrpcError } from './status.ts';
import { decodeAnswer, GrpcStream } from './stream.ts';

/** Pauses after connections that failed, twice as long each time. Calls meanwhile fail at once. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

export interface CallOptions {
  /** Names in lower case. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** How long the call may take, connecting included. Without it a stream lasts until its end. */
  readonly ms?: number;
}

/**
 * Calls the methods of one gRPC server (gRPC over HTTP/2, without compression). Connects at the first call and again at
 * the next one after a loss. All calls share a connection; after a GOAWAY new ones get another. Errors are GrpcErrors.
 */
export class Channel implements Disposable {
  readonly #endpoint: Endpoint;
  readonly #security: Security | undefined;
  readonly #timing: Timing;
  /** The one for new calls. */
  #current: Connection | undefined;
  /** All that still stand. */
  readonly #connections = new Set<Connection>();
  #failures = 0;
  #failure: GrpcError | undefined;
  #retryAt = 0;
  #isClosed = false;

  /** With `security` over TLS. */
  constructor(endpoint: Endpoint, security?: Security, timing = TIMING) {
    this.#endpoint = endpoint;
    this.#security = security;
    this.#timing = timing;
  }

  /** Sends one message and resolves to the one that answers it. */
  async unary<I, O>(method: Method<I, O>, request: I, options: CallOptions & { readonly ms: number }): Promise<O> {
    const message = method.encode(request);
    const end = performance.now() + options.ms;
    const connection = await this.#connected(options.ms);
    const answers = await new Promise<readonly Buffer[]>((resolve, reject) => {
      const got: Buffer[] = [];
      const call = new Call(connection, headersOf(method.path, options), end - performance.now(), {
        message: (bytes) => {
          if (got.push(bytes) > 1) call.cancel();
        },
        end: (error) => (error === undefined || got.length > 1 ? resolve(got) : reject(error)),
      });
      call.finish(message);
    });
    const [answer] = answers;
    if (answers.length !== 1 || answer === undefined)
      throw new GrpcError(CODE.internal, `${method.path}: ${answers.length === 0 ? 'no answer' : 'several answers'}`);
    return decodeAnswer(method, answer);
  }

  /** Resolves when the call has begun; says nothing of whether the server takes it. */
  async stream<I, O>(method: Method<I, O>, options: CallOptions = {}): Promise<GrpcStream<I, O>> {
    const end = performance.now() + (options.ms ?? 0);
    const connection = await this.#connected(options.ms);
    const ms = options.ms === undefined ? undefined : end - performance.now();
    const begin = (receiver: Receiver): Call => new Call(connection, headersOf(method.path, options), ms, receiver);
    return new GrpcStream(method, begin);
  }

  /** Ends all calls, also those that wait for a connection. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const connection of this.#connections) connection[Symbol.dispose]();
  }

  /** A connection that takes calls, within `ms`. */
  async #connected(ms: number | undefined): Promise<Connection> {
    const connection = this.#current ?? this.#connect();
    if (connection.isReady) return connection;
    if (ms === undefined) {
      await connection.ready;
      return connection;
    }
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new GrpcError(CODE.deadlineExceeded, 'no connection in time')), ms);
    try {
      await Promise.race([connection.ready, late]);
    } finally {
      clearTimeout(timer);
    }
    return connection;
  }

  #connect(): Connection {
    if (this.#isClosed) throw new GrpcError(CODE.cancelled, 'the channel is closed');
    if (this.#failure !== undefined && performance.now() < this.#retryAt) throw this.#failure;
    let isReady = false;
    const connection: Connection = new Connection(this.#endpoint, this.#security, this.#timing, {
      ready: () => {
        isReady = true;
        this.#failures = 0;
      },
      retired: () => this.#leave(connection),
      lost: (error) => {
        this.#connections.delete(connection);
        this.#leave(connection);
        if (isReady) return;
        const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures++);
        this.#failure = error;
        this.#retryAt = performance.now() + pause;
      },
    });
    this.#current = connection;
    this.#connections.add(connection);
    return connection;
  }

  #leave(connection: Connection): void {
    if (this.#current === connection) this.#current = undefined;
  }
}

function headersOf(path: string, { metadata }: CallOptions): OutgoingHttpHeaders {
  return {
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'grpc-isthmus',
    ...metadata,
  };
}
