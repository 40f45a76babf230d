import {
  type Codec,
  decodeStruct,
  encodeStruct,
  type Fields,
  type Struct,
  sizeOf,
  u16At,
  unencodable,
} from './codec.ts';
import { NLA_F_NESTED, NLA_TYPE_MASK } from './constants.ts';

/** One row of a schema: maps the attribute number `type` to a key of the API. */
export interface Attr<T> {
  readonly type: number;
  readonly codec: Codec<T>;
  /** The attribute may repeat; its value is a list of `codec`'s values, one for each occurrence. */
  readonly repeated?: true;
  /** The kernel marks it NLA_F_NESTED, and some kernels insist on the mark. */
  readonly flagged?: true;
  /** The row applies only if an earlier row has this value: the meaning of IFLA_INFO_DATA depends on the kind. */
  readonly when?: readonly [key: string, value: string];
}

export type Attrs = Readonly<Record<string, Attr<unknown>>>;

/** Attributes without a row, as raw bytes: `#<type>`, and `#<type>.<n>` for repetitions. */
export interface Unknown {
  readonly [raw: `#${string}`]: Uint8Array;
}

/** A decoded schema. The order of the keys is the order of the attributes. */
export type Values<S extends Attrs> = {
  readonly [K in keyof S]?: (S[K] extends Attr<infer T> ? T : never) | undefined;
} & Unknown;

export function attr<T>(type: number, codec: Codec<T>): Attr<T> {
  return { type, codec };
}

/** A row for an attribute that occurs once for each element of a list. */
export function repeated<T>(type: number, codec: Codec<T>): Attr<readonly T[]> {
  // encodeAttrs splits the list and decodeAttrs joins it; the codec handles one element.
  return { type, codec: codec as Codec<unknown> as Codec<readonly T[]>, repeated: true };
}

/** Attributes inside an attribute. */
export function nested<S extends Attrs>(schema: S): Codec<Values<S>> {
  return {
    decode: (bytes, brief) => decodeAttrs(schema, bytes, brief),
    encode: (values) => encodeAttrs(schema, values),
  };
}

/** A structure followed by attributes: the form of most messages, and of VETH_INFO_PEER. */
export interface Body<F extends Fields, S extends Attrs> {
  readonly header: Struct<F>;
  readonly attrs: Values<S>;
}

/** `brief` as in decodeAttrs. `encode` takes the nonzero fields of the header. */
export interface BodyCodec<F extends Fields, S extends Attrs> {
  decode(bytes: Uint8Array, brief?: boolean): Body<F, S> | undefined;
  encode(body: { readonly header: Partial<Struct<F>>; readonly attrs: Values<S> }): Uint8Array;
}

export function body<const F extends Fields, S extends Attrs>(fields: F, schema: S): BodyCodec<F, S> {
  const size = sizeOf(fields);
  return {
    decode: (bytes, brief) => {
      const header = decodeStruct(fields, bytes);
      return header && { header, attrs: decodeAttrs(schema, bytes.subarray(size), brief) };
    },
    encode: ({ header, attrs }) => Buffer.concat([encodeStruct(fields, header), encodeAttrs(schema, attrs)]),
  };
}

/**
 * Decodes the attributes in `bytes`. Keeps those without a matching row as raw bytes, unless `brief`; drops bytes after
 * the last whole attribute. Byte values are views of `bytes`. Source: linux/netlink.h, struct nlattr.
 */
export function decodeAttrs<S extends Attrs>(schema: S, bytes: Uint8Array, brief = false): Values<S> {
  const rows = rowsByType(schema);
  const out: Record<string, unknown> = {};
  let offset = 0;
  while (offset + 4 <= bytes.length) {
    const length = u16At(bytes, offset);
    if (length < 4 || offset + length > bytes.length) break;
    const type = u16At(bytes, offset + 2);
    const candidates = rows.get(type & NLA_TYPE_MASK);
    if (candidates !== undefined || !brief) {
      const data = bytes.subarray(offset + 4, offset + length);
      const known = candidates !== undefined && decodeKnown(candidates, data, out, brief);
      if (!known && !brief) out[freeKey(out, `#${type}`)] = data;
    }
    offset += (length + 3) & ~3;
  }
  return out as Values<S>;
}

/** Encodes the attributes in the order of the keys, each padded to four bytes. */
export function encodeAttrs<S extends Attrs>(schema: S, values: Values<S>): Uint8Array {
  const parts: Uint8Array[] = [];
  const given: Readonly<Record<string, unknown>> = values;
  for (const key in given) {
    const value = given[key];
    if (value === undefined) continue;
    const row = schema[key];
    if (row !== undefined) {
      const type = row.type | (row.flagged ? NLA_F_NESTED : 0);
      if (!row.repeated) pushAttr(parts, type, row.codec.encode(value));
      else for (const one of value as readonly unknown[]) pushAttr(parts, type, row.codec.encode(one));
    } else {
      const type = Number(/^#(\d+)(\.\d+)?$/.exec(key)?.[1]);
      if (!(value instanceof Uint8Array) || !(type <= 0xffff)) throw unencodable(key, 'an attribute of the schema');
      pushAttr(parts, type, value);
    }
  }
  return Buffer.concat(parts);
}

/** Returns true if one of the rows decoded the attribute. */
function decodeKnown(rows: readonly Row[], data: Uint8Array, out: Record<string, unknown>, brief: boolean): boolean {
  for (const [key, row] of rows) {
    if (row.when !== undefined && out[row.when[0]] !== row.when[1]) continue;
    if (!row.repeated && Object.hasOwn(out, key)) return false;
    const value = row.codec.decode(data, brief);
    if (value === undefined) return false;
    const list = out[key];
    if (!row.repeated) out[key] = value;
    else if (Array.isArray(list)) list.push(value);
    else out[key] = [value];
    return true;
  }
  return false;
}

function pushAttr(parts: Uint8Array[], type: number, data: Uint8Array): void {
  const length = data.length + 4;
  if (length > 0xffff) throw unencodable(`attribute ${type & NLA_TYPE_MASK}`, 'short enough (65,531 bytes)');
  const out = new Uint8Array((length + 3) & ~3);
  out[0] = length & 0xff;
  out[1] = length >> 8;
  out[2] = type & 0xff;
  out[3] = type >> 8;
  out.set(data, 4);
  parts.push(out);
}

function freeKey(out: Readonly<Record<string, unknown>>, base: string): string {
  let key = base;
  for (let n = 1; Object.hasOwn(out, key); n++) key = `${base}.${n}`;
  return key;
}

type Row = readonly [key: string, row: Attr<unknown>];

const indexes = new WeakMap<Attrs, Map<number, Row[]>>();

/** Created when a schema is first decoded, not when its module is loaded. */
function rowsByType(schema: Attrs): Map<number, Row[]> {
  const found = indexes.get(schema);
  if (found !== undefined) return found;
  const made = new Map<number, Row[]>();
  for (const entry of Object.entries(schema)) made.set(entry[1].type, [...(made.get(entry[1].type) ?? []), entry]);
  indexes.set(schema, made);
  return made;
}
