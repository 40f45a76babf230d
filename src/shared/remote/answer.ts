import type { NetError } from '../errors/net-error.ts';
import { type Addr, type Family, parseAddr } from '../model/addr.ts';
import { field, isObject } from '../model/json.ts';
import { isUnicastMac, parseMac } from '../model/mac.ts';
import { type Prefix, parsePrefix } from '../model/prefix.ts';
import { show, unreadable } from './failures.ts';

const LONGEST_TEXT = 4096;
const DEEPEST = 32;

/** Whose answer it is, for messages. */
interface Source {
  readonly plugin: string;
  readonly method: string;
}

/**
 * An object in a plugin's answer. Its getters return the value of a key, undefined for an absent, `null` or empty one,
 * and throw NetError `delegate` for any other value than they promise. Keys match regardless of case, as in Go.
 */
export class Answer {
  readonly #source: Source;
  readonly #value: unknown;
  /** Of this object in the whole answer: `Interface.`, or empty. */
  readonly #path: string;

  constructor(source: Source, value: unknown, path = '') {
    this.#source = source;
    this.#value = value;
    this.#path = path;
  }

  text(key: string): string | undefined {
    const value = field(this.#value, key);
    if (value === undefined || value === '') return undefined;
    if (typeof value !== 'string') throw this.wrong(key, 'is not a text');
    if (value.length > LONGEST_TEXT) throw this.wrong(key, `is longer than ${LONGEST_TEXT} characters`);
    return value;
  }

  /** Like `text`, for a value that the protocol demands. */
  required(key: string): string {
    const value = this.text(key);
    if (value === undefined) throw this.wrong(key, 'is missing');
    return value;
  }

  /** False if absent. */
  flag(key: string): boolean {
    const value = field(this.#value, key) ?? false;
    if (typeof value !== 'boolean') throw this.wrong(key, 'is not true or false');
    return value;
  }

  prefix(key: string, family?: Family): Prefix | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw this.wrong(key, 'is not an address with a prefix length');
    if (family !== undefined && prefix.addr.family !== family) throw this.wrong(key, `is not of IPv${family}`);
    return prefix;
  }

  addr(key: string, family?: Family): Addr | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const addr = parseAddr(text);
    if (addr === undefined) throw this.wrong(key, 'is not an IP address');
    if (family !== undefined && addr.family !== family) throw this.wrong(key, `is not of IPv${family}`);
    return addr;
  }

  mac(key: string): string | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const mac = parseMac(text);
    if (mac === undefined) throw this.wrong(key, 'is not a MAC address');
    if (!isUnicastMac(mac)) throw this.wrong(key, 'is a MAC address that no interface can have');
    return mac;
  }

  integer(key: string): number | undefined {
    const value = field(this.#value, key);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw this.wrong(key, 'is not an integer');
    return value;
  }

  /** An object in this one; an empty one if absent. */
  inner(key: string): Answer {
    const value = field(this.#value, key) ?? {};
    if (!isObject(value)) throw this.wrong(key, 'is not an object');
    return new Answer(this.#source, value, `${this.#path}${key}.`);
  }

  /** The objects of a list; none if absent. */
  list(key: string, most: number): readonly Answer[] {
    const value = field(this.#value, key) ?? [];
    if (!Array.isArray(value)) throw this.wrong(key, 'is not a list');
    if (value.length > most) throw this.wrong(key, `has more than ${most} items`);
    return value.map((item: unknown, i) => {
      if (!isObject(item)) throw this.wrong(`${key}[${i}]`, 'is not an object', item);
      return new Answer(this.#source, item, `${this.#path}${key}[${i}].`);
    });
  }

  texts(key: string): readonly string[] {
    const value = field(this.#value, key) ?? [];
    if (!Array.isArray(value)) throw this.wrong(key, 'is not a list');
    return value.map((item: unknown, i) => {
      if (typeof item !== 'string') throw this.wrong(`${key}[${i}]`, 'is not a text', item);
      return item;
    });
  }

  /** An object of any JSON values, nested so little that every program can print it. */
  values(key: string): Readonly<Record<string, unknown>> {
    const value = field(this.#value, key) ?? {};
    if (!isObject(value)) throw this.wrong(key, 'is not an object');
    if (depthOf(value) > DEEPEST) throw this.wrong(key, `is nested more than ${DEEPEST} deep`);
    return value;
  }

  /** NetError `delegate` that names plugin, method, key and value. */
  wrong(key: string, what: string, value: unknown = field(this.#value, key)): NetError {
    const { plugin, method } = this.#source;
    const shown = value === undefined ? '' : `=${show(value)}`;
    return unreadable(method, plugin, `its answer has ${this.#path}${key}${shown}, which ${what}`);
  }
}

/** Levels of objects and lists, no more than needed to exceed DEEPEST. */
function depthOf(value: unknown): number {
  let level: unknown[] = [value];
  for (let depth = 0; ; depth++) {
    level = level.filter((item) => typeof item === 'object' && item !== null);
    if (level.length === 0 || depth > DEEPEST) return depth;
    level = level.flatMap((item) => Object.values(item as object));
  }
}
