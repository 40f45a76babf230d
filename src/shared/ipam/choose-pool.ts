import { BITS } from '../model/addr.ts';
import { firstOf, lastOf, overlaps, type Prefix } from '../model/prefix.ts';

/** `base`, divided into subnets with prefix length `size`. */
export interface PoolCandidate {
  readonly base: Prefix;
  readonly size: number;
}

/** Addresses in use, and their holder. */
export interface Taken {
  readonly subnet: Prefix;
  /** For people: `route 10.8.0.0/16 dev tun0`. */
  readonly holder: string;
}

/** A subnet, or the holders of all candidates, each once, the widest first. */
export type PoolChoice =
  | { readonly subnet: Prefix; readonly holders?: never }
  | { readonly subnet?: never; readonly holders: readonly string[] };

interface Span {
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * The first subnet of the first candidate that overlaps nothing in `taken`. Candidates of one subnet or of a million
 * take the same time: the search steps from one taken span to the next.
 */
export function choosePool(candidates: readonly PoolCandidate[], taken: readonly Taken[]): PoolChoice {
  const holders: Taken[] = [];
  for (const candidate of candidates) {
    const inside = taken.filter(({ subnet }) => overlaps(subnet, candidate.base));
    const subnet = firstFree(candidate, inside.map(spanOf).sort(byFirst));
    if (subnet !== undefined) return { subnet };
    holders.push(...inside);
  }
  const widest = holders.toSorted((a, b) => a.subnet.length - b.subnet.length);
  return { holders: [...new Set(widest.map(({ holder }) => holder))] };
}

function firstFree({ base, size }: PoolCandidate, taken: readonly Span[]): Prefix | undefined {
  const { family } = base.addr;
  const step = 1n << BigInt(BITS[family] - size);
  const end = lastOf(base).value;
  let first = firstOf(base).value;
  for (const span of taken) {
    if (span.first >= first + step) break;
    // Subnets start at multiples of their size.
    if (span.last >= first) first = ((span.last + step) / step) * step;
  }
  return first + step - 1n > end ? undefined : { addr: { family, value: first }, length: size };
}

function spanOf({ subnet }: Taken): Span {
  return { first: firstOf(subnet).value, last: lastOf(subnet).value };
}

function byFirst(a: Span, b: Span): number {
  return a.first < b.first ? -1 : a.first > b.first ? 1 : 0;
}
