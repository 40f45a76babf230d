import { pluginDir } from '../support/cni.ts';
import { makeHost } from '../support/cni-host.ts';
import type { BareNode } from './bare-start.ts';
import { addCall, daemonRoute, delCall, type Endpoint } from './daemon-calls.ts';
import { all, at } from './daemon-serial.ts';
import type { Outcome, SpawnCall, Spawner } from './spawner.ts';
import { type Summary, summarize } from './stats.ts';

/** ADDs by the stand-alone plugin, and `node -e 0` by the Node that it contains, in turn. */
export interface Alone {
  readonly add: Summary;
  readonly bare: Summary;
  /** CPU time of a bare start: unlike its duration, it does not grow with other work on the machine. */
  readonly bareCpu: Summary;
}

export function measureAlone(spawner: Spawner, { file }: BareNode, pods: readonly Endpoint[]): Alone {
  using bin = pluginDir('alone');
  using host = makeHost(0, { via: 'alone' });
  const route = daemonRoute({ host, runDir: host.stateDir }, { dir: bin.path }, 6, false);
  const bare: SpawnCall = { steps: [{ netns: host.ns.path, file, args: ['-e', '0'], env: {}, input: '' }] };
  const outcomes = all(spawner.run(pods.flatMap((pod) => [addCall(route, pod), bare])));
  spawner.run(pods.map((pod, i) => delCall(route, pod, at(outcomes, 2 * i).output)));
  const [adds, starts] = [0, 1].map((which) => outcomes.filter((_, i) => i % 2 === which)) as [Outcome[], Outcome[]];
  return {
    add: summarize(adds.map(({ ms }) => ms)),
    bare: summarize(starts.map(({ ms }) => ms)),
    bareCpu: summarize(starts.map(({ cpu }) => cpu)),
  };
}
