import { join } from 'node:path';
import { Cluster, type ClusterParts } from '../../src/shared/cluster/cluster.ts';
import type { NetworkRequest } from '../../src/shared/cluster/networks.ts';
import { notedMoment } from '../../src/shared/cluster/noted.ts';
import type { Self } from '../../src/shared/cluster/site.ts';
import type { RangeSpec } from '../../src/shared/ipam/ranges.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import { parseAddr } from '../../src/shared/model/addr.ts';
import { hostId } from '../../src/shared/model/attachment.ts';
import { firstHost, firstOf, lastOf } from '../../src/shared/model/prefix.ts';
import type { ClusterStore } from '../../src/shared/store/cluster/cluster-store.ts';
import type { LocalStore } from '../../src/shared/store/store.ts';
import type { MemoryCluster } from '../../src/shared/testing/memory-cluster.ts';
import { MemoryDisk, MemoryStore } from '../../src/shared/testing/memory-store.ts';
import { prefixOf } from './addresses.ts';
import { makeTempDir, type TempDir } from './temp.ts';

export const SETTINGS = { port: 4789, underlay: 4, firstVni: 4096, lastVni: 4999 } as const;

/** A range that is all of its subnet. */
export function rangeOf(subnet: string): RangeSpec {
  const prefix = prefixOf(subnet);
  return { subnet: prefix, rangeStart: firstOf(prefix), rangeEnd: lastOf(prefix), gateway: firstHost(prefix) };
}

export function networkRequest(
  name: string,
  changes: Partial<NetworkRequest> & { subnets?: readonly string[] } = {},
): NetworkRequest {
  const { subnets = ['10.9.0.0/24'], ...rest } = changes;
  const options = { flood: false, hostAddress: false, internal: false, encrypted: false };
  return { name, mode: 'shared', sets: subnets.map((subnet) => [rangeOf(subnet)]), options, ...rest };
}

export const addrOf = (text: string) => parseAddr(text) ?? { family: 4 as const, value: 0n };

/** Lets every watch deliver what is there. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export interface Line {
  readonly level: string;
  readonly event: string;
  readonly fields: unknown;
}

/** A machine of a cluster: what survives its processes. */
export class Machine implements Disposable {
  readonly disk = new MemoryDisk();
  readonly directory: TempDir = makeTempDir();
  readonly lines: Line[] = [];
  readonly place: MemoryCluster;
  self: Self;
  now = 1_000_000;
  /** Default: as `now`. */
  wall: number | undefined;
  /** Transactions in the cluster's store. */
  commits = 0;

  constructor(place: MemoryCluster, name: string, changes: Partial<Self> = {}) {
    this.place = place;
    const id = `00000000-0000-4000-8000-${name.padEnd(12, '0').slice(0, 12)}`;
    const octet = name.charCodeAt(name.length - 1) % 250;
    const underlay4 = `192.0.2.${octet}`;
    this.self = { id, name, bootId: `${name}-boot-1`, underlay4, mtu: 1500, release: '1', ...changes };
  }

  local(): LocalStore {
    return new MemoryStore({ hostId: hostId('root'), bootId: this.self.bootId, bootedAt: 0 }, this.disk);
  }

  store(): ClusterStore {
    const store = this.place.open(notedMoment(this.local()));
    const commit: ClusterStore['commit'] = async (change) => {
      this.commits++;
      return await store.commit(change);
    };
    return wrapStore(store, { commit });
  }

  open(changes: Partial<ClusterParts> = {}): Process {
    const log = (level: string) => (event: string, fields?: unknown) => void this.lines.push({ level, event, fields });
    const logger: Logger = { error: log('error'), warn: log('warn'), info: log('info'), debug: log('debug') };
    const parts: ClusterParts = {
      ...{ store: this.store(), local: this.local(), stateDir: this.directory.path, self: this.self },
      ...{
        settings: SETTINGS,
        log: logger,
        now: () => this.now,
        wall: () => this.wall ?? this.now,
        graceMs: 60_000,
        ...changes,
      },
    };
    return new Process(parts);
  }

  keptFile(): string {
    return join(this.directory.path, 'cluster-copy');
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

/** A daemon's part in a cluster, without its loops: a test does their steps. */
export class Process implements Disposable {
  readonly cluster: Cluster;
  readonly local: LocalStore;
  readonly store: ClusterStore;
  session = new AbortController();

  constructor(parts: ClusterParts) {
    this.local = parts.local;
    this.store = parts.store;
    this.cluster = new Cluster(parts);
  }

  async join(): Promise<void> {
    await this.cluster.membership.enter(this.session.signal);
    await settled();
  }

  /** The session ends, as if the host had died long ago. */
  async silence(): Promise<void> {
    this.session.abort();
    this.session = new AbortController();
    await settled();
  }

  [Symbol.dispose](): void {
    this.session.abort();
    this.cluster[Symbol.dispose]();
    this.store[Symbol.dispose]();
  }
}

export function wrapStore(store: ClusterStore, changes: Partial<ClusterStore>): ClusterStore {
  return {
    list: (prefix) => store.list(prefix),
    commit: (change) => store.commit(change),
    watch: (prefix, signal) => store.watch(prefix, signal),
    session: (ttl, signal) => store.session(ttl, signal),
    status: () => store.status(),
    [Symbol.dispose]: () => store[Symbol.dispose](),
    ...changes,
  };
}
