import fc from 'fast-check';
import type { CallName } from './parties.ts';
import { runScenario, type Verdict } from './run-scenario.ts';
import { type Scenario, scenarios, stopped } from './scenario.ts';

const CALLS: readonly CallName[] = [
  'ADD',
  'DEL',
  'CHECK',
  'GC',
  'repair',
  'reload',
  'rebuild',
  'docker',
  'network create',
  'network rm',
  'offer',
  'withdraw',
];
const PAIRS = CALLS.flatMap((a, i) => CALLS.slice(i).map((b) => [a, b] as const));
/** How many random schedules run, over all pairs and triples. */
const TOTAL = Number(process.env.ISTHMUS_SCHEDULES ?? 2700);
const RUNS = Math.max(1, Math.round(TOTAL / (PAIRS.length + CALLS.length)));
/** More steps than a call has. */
const LONGEST = 300;

/** A failure prints a seed and a path: with both, that very schedule runs again. */
function replay(): { seed?: number; path?: string; endOnFailure?: boolean } {
  const { ISTHMUS_SCHEDULE_SEED: seed, ISTHMUS_SCHEDULE_PATH: path } = process.env;
  if (seed === undefined) return {};
  return { seed: Number(seed), ...(path === undefined ? {} : { path, endOnFailure: true }) };
}

function check(names: readonly CallName[]): Promise<void> {
  const hold = async (scenario: Scenario): Promise<void> => {
    const verdict = await runScenario(scenario);
    if (verdict.faults.length > 0) throw new Error(report(verdict));
  };
  return fc.assert(fc.asyncProperty(scenarios(names), hold), { numRuns: RUNS, ...replay() });
}

/** Stops `first` before each of its steps and runs `second` whole there. Throws the first failure, and says how many. */
async function sweep(first: CallName, second: CallName, apart: boolean): Promise<void> {
  const failed: { readonly steps: number; readonly verdict: Verdict }[] = [];
  for (let steps = 0; steps < LONGEST; steps++) {
    const verdict = await runScenario(stopped([first, second], steps, apart));
    if (verdict.faults.length > 0) failed.push({ steps, verdict });
    const [a, b] = verdict.outcomes;
    if (a?.end !== undefined && b?.begin !== undefined && a.end < b.begin) break;
  }
  const [worst] = failed;
  if (worst === undefined) return;
  const where = failed.map(({ steps }) => steps).join(', ');
  throw new Error(`${first} fails when it is stopped after ${where} steps; the first:${report(worst.verdict)}`);
}

function report({ faults, lines }: Verdict): string {
  return ['', ...faults, 'after', ...lines].join('\n');
}

describe('property: schedules', function () {
  this.timeout(0);
  for (const first of CALLS) {
    for (const second of CALLS) {
      for (const apart of [true, false]) {
        const where = apart ? 'of another process' : 'of the same process';
        it(`stopped: ${second} ${where} runs between any two steps of ${first}`, () => sweep(first, second, apart));
      }
    }
  }
  for (const pair of PAIRS) {
    it(`random: ${pair.join(' beside ')} leaves what a serial order leaves`, () => check(pair));
  }
  for (const name of CALLS) {
    it(`random: ${name} beside ADD and DEL leaves what a serial order leaves`, () => check([name, 'ADD', 'DEL']));
  }
});
