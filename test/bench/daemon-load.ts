import { setTimeout as sleep } from 'node:timers/promises';
import { addCall, delCall, type Endpoint, type Route } from './daemon-calls.ts';
import { all, at } from './daemon-serial.ts';
import type { Outcome, SpawnCall, Spawner } from './spawner.ts';
import { median, type Summary, summarize } from './stats.ts';

/** Calls a second; the median of some rounds. */
export type LoadRates = Readonly<Record<'ADD' | 'DEL', number>>;

/**
 * ADD of every pod, then DEL, so many at once, `rounds` times. In between the pods are left alone for some seconds, as
 * their kernels tell each other of their IPv6 addresses first.
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

/** An ADD after the other, alone, and while others are deleted. */
export interface Stream {
  readonly idle: Summary;
  readonly busy: Summary;
}

export interface StreamSizes {
  /** So many are deleted, `width` at once. */
  readonly deletions: number;
  readonly width: number;
  /** There are at least so many ADDs of both kinds. */
  readonly samples: number;
}

/** ADDs one at a time while so many DELs are under way, beside the same without; in turn, until there are enough. */
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

/** So many ADDs without company, for about as many as have time while others are deleted. */
const IDLE_ROUND = 50;

export function addAll(spawner: Spawner, route: Route, pods: readonly Endpoint[], width: number): readonly Outcome[] {
  return all(
    spawner.run(
      pods.map((pod) => addCall(route, pod)),
      [{ width }],
    ),
  );
}

/** Takes away the first of the pods, as many as have been added. */
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

/** From the first start to the last end. */
function perSecond(outcomes: readonly Outcome[]): number {
  const begin = Math.min(...outcomes.map(({ start }) => start));
  return (outcomes.length * 1000) / (Math.max(...outcomes.map(({ end }) => end)) - begin);
}
