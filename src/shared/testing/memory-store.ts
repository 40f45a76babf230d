import type { HostIdentity } from '../host/host.ts';
import { type Addr, compareAddr } from '../model/addr.ts';
import { type Attachment, attachmentDigest, type Role, sameContainer } from '../model/attachment.ts';
import { type Endpoint, hostIfOf } from '../model/endpoint.ts';
import { formatNetwork, parseNetwork } from '../store/bodies.ts';
import type { ClusterKeyRow, ClusterKeyTable } from '../store/cluster-keys.ts';
import type {
  DockerNetworkRow,
  DockerNetworkTable,
  EndpointTable,
  Lease,
  LeaseTable,
  LocalStore,
  NetworkRow,
  NetworkTable,
  NoteTable,
  PoolRow,
  PoolTable,
  PortClaim,
  PortTable,
  Run,
} from '../store/store.ts';
import {
  addressKey,
  interfaceTaken,
  leaseLost,
  leaseTaken,
  neighbour,
  overlap,
  portTaken,
  withFamily,
} from '../store/taken.ts';
import { clusterKeyTable, countParts, noteTable } from './memory-rows.ts';

/** State that several MemoryStores share, as processes share a file. Keys are NUL-separated. */
export class MemoryDisk {
  networks = new Map<string, NetworkRow>();
  dockerNetworks = new Map<string, DockerNetworkRow>();
  pools = new Map<string, PoolRow>();
  endpoints = new Map<string, Endpoint>();
  leases = new Map<string, Lease>();
  notes = new Map<string, string>();
  ports = new Map<string, PortClaim>();
  clusterKeys = new Map<string, ClusterKeyRow>();
}

/**
 * A LocalStore without a file, for tests and dry runs: the simplest code that fulfills the contract. A range query
 * takes time proportional to its result.
 */
export class MemoryStore implements LocalStore {
  readonly networks: NetworkTable;
  readonly dockerNetworks: DockerNetworkTable;
  readonly pools: PoolTable;
  readonly endpoints: EndpointTable;
  readonly leases: LeaseTable;
  readonly notes: NoteTable;
  readonly ports: PortTable;
  readonly clusterKeys: ClusterKeyTable;
  readonly #disk: MemoryDisk;
  #depth = 0;

  constructor({ hostId, bootId }: HostIdentity, disk: MemoryDisk = new MemoryDisk()) {
    this.#disk = disk;
    this.networks = networkTable(disk, `${hostId}\0`);
    this.dockerNetworks = rowTable(() => disk.dockerNetworks, `${hostId}\0`);
    this.pools = poolTable(disk, `${hostId}\0`);
    this.endpoints = endpointTable(disk, `${hostId}\0`, bootId);
    this.leases = leaseTable(disk, `${hostId}\0${bootId}\0`);
    this.notes = noteTable(() => disk.notes, `${hostId}\0`);
    this.ports = portTable(disk, `${hostId}\0${bootId}\0`);
    this.clusterKeys = clusterKeyTable(() => disk.clusterKeys, `${hostId}\0`);
  }

  snapshot<T>(work: () => T): T {
    return work();
  }

  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return work();
    const { networks, dockerNetworks, pools, endpoints, leases, notes, ports, clusterKeys } = this.#disk;
    const before = {
      networks: new Map(networks),
      dockerNetworks: new Map(dockerNetworks),
      pools: new Map(pools),
      endpoints: new Map(endpoints),
      leases: new Map(leases),
      notes: new Map(notes),
      ports: new Map(ports),
      clusterKeys: new Map(clusterKeys),
    };
    this.#depth++;
    try {
      return work();
    } catch (error) {
      Object.assign(this.#disk, before);
      throw error;
    } finally {
      this.#depth--;
    }
  }

  refresh(): void {}

  [Symbol.dispose](): void {}
}

function networkTable(disk: MemoryDisk, prefix: string): NetworkTable {
  return {
    get: (name) => disk.networks.get(prefix + name),
    put: (row) => void disk.networks.set(prefix + row.name, parseNetwork(formatNetwork(row)) ?? row),
    delete: (name) => void disk.networks.delete(prefix + name),
    list: (device) => under(disk.networks, prefix).filter((row) => device === undefined || row.device === device),
    broken: () => [],
  };
}

/** Calls `rows` each time: a failed transaction replaces the map. */
function rowTable<T extends { readonly id: string }>(rows: () => Map<string, T>, prefix: string) {
  return {
    get: (id: string): T | undefined => rows().get(prefix + id),
    put: (row: T): void => void rows().set(prefix + row.id, frozen(row)),
    delete: (id: string): void => void rows().delete(prefix + id),
    list: (): T[] => under(rows(), prefix),
  };
}

function poolTable(disk: MemoryDisk, prefix: string): PoolTable {
  const table = rowTable(() => disk.pools, prefix);
  return { ...table, list: (scope) => table.list().filter((row) => scope === undefined || row.scope === scope) };
}

const loneOf = (row: Endpoint) => (row.kind === 'lone' ? row.link : 'lone' in row ? row.lone : undefined);

function endpointTable(disk: MemoryDisk, host: string, bootId: string): EndpointTable {
  const prefix = `${host}${bootId}\0`;
  const key = ({ network, camp, containerId, ifName }: Attachment, role: Role): string =>
    prefix + [network, camp, containerId, ifName, role].join('\0');
  return {
    get: (attachment, role) => disk.endpoints.get(key(attachment, role)),
    put: (row) => {
      const place = key(row.attachment, row.role);
      const hostIf = hostIfOf(row);
      for (const [key, other] of disk.endpoints)
        if (hostIf !== undefined && hostIfOf(other) === hostIf && key !== place && key.startsWith(prefix))
          throw interfaceTaken(row);
      disk.endpoints.set(place, frozen(row));
    },
    delete: (attachment, role) => void disk.endpoints.delete(key(attachment, role)),
    list: (network) => under(disk.endpoints, network === undefined ? prefix : `${prefix}${network}\0`),
    broken: () => [],
    count: () => countParts(under(disk.endpoints, prefix)),
    ofContainer: ({ camp, containerId: id }) =>
      under(disk.endpoints, prefix).filter(({ attachment: one }) => one.camp === camp && one.containerId === id),
    withDevice: () =>
      under(disk.endpoints, prefix).filter((row) => /^(moved|userspace)$/.test(loneOf(row)?.link.kind ?? '')),
    withMac: (mac) => under(disk.endpoints, prefix).filter((row) => loneOf(row)?.mac === mac),
    any: (network) => under(disk.endpoints, `${prefix}${network}\0`).length > 0,
  };
}

function leaseTable(disk: MemoryDisk, prefix: string): LeaseTable {
  const key = (scope: string, address: Addr): string => `${prefix}${scope}\0${addressKey(address)}`;
  const list = (scope: string): Lease[] => under(disk.leases, `${prefix}${scope}\0`);
  const end = (scope: string, from: Addr, step: 1n | -1n): Addr => {
    let at = from;
    for (;;) {
      const next = neighbour(at, step);
      if (next === undefined || !disk.leases.has(key(scope, next))) return at;
      at = next;
    }
  };
  return {
    runAt: (scope, address): Run | undefined =>
      disk.leases.has(key(scope, address))
        ? { first: end(scope, address, -1n), last: end(scope, address, 1n) }
        : undefined,
    at: (scope, address) => disk.leases.get(key(scope, address)),
    any: (scope) => list(scope).length > 0,
    take: (lease) => {
      const holder = disk.leases.get(key(lease.scope, lease.address));
      if (holder !== undefined) throw leaseTaken(lease, holder);
      disk.leases.set(key(lease.scope, lease.address), frozenLease(lease));
    },
    list: (scope, owner) =>
      owner === undefined ? list(scope) : list(scope).filter((lease) => same(lease.owner, owner)),
    release: (scope, address) => void disk.leases.delete(key(scope, address)),
    reassign: (scope, address, from, to) => {
      const lease = disk.leases.get(key(scope, address));
      if (lease === undefined || !same(lease.owner, from)) throw leaseLost(scope, address, lease);
      const { requestedAt: _, ...rest } = lease;
      disk.leases.set(key(scope, address), frozenLease({ ...rest, ...to }));
    },
    count: (scope, first, last) =>
      list(scope).filter(({ address }) => compareAddr(first, address) <= 0 && compareAddr(address, last) <= 0).length,
  };
}

function portTable(disk: MemoryDisk, prefix: string): PortTable {
  const key = ({ protocol, hostPort, family, hostIp = '', owner }: PortClaim): string => {
    const place = [String(hostPort).padStart(5, '0'), family ?? 'both', hostIp];
    return [`${prefix}${protocol}`, ...place, attachmentDigest(owner)].join('\0');
  };
  const list = (): PortClaim[] => under(disk.ports, prefix);
  return {
    take: (...given) => {
      const claims = given.map(withFamily);
      for (const claim of claims) {
        const holder = list().find((other) => overlap(other, claim) && !sameContainer(other.owner, claim.owner));
        if (holder !== undefined) throw portTaken(claim, holder);
      }
      for (const claim of claims) {
        const { count = 1 } = disk.ports.get(key(claim)) ?? {};
        const { count: more = 1 } = claim;
        disk.ports.set(
          key(claim),
          frozen({ ...claim, ...(Math.max(count, more) > 1 ? { count: Math.max(count, more) } : {}) }),
        );
      }
    },
    release: (owner) => {
      for (const claim of list()) if (same(claim.owner, owner)) disk.ports.delete(key(claim));
    },
    list: (owner) => (owner === undefined ? list() : list().filter((claim) => same(claim.owner, owner))),
    partners: (owner) => {
      const others = list().filter((claim) => sameContainer(claim.owner, owner) && !same(claim.owner, owner));
      return [...new Map(others.map((claim) => [attachmentDigest(claim.owner), claim.owner])).values()];
    },
  };
}

/** Returns the values in key order, for keys that begin with `prefix`. */
function under<T>(map: ReadonlyMap<string, T>, prefix: string): T[] {
  const found = [...map].filter(([key]) => key.startsWith(prefix));
  return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}

/** Returns a copy, as a file would, so that changes to the caller's object do not change the row. */
function frozen<T>(row: T): T {
  return JSON.parse(JSON.stringify(row));
}

function frozenLease({ address, owner, ...rest }: Lease): Lease {
  return { ...rest, address: { ...address }, owner: { ...owner } };
}

function same(a: Attachment, b: Attachment): boolean {
  return a.camp === b.camp && a.network === b.network && a.containerId === b.containerId && a.ifName === b.ifName;
}
