import { CODE, GrpcError } from './status.ts';

/** gRPC's usual limit is 4 MiB; a list of 1,000 entries takes more. */
export const MAX_MESSAGE = 64 << 20;

/** Of a message's frame: a flag and the length. */
const HEADER = 5;

/** Puts the message into a frame: not compressed, length in four bytes. */
export function encodeFrame(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, HEADER);
  return frame;
}

/** Takes the bytes of a stream as they come; gives the messages in them. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #length = 0;

  /** True between messages. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /**
   * Yields the messages that are complete now. Throws a GrpcError for a compressed message, which nobody asked for, and
   * before it keeps more than `MAX_MESSAGE` bytes.
   */
  *push(chunk: Buffer): Generator<Buffer> {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    for (;;) {
      if (this.#length < HEADER) return;
      const size = HEADER + this.#sizeOfNext();
      if (this.#length < size) return;
      const bytes = this.#joined();
      this.#length -= size;
      this.#chunks = this.#length === 0 ? [] : [bytes.subarray(size)];
      yield bytes.subarray(HEADER, size);
    }
  }

  #sizeOfNext(): number {
    const [first] = this.#chunks;
    const header = first !== undefined && first.length >= HEADER ? first : this.#joined();
    if (header[0] !== 0) throw new GrpcError(CODE.internal, 'a compressed message, or none of gRPC');
    const size = header.readUInt32BE(1);
    if (size > MAX_MESSAGE)
      throw new GrpcError(CODE.resourceExhausted, `a message of ${size} bytes; at most ${MAX_MESSAGE} are taken`);
    return size;
  }

  /** All chunks as one. Runs once for a message, and once more where its header came in pieces. */
  #joined(): Buffer {
    const [first = Buffer.alloc(0)] = this.#chunks;
    if (this.#chunks.length <= 1) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
