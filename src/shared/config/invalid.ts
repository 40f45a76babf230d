import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';

const LONGEST = 100;

/**
 * NetError `invalid-config` about the value at a JSON path: `.ipam.subnet="10.0.0.1/24": <what>. <hint>`; without a
 * value, the path alone.
 */
export function invalid(path: string, value: unknown, what: string, hint: string): NetError {
  const subject = value === undefined ? path : `${path}=${show(value)}`;
  return fault.invalidConfig('config', subject, what, hint);
}

/** JSON of a value, truncated if long. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
