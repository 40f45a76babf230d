/**
 * Some hosts of the simulation in one process, which does what its parent asks over IPC: `{ id, order, of }`, answered by
 * `{ id, value }` or `{ id, error }`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { addressKey } from '../../src/shared/cluster/keys.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { parseAddr } from '../../src/shared/model/addr.ts';
import type { ClusterStore } from '../../src/shared/store/cluster/cluster-store.ts';
import { openClusterStore } from '../../src/shared/store/cluster/open.ts';
import { networkRequest, wrapStore } from '../support/cluster-machine.ts';
import { differences } from '../support/simulation/expected.ts';
import { SimulatedHost } from '../support/simulation/simulated-host.ts';
import type { Arrivals, Begun, Orders, Span } from './scale-orders.ts';

const ROOT = '/isthmus/scale/v1/';
const [, , endpoint = '', stateDirs = ''] = process.argv;
/** Daemons of a process that start at the same time: each start is news to all others. */
const STARTS = 4;
const hosts = new Map<number, SimulatedHost>();
/** When each host's kernel had a neighbour, by key of its address; undefined while nobody asks. */
let arrivals: Map<string, Map<number, number>> | undefined;
/** Neighbours that kernels have been told of. */
let neighbours = 0;

/** Changes that hosts have asked the store for. */
let commits = 0;

async function open(): Promise<ClusterStore> {
  const store = await openClusterStore({ kind: 'etcd', endpoints: [endpoint], root: ROOT });
  return wrapStore(store, {
    commit: async (change) => {
      commits++;
      return await store.commit(change);
    },
  });
}
/** Milliseconds; one clock for all processes of the machine. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

function hostAt(index: number): SimulatedHost {
  const host = hosts.get(index);
  if (host === undefined) throw new Error(`no host ${index} in this process`);
  return host;
}

function create(index: number): void {
  const host = new SimulatedHost({
    ...{ index, open, stateDirs },
    told: (network, ops) => {
      const at = now();
      for (const op of ops) {
        if (op.op !== 'neigh.replace') continue;
        neighbours++;
        const addr = parseAddr(op.address);
        if (addr === undefined || arrivals === undefined) continue;
        const key = addressKey(network, addr);
        const times = arrivals.get(key) ?? new Map<number, number>();
        arrivals.set(key, times.set(index, times.get(index) ?? at));
      }
    },
  });
  hosts.set(index, host);
}

const orders: { readonly [K in keyof Orders]: (of: Orders[K]['of']) => Promise<Orders[K]['value']> } = {
  /** Creates hosts without daemons. */
  create: async ({ from, to }) => {
    for (let index = from; index < to; index++) create(index);
  },
  start: async (span) => await each(span, STARTS, (host) => host.start()),
  makeNetworks: async ({ host, names, prefix, mode }) => {
    const { networks } = hostAt(host).cluster;
    const ids: string[] = [];
    for (const [at, name] of names.entries()) {
      const subnets = [`10.${prefix + at}.0.0/16`];
      const routed = { mode, hostLength4: 24 } as const;
      const request = networkRequest(name, { subnets, ...(mode === 'per-host' && routed) });
      ids.push((await insist(() => networks.create(request))).id);
    }
    return ids;
  },
  use: async ({ span, networks }) =>
    await each(span, 16, async (host, index) => {
      for (const network of networks[index - span.from] ?? []) await known(host, network);
    }),
  /** So many endpoints on each host, on its networks in turn. */
  fill: async ({ span, endpoints, only }) => {
    let refused = 0;
    const before = commits;
    await each(span, 16, async (host) => {
      const on = only === undefined ? host.networks : [only];
      for (let i = 0; i < endpoints; i++)
        await insist(
          () => host.add(on[i % on.length] ?? ''),
          () => refused++,
        );
    });
    return { refused, commits: commits - before };
  },
  /** ADDs on random hosts, begun at a constant rate whatever becomes of those before. */
  paced: async ({ span, adds, perSecond }) => {
    const begun: Begun[] = [];
    let refused = 0;
    const works: Promise<void>[] = [];
    const since = performance.now();
    for (let i = 0; i < adds; i++) {
      await sleep(Math.max(0, (i * 1000) / perSecond - (performance.now() - since)));
      const host = hostAt(span.from + Math.floor(Math.random() * (span.to - span.from)));
      const network = host.networks[i % host.networks.length] ?? '';
      const at = now();
      const work = async (): Promise<void> => {
        const { addresses } = host.endpoints.get(await host.add(network)) ?? {};
        for (const addr of addresses ?? [])
          begun.push({ key: addressKey(network, addr), network, at, answered: now() });
      };
      works.push(
        work().catch(() => {
          refused++;
        }),
      );
    }
    await Promise.all(works);
    return { begun, refused };
  },
  /** Remembers from now on when addresses arrive. */
  watch: async () => {
    arrivals = new Map();
  },
  arrivals: async () => {
    const found: Arrivals = {};
    for (const [key, times] of arrivals ?? []) found[key] = { hosts: times.size, last: Math.max(0, ...times.values()) };
    return found;
  },
  memory: async () => {
    for (let i = 0; i < 3; i++) {
      global.gc?.();
      await sleep(100);
    }
    const { rss, heapUsed } = process.memoryUsage();
    return { rss, heapUsed };
  },
  /** Where tables are not what the store says; empty once they are, or `seconds` are over. */
  check: async ({ seconds }) => {
    using store = await open();
    for (const end = Date.now() + seconds * 1000; ; ) {
      const { entries } = await store.list('');
      const keys = new Map([...entries].map(([key, { value }]) => [key, value]));
      const wrong = differences(hosts.values(), keys);
      if (wrong.length === 0 || Date.now() > end) return wrong.slice(0, 10);
      await sleep(500);
    }
  },
  /**
   * Milliseconds in which a host's kernel gets `count` remote endpoints: from the use of a network that it has not used
   * before, and from the start of a daemon that knows nothing, beside a kernel that has nothing.
   */
  cold: async ({ host: index, network, count }) => {
    const host = hostAt(index);
    const filled = async (work: () => Promise<unknown>): Promise<number> => {
      const [since, before] = [performance.now(), neighbours];
      await work();
      while (neighbours - before < count) await sleep(1);
      return performance.now() - since;
    };
    const joined = await filled(() => host.use(network));
    await host.kill();
    host.emptyKernel();
    host.forgetOthers();
    return { joined, restarted: await filled(() => host.start()) };
  },
  end: async () => {
    await Promise.all([...hosts.values()].map((host) => host.kill()));
  },
};

/** The network may have been created a moment ago. */
async function known(host: SimulatedHost, network: string): Promise<void> {
  while (host.cluster.networks.record(network) === undefined) await sleep(20);
  await insist(() => host.use(network));
}

/** Repeats what the store was too late for. */
async function insist<T>(work: () => Promise<T>, refused = (): unknown => undefined): Promise<T> {
  for (;;)
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NetError) || error.kind !== 'unavailable') throw error;
      refused();
      await sleep(100);
    }
}

/** So many hosts at a time. */
async function each(
  { from, to }: Span,
  width: number,
  work: (host: SimulatedHost, index: number) => Promise<void>,
): Promise<void> {
  let next = from;
  const lane = async (): Promise<void> => {
    while (next < to) {
      const index = next++;
      await work(hostAt(index), index);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
}

process.on('disconnect', () => process.exit());
process.on('message', ({ id, order, of }: { id: number; order: keyof Orders; of: never }) => {
  const answer = (what: object): unknown => process.send?.({ id, ...what });
  orders[order](of).then(
    (value) => answer({ value }),
    (error: unknown) => answer({ error: error instanceof Error ? error.stack : String(error) }),
  );
});
