import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { countedCalls } from '../support/daemon-strace.ts';
import type { Endpoint, Route } from './daemon-calls.ts';
import { addAll, delAll } from './daemon-load.ts';
import type { Daemon } from './daemon-site.ts';
import type { Outcome, Spawner } from './spawner.ts';

/** What one call costs in the daemon, as the mean of `count` calls one at a time. */
export interface Cost {
  readonly count: number;
  readonly cpu: Readonly<Record<'ADD' | 'DEL', CpuTime>>;
  /** System calls by name, the most frequent first. */
  readonly calls: Readonly<Record<'ADD' | 'DEL', readonly SystemCall[]>>;
}

/** Milliseconds of all threads. */
export interface CpuTime {
  readonly whole: number;
  /** The kernel's part, in steps of 10 ms before the division by the number of calls. */
  readonly system: number;
}

export type SystemCall = readonly [name: string, count: number];

/** For work that the daemon does after its answer, such as the announcement of addresses. */
const SETTLE_MS = 250;

/** The calls to measure: each pod's ADD, then each pod's DEL, one at a time. */
export interface CostWork {
  readonly spawner: Spawner;
  readonly daemon: Daemon;
  readonly route: Route;
  readonly pods: readonly Endpoint[];
}

/** ADDs all pods and DELs them: to warm up, then for the CPU time, then under strace. */
export async function measureCost(work: CostWork): Promise<Cost> {
  await eachOf(work, (run) => run());
  return { count: work.pods.length, cpu: await measureCpu(work), calls: await measureCalls(work) };
}

export function measureCpu(work: CostWork): Promise<Cost['cpu']> {
  const { pid } = work.daemon;
  const count = work.pods.length;
  return eachOf(work, async (run) => {
    const before = cpuTime(pid);
    await run();
    const { whole, system } = cpuTime(pid);
    return { whole: (whole - before.whole) / count, system: (system - before.system) / count };
  });
}

export function measureCalls(work: CostWork): Promise<Cost['calls']> {
  const { pid, host } = work.daemon;
  return eachOf(work, async (run) => {
    const found = await countedCalls(pid, host.ns.path, run);
    return [...found]
      .map(([name, times]): SystemCall => [name, times / work.pods.length])
      .sort(([, a], [, b]) => b - a);
  });
}

/** The result of `measure` for the ADDs and for the DELs, each with what the daemon does after its answers. */
async function eachOf<T>(
  { spawner, route, pods }: CostWork,
  measure: (run: () => Promise<void>) => Promise<T>,
): Promise<Readonly<Record<'ADD' | 'DEL', T>>> {
  let added: readonly Outcome[] = [];
  const ADD = await measure(async () => {
    added = addAll(spawner, route, pods, 1);
    await sleep(SETTLE_MS);
  });
  const DEL = await measure(async () => {
    delAll(spawner, route, pods, added, 1);
    await sleep(SETTLE_MS);
  });
  return { ADD, DEL };
}

/** All system calls of one call. */
export function totalOf(calls: readonly SystemCall[]): number {
  return calls.reduce((sum, [, count]) => sum + count, 0);
}

/** proc(5): field 15 of /proc/PID/stat, in ticks of 10 ms; the first field of schedstat, in nanoseconds. */
export function cpuTime(pid: number): CpuTime {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const runs = tasks.map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]));
  const [, rest = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  return { whole: runs.reduce((sum, ns) => sum + ns, 0) / 1e6, system: Number(rest.split(' ')[12]) * 10 };
}
