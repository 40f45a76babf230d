import type { DockerTimes, HandlerTimes, StepTimes } from './docker.ts';
import { STEPS, type Step } from './docker-work.ts';
import { atMost, compared, markdownTable, type Row, verdict } from './rows.ts';
import { formatTable, milliseconds } from './stats.ts';

/** Limits of the ratio of ours to the built-in driver's. */
const LIMITS: Readonly<Partial<Record<Step, number>>> = { 'network connect': 1 };
/** The same with this many ports. */
const MANY = 100;
const LIMITS_AT_MANY: Readonly<Partial<Record<Step, number>>> = { 'container start': 1 / 5, 'container rm -f': 1 / 10 };
/** Limit of each plugin call, without the time that the kernel takes to delete a link. */
const HANDLER_MS = 3;
/** With a range of thousands of ports: each of Docker's calls, and what another call may wait. */
const [RANGE_MS, WAIT_MS] = [2000, 50];

/** Every row of Docker's table. */
export function dockerRows({ steps, handlers, longestWait }: DockerTimes): Row[] {
  const rows = new Set(steps.map(({ ports }) => ports));
  return [
    ...[...rows].flatMap((ports) => STEPS.flatMap((step) => stepRows(steps, step, ports))),
    ...slowest(handlers, 0, 'slowest call of the plugin'),
    ...slowest(handlers, MANY, `slowest call with ${MANY} ports`),
    ...steps
      .filter(({ ports, step, side }) => ports > MANY && side === 'isthmus' && step.startsWith('container'))
      .map(({ step, ports, whole }) => atMost(`${step}${portsText({ ports })}, UDP`, whole.p50, RANGE_MS, 'ms')),
    atMost('another call meanwhile, longest', longestWait, WAIT_MS, 'ms'),
  ];
}

function stepRows(steps: readonly StepTimes[], step: Step, ports: number): Row[] {
  const of = (name: StepTimes['side']): number | undefined =>
    steps.find((one) => one.side === name && one.step === step && one.ports === ports)?.whole.p50;
  const [bridge, isthmus, pools] = [of('bridge'), of('isthmus'), of('pools')];
  const limit = ports === 0 ? LIMITS[step] : ports === MANY ? LIMITS_AT_MANY[step] : undefined;
  if (bridge === undefined || isthmus === undefined) return [];
  const plain = compared(`${step}${portsText({ ports })}`, isthmus, bridge, limit);
  return pools === undefined ? [plain] : [plain, compared('  with --ipam-driver isthmus', pools, bridge, limit)];
}

function slowest(handlers: readonly HandlerTimes[], ports: number, work: string): Row[] {
  const [first] = handlers.filter((one) => one.ports === ports).toSorted((a, b) => b.own.p50 - a.own.p50);
  return first === undefined ? [] : [atMost(`${work}*: ${shortName(first)}`, first.own.p50, HANDLER_MS, 'ms')];
}

/** Prints the table and the measurements behind its rows. */
export function printDocker(times: DockerTimes): void {
  const { version, steps, handlers } = times;
  console.log(`\nDocker ${version}, by its API: isthmus to the built-in bridge with its proxy (medians)`);
  console.log(HOW);
  console.log(formatTable([HEAD, ...dockerRows(times).map((row) => cellsOf(row, 'NO'))]));
  console.log('* without the time that the kernel takes to delete links');
  console.log("\nWhat that was taken from (ms), and what of it our daemon's calls took");
  console.log(
    formatTable([
      ['', 'calls', 'p50', 'p90', 'ours p50', 'p90'],
      ...steps
        .toSorted((a, b) => a.ports - b.ports || STEPS.indexOf(a.step) - STEPS.indexOf(b.step))
        .map(({ side, step, ports, whole, ours }) => [
          `${step}${portsText({ ports })}, ${SIDE_NAMES[side]}`,
          String(whole.count),
          ...[whole.p50, whole.p90].map(milliseconds),
          ...(ours.p90 === 0 ? ['', ''] : [ours.p50, ours.p90].map(milliseconds)),
        ]),
    ]),
  );
  console.log("\nCalls that dockerd makes (ms, by our daemon's log), and where the time goes (medians)");
  const sorted = handlers.toSorted((a, b) => a.ports - b.ports || b.time.p50 - a.time.p50);
  const table = formatTable([
    ['', 'calls', 'p50', 'p90', '*p50'],
    ...sorted.map((one) => [
      `${shortName(one)}${portsText(one)}`,
      String(one.time.count),
      ...[one.time.p50, one.time.p90, one.own.p50].map(milliseconds),
    ]),
  ]);
  const [head = '', ...lines] = table.split('\n');
  console.log([head, ...lines.map((line, i) => `${line}  ${sorted.map(phasesOf)[i]}`)].join('\n'));
}

/** The table as Markdown. */
export function dockerMarkdown(times: DockerTimes): string {
  const [, ...head] = HEAD;
  return markdownTable([['work', ...head], ...dockerRows(times).map((row) => cellsOf(row, '**no**'))]);
}

function cellsOf(row: Row, missed: string): string[] {
  return [row.work, row.ratio, row.measured, row.limit, verdict(row, missed)];
}

/** The phases that take more than a tenth of the whole, the longest first. */
function phasesOf({ phases, time }: HandlerTimes): string {
  return Object.entries(phases)
    .filter(([, ms]) => ms > time.p50 / 10)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, ms]) => `${name} ${ms.toFixed(2)}`)
    .join(', ');
}

function portsText({ ports }: { readonly ports: number }): string {
  if (ports === 0) return '';
  return ports === 1 ? ', 1 port' : `, ${ports} ports`;
}

function shortName({ method }: HandlerTimes): string {
  return method.replace('NetworkDriver.', '').replace('Driver.', '.');
}

const HEAD = ['', 'ratio', 'measured', 'limit', 'met'];
const SIDE_NAMES: Readonly<Record<StepTimes['side'], string>> = {
  bridge: 'built-in',
  isthmus: 'isthmus',
  pools: 'isthmus with its IPAM',
  none: 'no network',
};
const HOW =
  '(one dockerd, one after the other in turn, on a unix socket without a client process; each container and network\n' +
  "is made for its round; the network connected to stays. The IPAM is Docker's own but where it says otherwise.)";
