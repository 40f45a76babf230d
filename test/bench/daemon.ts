import { type CniHost, makeHost } from '../support/cni-host.ts';
import { makeBareNode } from './bare-start.ts';
import { type Alone, measureAlone } from './daemon-alone.ts';
import { addCall, daemonRoute, type Endpoint, makeReferenceHost, type Route, referenceRoute } from './daemon-calls.ts';
import { type Cost, measureCost } from './daemon-cost.ts';
import { type Fallback, measureFallback } from './daemon-fallback.ts';
import { type Frames, makeFrameSite } from './daemon-frames.ts';
import { addAll, delAll, type LoadRates, measureLoad, measureStream, type Stream } from './daemon-load.ts';
import { type Churn, makeCrowd, measureChurn, quieten, settledRss, useDocker } from './daemon-memory.ts';
import {
  comparePlain,
  comparePorts,
  inTurn,
  measureStatus,
  type Pairs,
  type PlainPairs,
  type Routes,
} from './daemon-serial.ts';
import { copyPrograms, type Daemon, type Programs, startDaemon } from './daemon-site.ts';
import { joined, makeKernelPorts } from './kernel-ports.ts';
import type { DaemonSizes } from './sizes.ts';
import { makeSpawner, type Spawner } from './spawner.ts';
import type { Summary } from './stats.ts';

/** The measurements of launcher and daemon in one run. */
export interface DaemonTimes {
  /** Bridge and addresses. */
  readonly plain: PlainPairs;
  /** With masquerade and a host port. */
  readonly ports: Pairs;
  readonly cost: Readonly<Record<'plain' | 'ports', Cost>>;
  readonly alone: Alone;
  readonly frames: Frames;
  readonly status: Summary;
  /** One for each crowd. */
  readonly growth: readonly Growth[];
  readonly load: Load;
  readonly stream: Stream;
  readonly fallback: Fallback;
  readonly churn: Churn;
}

/** ADD with masquerade and a host port, on a host without other endpoints and on one with many, in turn. */
export interface Growth {
  readonly endpoints: number;
  readonly networks: number;
  readonly alone: Summary;
  readonly beside: Summary;
  /** The kernel's part: a port made by the same messages, beside the same endpoints. */
  readonly kernel: { readonly alone: Summary; readonly beside: Summary };
  /** Resident memory in MB of the daemon with so many endpoints, after calls of Docker. */
  readonly rss: number;
}

/** Calls a second. */
export interface Load {
  readonly few: LoadOf;
  readonly many: LoadOf;
}

interface LoadOf {
  readonly count: number;
  readonly width: number;
  readonly reference: LoadRates;
  readonly isthmus: LoadRates;
}

/** Shared by all parts of the bench. */
interface Bench {
  readonly spawner: Spawner;
  readonly programs: Programs;
  readonly sizes: DaemonSizes;
  /** Namespaces to connect; every route has its own interfaces in them. */
  readonly pods: readonly Endpoint[];
  /** A pod that stays connected, so that calls do not create and delete the network. */
  readonly staying: Endpoint;
  readonly spare: CniHost;
}

const WIDTHS = { few: 16, many: 64 } as const;
/** Number of the first of a crowd's further networks. */
const FIRST_OTHER = 20;

/** Measures every row of the daemon's table, on its own hosts and pods. */
export async function measureDaemon(sizes: DaemonSizes): Promise<DaemonTimes> {
  using spawner = makeSpawner();
  using programs = copyPrograms();
  using spare = makeHost(sizes.pods + 1 + sizes.homes);
  const [staying, ...pods] = spare.pods
    .slice(0, sizes.pods + 1)
    .map(({ path }, i): Endpoint => ({ id: `pod${i}`, netns: path, hostPort: 10_000 + i }));
  if (staying === undefined) throw new Error('there are no pods');
  const bench: Bench = { spawner, programs, sizes, pods, staying, spare };
  // Its neighbours settle while the rest is measured.
  await using site = await makeFrameSite(spawner, programs);
  return { ...(await compare(bench)), ...(await churned(bench)), frames: await site.count() };
}

function warmUp({ spawner, sizes, pods }: Bench, route: Route): void {
  const some = pods.slice(0, sizes.warm);
  delAll(spawner, route, some, addAll(spawner, route, some, WIDTHS.few), WIDTHS.few);
}

/** A daemon's figures beside the reference's. */
async function compare(bench: Bench): Promise<Omit<DaemonTimes, 'churn' | 'frames'>> {
  const { spawner, programs, sizes, pods, staying } = bench;
  using node = makeBareNode();
  using reference = makeReferenceHost();
  await using daemon = await startDaemon(programs);
  const plain = [referenceRoute(reference, 0, false), daemonRoute(daemon, programs, 2, false)] as const;
  const ports = [referenceRoute(reference, 1, true), daemonRoute(daemon, programs, 3, true)] as const;
  // Now the networks exist, and the files were read once.
  spawner.run([...plain, ...ports].map((route) => addCall(route, staying)));
  for (const route of [plain[1], ports[1]]) warmUp(bench, route);
  const counted = pods.slice(0, sizes.counted);
  return {
    plain: comparePlain(spawner, plain, pods.slice(0, sizes.serial)),
    ports: comparePorts(spawner, ports, pods.slice(0, sizes.chained)),
    cost: {
      plain: await measureCost({ spawner, daemon, route: plain[1], pods: counted }),
      ports: await measureCost({ spawner, daemon, route: ports[1], pods: counted }),
    },
    alone: measureAlone(spawner, node, pods.slice(0, sizes.alone)),
    status: measureStatus(spawner, plain[1], sizes.status),
    growth: await grownAll(bench, daemon),
    load: { few: await loaded(bench, plain, 'few'), many: await loaded(bench, plain, 'many') },
    stream: measureStream(spawner, plain[1], pods, {
      deletions: sizes.load.few,
      width: WIDTHS.few,
      samples: sizes.stream,
    }),
    fallback: await measureFallback(spawner, programs, sizes.fallback),
  };
}

async function grownAll(bench: Bench, small: Daemon): Promise<Growth[]> {
  const all: Growth[] = [];
  for (const crowd of bench.sizes.crowds) all.push(await grown(bench, small, crowd));
  return all;
}

async function grown(bench: Bench, small: Daemon, crowd: DaemonSizes['crowds'][number]): Promise<Growth> {
  const { spawner, programs, sizes, pods, staying, spare } = bench;
  await using large = await startDaemon(programs);
  const routes = [daemonRoute(small, programs, 3, true), daemonRoute(large, programs, 4, true)] as const;
  spawner.run([addCall(routes[1], staying)]);
  warmUp(bench, routes[1]);
  const others = Array.from({ length: crowd.networks - 1 }, (_, i) =>
    daemonRoute(large, programs, FIRST_OTHER + i, true, String(i)),
  );
  makeCrowd(spawner, [routes[1], ...others], spare.pods.slice(sizes.pods + 1), crowd.endpoints);
  await useDocker(large);
  const rss = await settledRss(large);
  using ports = makeKernelPorts(routes[0]);
  const before = ports.make(routes, sizes.growth / 2);
  const [alone, beside] = inTurn(spawner, routes, pods.slice(0, sizes.growth)).map(({ ADD }) => ADD);
  const [bare, crowded] = joined([before, ports.make(routes, sizes.growth / 2)]);
  if (alone === undefined || beside === undefined || bare === undefined || crowded === undefined)
    throw new Error('nothing was measured');
  return { ...crowd, alone, beside, kernel: { alone: bare, beside: crowded }, rss };
}

async function loaded({ spawner, sizes, pods }: Bench, [theirs, ours]: Routes, which: keyof Load): Promise<LoadOf> {
  const { [which]: count, rounds } = sizes.load;
  const width = WIDTHS[which];
  const some = pods.slice(0, count);
  return {
    count,
    width,
    reference: await measureLoad(spawner, theirs, some, width, 1),
    isthmus: await measureLoad(spawner, ours, some, width, rounds),
  };
}

async function churned({ spawner, programs, sizes, pods, staying, spare }: Bench): Promise<Pick<DaemonTimes, 'churn'>> {
  await using daemon = await startDaemon(programs);
  const route = daemonRoute(daemon, programs, 5, false);
  spawner.run([addCall(route, staying)]);
  for (const pod of spare.pods) quieten(pod);
  return { churn: await measureChurn(spawner, daemon, route, pods, sizes.churn) };
}
