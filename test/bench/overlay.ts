import { setTimeout as sleep } from 'node:timers/promises';
import { daemonBin } from '../support/daemon-site.ts';
import { makeNetns, type TestNetns } from '../support/netns.ts';
import { type Member, makeOverlay, type Overlay } from '../support/overlay-site.ts';
import { throughput } from '../support/throughput.ts';
import { atMost, countAtMost, type Row, verdict } from './rows.ts';
import { formatTable, median, milliseconds, type Summary, summarize } from './stats.ts';

/** Sizes for overlay networks. */
export interface OverlaySizes {
  /** ADDs on one host that another one pings. */
  readonly pings: number;
  /** Rounds of each path's throughput. */
  readonly rounds: number;
}

export interface OverlayTimes {
  /** Milliseconds from an ADD's answer on one host to the first ping from another, bridged. */
  readonly seen: Summary;
  /** Commits of the cluster's store an ADD. */
  readonly commits: Readonly<Record<'shared' | 'per-host', number>>;
  /** Bits a second, medians. */
  readonly rates: Readonly<Record<Path, number>>;
}

type Path = 'bridge' | 'shared' | 'per-host' | 'by hand' | 'by hand, tracked';

const FLOW_MS = 1500;
const MODES = ['shared', 'per-host'] as const;

/** Measures two hosts, each with its daemon, and one etcd. */
export async function measureOverlay({ pings, rounds }: OverlaySizes): Promise<OverlayTimes> {
  using bin = daemonBin();
  await using overlay = await makeOverlay(bin, { hosts: 2, pods: pings + 2 });
  await Promise.all(overlay.members.map((member) => member.start()));
  const [a, b] = overlay.members as [Member, Member];
  const networks = MODES.map((mode, i) => overlay.network(mode, { mode }, { subnet: `10.${110 + i}.0.0/16` }));
  const [shared, routed] = networks as [Record<string, unknown>, Record<string, unknown>];
  const peer = { shared: b.add(0, shared)[0] ?? '', 'per-host': b.add(1, routed)[0] ?? '' };
  a.add(pings, shared);
  a.add(pings + 1, routed);
  await reached(a.site.host.pod(pings), peer.shared);
  await reached(a.site.host.pod(pings + 1), peer['per-host']);
  const seen: number[] = [];
  const before = revision(overlay);
  for (let pod = 0; pod < pings; pod++) {
    const [address = ''] = a.add(pod, shared);
    const since = performance.now();
    await reached(b.site.host.pod(0), address);
    seen.push(performance.now() - since);
  }
  const between = revision(overlay);
  for (let pod = 0; pod < pings; pod++) a.del(pod, shared);
  await sleep(3000);
  const later = revision(overlay);
  for (let pod = 0; pod < pings; pod++) a.add(pod, routed);
  const commits = { shared: (between - before) / pings, 'per-host': (revision(overlay) - later) / pings };
  const [neighbour = ''] = a.site.host.pod(0).run('hostname', '-I').trim().split(' ');
  using hand = byHand(overlay.underlay, 'by hand');
  using tracked = byHand(overlay.underlay, 'by hand, tracked');
  const flows: Readonly<Record<Path, () => Promise<number>>> = {
    bridge: () => throughput(a.site.host.pod(1), a.site.host.pod(0), neighbour, FLOW_MS),
    shared: () => throughput(a.site.host.pod(pings), b.site.host.pod(0), peer.shared, FLOW_MS),
    'per-host': () => throughput(a.site.host.pod(pings + 1), b.site.host.pod(1), peer['per-host'], FLOW_MS),
    'by hand': () => throughput(hand.from, hand.to, hand.address, FLOW_MS),
    'by hand, tracked': () => throughput(tracked.from, tracked.to, tracked.address, FLOW_MS),
  };
  const samples = new Map(Object.keys(flows).map((path) => [path, [] as number[]]));
  for (let round = 0; round < rounds; round++)
    for (const [path, flow] of Object.entries(flows)) samples.get(path)?.push(await flow());
  const rates = Object.fromEntries([...samples].map(([path, found]) => [path, median(found)]));
  return { seen: summarize(seen), commits, rates: rates as OverlayTimes['rates'] };
}

/** Resolves with the first answer. */
async function reached(from: TestNetns, address: string): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    try {
      from.run('busybox', 'ping', '-c', '1', '-W', '1', address);
      return;
    } catch {
      await sleep(1);
    }
  }
  throw new Error(`${address} does not answer`);
}

/** Each commit of etcd raises it by one. */
function revision({ etcd }: Overlay): number {
  return JSON.parse(etcd.ctl('get', 'none', '-w', 'json')).header.revision;
}

/** What makes the kernel track connections, as Docker and kube-proxy do. */
const TRACKING = `table inet usual {
  chain forward { type filter hook forward priority filter; ct state established,related accept; }
  chain postrouting { type nat hook postrouting priority srcnat; }
}`;

/** Number of each VXLAN made by hand, in its addresses and names. */
const HANDS = { 'by hand': 1, 'by hand, tracked': 2 } as const;

/**
 * Two namespaces behind a VXLAN that is made by hand. Its hosts are on the bridge that joins the overlay's hosts, so
 * that a frame takes as many steps.
 */
function byHand(
  underlay: TestNetns,
  path: keyof typeof HANDS,
): Disposable & { readonly from: TestNetns; readonly to: TestNetns; readonly address: string } {
  const stack = new DisposableStack();
  const number = HANDS[path];
  const [here, there] = [`192.0.2.1${number}1`, `192.0.2.1${number}2`];
  const [one, two, from, to] = ['x', 'y', 'f', 't'].map((label) => stack.use(makeNetns(label))) as [
    TestNetns,
    TestNetns,
    TestNetns,
    TestNetns,
  ];
  const ends = [
    [`h${number}0`, one, from, here, there, '10.99.0.1'],
    [`h${number}1`, two, to, there, here, '10.99.0.2'],
  ] as const;
  for (const [port, host, pod, local, remote, address] of ends) {
    underlay.ip('link', 'add', port, 'type', 'veth', 'peer', 'name', 'up0', 'netns', host.name);
    underlay.ip('link', 'set', port, 'master', 'sw0', 'up');
    host.ip('addr', 'add', `${local}/24`, 'dev', 'up0');
    host.ip('link', 'set', 'up0', 'up');
    host.ip('link', 'add', 'br0', 'mtu', '1450', 'type', 'bridge');
    const vxlan = ['vxlan', 'id', '9', 'dstport', '4789', 'local', local, 'remote', remote];
    host.ip('link', 'add', 'vx0', 'mtu', '1450', 'type', ...vxlan);
    host.ip('link', 'add', 'v0', 'mtu', '1450', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod.name);
    for (const member of ['vx0', 'v0']) host.ip('link', 'set', member, 'master', 'br0', 'up');
    host.ip('link', 'set', 'br0', 'up');
    pod.ip('addr', 'add', `${address}/24`, 'dev', 'eth0');
    pod.ip('link', 'set', 'eth0', 'mtu', '1450', 'up');
    if (path === 'by hand, tracked') host.run('nft', TRACKING);
  }
  return { from, to, address: '10.99.0.2', [Symbol.dispose]: () => stack.dispose() };
}

export function overlayRows({ seen, commits, rates }: OverlayTimes): Row[] {
  const share = (
    work: string,
    path: 'shared' | 'per-host',
    to: Exclude<Path, 'shared' | 'per-host'>,
    limit: number,
  ): Row => {
    const ratio = rates[path] / rates[to];
    const measured = `${(rates[path] / 1e9).toFixed(1)} : ${(rates[to] / 1e9).toFixed(1)} Gbit/s`;
    return { work, measured, ratio: `${ratio.toFixed(2)}×`, limit: `${limit}×`, met: ratio >= limit };
  };
  return [
    atMost("from ADD's answer to a ping from another host, shared, p50", seen.p50, 50, 'ms'),
    countAtMost('commits an ADD, shared', commits.shared, 1),
    countAtMost('commits an ADD, per-host', commits['per-host'], 0),
    share('TCP, shared, to two pods of one bridge', 'shared', 'bridge', 0.85),
    share('TCP, shared, to a VXLAN made by hand', 'shared', 'by hand', 0.95),
    share('TCP, shared, to the same on hosts that track connections', 'shared', 'by hand, tracked', 0.95),
    share('TCP, per-host, to two pods of one bridge', 'per-host', 'bridge', 0.85),
    share('TCP, per-host, to a VXLAN made by hand', 'per-host', 'by hand', 0.95),
    share('TCP, per-host, to the same on hosts that track connections', 'per-host', 'by hand, tracked', 0.95),
  ];
}

export function printOverlay(times: OverlayTimes): void {
  const rows = overlayRows(times).map((row) => [row.work, row.measured, row.ratio, row.limit, verdict(row, 'NO')]);
  console.log('\nOverlay networks: two hosts on one machine, one etcd');
  console.log(formatTable([['', 'measured', 'ratio', 'limit', 'met'], ...rows]));
  const { count, p50, p90, p99 } = times.seen;
  console.log(`seen from another host (ms): ${count} ADDs, ${[p50, p90, p99].map(milliseconds).join(' ')}`);
}
