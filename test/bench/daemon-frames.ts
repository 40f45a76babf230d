import { setTimeout as sleep } from 'node:timers/promises';
import { FramePort, macBytes } from '../support/frames.ts';
import { makeNetns } from '../support/netns.ts';
import { addCall, daemonRoute, type Endpoint, type Route } from './daemon-calls.ts';
import { type Programs, startDaemon } from './daemon-site.ts';
import type { Spawner } from './spawner.ts';

/** The kinds of frames that a neighbour gets for one ADD, by the families of the network. */
export type Frames = Readonly<Record<string, readonly string[]>>;

/** Neighbours that wait for a new pod. */
export interface FrameSite extends AsyncDisposable {
  /** Adds a pod to each network, and returns what the neighbours get in the next 16 seconds. */
  count(): Promise<Frames>;
}

const WAIT_MS = 16_000;
/** Kernels repeat what they send for a new interface, for up to 12 seconds. */
const SETTLE_MS = 16_000;
const RANGES = {
  'IPv4 only': [[{ subnet: '10.110.0.0/24' }]],
  'dual stack': [[{ subnet: '10.111.0.0/24' }], [{ subnet: 'fd00:111::/64' }]],
} as const;

/** Makes networks with one pod each, on a host of their own. */
export async function makeFrameSite(spawner: Spawner, programs: Programs): Promise<FrameSite> {
  await using made = new AsyncDisposableStack();
  const daemon = made.use(await startDaemon(programs));
  const plain = daemonRoute(daemon, programs, 0, false);
  const sides = Object.entries(RANGES).map(([families, ranges], i) => {
    const route = withRanges(plain, `frames${i}`, ranges);
    const [neighbour, pod] = [made.use(makeNetns('p')), made.use(makeNetns('p'))];
    const endpoint = (id: string, netns: string): Endpoint => ({ id: `${id}${i}`, netns });
    spawner.run([addCall(route, endpoint('neighbour', neighbour.path))]);
    const port = made.use(new FramePort(neighbour, route.ifName));
    return { families, port, add: addCall(route, endpoint('pod', pod.path)) };
  });
  const settled = performance.now() + SETTLE_MS;
  const stack = made.move();
  return {
    count: async () => {
      await sleep(Math.max(0, settled - performance.now()));
      for (const { port } of sides) port.seen();
      spawner.run(sides.map(({ add }) => add));
      await sleep(WAIT_MS);
      return Object.fromEntries(sides.map(({ families, port }) => [families, kindsSeen(port)]));
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function withRanges({ elements, ...route }: Route, name: string, ranges: readonly object[]): Route {
  const named = elements.map(({ dir, conf }) => {
    const ipam = { ...(conf.ipam as object), ranges };
    return { dir, conf: { ...conf, name, bridge: `isth-${name}`, ipam } };
  });
  return { ...route, elements: named };
}

/** A packet socket gets what the neighbour itself sends, too. */
function kindsSeen(port: FramePort): string[] {
  const own = macBytes(port.mac);
  return port.seen().flatMap((frame) => (frame.subarray(6, 12).equals(own) ? [] : [kindOf(frame)]));
}

const ICMP6_KINDS: Readonly<Record<number, string>> = {
  131: 'MLD report',
  132: 'MLD done',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbour solicitation',
  136: 'neighbour advertisement',
  143: 'MLD report',
};

/** The hop-by-hop header of MLD has 8 bytes. */
function kindOf(frame: Buffer): string {
  const type = frame.readUInt16BE(12);
  if (type === 0x0806) return 'ARP';
  if (type === 0x0800) return frame[23] === 2 ? 'IGMP' : `IPv4 protocol ${frame[23]}`;
  if (type !== 0x86dd) return `type ${type.toString(16)}`;
  const [next, at] = frame[20] === 0 ? [frame[54], 62] : [frame[20], 54];
  return next === 58 ? (ICMP6_KINDS[frame[at] ?? 0] ?? `ICMPv6 type ${frame[at]}`) : `IPv6 protocol ${next}`;
}
