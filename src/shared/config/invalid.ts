import { NetError } from '../errors/net-error.ts';

const LONGEST = 100;

/** NetError `invalid-config` about the value at a JSON path: `.ipam.subnet="10.0.0.1/24": <what>. <hint>`. */
export function invalid(path: string, value: unknown, what: string, hint: string): NetError {
  return new NetError({ kind: 'invalid-config', op: 'config', subject: `${path}=${show(value)}`, what, hint });
}

/** JSON of a value, cut off where it is long; `nothing` for an absent one. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
