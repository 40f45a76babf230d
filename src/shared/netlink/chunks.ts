import { NLM_F_ACK, NLM_F_REQUEST } from './constants.ts';
import { encodeMessages } from './message.ts';

/** A message to the kernel. `flags` are those beyond NLM_F_REQUEST and NLM_F_ACK. */
export interface Request {
  readonly type: number;
  readonly flags?: number;
  readonly payload: Uint8Array;
  /**
   * False if the request needs no acknowledgement (the frame of a nfnetlink batch); the kernel still answers errors.
   */
  readonly ack?: boolean;
  /** True for a request whose answer is a message (RTM_GET*), which needs far more room than an ack. */
  readonly reply?: boolean;
}

/**
 * More acks than this in one send can overflow the receive queue (212,992 bytes by default, each buffer counted whole),
 * although the kernel executes their requests. The buffer of a link's message counts like those of twenty acks.
 */
const MAX_ACKS = 200;
const ACKS_A_REPLY = 20;
/** A larger send waits for the send buffer (212,992 bytes by default), or is refused. */
export const MAX_BYTES = 128 * 1024;

/** Splits the requests, in order, into parts that can be sent one after the other. */
export function* chunks(requests: readonly Request[]): Generator<readonly Request[]> {
  let chunk: Request[] = [];
  let bytes = 0;
  let acks = 0;
  for (const request of requests) {
    const size = request.payload.length + 32;
    const cost = request.reply ? ACKS_A_REPLY : 1;
    if (chunk.length > 0 && (acks + cost > MAX_ACKS || bytes + size > MAX_BYTES)) {
      yield chunk;
      [chunk, bytes, acks] = [[], 0, 0];
    }
    chunk.push(request);
    bytes += size;
    acks += cost;
  }
  if (chunk.length > 0) yield chunk;
}

/** Encodes the requests as one datagram, with sequence numbers from `first`. */
export function encodeRequests(requests: readonly Request[], first: number): Uint8Array {
  return encodeMessages(
    requests.map(({ type, flags = 0, payload, ack }, i) => ({
      type,
      flags: flags | NLM_F_REQUEST | (ack === false ? 0 : NLM_F_ACK),
      sequence: (first + i) >>> 0,
      payload,
    })),
  );
}
