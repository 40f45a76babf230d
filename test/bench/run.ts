import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { pluginDir, referenceDir, runPlugin } from '../support/cni.ts';
import { makeBareStarts } from './bare-start.ts';
import {
  COMMANDS,
  coolDown,
  makeSide,
  peaks,
  type Rates,
  rates,
  type Site,
  sequential,
  type Times,
  warmUp,
} from './calls.ts';
import { type LeaseTimes, measureLeases } from './leases.ts';
import { formatTable, milliseconds, type Summary, summarize, timed } from './stats.ts';

const AT_ONCE = 8;
const STARTS = ['node', 'packaged', 'reference'] as const;

interface Report {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly sequential: Readonly<Record<string, Times>>;
  readonly perSecond: Readonly<Record<string, Rates>>;
  readonly start: Readonly<Record<(typeof STARTS)[number], Summary>>;
  readonly peakMemoryMB: Readonly<Record<string, Rates>>;
  readonly lease: LeaseTimes;
}

/** Measures everything in one run, prints it and writes it where `--json FILE` says. */
async function main([site = '', ...options]: readonly string[]): Promise<void> {
  const report = await measure(JSON.parse(site));
  print(report);
  const file = options[options.indexOf('--json') + 1];
  if (options.includes('--json') && file !== undefined) writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
}

async function measure(site: Site): Promise<Report> {
  const about = machine();
  using bin = pluginDir();
  using bare = await makeBareStarts();
  const theirs = makeSide('reference', referenceDir, 'bridge', 0, site);
  const ours = makeSide('isthmus', bin.path, 'isthmus', 1, site);
  const sides = [theirs, ours];
  for (const side of sides) warmUp(site, side);
  const starts = {
    node: bare.node,
    packaged: bare.packaged,
    reference: () => timed(() => void runPlugin({ dir: referenceDir, name: 'bridge', command: 'VERSION' })),
  };
  const samples = { node: [] as number[], packaged: [] as number[], reference: [] as number[] };
  const times = sequential(site, sides, () => {
    for (const which of STARTS) samples[which].push(starts[which]());
  });
  const perSecond = { reference: await rates(site, theirs, AT_ONCE), isthmus: await rates(site, ours, AT_ONCE) };
  const start = {
    node: summarize(samples.node),
    packaged: summarize(samples.packaged),
    reference: summarize(samples.reference),
  };
  const peakMemoryMB = { reference: peaks(site, theirs), isthmus: peaks(site, ours) };
  for (const side of sides) coolDown(site, side);
  return { machine: about, sequential: times, perSecond, start, peakMemoryMB, lease: measureLeases() };
}

function machine(): Readonly<Record<string, string | number>> {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 1e9),
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
    kernel: release(),
    node: process.version,
    system: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown',
  };
}

function print({ machine, sequential, perSecond, start, peakMemoryMB, lease }: Report): void {
  const { reference: theirs, isthmus: ours } = sequential;
  const { reference: theirRate, isthmus: ourRate } = perSecond;
  if (theirs === undefined || ours === undefined || theirRate === undefined || ourRate === undefined) return;
  console.log(
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGB} GB, load ${machine.load}, Linux ${machine.kernel}, ${machine.system}, Node ${machine.node}\n`,
  );
  console.log(`One call at a time (ms, ${ours.ADD.count} of each, in turn); the reference is bridge + host-local`);
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

await main(process.argv.slice(2));
