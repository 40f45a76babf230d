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
  encode: (value) => integer('u8', value),
};

export const u16: Codec<number> = {
  decode: (bytes) => (bytes.length === 2 ? u16At(bytes, 0) : undefined),
  encode: (value) => integer('u16', value),
};

/** Network order: ports. */
export const be16: Codec<number> = {
  decode: (bytes) => (bytes.length === 2 ? view(bytes).getUint16(0) : undefined),
  encode: (value) => integer('u16', value).reverse(),
};

export const u32: Codec<number> = {
  decode: (bytes) => (bytes.length === 4 ? s32At(bytes, 0) >>> 0 : undefined),
  encode: (value) => integer('u32', value),
};

/** Network order, for nfnetlink. */
export const be32: Codec<number> = {
  decode: (bytes) => (bytes.length === 4 ? view(bytes).getUint32(0) : undefined),
  encode: (value) => integer('u32', value).reverse(),
};

export const s32: Codec<number> = {
  decode: (bytes) => (bytes.length === 4 ? s32At(bytes, 0) : undefined),
  encode: (value) => integer('s32', value),
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
const LEAST: Readonly<Record<FieldType, number>> = { u8: 0, u16: 0, u32: 0, s32: -0x80000000 };
const MOST: Readonly<Record<FieldType, number>> = { u8: 0xff, u16: 0xffff, u32: 0xffffffff, s32: 0x7fffffff };

export function sizeOf(fields: Fields): number {
  let size = 0;
  for (const name in fields) size += SIZE[fields[name] ?? 'u8'];
  return size;
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

/**
 * Encodes a structure; absent fields are zero. Allocates nothing else: a stand-alone ADD encodes hundreds of them, and
 * should end before V8 collects garbage.
 */
export function encodeStruct<F extends Fields>(fields: F, values: Partial<Struct<F>>): Uint8Array {
  const given: Readonly<Record<string, number | undefined>> = values;
  const out = new Uint8Array(sizeOf(fields));
  let offset = 0;
  for (const name in fields) {
    const type = fields[name] ?? 'u8';
    putInteger(out, offset, type, given[name] ?? 0);
    offset += SIZE[type];
  }
  return out;
}

function integer(type: FieldType, value: number): Uint8Array {
  const out = new Uint8Array(SIZE[type]);
  putInteger(out, 0, type, value);
  return out;
}

/** Writes the lowest byte first. Throws if the value is no integer of the type. */
function putInteger(out: Uint8Array, offset: number, type: FieldType, value: number): void {
  const least = LEAST[type];
  const most = MOST[type];
  if (!Number.isInteger(value) || value < least || value > most)
    throw unencodable(String(value), `an integer from ${least} to ${most}`);
  for (let i = 0; i < SIZE[type]; i++) out[offset + i] = value >>> (8 * i);
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

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
