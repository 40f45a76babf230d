import { setTimeout as sleep } from 'node:timers/promises';
import type { TestNetns } from '../support/netns.ts';
import type { Endpoint, Route } from './daemon-calls.ts';
import { addAll, delAll } from './daemon-load.ts';
import { at } from './daemon-serial.ts';
import type { Daemon } from './daemon-site.ts';
import type { Spawner } from './spawner.ts';

/** So many calls at once, where their time is not what counts. */
const WIDTH = 16;
const SETTLE_MS = 2000;

/** Resident memory in MB of 10^6 bytes. */
export interface Churn {
  readonly start: number;
  /** After so many pairs of ADD and DEL, in their order. */
  readonly after: readonly { readonly pairs: number; readonly rss: number }[];
}

/** Interfaces will have no IPv6: a thousand that come up at once tell each other of their addresses for a minute. */
export function quieten(netns: TestNetns): void {
  netns.run('sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1');
}

/**
 * So many endpoints with a port each are there, a few in each of the namespaces. A thousand in one would be no model:
 * each of them gets the broadcasts of the bridge, and looks through the routes of all.
 */
export function makeCrowd(spawner: Spawner, route: Route, namespaces: readonly TestNetns[], count: number): void {
  for (const netns of namespaces) quieten(netns);
  const crowd = Array.from({ length: count }, (_, i): Endpoint => {
    const netns = at(namespaces, i % namespaces.length).path;
    return { id: `crowd${i}`, netns, ifName: `crowd${i}`, hostPort: 20_000 + i };
  });
  addAll(spawner, route, crowd, WIDTH);
}

/** The daemon's memory, some time after the last call. */
export async function settledRss(daemon: Daemon): Promise<number> {
  await sleep(SETTLE_MS);
  return daemon.rss();
}

/** Connects and disconnects all pods, again and again, until as many pairs of calls have been made as asked for. */
export async function measureChurn(
  spawner: Spawner,
  daemon: Daemon,
  route: Route,
  pods: readonly Endpoint[],
  marks: readonly number[],
): Promise<Churn> {
  const start = await settledRss(daemon);
  const after: { pairs: number; rss: number }[] = [];
  let pairs = 0;
  for (const mark of marks) {
    while (pairs < mark) {
      const some = pods.slice(0, mark - pairs);
      delAll(spawner, route, some, addAll(spawner, route, some, WIDTH), WIDTH);
      pairs += some.length;
    }
    after.push({ pairs, rss: await settledRss(daemon) });
  }
  return { start, after };
}
