import { setTimeout as sleep } from 'node:timers/promises';
import { addCall, delCall, type Endpoint, type Route } from './daemon-calls.ts';
import { all, at } from './daemon-serial.ts';
import type { Outcome, SpawnCall, Spawner } from './spawner.ts';
import { median, type Summary, summarize } from './stats.ts';

/** Calls per second; the median of several rounds. */
export type LoadRates = Readonly<Record<'ADD' | 'DEL', number>>;

/**
 * ADDs every pod, then DELs it, `width` at once, `rounds` times. Between them the pods stay idle for some seconds:
 * their kernels first announce their IPv6 addresses to each other.
 */
export async function measureLoad(
  spawner: Spawner,
  route: Route,
  pods: readonly Endpoint[],
  width: number,
  rounds: number,
): Promise<LoadRates> {
  const rates: LoadRates[] = [];
  for (let round = 0; round < rounds; round++) {
    const added = addAll(spawner, route, pods, width);
    await sleep(SETTLE_MS);
    rates.push({ ADD: perSecond(added), DEL: perSecond(delAll(spawner, route, pods, added, width)) });
  }
  return { ADD: median(rates.map(({ ADD }) => ADD)), DEL: median(rates.map(({ DEL }) => DEL)) };
}

/** ADDs one at a time: alone, and while others are deleted. */
export interface Stream {
  readonly idle: Summary;
  readonly busy: Summary;
}

export interface StreamSizes {
  /** How many pods are deleted, `width` at once. */
  readonly deletions: number;
  readonly width: number;
  /** The minimum number of ADDs of both kinds. */
  readonly samples: number;
}

/** ADDs one at a time during so many DELs, and the same without, in turn, until there are enough. */
export function measureStream(spawner: Spawner, route: Route, pods: readonly Endpoint[], sizes: StreamSizes): Stream {
  const { deletions, width, samples } = sizes;
  const [doomed, free] = [pods.slice(0, deletions), pods.slice(deletions)];
  const idle: number[] = [];
  const busy: number[] = [];
  while (idle.length < samples || busy.length < samples) {
    const there = addAll(spawner, route, doomed, width);
    const before = all(spawner.run(free.slice(0, IDLE_ROUND).map((pod) => addCall(route, pod))));
    delAll(spawner, route, free, before, width);
    const calls: SpawnCall[] = [
      ...free.map((pod) => addCall(route, pod)),
      ...doomed.map((pod, i) => ({ ...delCall(route, pod, at(there, i).output), lane: 1 })),
    ];
    const outcomes = spawner.run(calls, [{ width: 1, meanwhile: true }, { width }]);
    const during = outcomes.slice(0, free.length).filter((outcome) => outcome !== undefined);
    delAll(spawner, route, free, during, width);
    idle.push(...before.map(({ ms }) => ms));
    busy.push(...during.map(({ ms }) => ms));
  }
  return { idle: summarize(idle), busy: summarize(busy) };
}

const SETTLE_MS = 4000;

/** So many ADDs alone, about as many as finish while others are deleted. */
const IDLE_ROUND = 50;

export function addAll(spawner: Spawner, route: Route, pods: readonly Endpoint[], width: number): readonly Outcome[] {
  return all(
    spawner.run(
      pods.map((pod) => addCall(route, pod)),
      [{ width }],
    ),
  );
}

/** Deletes as many of the first pods as were added. */
export function delAll(
  spawner: Spawner,
  route: Route,
  pods: readonly Endpoint[],
  added: readonly Outcome[],
  width: number,
): readonly Outcome[] {
  return all(
    spawner.run(
      added.map(({ output }, i) => delCall(route, at(pods, i), output)),
      [{ width }],
    ),
  );
}

/** Calls per second, from the first start to the last end. */
function perSecond(outcomes: readonly Outcome[]): number {
  const begin = Math.min(...outcomes.map(({ start }) => start));
  return (outcomes.length * 1000) / (Math.max(...outcomes.map(({ end }) => end)) - begin);
}
