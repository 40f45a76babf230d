import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { attr, decodeAttrs } from './attrs.ts';
import { decodeStruct, encodeStruct, string, u16At, u32At } from './codec.ts';
import { NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSGERR_ATTR_MSG } from './constants.ts';
import { strerror } from './sys.ts';

/** One netlink message without its length. */
export interface Message {
  readonly type: number;
  /** NLM_F_*. */
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** The kernel's answer to one request. */
export interface Answer {
  /** Positive error number; 0 on success. */
  readonly errno: number;
  /** The text of the extended ack, or empty. */
  readonly text: string;
}

/** linux/netlink.h, struct nlmsghdr. */
const NLMSGHDR = { length: 'u32', type: 'u16', flags: 'u16', sequence: 'u32', port: 'u32' } as const;
const HEADER = 16;

/** linux/netlink.h, enum nlmsgerr_attrs. */
const ACK_ATTRS = { text: attr(NLMSGERR_ATTR_MSG, string) };

/** Encodes messages one after the other, each padded to four bytes. */
export function encodeMessages(messages: readonly Message[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { type, flags, sequence, payload } of messages) {
    const length = HEADER + payload.length;
    parts.push(encodeStruct(NLMSGHDR, { length, type, flags, sequence }), payload);
    if (length % 4 !== 0) parts.push(new Uint8Array(4 - (length % 4)));
  }
  return Buffer.concat(parts);
}

/** Decodes the whole messages at the start of `bytes`; their payloads are views of it. */
export function decodeMessages(bytes: Uint8Array): Message[] {
  const messages: Message[] = [];
  let offset = 0;
  while (offset + HEADER <= bytes.length) {
    // Reads NLMSGHDR field by field: a dump has hundreds of them.
    const length = u32At(bytes, offset);
    if (length < HEADER || offset + length > bytes.length) break;
    const type = u16At(bytes, offset + 4);
    const flags = u16At(bytes, offset + 6);
    const sequence = u32At(bytes, offset + 8);
    messages.push({ type, flags, sequence, payload: bytes.subarray(offset + HEADER, offset + length) });
    offset += (length + 3) & ~3;
  }
  return messages;
}

/**
 * Decodes a NLMSG_ERROR (or a NLMSG_DONE, which also starts with an error number). Source: linux/netlink.h, struct
 * nlmsgerr; a capped one does not repeat the request's payload.
 */
export function decodeAnswer(message: Message): Answer {
  const { payload, flags } = message;
  const error = decodeStruct({ value: 's32' }, payload)?.value ?? 0;
  let text = '';
  if (flags & NLM_F_ACK_TLVS) {
    const original = decodeStruct(NLMSGHDR, payload.subarray(4));
    const length = flags & NLM_F_CAPPED ? HEADER : (original?.length ?? HEADER);
    text = decodeAttrs(ACK_ATTRS, payload.subarray(4 + ((length + 3) & ~3))).text ?? '';
  }
  return { errno: Math.max(0, -error), text };
}

/** NetError `kernel` for a request that belongs to no Op; `text` is that of the extended ack. */
export function socketError(errno: number, what: string, text = ''): NetError {
  const reason = text === '' ? strerror(errno) : `${strerror(errno)}: ${text}`;
  return fault.kernel('netlink', 'socket', what, undefined, { errno, reason });
}
