import type { Op } from '../model/op.ts';

/** `first`, then what `then` has beyond it; a step that both have is kept where it comes last. */
export function mergeUndo(first: readonly Op[], then: readonly Op[]): Op[] {
  const later = new Set(then.map((op) => JSON.stringify(op)));
  return [...first.filter((op) => !later.has(JSON.stringify(op))), ...then];
}

/** One lock a device, not a network: two networks may share a bridge. */
export function deviceKey(device: string): string {
  return `device:${device}`;
}
