import type { Label } from './gate.ts';
import type { Point } from './incarnation.ts';
import { type Outcome, type Party, Process, type Watcher } from './process.ts';
import type { World } from './world.ts';

/** More steps than any schedule has. */
const LIMIT = 20_000;

/** Determines which party runs when. */
export interface Schedule {
  /** The party that starts. */
  readonly first: number;
  /** Steps of each turn, in order; the party changes with each turn. Afterwards each party runs whole. */
  readonly turns: readonly number[];
  /** The party whose process dies, and the number of steps that it does first. */
  readonly kill?: { readonly party: number; readonly step: number } | undefined;
}

export interface ProcessSpec {
  readonly parties: readonly Party[];
  readonly isDaemon: boolean;
}

export interface Run {
  /** In the order of the parties. */
  readonly outcomes: readonly Outcome[];
  /** The executed steps, as numbered lines. */
  readonly lines: readonly string[];
  /** The reason why the schedule did not finish; absent if it did. */
  readonly stuck?: string;
}

/** Runs until all parties have ended or were killed. Parties are numbered over all processes. */
export async function runSchedule(
  world: World,
  specs: readonly ProcessSpec[],
  { first, turns, kill }: Schedule,
  nameOf: (lock: string) => string = (key) => key,
): Promise<Run> {
  const trace = new Trace(specs);
  const done: number[] = [];
  let left = 0;
  let clock = 0;
  const isLeft = (party: number, point: Point): boolean =>
    places.some(
      ({ process, number }) =>
        number !== party && (point === 'await' || process !== places[party]?.process) && process.canRun(number),
    );
  const watcher: Watcher = {
    before: (party, point) => {
      if (clock > LIMIT) throw new Error(`more than ${LIMIT} steps`);
      const count = done[party] ?? 0;
      if (point !== 'part' && left <= 0 && isLeft(party, point)) return 'stop';
      if (kill?.party === party && count >= kill.step) return 'kill';
      done[party] = count + 1;
      clock++;
      if (point !== 'part') left--;
      return 'go';
    },
    tell: (party, label) => trace.add(party, label),
    now: () => clock++,
  };
  const places: { readonly process: Process; readonly number: number }[] = [];
  const canRun = (party: number): boolean => places[party]?.process.canRun(party) ?? false;
  for (const [number, { parties, isDaemon }] of specs.entries()) {
    const numbered = new Map(parties.map((party, i) => [places.length + i, party]));
    const process = new Process(number, numbered, { world, watcher, isDaemon, nameOf });
    for (const party of numbered.keys()) places.push({ process, number: party });
  }
  const outcomes = (): Outcome[] => places.map(({ process, number }) => process.outcomes.get(number) ?? {});
  const endless = function* (): Generator<number> {
    yield* turns;
    for (;;) yield Number.POSITIVE_INFINITY;
  };
  let current = first % places.length;
  for (const turn of endless()) {
    if (places.every(({ process, number }) => process.isDone(number))) break;
    const next = places.map((_, i) => (current + i) % places.length).find(canRun);
    if (next === undefined) {
      const waits = places.filter(({ process, number }) => !process.isDone(number));
      const stuck = waits
        .map(({ process, number }) => `${trace.nameOf(number)} ${process.waitsFor(number)}`)
        .join(' and ');
      return { outcomes: outcomes(), lines: trace.lines, stuck: `nobody can go on: ${stuck}` };
    }
    left = turn;
    await places[next]?.process.advance(next);
    current = next + 1;
  }
  return { outcomes: outcomes(), lines: trace.lines };
}

/** Logs the steps. */
class Trace {
  readonly #names: readonly string[];
  readonly #steps: { readonly party: number; text: string; readonly reads: boolean }[] = [];

  constructor(specs: readonly ProcessSpec[]) {
    this.#names = specs.flatMap(({ parties }, process) =>
      parties.map(({ name }) => `process ${String.fromCharCode(65 + process)}: ${name}`),
    );
  }

  nameOf(party: number): string {
    return this.#names[party] ?? '';
  }

  add(party: number, { what, reads = false }: Label): void {
    const last = this.#steps.at(-1);
    if (reads && last?.reads && last.party === party) last.text += `, ${what}`;
    else this.#steps.push({ party, text: reads ? `reads ${what}` : what, reads });
  }

  get lines(): string[] {
    return this.#steps.map(({ party, text }, i) => `${String(i + 1).padStart(3)}. ${this.nameOf(party)} ${text}`);
  }
}
