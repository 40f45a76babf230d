import { setTimeout as sleep } from 'node:timers/promises';
import { START_OPTIONS } from '../../build/package.ts';
import { type EtcdSite, makeEtcd } from '../support/etcd.ts';
import { makeTempDir } from '../support/temp.ts';
import { type EtcdFigures, figuresOf } from './scale-etcd.ts';
import { type Arrivals, type Begun, Crowd, type Memory, type Span } from './scale-orders.ts';
import { type Summary, summarize } from './stats.ts';

/** Sizes of the simulation. */
export interface ScaleSizes {
  readonly hosts: number;
  /** Of each host, on its networks in turn. */
  readonly endpoints: number;
  /** Each host is on three of them. */
  readonly networks: number;
  readonly processes: number;
  /** ADDs whose way to the last host is timed, begun at a constant rate. */
  readonly adds: number;
  readonly perSecond: number;
  /** Remote endpoints of a cold start. */
  readonly cold: number;
  /** Hosts of a routed network. */
  readonly routed: number;
}

export interface ScaleTimes {
  readonly sizes: ScaleSizes;
  /** Milliseconds of etcd's CPU, while all endpoints were added as fast as possible. */
  readonly cpuPerAdd: number;
  readonly addsPerSecond: number;
  /** ADDs that were refused because the store was late; those of `cpuPerAdd` were repeated. */
  readonly refused: number;
  readonly commits: Readonly<Record<'shared' | 'per-host', number>>;
  /** Milliseconds from an ADD's begin to its answer, and to the last of the other hosts' kernels. */
  readonly answered: Summary;
  readonly arrived: Summary;
  /** Events that etcd sent to watches, a second, while all endpoints were added. */
  readonly eventsPerSecond: number;
  /** Bytes above the same without a cluster: of a host alone in its process, and of one of many. */
  readonly memory: Readonly<Record<'alone' | 'shared', Memory>>;
  /** Milliseconds from cold to the last remote endpoint. */
  readonly cold: { readonly joined: number; readonly restarted: number };
  /** Milliseconds until all hosts had started, and etcd's CPU for it. */
  readonly start: { readonly ms: number; readonly cpuMs: number };
  readonly etcd: EtcdFigures;
}

/** The daemon's (daemon.ts). With Node's own, the memory of one host is mostly room for garbage. */
const DAEMON_OPTIONS = [...START_OPTIONS, '--no-turbofan', '--heap-growing-percent=25'];

/** Simulates a cluster on one etcd, and asserts that in the end every table says what the store says. */
export async function measureScale(sizes: ScaleSizes): Promise<ScaleTimes> {
  await using stack = new AsyncDisposableStack();
  const etcd = stack.use(await makeEtcd());
  // In memory: a thousand hosts on one disk wait for each other, which those of a cluster do not.
  const temp = stack.use(makeTempDir('/dev/shm'));
  const crowd = (span: Span, options?: readonly string[]): Crowd =>
    stack.use(new Crowd(span, etcd.endpoints[0] ?? '', temp.path, options));
  const crowds = spansOf(sizes.hosts, sizes.processes).map((span) => crowd(span));
  const all = async <T>(work: (one: Crowd) => Promise<T>): Promise<T[]> => await Promise.all(crowds.map(work));
  const [first] = crowds as [Crowd];

  await all((one) => one.ask('create', one.span));
  const base = await all((one) => one.ask('memory', undefined));
  const started = { since: performance.now(), cpuMs: (await figuresOf(etcd)).cpuMs };
  await first.ask('start', { from: 0, to: 1 });
  const names = Array.from({ length: sizes.networks }, (_, i) => `network-${i}`);
  const networks = await first.ask('makeNetworks', { host: 0, names, prefix: 0, mode: 'shared' });
  await all((one) => one.ask('start', { from: Math.max(1, one.span.from), to: one.span.to }));
  const start = { ms: performance.now() - started.since, cpuMs: (await figuresOf(etcd)).cpuMs - started.cpuMs };
  note(`${sizes.hosts} hosts have started`);
  await all((one) => one.ask('use', { span: one.span, networks: indices(one.span).map((i) => ownOf(i, networks)) }));
  await quiet(etcd);

  const before = await figuresOf(etcd);
  const fillSince = performance.now();
  const fills = await all((one) => one.ask('fill', { span: one.span, endpoints: sizes.endpoints }));
  const fillSeconds = (performance.now() - fillSince) / 1000;
  await quiet(etcd);
  const filled = await figuresOf(etcd);
  const added = sizes.hosts * sizes.endpoints;
  note(`${added} endpoints have been added`);
  await assertEqual(crowds);

  await all((one) => one.ask('watch', undefined));
  const paced = { adds: Math.ceil(sizes.adds / crowds.length), perSecond: sizes.perSecond / crowds.length };
  const timed = await all((one) => one.ask('paced', { span: one.span, ...paced }));
  const begun = timed.flatMap((one) => one.begun);
  await sleep(3000);
  const arrived = lastOf(begun, await all((one) => one.ask('arrivals', undefined)), sizes, networks);
  const after = await all((one) => one.ask('memory', undefined));
  note(`${begun.length} ADDs have been timed`);

  const lone = crowd({ from: sizes.hosts, to: sizes.hosts + 1 }, DAEMON_OPTIONS);
  await lone.ask('create', lone.span);
  const loneBase = await lone.ask('memory', undefined);
  await lone.ask('start', lone.span);
  await lone.ask('use', { span: lone.span, networks: [ownOf(sizes.hosts, networks)] });
  await lone.ask('fill', { span: lone.span, endpoints: sizes.endpoints });
  await quiet(etcd);
  // Before the check, which reads all that the store has.
  const loneAfter = await lone.ask('memory', undefined);
  await assertEqual([lone]);
  const etcdFigures = await figuresOf(etcd);

  const cold = await measureCold(first, lone, sizes);
  note('a host has started from cold');
  const perHost = await measureRouted(first, sizes);
  await assertEqual([...crowds, lone]);
  return {
    ...{ sizes, arrived, start, cold, etcd: etcdFigures },
    cpuPerAdd: (filled.cpuMs - before.cpuMs) / added,
    addsPerSecond: added / fillSeconds,
    commits: { shared: sum(fills.map(({ commits }) => commits)) / added, 'per-host': perHost },
    refused: sum([...fills, ...timed].map(({ refused }) => refused)),
    answered: summarize(begun.map(({ at, answered }) => answered - at)),
    eventsPerSecond: (filled.events - before.events) / fillSeconds,
    memory: {
      alone: above([loneBase], [loneAfter], 1),
      shared: above(base, after, sizes.hosts),
    },
  };
}

/** A network of its own, whose endpoints are on some hosts of the first process. */
async function measureCold(first: Crowd, lone: Crowd, { cold: count }: ScaleSizes): Promise<ScaleTimes['cold']> {
  const hosts = Math.min(20, first.span.to);
  const [network = ''] = await first.ask('makeNetworks', { host: 0, names: ['cold'], prefix: 200, mode: 'shared' });
  const span = { from: 0, to: hosts };
  await first.ask('use', { span, networks: indices(span).map(() => [network]) });
  await first.ask('fill', { span, endpoints: Math.ceil(count / hosts), only: network });
  return await lone.ask('cold', { host: lone.span.from, network, count: Math.ceil(count / hosts) * hosts });
}

/** Commits of an ADD on a routed network. */
async function measureRouted(first: Crowd, sizes: ScaleSizes): Promise<number> {
  const span = { from: 0, to: Math.min(sizes.routed, first.span.to) };
  const [network = ''] = await first.ask('makeNetworks', { host: 0, names: ['routed'], prefix: 210, mode: 'per-host' });
  await first.ask('use', { span, networks: indices(span).map(() => [network]) });
  // The first endpoint leases the host's range.
  await first.ask('fill', { span, endpoints: 1, only: network });
  const { commits } = await first.ask('fill', { span, endpoints: sizes.endpoints, only: network });
  return commits / ((span.to - span.from) * sizes.endpoints);
}

/** Milliseconds from each ADD's begin to the last other host of its network. Throws if one of them did not get it. */
function lastOf(
  begun: readonly Begun[],
  arrivals: readonly Arrivals[],
  { hosts }: ScaleSizes,
  networks: readonly string[],
): Summary {
  const users = new Map<string, number>();
  for (let i = 0; i < hosts; i++)
    for (const network of ownOf(i, networks)) users.set(network, (users.get(network) ?? 0) + 1);
  const times = begun.map(({ key, network, at }) => {
    const found = arrivals.flatMap((one) => one[key] ?? []);
    const others = (users.get(network) ?? 0) - 1;
    const seen = sum(found.map((one) => one.hosts));
    if (seen !== others) throw new Error(`${key}: ${seen} of ${others} hosts have it`);
    return Math.max(...found.map(({ last }) => last)) - at;
  });
  return summarize(times);
}

/** The networks of a host: three, so that any two hosts share few. */
function ownOf(host: number, networks: readonly string[]): string[] {
  const steps = [0, 0.37, 0.73].map((part) => Math.floor(part * networks.length));
  return steps.flatMap((step) => networks[(host + step) % networks.length] ?? []);
}

async function assertEqual(crowds: readonly Crowd[]): Promise<void> {
  const wrong = (await Promise.all(crowds.map((one) => one.ask('check', { seconds: 60 })))).flat();
  if (wrong.length > 0) throw new Error(`tables are not what the store says:\n${wrong.join('\n')}`);
}

/** Until etcd has nothing to do but to keep sessions. */
async function quiet(etcd: EtcdSite): Promise<void> {
  for (let before = Number.NEGATIVE_INFINITY; ; await sleep(1000)) {
    const { events } = await figuresOf(etcd);
    if (events === before) return;
    before = events;
  }
}

function spansOf(hosts: number, count: number): Span[] {
  const edge = (i: number): number => Math.round((hosts * i) / count);
  return Array.from({ length: count }, (_, i) => ({ from: edge(i), to: edge(i + 1) }));
}

const indices = ({ from, to }: Span): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

function above(base: readonly Memory[], now: readonly Memory[], hosts: number): Memory {
  const mean = (of: (memory: Memory) => number): number => (sum(now.map(of)) - sum(base.map(of))) / hosts;
  return { rss: mean(({ rss }) => rss), heapUsed: mean(({ heapUsed }) => heapUsed) };
}

function note(text: string): void {
  console.error(`${performance.now().toFixed(0).padStart(7)} ms: ${text}`);
}
