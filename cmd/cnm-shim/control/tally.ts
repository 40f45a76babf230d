import type { Times } from '../../../src/shared/runtime/phases.ts';

/** Upper bounds of the buckets, in seconds. An ADD through the daemon takes 1 to 5 ms, a delegated one 10 ms and more. */
export const BOUNDS: readonly number[] = [
  ...[0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05],
  ...[0.1, 0.25, 0.5, 1, 2.5, 10, 60],
];

/** A histogram as plain numbers. */
export interface Counted {
  readonly labels: Readonly<Record<string, string>>;
  /** How many were in each bucket alone; the last one has no bound. */
  readonly buckets: readonly number[];
  readonly count: number;
  /** Seconds. */
  readonly sum: number;
}

class Histogram implements Counted {
  readonly labels: Readonly<Record<string, string>>;
  readonly buckets: number[] = new Array(BOUNDS.length + 1).fill(0);
  count = 0;
  sum = 0;

  constructor(labels: Readonly<Record<string, string>>) {
    this.labels = labels;
  }

  add(ms: number): void {
    const seconds = ms / 1000;
    let at = 0;
    while (at < BOUNDS.length && seconds > (BOUNDS[at] ?? 0)) at++;
    this.buckets[at] = (this.buckets[at] ?? 0) + 1;
    this.count++;
    this.sum += seconds;
  }
}

/** Histograms by two words, which make no new text to be looked up. */
class Histograms {
  readonly #found = new Map<string, Map<string, Histogram>>();

  at(first: string, second: string, labels: () => Readonly<Record<string, string>>): Histogram {
    let inner = this.#found.get(first);
    if (inner === undefined) {
      inner = new Map();
      this.#found.set(first, inner);
    }
    let found = inner.get(second);
    if (found === undefined) {
      found = new Histogram(labels());
      inner.set(second, found);
    }
    return found;
  }

  all(): readonly Counted[] {
    return [...this.#found.values()].flatMap((inner) => [...inner.values()]);
  }
}

/** Counts operations and their phases, from the daemon's start. Nothing that a caller chooses becomes a label. */
export class Tally {
  readonly #operations = new Histograms();
  readonly #phases = new Histograms();
  /** What reconciliation has restored. */
  restored = 0;

  add(camp: string, operation: string, result: string, { ms, phases }: Times): void {
    this.#operations.at(operation, result, () => ({ camp, operation, result })).add(ms);
    for (const phase in phases) this.#phases.at(operation, phase, () => ({ operation, phase })).add(phases[phase] ?? 0);
  }

  /** By camp, operation and result. */
  operations(): readonly Counted[] {
    return this.#operations.all();
  }

  /** By operation and phase. */
  phases(): readonly Counted[] {
    return this.#phases.all();
  }
}
