import { referenceDir } from '../support/cni.ts';
import type { CniHost } from '../support/cni-host.ts';
import { makeNetns } from '../support/netns.ts';
import { addCall, delCall, type Endpoint, makeReferenceHost, type Route } from './daemon-calls.ts';
import { all, inTurn } from './daemon-serial.ts';
import { copyPrograms, startDaemon } from './daemon-site.ts';
import { measureRemote, type RemoteSizes, type RemoteTimes, remoteRows } from './remote.ts';
import { compared, type Row, verdict } from './rows.ts';
import { makeSpawner, type Spawner } from './spawner.ts';
import { formatTable, type Summary } from './stats.ts';

export interface DriverSizes {
  /** Warm-up pairs of ADD and DEL of the daemon with each driver: a real one runs for months. */
  readonly warm: number;
  /** ADDs and DELs of each driver and side, one at a time. */
  readonly serial: number;
  /** macvlan pods that are deleted at once. */
  readonly atOnce: number;
  /** Calls of a Docker plugin. */
  readonly remote: RemoteSizes;
}

type Driver = 'macvlan' | 'ptp';
type Calls = Readonly<Record<'ADD' | 'DEL', Summary>>;

export interface DriverTimes {
  /** The reference's, then ours. */
  readonly serial: Readonly<Record<Driver, readonly [Calls, Calls]>>;
  /** Milliseconds until the last DEL has ended: the reference's, then ours. */
  readonly deletions: readonly [number, number];
  readonly remote: RemoteTimes;
}

const DRIVERS: readonly Driver[] = ['macvlan', 'ptp'];
/** DELs in flight. */
const WIDTH = 64;

/** ADD and DEL of drivers without a bridge: by Debian's plugins, and through launcher and daemon. */
export async function measureDrivers({ warm, serial, atOnce, remote }: DriverSizes): Promise<DriverTimes> {
  using stack = new DisposableStack();
  const programs = stack.use(copyPrograms());
  const reference = stack.use(makeReferenceHost());
  await using daemon = await startDaemon(programs);
  for (const { ns } of [reference, daemon.host])
    ns.ip('link', 'add', 'up0', 'up', 'type', 'veth', 'peer', 'name', 'up1');
  for (const { ns } of [reference, daemon.host]) ns.ip('link', 'set', 'up1', 'up');
  const pods = Array.from({ length: Math.max(serial, atOnce) }, (_, i): Endpoint => {
    const ns = stack.use(makeNetns('b'));
    return { id: `pod${i}`, netns: ns.path };
  });
  const other = stack.use(makeNetns('b'));
  using spawner = makeSpawner();
  const env = { ISTHMUS_STATE_DIR: daemon.host.stateDir, ISTHMUS_RUN_DIR: daemon.runDir };
  const routes = (driver: Driver, number: number): [Route, Route] => [
    routeOf(reference, referenceDir, driver, number, {}),
    routeOf(daemon.host, programs.dir, driver, number + 1, env),
  ];
  const measured = DRIVERS.map((driver, i) => {
    const both = routes(driver, 2 * i);
    // A node has other pods: neither side makes its rules for the first pod, and deletes them with the last, each time.
    const others = both.map((route, side) => ({ route, pod: { id: `other${side}`, netns: other.path } }));
    const kept = all(spawner.run(others.map(({ route, pod }) => addCall(route, pod))));
    for (let done = 0; done < warm; done += pods.length) inTurn(spawner, both.slice(1), pods);
    const [theirs, ours] = inTurn(spawner, both, pods.slice(0, serial));
    if (theirs === undefined || ours === undefined) throw new Error('nothing was measured');
    all(spawner.run(others.map(({ route, pod }, side) => delCall(route, pod, kept[side]?.output ?? ''))));
    return [driver, [theirs, ours]] as const;
  });
  const [theirs, ours] = routes('macvlan', 4).map((route) => deletion(spawner, route, pods.slice(0, atOnce)));
  return {
    serial: Object.fromEntries(measured) as DriverTimes['serial'],
    deletions: [theirs ?? 0, ours ?? 0],
    remote: await measureRemote(remote),
  };
}

function routeOf(host: CniHost, dir: string, driver: Driver, number: number, env: NodeJS.ProcessEnv): Route {
  const isOurs = dir !== referenceDir;
  const ranges = [[{ subnet: `10.${150 + number}.0.0/16` }]];
  const conf = {
    ...{ cniVersion: '1.0.0', name: `${driver}${number}` },
    ...(isOurs ? { type: 'isthmus', driver } : { type: driver }),
    ...(driver === 'macvlan' ? { master: 'up0' } : {}),
    ipam: { ...(isOurs ? {} : { type: 'host-local' }), dataDir: host.dataDir, ranges },
  };
  return { host, elements: [{ dir, conf }], ifName: `eth${number}`, env };
}

/** Milliseconds until all pods are deleted. */
function deletion(spawner: Spawner, route: Route, pods: readonly Endpoint[]): number {
  const added = all(spawner.run(pods.map((pod) => addCall(route, pod))));
  const calls = pods.map((pod, i) => delCall(route, pod, added[i]?.output ?? ''));
  const deleted = all(spawner.run(calls, [{ width: WIDTH }]));
  return Math.max(...deleted.map(({ end }) => end)) - Math.min(...deleted.map(({ start }) => start));
}

export function driverRows({ serial, deletions: [theirs, ours], remote }: DriverTimes): Row[] {
  return [
    ...DRIVERS.flatMap((driver) => {
      const [reference, isthmus] = serial[driver];
      return [
        compared(`ADD, ${driver}, p50`, isthmus.ADD.p50, reference.ADD.p50, 1 / 3),
        compared(`DEL, ${driver}, p50`, isthmus.DEL.p50, reference.DEL.p50),
      ];
    }),
    compared('DELs of macvlan pods, 64 at once', ours, theirs, 1 / 2),
    ...remoteRows(remote),
  ];
}

export function printDrivers(times: DriverTimes): void {
  const rows = driverRows(times).map((row) => [row.work, row.measured, row.ratio, row.limit, verdict(row, 'NO')]);
  console.log("\nDrivers without a bridge: launcher and daemon, and Debian's plugins with host-local");
  console.log(formatTable([['', 'measured', 'ratio', 'limit', 'met'], ...rows]));
}
