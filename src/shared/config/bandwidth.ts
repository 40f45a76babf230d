import { given } from '../model/given.ts';
import { field, isObject, type Json } from '../model/json.ts';
import type { RateLimit } from '../model/shaping.ts';
import { invalid } from './invalid.ts';

/** Limits as the pod sees them: `ingress` limits what it receives. An absent direction is unlimited. */
export interface Bandwidth {
  readonly ingress?: RateLimit;
  readonly egress?: RateLimit;
}

/** Top-level keys of a configuration, as in the reference bandwidth plugin. */
export const BANDWIDTH_KEYS = ['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst'] as const;

/** A token bucket's burst has 32 bits in bytes. */
const MAX_BURST = 0xffff_ffff * 8;

/**
 * Returns the limits of a configuration: its own keys, or without any, those of the `bandwidth` capability. Zero and
 * null mean no limit; keys match regardless of case. Throws NetError `invalid-config` for a rate without burst, a burst
 * without rate, a burst of 4 GiB or more, and for a value that is not a whole number of bits.
 */
export function parseBandwidth(config: Json): Bandwidth {
  const own = BANDWIDTH_KEYS.some((key) => field(config, key) !== undefined);
  if (own) return parseLimits(config, '');
  const given = field(field(config, 'runtimeConfig'), 'bandwidth');
  if (given === undefined) return {};
  const path = '.runtimeConfig.bandwidth';
  if (isObject(given)) return parseLimits(given, path);
  throw invalid(path, given, 'it is not an object', 'Write { "ingressRate": 1000000, "ingressBurst": 100000 }');
}

function parseLimits(holder: Json, path: string): Bandwidth {
  const ingress = parseLimit(holder, path, 'ingress');
  const egress = parseLimit(holder, path, 'egress');
  return { ...given({ ingress, egress }) };
}

function parseLimit(holder: Json, path: string, direction: 'ingress' | 'egress'): RateLimit | undefined {
  const [rateKey, burstKey] = [`${direction}Rate`, `${direction}Burst`];
  const rate = bits(holder, path, rateKey);
  const burst = bits(holder, path, burstKey);
  if (rate === 0 && burst === 0) return undefined;
  if (burst === 0) {
    const hint = `Add ${burstKey}, in bits: a tenth of a second's worth is usual`;
    throw invalid(`${path}.${rateKey}`, rate, `a rate needs a burst, but there is no ${burstKey}`, hint);
  }
  if (rate === 0) {
    const hint = `Add ${rateKey}, in bits a second, or remove ${burstKey}`;
    throw invalid(`${path}.${burstKey}`, burst, `a burst needs a rate, but there is no ${rateKey}`, hint);
  }
  if (burst >= MAX_BURST) {
    const what = `a burst is less than ${MAX_BURST} bits (4 GiB)`;
    throw invalid(`${path}.${burstKey}`, burst, what, 'Give a smaller one: it is in bits');
  }
  return { rate, burst };
}

/** Caps values beyond the safe integers of JSON numbers. */
function bits(holder: Json, path: string, key: string): number {
  const value = field(holder, key) ?? 0;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) {
    return Math.min(value, Number.MAX_SAFE_INTEGER);
  }
  throw invalid(`${path}.${key}`, value, 'it is not a whole number of bits, 0 or more', 'Write it as 1000000');
}

/** Returns true if at least one direction is limited. */
export function limits({ ingress, egress }: Bandwidth): boolean {
  return ingress !== undefined || egress !== undefined;
}
