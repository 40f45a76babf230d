import { strict as assert } from 'node:assert';
import type { Core } from '../../src/shared/core/core.ts';
import { type PoolCandidate, type PoolContext, type PoolRequest, requestPool } from '../../src/shared/core/pools.ts';
import { type Prefix, parsePrefix } from '../../src/shared/model/prefix.ts';
import type { PoolRow } from '../../src/shared/store/store.ts';

export function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text);
  assert.ok(prefix, text);
  return prefix;
}

/** `base=10.1.0.0/22,size=24`, as `isthmus serve --address-pool` takes it. */
export function candidate(text: string): PoolCandidate {
  const [, base = '', size] = /^base=(\S+),size=(\d+)$/.exec(text) ?? [];
  return { base: prefixOf(base), size: Number(size) };
}

const CANDIDATES = ['base=10.192.0.0/12,size=22', 'base=fd00:1::/48,size=64'].map(candidate);

/** Asks a core for pools: IPv4 ones, from the default candidates, where nothing else is said. */
export function poolsOn(core: Core): {
  ask: (request?: Partial<PoolRequest>, context?: Partial<PoolContext>) => PoolRow;
} {
  return {
    ask: (request = {}, context = {}) =>
      requestPool(core, { v6: false, ...request }, { candidates: CANDIDATES, avoid: [], now: 1, ...context }),
  };
}
