import { addCall, delCall, type Endpoint, kernelDeletion, type Route, statusCall } from './daemon-calls.ts';
import type { Outcome, Spawner } from './spawner.ts';
import { type Summary, summarize } from './stats.ts';

/** Calls of both sides, one at a time. */
export interface Pairs {
  readonly reference: Readonly<Record<'ADD' | 'DEL', Summary>>;
  readonly isthmus: Readonly<Record<'ADD' | 'DEL', Summary>>;
}

/** The same, beside the kernel's own deletion of such an interface by one message. */
export interface PlainPairs extends Pairs {
  readonly kernel: Summary;
}

/** How many pods are connected before the first one is disconnected. */
const CHUNK = 20;

/**
 * ADDs each pod by reference and daemon in turn, then DELs it. The daemon's network gets two interfaces per pod: the
 * daemon deletes one, the kernel the other, in turn.
 */
export function comparePlain(spawner: Spawner, [theirs, ours]: Routes, pods: readonly Endpoint[]): PlainPairs {
  const samples = { add: [[], []], del: [[], [], []] } as { add: number[][]; del: number[][] };
  for (const chunk of chunks(pods)) {
    const twins = chunk.map((pod) => ({ ...pod, id: `${pod.id}-kernel`, ifName: `${ours.ifName}k` }));
    const added = all(
      spawner.run(chunk.flatMap((pod, i) => [addCall(theirs, pod), addCall(ours, pod), addCall(ours, at(twins, i))])),
    );
    const result = (pod: number, which: number): string => at(added, 3 * pod + which).output;
    const deleted = all(
      spawner.run(
        chunk.flatMap((pod, i) => {
          const own = delCall(ours, pod, result(i, 1));
          const kernel = kernelDeletion(ours, result(i, 2));
          return [delCall(theirs, pod, result(i, 0)), ...(i % 2 === 0 ? [own, kernel] : [kernel, own])];
        }),
      ),
    );
    spawner.run(twins.map((twin, i) => delCall(ours, twin, result(i, 2))));
    chunk.forEach((_, i) => {
      samples.add[0]?.push(at(added, 3 * i).ms);
      samples.add[1]?.push(at(added, 3 * i + 1).ms);
      const [own, kernel] = i % 2 === 0 ? [1, 2] : [2, 1];
      samples.del[0]?.push(at(deleted, 3 * i).ms);
      samples.del[1]?.push(at(deleted, 3 * i + own).ms);
      samples.del[2]?.push(at(deleted, 3 * i + kernel).ms);
    });
  }
  const [add, del] = [samples.add.map(summarize), samples.del.map(summarize)];
  return {
    reference: { ADD: at(add, 0), DEL: at(del, 0) },
    isthmus: { ADD: at(add, 1), DEL: at(del, 1) },
    kernel: at(del, 2),
  };
}

/** ADDs and DELs one pod after the other, by all routes in turn. */
export function inTurn(
  spawner: Spawner,
  routes: readonly Route[],
  pods: readonly Endpoint[],
): readonly Readonly<Record<'ADD' | 'DEL', Summary>>[] {
  const calls = pods.flatMap((pod, round) =>
    routes.flatMap((route, i) => {
      const number = 2 * (round * routes.length + i);
      return [addCall(route, pod), delCall(route, pod, number)];
    }),
  );
  const outcomes = all(spawner.run(calls)).map(({ ms }) => ms);
  return routes.map((_, i) => {
    const of = (offset: number): Summary =>
      summarize(outcomes.filter((_, number) => number % (2 * routes.length) === 2 * i + offset));
    return { ADD: of(0), DEL: of(1) };
  });
}

/** The time of the reference's chain and of the daemon for masquerade and a host port. */
export function comparePorts(spawner: Spawner, routes: Routes, pods: readonly Endpoint[]): Pairs {
  const [reference, isthmus] = inTurn(spawner, routes, pods);
  if (reference === undefined || isthmus === undefined) throw new Error('nothing was measured');
  return { reference, isthmus };
}

export function measureStatus(spawner: Spawner, route: Route, count: number): Summary {
  return summarize(all(spawner.run(Array.from({ length: count }, () => statusCall(route)))).map(({ ms }) => ms));
}

/** First the reference's, then the daemon's. */
export type Routes = readonly [Route, Route];

/** The outcomes; throws if one is missing. */
export function all(outcomes: readonly (Outcome | undefined)[]): readonly Outcome[] {
  return outcomes.map((outcome) => {
    if (outcome === undefined) throw new Error('a call was not made');
    return outcome;
  });
}

export function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`there are ${list.length}, not ${index + 1}`);
  return found;
}

function chunks<T>(list: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(list.length / CHUNK) }, (_, i) => list.slice(i * CHUNK, (i + 1) * CHUNK));
}
