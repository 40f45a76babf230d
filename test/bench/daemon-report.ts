import type { DaemonTimes, Growth } from './daemon.ts';
import { type Cost, totalOf } from './daemon-cost.ts';
import { atLeast, atMost, compared, countAtMost, markdownTable, type Row, verdict } from './rows.ts';
import { formatTable, milliseconds, type Summary } from './stats.ts';

/** Every row of the daemon's table. */
export function daemonRows(times: DaemonTimes): Row[] {
  const { plain, ports, cost, alone, frames, growth, load, stream, status, fallback, churn } = times;
  const [first, last] = [churn.after[0], churn.after.at(-1)];
  const rows = [
    compared('ADD, bridge and addresses', plain.isthmus.ADD.p50, plain.reference.ADD.p50, 1 / 4),
    compared('the same with ipMasq and a host port', ports.isthmus.ADD.p50, ports.reference.ADD.p50, 1 / 20),
    ...growth.flatMap(growthRows),
    ...costRows('ADD', cost.plain, { cpu: 1.8, calls: 70 }, alone.bareCpu.p50),
    ...costRows('ADD with ipMasq and a host port', cost.ports, { cpu: 2.2, calls: 100 }, alone.bareCpu.p50),
    ...Object.entries(frames).map(([families, kinds]) =>
      countAtMost(`frames to a neighbour for an ADD, ${families}`, kinds.length, families === 'dual stack' ? 4 : 1),
    ),
    compared('ADD without a daemon, to a bare start of its Node', alone.add.p50, alone.bare.p50, 1.25),
    atLeast(`${load.few.count} ADDs, ${load.few.width} at once`, load.few.isthmus.ADD, 350),
    atLeast(`${load.few.count} DELs, ${load.few.width} at once`, load.few.isthmus.DEL, 250),
    atLeast(`${load.many.count} DELs, ${load.many.width} at once`, load.many.isthmus.DEL, 600),
    compared("DEL, to the kernel's deletion of a veth", plain.isthmus.DEL.p50, plain.kernel.p50, 1.3),
    compared(`ADD p99 while ${load.few.count} DELs run, to idle`, stream.busy.p99, stream.idle.p99, 3),
    atMost('STATUS', status.p50, 3, 'ms'),
    atMost('no daemon: extra before exec', fallback.absent.p50 - fallback.plugin.p50, 2, 'ms'),
    atMost('nobody at the socket: extra before exec', fallback.refused.p50 - fallback.plugin.p50, 2, 'ms'),
    ...growth.map((one) =>
      atMost(`daemon's memory ${crowdOf(one)}`, one.rss, one.endpoints > 1000 ? undefined : 90, 'MB'),
    ),
  ];
  if (first === undefined || last === undefined) return rows;
  return [
    ...rows,
    atMost(`after ${last.pairs} ADD/DEL pairs`, last.rss, 90, 'MB'),
    atMost(`its growth since pair ${first.pairs}`, last.rss - first.rss, 5, 'MB'),
  ];
}

/** The ADD may grow by what the kernel takes longer to make a port, and by a tenth. */
function growthRows({ alone, beside, kernel, ...crowd }: Growth): Row[] {
  return (['p50', 'p90'] as const).flatMap((rank) => {
    const kernels = kernel.beside[rank] - kernel.alone[rank];
    const own = beside[rank] - kernels;
    return [
      compared(`that ADD ${crowdOf(crowd)}, to beside none, ${rank}`, beside[rank], alone[rank]),
      compared(`  without the ${milliseconds(kernels)} ms of the kernel's growth`, own, alone[rank], 1.1),
    ];
  });
}

function crowdOf({ endpoints, networks }: Pick<Growth, 'endpoints' | 'networks'>): string {
  return `beside ${endpoints} endpoints${networks === 1 ? '' : ` on ${networks} networks`}`;
}

/** The limits of CPU time are those of a machine on which a bare start of Node takes so much of it. */
const BARE_START_MS = 25;

/** Scales the limit of CPU time by the speed of this machine. */
function costRows(work: string, { cpu, calls }: Cost, limit: { cpu: number; calls: number }, bareStart: number): Row[] {
  const scaled = (limit.cpu * bareStart) / BARE_START_MS;
  return [
    atMost(`daemon's CPU time: ${work} (bare start: ${milliseconds(bareStart)} ms)`, cpu.ADD.whole, scaled, 'ms'),
    countAtMost(`daemon's system calls: ${work}`, totalOf(calls.ADD), limit.calls),
  ];
}

/** Prints the table and the measurements behind its rows. */
export function printDaemon(times: DaemonTimes): void {
  const { plain, ports, load, stream, growth, alone } = times;
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
      ...growth.flatMap((one) => [
        line('ADD beside none', one.alone),
        line(`ADD ${crowdOf(one)}`, one.beside),
        line("kernel's making of a port beside none", one.kernel.alone),
        line(`kernel's making of a port ${crowdOf(one)}`, one.kernel.beside),
      ]),
      line('ADD without a daemon', alone.add),
      line('bare start of Node', alone.bare),
      line('bare start of Node, CPU time', alone.bareCpu),
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
  printCost(times);
}

function printCost({ cost, frames }: DaemonTimes): void {
  const sides = [
    ['', cost.plain],
    [' with ipMasq and a host port', cost.ports],
  ] as const;
  console.log(`\nCost of a call in the daemon (mean of ${cost.plain.count}, one at a time)`);
  const commands = ['ADD', 'DEL'] as const;
  console.log(
    formatTable([
      ['', 'CPU ms', "kernel's part", 'system calls'],
      ...commands.flatMap((command) =>
        sides.map(([label, { cpu, calls }]) => [
          `${command}${label}`,
          cpu[command].whole.toFixed(2),
          cpu[command].system.toFixed(1),
          totalOf(calls[command]).toFixed(1),
        ]),
      ),
    ]),
  );
  for (const command of commands)
    for (const [label, { calls }] of sides) {
      const named = calls[command].map(([name, count]) => `${name} ${Number(count.toFixed(1))}`);
      console.log(`${command}${label}: ${named.join(', ')}`);
    }
  console.log('\nFrames that a neighbour gets for an ADD, in 16 s');
  for (const [families, kinds] of Object.entries(frames)) {
    const counts = [...Map.groupBy(kinds, (kind) => kind)].map(([kind, { length }]) => `${kind} ${length}`);
    console.log(`${families}: ${counts.join(', ') || 'none'}`);
  }
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
  'a daemon has served some hundred pods before. DELs at once begin four seconds after the ADDs.\n' +
  'Beside other endpoints, an ADD may take longer by what the kernel takes longer to make a port, and by 10 %; a C\n' +
  'program makes ports with the messages of an ADD. The limits of CPU time are for a machine on which a bare start of\n' +
  'Node takes 25 ms of it, and scale with that start.)';
