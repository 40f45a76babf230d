import { COMMANDS, type Rates, type Times } from './calls.ts';
import type { ChainTimes } from './chains.ts';
import type { FirewallTimes } from './firewaller.ts';
import type { LeaseTimes } from './leases.ts';
import { formatTable, milliseconds, type Summary } from './stats.ts';

export const AT_ONCE = 8;
export const STARTS = ['node', 'packaged', 'reference'] as const;

/** One step of the crowd: the number of others, and the time of each side beside them. */
export interface CrowdStep {
  readonly endpoints: number;
  readonly times: Readonly<Record<string, ChainTimes>>;
}

/** The machine of a run. */
export type Machine = Readonly<
  Record<'cpu' | 'cores' | 'memoryGB' | 'load' | 'kernel' | 'system' | 'node', string | number>
>;

export function machineLine({ cpu, cores, memoryGB, load, kernel, system, node }: Machine): string {
  return `${cpu}, ${cores} cores, ${memoryGB} GB, load ${load}, Linux ${kernel}, ${system}, Node ${node}`;
}

/** The measurements of single calls and their parts in one run. */
export interface Report {
  readonly sequential: Readonly<Record<string, Times>>;
  readonly perSecond: Readonly<Record<string, Rates>>;
  readonly start: Readonly<Record<(typeof STARTS)[number], Summary>>;
  readonly peakMemoryMB: Readonly<Record<string, Rates>>;
  readonly chains: readonly CrowdStep[];
  readonly firewall: FirewallTimes;
  readonly lease: LeaseTimes;
}

/** Prints the report as tables, one for each question. */
export function printReport({ sequential, perSecond, start, peakMemoryMB, chains, firewall, lease }: Report): void {
  const { reference: theirs, isthmus: ours } = sequential;
  const { reference: theirRate, isthmus: ourRate } = perSecond;
  if (theirs === undefined || ours === undefined || theirRate === undefined || ourRate === undefined) return;
  console.log(`\nOne call at a time (ms, ${ours.ADD.count} of each, in turn); the reference is bridge + host-local`);
  console.log(
    formatTable([
      ['', 'reference p50', 'p90', 'isthmus p50', 'p90', 'ratio of p50'],
      ...COMMANDS.map((command) => [
        command,
        milliseconds(theirs[command].p50),
        milliseconds(theirs[command].p90),
        milliseconds(ours[command].p50),
        milliseconds(ours[command].p90),
        ratio(ours[command].p50, theirs[command].p50),
      ]),
    ]),
  );
  console.log(`\n${AT_ONCE} calls at once (calls a second)`);
  console.log(
    formatTable([
      ['', 'reference', 'isthmus', 'ratio'],
      ...(['ADD', 'DEL'] as const).map((command) => [
        command,
        theirRate[command].toFixed(0),
        ourRate[command].toFixed(0),
        ratio(ourRate[command], theirRate[command]),
      ]),
    ]),
  );
  console.log('\nStart of a process that does nothing (ms)');
  console.log(
    formatTable([
      ['', 'p50', 'p90', 'ADD of isthmus / this'],
      [
        'node -e 0, stripped',
        milliseconds(start.node.p50),
        milliseconds(start.node.p90),
        ratio(ours.ADD.p50, start.node.p50),
      ],
      [
        'empty program, packaged',
        milliseconds(start.packaged.p50),
        milliseconds(start.packaged.p90),
        ratio(ours.ADD.p50, start.packaged.p50),
      ],
      ["reference's VERSION", milliseconds(start.reference.p50), milliseconds(start.reference.p90), ''],
    ]),
  );
  console.log('\nPeak resident memory of one call (MB)');
  console.log(
    formatTable([
      ['', 'ADD', 'DEL'],
      ...Object.entries(peakMemoryMB).map(([label, peak]) => [label, peak.ADD.toFixed(0), peak.DEL.toFixed(0)]),
    ]),
  );
  printChains(chains);
  printFirewall(firewall);
  console.log('\nNext lease, in process (ms, with its transaction)');
  console.log(
    formatTable([
      ['leases in the pool', 'p50', 'p90'],
      ...Object.entries(lease).map(([count, time]) => [count, milliseconds(time.p50), milliseconds(time.p90)]),
    ]),
  );
}

function ratio(a: number, b: number): string {
  return `${(a / b).toFixed(2)}×`;
}

function printChains(steps: readonly CrowdStep[]): void {
  const rows = steps.flatMap(({ endpoints, times: { reference: theirs, isthmus: ours } }) =>
    theirs === undefined || ours === undefined ? [] : [{ endpoints, theirs, ours }],
  );
  const count = rows[0]?.ours.ADD.count ?? 0;
  console.log(`\nMasquerade, a host port and ingressPolicy same-bridge, beside other such endpoints`);
  console.log(`(ms, ${count} of each, in turn, each side on a host of its own);`);
  console.log(
    'the reference is bridge + host-local, portmap and firewall, on iptables; isthmus is one element, on nftables;',
  );
  console.log(
    'the others: of the reference by ip and iptables-restore, in the form its plugins give; of isthmus by its own core',
  );
  const line = (command: 'ADD' | 'DEL'): string[][] =>
    rows.map(({ endpoints, theirs, ours }) => [
      `${command} beside ${endpoints}`,
      ...[theirs, ours].flatMap((side) => [milliseconds(side[command].p50), milliseconds(side[command].p90)]),
      ratio(ours[command].p50, theirs[command].p50),
      String(theirs.rules),
      String(ours.rules),
    ]);
  const head = ['', 'reference p50', 'p90', 'isthmus p50', 'p90', 'ratio of p50', "reference's rules", "isthmus's"];
  console.log(formatTable([head, ...line('ADD'), ...line('DEL')]));
}

function printFirewall({ work, element, foreign }: FirewallTimes): void {
  console.log("\nThe firewall's part of a call, in process, on nftables (ms; its socket opened and closed)");
  const row = ([label, { p50, p90 }]: readonly [string, Summary]): string[] => [
    label,
    milliseconds(p50),
    milliseconds(p90),
  ];
  console.log(formatTable([['', 'p50', 'p90'], ...Object.entries(work).map(row)]));
  console.log(`\nOne element beside ${foreign.chains} chains and ${foreign.elements} elements of others (ms)`);
  console.log(formatTable([['', 'p50', 'p90'], ...Object.entries(element).map(row)]));
}
