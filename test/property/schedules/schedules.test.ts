import fc from 'fast-check';
import type { CallName } from './parties.ts';
import { runScenario, type Verdict } from './run-scenario.ts';
import { type Scenario, type Sweep, scenarios, stopped } from './scenario.ts';

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
const OF_PODS: readonly CallName[] = ['ADD', 'DEL', 'CHECK', 'GC'];
const PAIRS = CALLS.flatMap((a, i) => CALLS.slice(i).map((b) => [a, b] as const));
/** The number of random schedules, over all pairs and triples. */
const TOTAL = Number(process.env.ISTHMUS_SCHEDULES ?? 900);
const RUNS = Math.max(1, Math.round(TOTAL / (PAIRS.length + CALLS.length)));
/** More steps than a call has. */
const LONGEST = 300;
let ran = 0;

/** A failure prints a seed and a path: together they run that schedule again. */
function replay(): { seed?: number; path?: string; endOnFailure?: boolean } {
  const { ISTHMUS_SCHEDULE_SEED: seed, ISTHMUS_SCHEDULE_PATH: path } = process.env;
  if (seed === undefined) return {};
  return { seed: Number(seed), ...(path === undefined ? {} : { path, endOnFailure: true }) };
}

function check(names: readonly CallName[]): Promise<void> {
  const hold = async (scenario: Scenario): Promise<void> => {
    ran++;
    const verdict = await runScenario(scenario);
    if (verdict.faults.length > 0) throw new Error(report(verdict));
  };
  return fc.assert(fc.asyncProperty(scenarios(names), hold), { numRuns: RUNS, ...replay() });
}

/** Runs `second` whole before each step of `first`. Throws the first failure, with all step counts. */
async function sweep(what: Sweep): Promise<void> {
  const failed: { readonly steps: number; readonly verdict: Verdict }[] = [];
  for (let steps = 0; steps < LONGEST; steps++) {
    ran++;
    const verdict = await runScenario(stopped(what, steps));
    if (verdict.faults.length > 0) failed.push({ steps, verdict });
    const [a, b] = verdict.outcomes;
    if (a?.end !== undefined && b?.begin !== undefined && a.end < b.begin) break;
  }
  const [worst] = failed;
  if (worst === undefined) return;
  const where = failed.map(({ steps }) => steps).join(', ');
  throw new Error(`${what.first} fails when it is stopped after ${where} steps; the first:${report(worst.verdict)}`);
}

function report({ faults, lines }: Verdict): string {
  return ['', ...faults, 'after', ...lines].join('\n');
}

describe('property: schedules', function () {
  this.timeout(0);
  after(() => console.log(`    ${ran} schedules`));
  for (const first of CALLS) {
    for (const second of CALLS) {
      for (const apart of [true, false]) {
        const where = apart ? 'of another process' : 'of the same process';
        const title = `stopped: ${second} ${where} runs between any two steps of ${first}`;
        it(title, () => sweep({ first, second, of: 'c1', apart }));
        if (OF_PODS.includes(first) && OF_PODS.includes(second))
          it(`${title}, each about another pod`, () => sweep({ first, second, of: 'c2', apart }));
      }
    }
  }
  for (const pair of PAIRS) {
    it(`random: ${pair.join(' beside ')} ends as in a serial order`, () => check(pair));
  }
  for (const name of CALLS) {
    it(`random: ${name} beside ADD and DEL ends as in a serial order`, () => check([name, 'ADD', 'DEL']));
  }
});
