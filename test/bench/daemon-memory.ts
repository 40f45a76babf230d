import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DockerCaller } from '../support/docker-caller.ts';
import { makeNetns, type TestNetns } from '../support/netns.ts';
import type { Endpoint, Route } from './daemon-calls.ts';
import { addAll, delAll } from './daemon-load.ts';
import { at } from './daemon-serial.ts';
import type { Daemon } from './daemon-site.ts';
import type { Spawner } from './spawner.ts';

/** So many calls at once, when their time does not matter. */
const WIDTH = 16;
/** A daemon collects its garbage after two seconds without a call. */
const SETTLE_MS = 3000;
const CONTAINERS = 10;

/** Resident memory in MB of 10^6 bytes. */
export interface Churn {
  readonly start: number;
  /** Memory after so many pairs of ADD and DEL, in order. */
  readonly after: readonly { readonly pairs: number; readonly rss: number }[];
}

/** Disables IPv6: a thousand interfaces that come up at once announce their addresses to each other for a minute. */
export function quieten(netns: TestNetns): void {
  netns.run('sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1');
}

/**
 * Adds so many endpoints with a port each to the networks in turn, a few in each namespace. A thousand in one namespace
 * would not be realistic: each would get the broadcasts of the bridge and search the routes of all.
 */
export function makeCrowd(
  spawner: Spawner,
  routes: readonly Route[],
  namespaces: readonly TestNetns[],
  count: number,
): void {
  for (const netns of namespaces) quieten(netns);
  const crowd = Array.from({ length: count }, (_, i): Endpoint => {
    const netns = at(namespaces, i % namespaces.length).path;
    return { id: `crowd${i}`, netns, ifName: `crowd${i}`, hostPort: 20_000 + i };
  });
  routes.forEach((route, nth) => {
    addAll(
      spawner,
      route,
      crowd.filter((_, i) => i % routes.length === nth),
      WIDTH,
    );
  });
}

/** Starts and stops some containers as dockerd does: the memory that this takes stays. */
export async function useDocker({ host, runDir }: Daemon): Promise<void> {
  using container = makeNetns('c');
  using docker = new DockerCaller(join(runDir, 'docker.sock'));
  const network = await docker.createNetwork();
  for (let i = 0; i < CONTAINERS; i++) {
    const ports = [{ container: 80, host: 40_000 + i }];
    await docker.stop(await docker.start(network, host.ns, container, { ports }), host.ns, container);
  }
  await docker.removeNetwork(network);
}

/** The daemon's memory, a while after the last call. */
export async function settledRss(daemon: Daemon): Promise<number> {
  await sleep(SETTLE_MS);
  return daemon.rss();
}

/** Connects and disconnects all pods repeatedly, until enough pairs of calls were made. */
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
