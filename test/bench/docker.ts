import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { dockerMissing } from '../support/docker.ts';
import { type Handled, handledCalls, placeIn } from './docker-log.ts';
import { type DockerSite, startDockerSite } from './docker-site.ts';
import { DockerWork, SIDES, type SideName, STEPS, type Step, type Timing } from './docker-work.ts';
import type { DockerSizes } from './sizes.ts';
import { type Summary, summarize } from './stats.ts';

/** The measurements of one dockerd with both drivers in one run. */
export interface DockerTimes {
  /** dockerd's version. */
  readonly version: string;
  readonly steps: readonly StepTimes[];
  /** By method, and by how many ports the container publishes. */
  readonly handlers: readonly HandlerTimes[];
  /** Milliseconds that another call to our daemon waited at most while a range of ports was published and unpublished. */
  readonly longestWait: number;
}

/** One call of Docker's API on one side. */
export interface StepTimes {
  readonly side: Timing['side'];
  readonly step: Step;
  readonly ports: number;
  readonly whole: Summary;
  /** The time in our daemon, all calls of dockerd together. */
  readonly ours: Summary;
}

/** One call of dockerd. */
export interface HandlerTimes {
  readonly method: string;
  readonly ports: number;
  readonly time: Summary;
  /** Without the time that the kernel takes to delete a link. */
  readonly own: Summary;
  /** Median milliseconds by phase. */
  readonly phases: Readonly<Record<string, number>>;
}

const NAMES = ['bridge', 'isthmus', 'pools'] as const satisfies readonly SideName[];
/** The pools make no difference to ports. */
const WITH_PORTS = ['bridge', 'isthmus'] as const satisfies readonly SideName[];

/** Undefined without dockerd. */
export async function measureDocker(sizes: DockerSizes): Promise<DockerTimes | undefined> {
  const missing = dockerMissing();
  if (missing !== undefined) {
    console.log(`\nDocker is left out: ${missing}`);
    return undefined;
  }
  await using site = await startDockerSite();
  const { client, log } = site;
  const warm = new DockerWork(client, log);
  const work = new DockerWork(client, log);
  for (const name of NAMES) await warm.keep(name);
  await warm.resident('resident');
  for (let round = 0; round < sizes.warm; round++) await oneRound(warm, round);
  for (const ports of sizes.ports) await checkPorts(warm, site, ports);
  for (let round = 0; round < sizes.rounds; round++) await oneRound(work, round);
  for (const ports of sizes.ports) {
    for (let round = 0; round < sizes.portRounds; round++) {
      for (const name of inTurn(WITH_PORTS, round)) await work.container(name, ports);
    }
  }
  const wait = await longestWait(site, async () => {
    const check = (name: string): void => assertPublished(site, name, sizes.manyPorts);
    for (let round = 0; round < sizes.manyRounds; round++) await work.range('isthmus', sizes.manyPorts, check);
  });
  const { Version } = await client.call('GET', '/version');
  const calls = callsBetween(work.timings, handledCalls(log), placeIn(log));
  return {
    version: String(Version),
    steps: stepsOf(calls),
    handlers: handlersOf(calls),
    longestWait: wait,
  };
}

/** Everything without ports, once on each side. */
async function oneRound(work: DockerWork, round: number): Promise<void> {
  for (const name of inTurn(NAMES, round)) await work.networks(name);
  for (const name of inTurn(NAMES, round)) await work.connection(name, 'resident');
  for (const name of inTurn(NAMES, round)) await work.container(name, 0);
  await work.container('none', 0);
}

/** Reverses the order every other round. */
function inTurn<T>(names: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? names : names.toReversed();
}

/** Checks that the timed work is real: so many ports are published. */
async function checkPorts(work: DockerWork, site: DockerSite, ports: number): Promise<void> {
  await work.container('bridge', ports);
  await work.container('isthmus', ports, (name) => assertPublished(site, name, ports));
}

function assertPublished({ host, program }: DockerSite, name: string, ports: number): void {
  const listed: readonly { readonly count?: number }[] = JSON.parse(host.run(program, 'ports', '-o', 'json', name));
  const found = listed.reduce((sum, { count = 1 }) => sum + count, 0);
  if (found !== ports) throw new Error(`${found} of ${ports} ports are published`);
}

/** The longest wait of another call, in milliseconds, while `work` is done. */
async function longestWait({ host }: DockerSite, work: () => Promise<void>): Promise<number> {
  const workerData = host.outside('/run/docker/plugins/isthmus.sock');
  const asking = new Worker(new URL('./waits-child.ts', import.meta.url), { workerData });
  const told = async (): Promise<number> => {
    asking.postMessage('');
    const [longest] = await once(asking, 'message');
    return longest;
  };
  try {
    await told();
    await work();
    return await told();
  } finally {
    await asking.terminate();
  }
}

interface TimedCall extends Timing {
  /** dockerd's calls in the meantime. */
  readonly handled: readonly Handled[];
}

/** Throws if one of dockerd's calls failed, or if there are none: the measurement would be invalid. */
function callsBetween(timings: readonly Timing[], handled: readonly Handled[], end: number): TimedCall[] {
  const calls = timings.map((timing, i): TimedCall => {
    const until = timings[i + 1]?.at ?? end;
    return { ...timing, handled: handled.filter(({ at }) => at >= timing.at && at < until) };
  });
  for (const { side, step, handled } of calls) {
    const isOurs = side !== 'none' && SIDES[side].driver === 'isthmus';
    const failed = handled.find(({ result }) => result !== 'ok');
    if (failed !== undefined) throw new Error(`${step}: ${failed.method} was answered by an error`);
    if (isOurs !== handled.length > 0) throw new Error(`${step} on ${side}: ${handled.length} calls of our daemon`);
  }
  return calls;
}

function stepsOf(calls: readonly TimedCall[]): StepTimes[] {
  return [...Map.groupBy(calls, ({ side, step, ports }) => `${ports} ${STEPS.indexOf(step)} ${side}`).values()].flatMap(
    (group) => {
      const [first] = group;
      if (first === undefined) return [];
      const ours = group.map(({ handled }) => handled.reduce((sum, { ms }) => sum + ms, 0));
      const { side, step, ports } = first;
      return [{ side, step, ports, whole: summarize(group.map(({ ms }) => ms)), ours: summarize(ours) }];
    },
  );
}

function handlersOf(calls: readonly TimedCall[]): HandlerTimes[] {
  const all = calls.flatMap(({ ports, handled }) => handled.map((one) => ({ ...one, ports })));
  return [...Map.groupBy(all, ({ method, ports }) => `${ports} ${method}`).values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const names = new Set(group.flatMap(({ phases }) => Object.keys(phases)));
    const medianOf = (name: string): number => summarize(group.map(({ phases }) => phases[name] ?? 0)).p50;
    const phases = Object.fromEntries([...names].map((name) => [name, medianOf(name)]));
    const time = summarize(group.map(({ ms }) => ms));
    const own = summarize(group.map(({ ms, phases: { unlink = 0 } }) => ms - unlink));
    return [{ method: first.method, ports: first.ports, time, own, phases }];
  });
}
