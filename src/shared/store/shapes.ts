import { parseAddr } from '../model/addr.ts';
import { MAX_IFNAME } from '../model/link.ts';
import { parseMac } from '../model/mac.ts';
import { parsePrefix } from '../model/prefix.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Tells whether a value from a row's JSON is what the type of the row says. */
export type Shape = (value: unknown) => boolean;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An object whose listed keys have these shapes. Other keys are allowed: a newer release may have written them. */
export function record(shapes: Readonly<Record<string, Shape>>): Shape {
  const entries = Object.entries(shapes);
  return (value) => isFields(value) && entries.every(([key, shape]) => shape(value[key]));
}

/** An object whose value of `key` names its other shape. */
export function variant(key: string, shapes: Readonly<Record<string, Shape>>): Shape {
  return (value) => {
    if (!isFields(value)) return false;
    const name = value[key];
    return typeof name === 'string' && Object.hasOwn(shapes, name) && shapes[name]?.(value) === true;
  };
}

export function list(shape: Shape): Shape {
  return (value) => Array.isArray(value) && value.every(shape);
}

export function optional(shape: Shape): Shape {
  return (value) => value === undefined || shape(value);
}

export function either(...shapes: readonly Shape[]): Shape {
  return (value) => shapes.some((shape) => shape(value));
}

export function oneOf(...values: readonly unknown[]): Shape {
  return (value) => values.includes(value);
}

export const text: Shape = (value) => typeof value === 'string';
export const flag: Shape = (value) => typeof value === 'boolean';

/** A whole number from 0 that the kernel's 64-bit counters and JSON both hold. */
export const count: Shape = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
export const positive: Shape = (value) => count(value) && value !== 0;
export const u32: Shape = (value) => count(value) && Number(value) <= 0xffffffff;
export const port: Shape = (value) => positive(value) && Number(value) <= 0xffff;

export const addr: Shape = (value) => typeof value === 'string' && parseAddr(value) !== undefined;
export const prefix: Shape = (value) => typeof value === 'string' && parsePrefix(value) !== undefined;
export const mac: Shape = (value) => typeof value === 'string' && parseMac(value) !== undefined;
export const family: Shape = oneOf(4, 6);

/** What the kernel takes as an interface's name: `dev_valid_name`, net/core/dev.c. */
export const device: Shape = (value) =>
  typeof value === 'string' &&
  value !== '' &&
  value !== '.' &&
  value !== '..' &&
  Buffer.byteLength(value) <= MAX_IFNAME &&
  !/[/:\s\0]/.test(value);
