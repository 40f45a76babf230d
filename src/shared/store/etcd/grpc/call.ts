import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import type { Connection } from './connection.ts';
import { encodeFrame, FrameReader } from './frames.ts';
import { CODE, GrpcError, refusalOf, resetOf, statusOf } from './status.ts';

/** What a call's answers go to. */
export interface Receiver {
  message(bytes: Buffer): void;
  /** Nothing more comes. Called once. */
  end(error: GrpcError | undefined): void;
}

/** One call under way: a stream of messages each way, and a status at its end. */
export class Call {
  readonly #connection: Connection;
  readonly #receiver: Receiver;
  readonly #stream: ClientHttp2Stream;
  readonly #frames = new FrameReader();
  readonly #deadline: NodeJS.Timeout | undefined;
  #status: GrpcError | 'ok' | undefined;
  #isBroken = false;
  #hasEnded = false;

  /** `ms`: the deadline, here and at the server; without it the call lasts until its end. */
  constructor(connection: Connection, headers: OutgoingHttpHeaders, ms: number | undefined, receiver: Receiver) {
    this.#connection = connection;
    this.#receiver = receiver;
    const left = ms === undefined ? undefined : Math.max(1, Math.ceil(ms));
    this.#stream = connection.begin(left === undefined ? headers : { ...headers, 'grpc-timeout': `${left}m` });
    this.#stream
      .on('response', (answered) => this.#answered(answered))
      .on('trailers', (trailers) => {
        this.#status ??= statusOf(trailers);
      })
      .on('data', (chunk: Buffer) => this.#read(chunk))
      // The server has said all, so what we could still send is of no use.
      .on('end', () => setImmediate(() => this.#stream.close()))
      // `close` follows, and knows why.
      .on('error', () => {})
      .on('close', () => this.#end(this.#outcome()));
    // A process that was busy reads the answer after its timers.
    if (left !== undefined) this.#deadline = setTimeout(() => setImmediate(() => this.#expire()), left);
  }

  /** Sends a message; none once the call has ended. */
  write(message: Uint8Array): void {
    if (!this.#hasEnded && this.#stream.writable) this.#stream.write(encodeFrame(message));
  }

  /** Sends the last message. */
  finish(message: Uint8Array): void {
    if (!this.#hasEnded && this.#stream.writable) this.#stream.end(encodeFrame(message));
  }

  /** Until `resume` the server can send no more than a window. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  cancel(): void {
    this.#end(new GrpcError(CODE.cancelled, 'the call was cancelled on this side'));
  }

  #answered(headers: IncomingHttpHeaders): void {
    // An answer without messages has its status here.
    this.#status = statusOf(headers);
    const refusal = this.#status === undefined ? refusalOf(headers) : undefined;
    if (refusal !== undefined) this.#end(refusal);
  }

  #read(chunk: Buffer): void {
    if (this.#hasEnded || this.#isBroken) return;
    try {
      for (const message of this.#frames.push(chunk)) this.#receiver.message(message);
    } catch (error) {
      if (!(error instanceof GrpcError)) throw error;
      this.#isBroken = true;
      // Node tells of the headers one tick later than of data in the same packet, and theirs is the better reason.
      process.nextTick(() => this.#end(error));
    }
  }

  #expire(): void {
    if (this.#hasEnded) return;
    this.#connection.doubt();
    this.#end(new GrpcError(CODE.deadlineExceeded, 'no answer in time'));
  }

  #outcome(): GrpcError | undefined {
    if (this.#status instanceof GrpcError) return this.#status;
    if (this.#status === undefined) return this.#connection.lost ?? resetOf(this.#stream.rstCode);
    return this.#frames.isEmpty ? undefined : new GrpcError(CODE.internal, 'the answer ends within a message');
  }

  #end(error: GrpcError | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#deadline);
    // Not at once, since this may run while Node reads from the connection (see Connection).
    setImmediate(() => {
      if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL);
      this.#stream.destroy();
    });
    this.#receiver.end(error);
  }
}
