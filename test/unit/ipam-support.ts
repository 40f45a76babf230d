import { strict as assert } from 'node:assert';
import type { RangeSpec } from '../../src/shared/ipam/ranges.ts';
import { type Addr, parseAddr } from '../../src/shared/model/addr.ts';
import { firstOf, lastOf, parsePrefix } from '../../src/shared/model/prefix.ts';

/** A range with host-local's defaults: from .1 to the last one below the broadcast, gateway .1. */
export function range(subnet: string, changes: { start?: string; end?: string; gateway?: string } = {}): RangeSpec {
  const prefix = parsePrefix(subnet);
  assert.ok(prefix, subnet);
  const one: Addr = { family: prefix.addr.family, value: firstOf(prefix).value + 1n };
  const end: Addr = { ...one, value: lastOf(prefix).value - (one.family === 4 ? 1n : 0n) };
  const read = (text: string | undefined, otherwise: Addr): Addr => parseAddr(text ?? '') ?? otherwise;
  return {
    subnet: prefix,
    rangeStart: read(changes.start, one),
    rangeEnd: read(changes.end, end),
    gateway: read(changes.gateway, one),
  };
}
