import { atMost, compared, markdownTable, type Row, verdict } from './rows.ts';
import { formatTable, milliseconds } from './stats.ts';
import type { VerbTimes } from './verbs.ts';

/** Of a verb that looks, of doctor without probes, and of the daemon's part of status. */
const [LOOK_MS, DOCTOR_MS, STATUS_COST_MS] = [150, 2000, 5];

/** Every row of the verbs' table. */
export function verbRows({ verbs, bare, docker }: VerbTimes): Row[] {
  return [
    atMost('node -e 0, stripped', bare.p50, undefined, 'ms'),
    ...verbs.map(({ verb, time }) => atMost(verb, time.p50, verb === 'doctor' ? DOCTOR_MS : LOOK_MS, 'ms')),
    ...verbs
      .filter(({ verb }) => verb === 'status')
      .map(({ daemon }) => atMost("status, the daemon's CPU", daemon, STATUS_COST_MS, 'ms')),
    ...verbs.flatMap(({ verb, time }) =>
      docker === undefined || verb !== 'endpoint ls -o json'
        ? []
        : [compared(`${verb} : docker network inspect`, time.p50, docker.p50)],
    ),
  ];
}

/** Prints the table, and the CPU time behind its rows. */
export function printVerbs(times: VerbTimes): void {
  console.log(`\nVerbs that look, ${titleOf(times)}`);
  console.log('(from the start of the executable to its end, in turn, with the daemon; medians)');
  console.log(formatTable([HEAD, ...verbRows(times).map((row) => cellsOf(row, 'NO'))]));
  console.log("\nWhat that was taken from (ms): CPU of the verb's process, and of the daemon meanwhile");
  console.log(
    formatTable([
      ['', 'calls', 'p50', 'p90', 'CPU', "daemon's"],
      ...times.verbs.map(({ verb, time, cpu, daemon }) => [
        verb,
        String(time.count),
        ...[time.p50, time.p90, cpu, daemon].map(milliseconds),
      ]),
    ]),
  );
}

/** The table as Markdown. */
export function verbsMarkdown(times: VerbTimes): string {
  const [, ...head] = HEAD;
  return markdownTable([[titleOf(times), ...head], ...verbRows(times).map((row) => cellsOf(row, '**no**'))]);
}

function titleOf({ endpoints, networks }: VerbTimes): string {
  return `${endpoints} endpoints on ${networks} networks`;
}

function cellsOf(row: Row, missed: string): string[] {
  return [row.work, row.measured, row.ratio, row.limit, verdict(row, missed)];
}

const HEAD = ['', 'measured', 'ratio', 'limit', 'met'];
