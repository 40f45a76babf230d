import { makeHost } from '../support/cni-host.ts';
import { addCall, daemonRoute, type Endpoint, makeReferenceHost, referenceRoute } from './daemon-calls.ts';
import { comparePlain, comparePorts, measureStatus, type Pairs, type PlainPairs } from './daemon-serial.ts';
import { copyPrograms, startDaemon } from './daemon-site.ts';
import type { Sizes } from './sizes.ts';
import { makeSpawner } from './spawner.ts';
import type { Summary } from './stats.ts';

/** What one run has measured of launcher and daemon. */
export interface DaemonTimes {
  /** Bridge and addresses. */
  readonly plain: PlainPairs;
  /** Masquerade and a host port besides. */
  readonly ports: Pairs;
  readonly status: Summary;
}

/** Measures every row of the daemon's table, on hosts and pods of its own. */
export async function measureDaemon({ daemon: sizes }: Sizes): Promise<DaemonTimes> {
  using spawner = makeSpawner();
  using programs = copyPrograms();
  using reference = makeReferenceHost();
  using others = makeHost(sizes.pods + 1);
  await using daemon = await startDaemon(programs);
  const [staying, ...pods] = others.pods.map(
    ({ path }, i): Endpoint => ({ id: `pod${i}`, netns: path, hostPort: 10_000 + i }),
  );
  if (staying === undefined) throw new Error('there are no pods');
  const plain = [referenceRoute(reference, 0, false), daemonRoute(daemon, programs, 2, false)] as const;
  const ports = [referenceRoute(reference, 1, true), daemonRoute(daemon, programs, 3, true)] as const;
  // Networks are there, and files have been read once.
  spawner.run([...plain, ...ports].map((route) => addCall(route, staying)));
  return {
    plain: comparePlain(spawner, plain, pods.slice(0, sizes.serial)),
    ports: comparePorts(spawner, ports, pods.slice(0, sizes.chained)),
    status: measureStatus(spawner, plain[1], sizes.status),
  };
}
