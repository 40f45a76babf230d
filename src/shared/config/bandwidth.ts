import { given } from '../model/given.ts';
import type { RateLimit } from '../model/shaping.ts';
import { field, isObject, type Json } from './fields.ts';
import { invalid } from './invalid.ts';

/** Limits as the pod sees them: `ingress` is what it receives. A direction that is absent has none. */
export interface Bandwidth {
  readonly ingress?: RateLimit;
  readonly egress?: RateLimit;
}

/** Keys at the top of a configuration, as the reference bandwidth plugin has them. */
export const BANDWIDTH_KEYS = ['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst'] as const;

/** A token bucket's burst has 32 bits in bytes. */
const MAX_BURST = 0xffff_ffff * 8;

/**
 * The limits of a configuration: its own keys, or where it has none of them those of the `bandwidth` capability. Zero
 * and null are no limit; keys are matched without regard to case.
 * Throws NetError `invalid-config` for a rate without burst, a burst without rate, a burst of 4 GiB or more, and for
 * what is no whole number of bits.
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

/** More than JSON numbers can tell apart is as much as they can. */
function bits(holder: Json, path: string, key: string): number {
  const value = field(holder, key) ?? 0;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) {
    return Math.min(value, Number.MAX_SAFE_INTEGER);
  }
  throw invalid(`${path}.${key}`, value, 'it is not a whole number of bits, 0 or more', 'Write it as 1000000');
}

/** True where something is limited. */
export function limits({ ingress, egress }: Bandwidth): boolean {
  return ingress !== undefined || egress !== undefined;
}
