import fc from 'fast-check';
import type { CallName } from './parties.ts';
import { runScenario, type Scenario, scenarios } from './scenario.ts';

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

/** How many schedules run, over all pairs and triples. */
const TOTAL = Number(process.env.ISTHMUS_SCHEDULES ?? 4000);
const SEED = process.env.ISTHMUS_SCHEDULE_SEED;
const PAIRS = CALLS.flatMap((a, i) => CALLS.slice(i).map((b) => [a, b] as const));
const RUNS = Math.max(1, Math.round(TOTAL / (PAIRS.length + CALLS.length)));

async function hold(scenario: Scenario): Promise<void> {
  const { faults, lines } = await runScenario(scenario);
  if (faults.length > 0) throw new Error(['', ...faults, 'after', ...lines].join('\n'));
}

function check(names: readonly CallName[], numRuns: number): Promise<void> {
  const seed = SEED === undefined ? {} : { seed: Number(SEED) };
  return fc.assert(fc.asyncProperty(scenarios(names), hold), { numRuns, ...seed });
}

describe('property: schedules', function () {
  this.timeout(0);
  for (const pair of PAIRS) {
    it(`${pair.join(' beside ')}: records, kernel and packet filter are what a serial order gives`, () =>
      check(pair, RUNS));
  }
  for (const name of CALLS) {
    it(`${name} beside ADD and DEL: records, kernel and packet filter are what a serial order gives`, () =>
      check([name, 'ADD', 'DEL'], RUNS));
  }
});
