import { REPLAY_WINDOW, type XfrmPolicy, type XfrmState, type XfrmStateId, type XfrmStateInfo } from '../model/xfrm.ts';
import { attr, decodeAttrs, encodeAttrs } from './attrs.ts';
import { type Codec, encodeStruct, unencodable } from './codec.ts';
import {
  addressAt,
  addrOf,
  bytesOf,
  familyOf,
  ID,
  IPPROTO_ESP,
  numberOf,
  putId,
  putLifetime,
  putSelector,
  SELECTOR,
  selectorAt,
} from './xfrm-structs.ts';

// linux/xfrm.h
export const XFRM_MSG_NEWSA = 0x10;
export const XFRM_MSG_DELSA = 0x11;
export const XFRM_MSG_GETSA = 0x12;
export const XFRM_MSG_DELPOLICY = 0x14;
export const XFRM_MSG_GETPOLICY = 0x15;
export const XFRM_MSG_UPDPOLICY = 0x19;
export const XFRM_MSG_FLUSHSA = 0x1c;
export const XFRM_MSG_FLUSHPOLICY = 0x1d;
export const XFRMNLGRP_SA = 3;
export const XFRMNLGRP_POLICY = 4;
const XFRM_STATE_ESN = 128;
const XFRM_MODE_TRANSPORT = 0;
const XFRM_POLICY_ALLOW = 0;
const XFRM_POLICY_BLOCK = 1;
const DIRECTIONS = ['in', 'out'] as const;

/** struct xfrm_usersa_info: selector, id, source, limits, counters, and the rest. */
const STATE = { id: SELECTOR, src: 80, limits: 96, reqid: 208, family: 212, mode: 214, flags: 216, size: 224 } as const;
/** struct xfrm_userpolicy_info. */
const POLICY = { limits: SELECTOR, priority: 152, direction: 160, action: 161, size: 168 } as const;
/** struct xfrm_user_tmpl. */
const TEMPLATE = { family: ID, src: 28, reqid: 44, mode: 48, algorithms: 52, size: 64 } as const;

const ALGORITHM = 'rfc4106(gcm(aes))';
const NAME = 64;
const TAG_BITS = 128;

const raw: Codec<Uint8Array> = { decode: (bytes) => bytes, encode: (bytes) => bytes };

/** XFRMA_*. */
const ATTRS = { template: attr(5, raw), aead: attr(18, raw), replay: attr(23, raw) };
/** struct xfrm_replay_state_esn, without its bitmap of `words` times 32 packets: the kernel makes one of zeros. */
const REPLAY = { words: 'u32', out: 'u32', in: 'u32', outHigh: 'u32', inHigh: 'u32', window: 'u32' } as const;

/** The payload of XFRM_MSG_NEWSA. Equivalent: `ip xfrm state add …`. */
export function encodeState({ src, dst, spi, reqid, key, seconds }: XfrmState): Uint8Array {
  const out = Buffer.alloc(STATE.size);
  putId(out, STATE.id, dst, spi);
  out.set(bytesOf(src), STATE.src);
  putLifetime(out, STATE.limits, seconds);
  out.writeUInt32LE(reqid, STATE.reqid);
  out.writeUInt16LE(numberOf(addrOf(dst).family), STATE.family);
  out[STATE.mode] = XFRM_MODE_TRANSPORT;
  out[STATE.flags] = XFRM_STATE_ESN;
  const replay = encodeStruct(REPLAY, { words: REPLAY_WINDOW / 32, window: REPLAY_WINDOW });
  return Buffer.concat([out, encodeAttrs(ATTRS, { aead: aead(key.reveal()), replay })]);
}

/** struct xfrm_algo_aead; lengths are in bits. */
function aead(key: Uint8Array): Uint8Array {
  if (key.length !== 20) throw unencodable('a key', 'of 20 bytes');
  const out = Buffer.alloc(NAME + 8);
  out.write(ALGORITHM, 'latin1');
  out.writeUInt32LE(key.length * 8, NAME);
  out.writeUInt32LE(TAG_BITS, NAME + 4);
  return Buffer.concat([out, key]);
}

/** Undefined for an association that is not ESP, and for one that the kernel waits for (SPI 0). */
export function decodeState(payload: Uint8Array): XfrmStateInfo | undefined {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (bytes.length < STATE.size || bytes[STATE.id + 20] !== IPPROTO_ESP) return undefined;
  const family = familyOf(bytes.readUInt16LE(STATE.family));
  const spi = bytes.readUInt32BE(STATE.id + 16);
  if (family === undefined || spi === 0) return undefined;
  const [src, dst] = [addressAt(bytes, STATE.src, family), addressAt(bytes, STATE.id, family)];
  return { src, dst, spi, reqid: bytes.readUInt32LE(STATE.reqid) };
}

/** The payload of XFRM_MSG_DELSA: struct xfrm_usersa_id, and XFRMA_SRCADDR, which the kernel compares. */
export function encodeStateId({ src, dst, spi }: XfrmStateId): Uint8Array {
  const out = Buffer.alloc(24);
  out.set(bytesOf(dst));
  out.writeUInt32BE(spi, 16);
  out.writeUInt16LE(numberOf(addrOf(dst).family), 20);
  out[22] = IPPROTO_ESP;
  const source = Buffer.alloc(16);
  source.set(bytesOf(src));
  return Buffer.concat([out, encodeAttrs({ source: attr(13, raw) }, { source })]);
}

/** The payload of XFRM_MSG_UPDPOLICY. Equivalent: `ip xfrm policy update …`. */
export function encodePolicy({ direction, priority, through, ...selector }: XfrmPolicy): Uint8Array {
  const out = Buffer.alloc(POLICY.size);
  putSelector(out, 0, selector);
  putLifetime(out, POLICY.limits);
  out.writeUInt32LE(priority, POLICY.priority);
  out[POLICY.direction] = DIRECTIONS.indexOf(direction);
  out[POLICY.action] = through === undefined ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW;
  if (through === undefined) return out;
  const { src, dst, family } = selector;
  if (src === undefined || dst === undefined) throw unencodable('a policy of ESP', 'between two addresses');
  const template = Buffer.alloc(TEMPLATE.size);
  putId(template, 0, dst, through.spi);
  template.writeUInt16LE(numberOf(family), TEMPLATE.family);
  template.set(bytesOf(src), TEMPLATE.src);
  template.writeUInt32LE(through.reqid, TEMPLATE.reqid);
  template[TEMPLATE.mode] = XFRM_MODE_TRANSPORT;
  template.fill(0xff, TEMPLATE.algorithms);
  return Buffer.concat([out, encodeAttrs(ATTRS, { template })]);
}

/** Undefined for a policy of another form. */
export function decodePolicy(payload: Uint8Array): XfrmPolicy | undefined {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (bytes.length < POLICY.size) return undefined;
  const selector = selectorAt(bytes, 0);
  const direction = DIRECTIONS[bytes[POLICY.direction] ?? 2];
  if (selector === undefined || direction === undefined) return undefined;
  const plain = { direction, ...selector, priority: bytes.readUInt32LE(POLICY.priority) };
  const { template } = decodeAttrs(ATTRS, bytes.subarray(POLICY.size), true);
  if (bytes[POLICY.action] === XFRM_POLICY_BLOCK) return plain;
  if (template?.length !== TEMPLATE.size || template[20] !== IPPROTO_ESP) return undefined;
  const found = Buffer.from(template.buffer, template.byteOffset, template.byteLength);
  return { ...plain, through: { reqid: found.readUInt32LE(TEMPLATE.reqid), spi: found.readUInt32BE(16) } };
}

/** The payload of XFRM_MSG_DELPOLICY: struct xfrm_userpolicy_id, which names a policy by its selector. */
export function encodePolicyId({ direction, priority, through, ...selector }: XfrmPolicy): Uint8Array {
  const out = Buffer.alloc(64);
  putSelector(out, 0, selector);
  out[60] = DIRECTIONS.indexOf(direction);
  return out;
}
