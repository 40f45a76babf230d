import type { DaemonTimes } from './daemon.ts';
import { atLeast, atMost, compared, markdownTable, type Row, verdict } from './rows.ts';
import { formatTable, milliseconds, type Summary } from './stats.ts';

/** Every row of the daemon's table. */
export function daemonRows(times: DaemonTimes): Row[] {
  const { plain, ports, growth, load, stream, status, fallback, churn } = times;
  const [first, last] = [churn.after[0], churn.after.at(-1)];
  const rows = [
    compared('ADD, bridge and addresses', plain.isthmus.ADD.p50, plain.reference.ADD.p50, 1 / 4),
    compared('the same with ipMasq and a host port', ports.isthmus.ADD.p50, ports.reference.ADD.p50, 1 / 20),
    compared(`that ADD beside ${growth.endpoints} endpoints, to beside none`, growth.beside.p50, growth.alone.p50, 1.1),
    atLeast(`${load.few.count} ADDs, ${load.few.width} at once`, load.few.isthmus.ADD, 200),
    atLeast(`${load.few.count} DELs, ${load.few.width} at once`, load.few.isthmus.DEL, 250),
    atLeast(`${load.many.count} DELs, ${load.many.width} at once`, load.many.isthmus.DEL, 500),
    compared("DEL, to the kernel's deletion of a veth", plain.isthmus.DEL.p50, plain.kernel.p50, 1.3),
    compared(`ADD p99 while ${load.few.count} DELs run, to idle`, stream.busy.p99, stream.idle.p99, 3),
    atMost('STATUS', status.p50, 3, 'ms'),
    atMost('no daemon: extra before exec', fallback.absent.p50 - fallback.plugin.p50, 2, 'ms'),
    atMost('nobody at the socket: extra before exec', fallback.refused.p50 - fallback.plugin.p50, 2, 'ms'),
    atMost(`daemon's memory at ${growth.endpoints} endpoints`, growth.rss, 90, 'MB'),
  ];
  if (first === undefined || last === undefined) return rows;
  return [
    ...rows,
    atMost(`after ${last.pairs} ADD/DEL pairs`, last.rss, 90, 'MB'),
    atMost(`its growth since pair ${first.pairs}`, last.rss - first.rss, 5, 'MB'),
  ];
}

/** Prints the table and the measurements behind its rows. */
export function printDaemon(times: DaemonTimes): void {
  const { plain, ports, load, stream, growth } = times;
  const rows = daemonRows(times).map((row) => cellsOf(row, 'NO'));
  console.log('\nThrough launcher and daemon (medians); the reference is bridge + host-local, and portmap + firewall');
  console.log(HOW);
  console.log(formatTable([HEAD, ...rows]));
  console.log('\nWhat that was taken from (ms)');
  const line = (label: string, { count, p50, p90, p99 }: Summary): string[] => [
    label,
    String(count),
    ...[p50, p90, p99].map(milliseconds),
  ];
  const pairs = [
    ['bridge and addresses', plain],
    ['with ipMasq and a host port', ports],
  ] as const;
  console.log(
    formatTable([
      ['', 'calls', 'p50', 'p90', 'p99'],
      ...(['ADD', 'DEL'] as const).flatMap((command) =>
        pairs.flatMap(([label, sides]) =>
          (['reference', 'isthmus'] as const).map((side) => line(`${command} ${label}, ${side}`, sides[side][command])),
        ),
      ),
      line("kernel's deletion of a veth", plain.kernel),
      line('ADD beside none', growth.alone),
      line(`ADD beside ${growth.endpoints}`, growth.beside),
      line('ADD, idle', stream.idle),
      line('ADD while DELs run', stream.busy),
    ]),
  );
  console.log('\nCalls at once (a second)');
  console.log(
    formatTable([
      ['', 'reference', 'isthmus'],
      ...[load.few, load.many].flatMap(({ count, width, reference, isthmus }) =>
        (['ADD', 'DEL'] as const).map((command) => [
          `${count} ${command}s, ${width} at once`,
          reference[command].toFixed(0),
          isthmus[command].toFixed(0),
        ]),
      ),
    ]),
  );
}

/** The table as Markdown. */
export function markdownOf(times: DaemonTimes): string {
  const [, ...head] = HEAD;
  return markdownTable([['work', ...head], ...daemonRows(times).map((row) => cellsOf(row, '**no**'))]);
}

function cellsOf(row: Row, missed: string): string[] {
  return [row.work, row.measured, row.ratio, row.limit, verdict(row, missed)];
}

const HEAD = ['', 'measured', 'ratio', 'limit', 'met'];
const HOW =
  '(one C program starts the calls of all sides by vfork, stdin and stdout are pipes; a call is timed from before the\n' +
  'start of its first process to the end of its last. The sides take turns, each on a host of its own;\n' +
  'a daemon has served some hundred pods before. DELs at once begin four seconds after the ADDs.)';
