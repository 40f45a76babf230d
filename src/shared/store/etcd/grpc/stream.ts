import type { Call, Receiver } from './call.ts';
import type { Method } from './method.ts';
import { CODE, GrpcError } from './status.ts';

/**
 * A call that streams both ways. Iterating yields the answers, once; it throws a GrpcError if the call fails. Who stops
 * iterating cancels the call. An answer that nobody has taken stops the server after a window of bytes.
 */
export class GrpcStream<I, O> implements AsyncIterable<O> {
  readonly #method: Method<I, O>;
  readonly #call: Call;
  readonly #waiting: Buffer[] = [];
  #isCancelled = false;
  #hasEnded = false;
  #error: GrpcError | undefined;
  #wake: (() => void) | undefined;

  /** `begin` starts the call, whose answers go to the given receiver. */
  constructor(method: Method<I, O>, begin: (receiver: Receiver) => Call) {
    this.#method = method;
    this.#call = begin({
      message: (bytes) => {
        this.#waiting.push(bytes);
        this.#call.pause();
        this.#wake?.();
      },
      end: (error) => {
        this.#hasEnded = true;
        this.#error = error;
        this.#wake?.();
      },
    });
  }

  write(request: I): void {
    this.#call.write(this.#method.encode(request));
  }

  /** Ends the call, and an iteration without an error. */
  cancel(): void {
    this.#isCancelled = true;
    this.#call.cancel();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<O> {
    try {
      while (!this.#isCancelled) {
        const bytes = this.#waiting.shift();
        if (bytes !== undefined) {
          yield decodeAnswer(this.#method, bytes);
          continue;
        }
        if (this.#error !== undefined) throw this.#error;
        if (this.#hasEnded) return;
        this.#call.resume();
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.cancel();
    }
  }
}

/** Throws a GrpcError if the bytes are no such message. */
export function decodeAnswer<O>({ path, decode }: Method<never, O>, bytes: Buffer): O {
  try {
    return decode(bytes);
  } catch (error) {
    throw new GrpcError(CODE.internal, `${path}: malformed answer (${error instanceof Error ? error.message : error})`);
  }
}
