import type { Command } from 'commander';
import { visible, visibleJson } from '../../../src/shared/model/visible.ts';
import { formatSubject, type OperationEvent } from '../control/operations.ts';
import { addFilter, addOutput, type Filters, type OutputOptions, passes, printJson } from './output.ts';
import { runDirOption } from './state.ts';
import { writeOut } from './stdout.ts';

const EXAMPLES = `
The daemon keeps its last 1,000 operations: CNI calls, calls of dockerd, and what it has restored by itself. A line has
the time, who called, the operation, its result, milliseconds, what it was about, and the milliseconds of each phase.
Calls that the stand-alone plugin answers are not among them.

Examples:
  isthmus events                                 the last operations, the oldest first
  isthmus events --follow                        also those that come, until Ctrl-C
  isthmus events --filter result=error           those that failed
  isthmus events --filter container=1f0c2d --filter operation=ADD
  isthmus events -o json | jq '.[] | select(.ms > 100)'
  isthmus events --follow -o json                one JSON object a line
`;

interface EventsOptions extends OutputOptions {
  readonly runDir: string;
  readonly follow?: boolean;
  readonly filter?: readonly string[];
}

const FILTERS: Filters<OperationEvent> = {
  camp: ({ camp }, value) => camp === value,
  operation: ({ operation }, value) => operation.toLowerCase() === value.toLowerCase(),
  result: ({ result }, value) => result === value,
  network: ({ subject }, value) => subject.network === value,
  container: ({ subject }, value) => startsWith(subject.container, value),
  endpoint: ({ subject }, value) => startsWith(subject.endpoint, value),
};

/** Adds the verb `events`, alias `logs`, to `program`. */
export function addEvents(program: Command): void {
  const events = program.command('events').alias('logs').summary("show the daemon's last operations");
  addFilter(addOutput(events), FILTERS)
    .option('-w, --follow', 'go on with those that come')
    .addOption(runDirOption("the daemon's directory"))
    .addHelpText('after', EXAMPLES)
    .action(async ({ output, format = output, follow = false, filter = [], runDir }: EventsOptions) => {
      const { daemonEvents } = await import('../control/client.ts');
      const events = daemonEvents(runDir, follow);
      if (format === 'json' && !follow) {
        printJson((await Array.fromAsync(events)).filter((event) => passes(event, filter, FILTERS)));
        return;
      }
      const line = format === 'json' ? (event: OperationEvent) => visibleJson(JSON.stringify(event)) : formatEvent;
      for await (const event of events) {
        // As `| head` does, the reader may leave while more come.
        if (passes(event, filter, FILTERS) && !writeOut(`${line(event)}\n`)) return;
      }
    });
}

/** One line for people. */
export function formatEvent(event: OperationEvent): string {
  const { at, camp, operation, result, ms, subject, phases, message, did = [], traceparent } = event;
  const spent = Object.entries(phases).map(([phase, time]) => `${phase} ${time}`);
  const parts = [
    ...[at, camp.padEnd(6), operation.padEnd(9), result.padEnd(5), `${ms} ms`.padStart(10), formatSubject(subject)],
    ...(spent.length === 0 ? [] : [`(${spent.join(', ')})`]),
    ...(traceparent === undefined ? [] : [traceparent]),
    ...(message === undefined ? [] : [message]),
    ...(did.length === 0 ? [] : [did.join('; ')]),
  ];
  return visible(parts.join('  ').trimEnd());
}

function startsWith(value: string | number | undefined, wanted: string): boolean {
  return typeof value === 'string' && value.startsWith(wanted);
}
