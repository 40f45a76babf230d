import { show } from '../../../../src/shared/config/invalid.ts';
import { LIMITS } from '../../../../src/shared/config/limits.ts';
import { fault } from '../../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../../src/shared/errors/net-error.ts';
import { type Addr, type Family, parseAddr } from '../../../../src/shared/model/addr.ts';
import { field, isObject, type Json } from '../../../../src/shared/model/json.ts';
import { isUnicastMac, parseMac } from '../../../../src/shared/model/mac.ts';
import { type Prefix, parsePrefix } from '../../../../src/shared/model/prefix.ts';

/**
 * One value of a request and its path: `.IPv4Data[0].Pool`. As in Go, readers treat null like a missing key and ignore
 * the case of keys.
 */
export interface Part {
  readonly path: string;
  readonly value: unknown;
}

export type TextMap = Readonly<Record<string, string>>;

/** NetError `invalid-config`: `request .Interface.Address="x": it is not …. <rule>`. */
export function refusal({ path, value }: Part, what: string, rule: string): NetError {
  const subject = value === undefined ? path : `${path}=${show(value)}`;
  return fault.invalidConfig('request', subject, what, rule);
}

/** The whole body. */
export function bodyPart(value: unknown): Part {
  if (isObject(value)) return asObject({ path: '', value });
  throw refusal({ path: 'body', value }, 'it is not an object', 'A request is a JSON object');
}

export function part(of: Part, key: string): Part {
  return { path: `${of.path}.${key}`, value: field(of.value, key) };
}

/** A key of Docker's options; their names contain dots. */
export function optionPart(of: Part, key: string): Part {
  return { path: `${of.path}["${key}"]`, value: field(of.value, key) };
}

/** The object at `key`; empty if absent. */
export function objectAt(of: Part, key: string): Part & { readonly value: Json } {
  return asObject(part(of, key));
}

function asObject({ path, value }: Part): Part & { readonly value: Json } {
  if (value === undefined) return { path, value: {} };
  if (!isObject(value)) throw refusal({ path, value }, 'it is not an object', 'Give an object, or null');
  const keys = Object.keys(value).length;
  if (keys <= LIMITS.dockerKeys) return { path, value };
  throw refusal({ path: path || 'body', value: undefined }, `it has ${keys} keys`, `Give ${LIMITS.dockerKeys} at most`);
}

/** At most `limit` items. */
export function asList({ path, value }: Part, limit = Number.POSITIVE_INFINITY): Part[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.length > limit)
    throw refusal({ path, value: undefined }, `it has ${value.length} items`, `Give ${limit} at most`);
  if (Array.isArray(value)) return value.map((item: unknown, i) => ({ path: `${path}[${i}]`, value: item }));
  throw refusal({ path, value }, 'it is not a list', 'Give a list, or null');
}

/** Undefined for an empty string too. */
function asText(given: Part): string | undefined {
  const { value } = given;
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw refusal(given, 'it is not a string', 'Give a string');
}

export function textAt(of: Part, key: string): string | undefined {
  return asText(part(of, key));
}

export function requiredAt(of: Part, key: string): string {
  const text = textAt(of, key);
  if (text !== undefined) return text;
  throw refusal(part(of, key), 'it is missing', 'Every request of this kind names it');
}

/** Names of interfaces and records contain its beginning. Swarm's ids have 25 characters, all others 64. */
const ID = /^[0-9A-Za-z]{12,128}$/;

export function idAt(of: Part, key: string): string {
  const id = requiredAt(of, key);
  if (ID.test(id)) return id;
  throw refusal(part(of, key), 'it is not an id', 'Ids are 12 to 128 letters and digits');
}

/** The default if absent: false unless given. */
export function asFlag(given: Part, missing = false): boolean {
  const { value = missing } = given;
  if (typeof value === 'boolean') return value;
  throw refusal(given, 'it is neither true nor false', 'Give a boolean');
}

export function asInteger(given: Part, from: number, to: number, missing?: number): number {
  const { value = missing } = given;
  if (typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to) return value;
  const what = value === undefined ? 'it is missing' : 'it is out of range or no whole number';
  throw refusal(given, what, `Give a whole number from ${from} to ${to}`);
}

/** An object whose values are all strings. */
export function asTextMap(given: Part): TextMap {
  const { path, value } = asObject(given);
  for (const [key, inner] of Object.entries(value))
    if (typeof inner !== 'string')
      throw refusal({ path: `${path}["${key}"]`, value: inner }, 'it is not a string', 'Options are strings');
  return value as TextMap;
}

/** An address with a prefix length, host bits kept. */
export function asPrefix(given: Part, family?: Family): Prefix | undefined {
  const text = asText(given);
  if (text === undefined) return undefined;
  const prefix = parsePrefix(text);
  if (prefix !== undefined && (family === undefined || prefix.addr.family === family)) return prefix;
  const example = family === 6 ? 'fd00:1::2/64' : '10.1.0.2/16';
  throw refusal(given, `it is not an ${nameOf(family)} address with a prefix length`, `Write it as in ${example}`);
}

export function asAddr(given: Part): Addr | undefined {
  const text = asText(given);
  if (text === undefined) return undefined;
  const addr = parseAddr(text);
  if (addr !== undefined) return addr;
  throw refusal(given, 'it is not an IP address', 'Write it as in 10.1.0.2 or fd00:1::2');
}

/** Lower-case, with colons. */
export function asMac(given: Part): string | undefined {
  const text = asText(given);
  if (text === undefined) return undefined;
  const mac = parseMac(text);
  if (mac !== undefined && isUnicastMac(mac)) return mac;
  throw refusal(given, 'no interface can have this MAC address', 'Write it as in 02:42:ac:11:00:02');
}

function nameOf(family: Family | undefined): string {
  return family === undefined ? 'IP' : `IPv${family}`;
}
