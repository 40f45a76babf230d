import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { addrFromBytes, addrToBytes, formatAddr, parseAddr } from '../model/addr.ts';

/**
 * One kind of payload. `decode` returns undefined for bytes that are not of this kind, and never throws; `encode` is
 * its inverse and throws NetError `internal` for a value without such bytes. `brief` omits unknown nested parts.
 * Integers are in host order, which is little-endian on every machine that has node:ffi.
 */
export interface Codec<T> {
  decode(bytes: Uint8Array, brief?: boolean): T | undefined;
  encode(value: T): Uint8Array;
}

export const u8: Codec<number> = {
  decode: (bytes) => (bytes.length === 1 ? bytes[0] : undefined),
  encode: (value) => Uint8Array.of(inRange(value, 0, 0xff)),
};

export const u16: Codec<number> = {
  decode: (bytes) => (bytes.length === 2 ? u16At(bytes, 0) : undefined),
  encode: (value) => filled(2, (data) => data.setUint16(0, inRange(value, 0, 0xffff), true)),
};

/** Network order: ports. */
export const be16: Codec<number> = {
  decode: (bytes) => (bytes.length === 2 ? view(bytes).getUint16(0) : undefined),
  encode: (value) => filled(2, (data) => data.setUint16(0, inRange(value, 0, 0xffff))),
};

export const u32: Codec<number> = {
  decode: (bytes) => (bytes.length === 4 ? s32At(bytes, 0) >>> 0 : undefined),
  encode: (value) => filled(4, (data) => data.setUint32(0, inRange(value, 0, 0xffffffff), true)),
};

/** Network order, for nfnetlink. */
export const be32: Codec<number> = {
  decode: (bytes) => (bytes.length === 4 ? view(bytes).getUint32(0) : undefined),
  encode: (value) => filled(4, (data) => data.setUint32(0, inRange(value, 0, 0xffffffff))),
};

export const s32: Codec<number> = {
  decode: (bytes) => (bytes.length === 4 ? s32At(bytes, 0) : undefined),
  encode: (value) => filled(4, (data) => data.setInt32(0, inRange(value, -0x80000000, 0x7fffffff), true)),
};

/** A byte that the kernel reads as a boolean. */
export const flag8: Codec<boolean> = {
  decode: (bytes) => (bytes.length === 1 && (bytes[0] ?? 2) < 2 ? bytes[0] === 1 : undefined),
  encode: (value) => Uint8Array.of(value ? 1 : 0),
};

/** UTF-8 with one NUL at the end. */
export const string: Codec<string> = {
  decode: (bytes) => {
    if (bytes.length === 0 || bytes.indexOf(0) !== bytes.length - 1) return undefined;
    const text = buffer(bytes).toString('utf8', 0, bytes.length - 1);
    return text.includes('\ufffd') ? undefined : text;
  },
  encode: (value) => {
    if (value.includes('\0')) throw unencodable(JSON.stringify(value), 'a string without NUL');
    return Buffer.from(`${value}\0`);
  },
};

/** An Ethernet address: `0a:58:0a:00:00:02`. */
export const mac: Codec<string> = {
  decode: (bytes) =>
    bytes.length === 6
      ? buffer(bytes)
          .toString('hex')
          .replace(/..(?!$)/g, '$&:')
      : undefined,
  encode: (value) => {
    if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(value)) throw unencodable(value, 'a MAC like 0a:58:0a:00:00:02');
    return Buffer.from(value.replaceAll(':', ''), 'hex');
  },
};

/** An IPv4 or IPv6 address, distinguished by its length. */
export const ip: Codec<string> = {
  decode: (bytes) => {
    if (bytes.length === 4) return bytes.join('.');
    const addr = addrFromBytes(bytes);
    return addr === undefined ? undefined : formatAddr(addr);
  },
  encode: (value) => {
    const addr = parseAddr(value);
    if (addr === undefined) throw unencodable(value, 'an IP address');
    return addrToBytes(addr);
  },
};

/** Integer fields of a fixed structure, in order; a name that starts with `_` is padding and is not decoded. */
export type Fields = Readonly<Record<string, FieldType>>;
export type FieldType = 'u8' | 'u16' | 'u32' | 's32';
export type Struct<F extends Fields> = { readonly [K in keyof F as K extends `_${string}` ? never : K]: number };

const SIZE: Readonly<Record<FieldType, number>> = { u8: 1, u16: 2, u32: 4, s32: 4 };
const INTEGER: Readonly<Record<FieldType, Codec<number>>> = { u8, u16, u32, s32 };

export function sizeOf(fields: Fields): number {
  return Object.values(fields).reduce((size, type) => size + SIZE[type], 0);
}

/** Decodes the structure at the start of `bytes`; undefined if they are too short. */
export function decodeStruct<F extends Fields>(fields: F, bytes: Uint8Array): Struct<F> | undefined {
  const out: Record<string, number> = {};
  let offset = 0;
  for (const name in fields) {
    const type = fields[name] ?? 'u8';
    if (!name.startsWith('_')) out[name] = integerAt(type, bytes, offset);
    offset += SIZE[type];
  }
  return offset > bytes.length ? undefined : (out as Struct<F>);
}

/** Encodes a structure; absent fields are zero. */
export function encodeStruct<F extends Fields>(fields: F, values: Partial<Struct<F>>): Uint8Array {
  const given: Readonly<Record<string, number | undefined>> = values;
  const out = new Uint8Array(sizeOf(fields));
  let offset = 0;
  for (const [name, type] of Object.entries(fields)) {
    out.set(INTEGER[type].encode(given[name] ?? 0), offset);
    offset += SIZE[type];
  }
  return out;
}

/** Bytes beyond the end count as zero. */
export function u16At(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] ?? 0) | ((bytes[offset + 1] ?? 0) << 8);
}

/** Bytes beyond the end count as zero. */
export function u32At(bytes: Uint8Array, offset: number): number {
  return s32At(bytes, offset) >>> 0;
}

function s32At(bytes: Uint8Array, offset: number): number {
  return u16At(bytes, offset) | (u16At(bytes, offset + 2) << 16);
}

function integerAt(type: FieldType, bytes: Uint8Array, offset: number): number {
  if (type === 'u8') return bytes[offset] ?? 0;
  if (type === 'u16') return u16At(bytes, offset);
  return type === 'u32' ? s32At(bytes, offset) >>> 0 : s32At(bytes, offset);
}

export function unencodable(value: string, rule: string): NetError {
  return fault.internal('encode', 'netlink message', `${value} is not ${rule}`);
}

function inRange(value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw unencodable(String(value), `an integer from ${low} to ${high}`);
}

function filled(size: number, fill: (data: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(size);
  fill(view(bytes));
  return bytes;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
