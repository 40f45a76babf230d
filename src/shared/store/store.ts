import type { NetworkSpec } from '../config/network-spec.ts';
import type { Addr, Family } from '../model/addr.ts';
import type { Attachment, Role } from '../model/attachment.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Protocol } from '../model/firewall.ts';
import type { Owned } from '../model/owned.ts';

/** What is made once for a network. Durable across reboots. */
export interface NetworkRow {
  readonly name: string;
  readonly driver: string;
  /** The device that carries the network; a different one is refused while endpoints exist. */
  readonly device: string;
  /** What we made for it, in the order to delete it; what we found there is not in it. */
  readonly owned: readonly Owned[];
  /** Boot in which `owned` was made: a later boot has none of it. */
  readonly bootId: string;
  /** What it is made by; absent where only plugins chained behind another one are on it. */
  readonly spec?: NetworkSpec;
  /** Who keeps it while it has no endpoint: `docker:<NetworkID>` for each of dockerd's, `operator`. Default: nobody. */
  readonly holders?: readonly string[];
}

/** How a family of a Docker network is reached from outside (com.docker.network.bridge.gateway_mode_ipv4, _ipv6). */
export type GatewayMode = 'nat' | 'nat-unprotected' | 'routed' | 'isolated';

/** A network of dockerd's, by its id: what later calls need to know, since dockerd never says it again. Durable. */
export interface DockerNetworkRow {
  /** NetworkID. */
  readonly id: string;
  /** The Network that it is: `docker-<12 hex digits of the id>`, or the one that it shares. */
  readonly network: string;
  readonly driver: 'bridge' | 'null';
  /** What CreateNetwork was called with, as JSON with sorted keys: the same call again is success. */
  readonly request: string;
  readonly internal: boolean;
  /** Addresses that containers are told to route by; absent where they get no default route by this network. */
  readonly gateway4?: string;
  readonly gateway6?: string;
  readonly mode4: GatewayMode;
  readonly mode6: GatewayMode;
  /** Where the built-in IPAM leases its addresses; absent where dockerd's own does. */
  readonly scope?: string;
  /** Host address of published ports that name none; absent: all. */
  readonly hostBinding?: string;
  /** Interfaces in containers are called this and a number. */
  readonly ifPrefix: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** One RequestPool of dockerd's that has not been released. Durable. */
export interface PoolRow {
  /** PoolID. */
  readonly id: string;
  /** Where its addresses are leased. */
  readonly scope: string;
  /** The Network whose pool was asked for (--ipam-opt network=); absent: one of its own. */
  readonly network?: string;
  /** `10.88.0.0/16`. */
  readonly subnet: string;
  /** dockerd has been told that it is 0.0.0.0/0: it takes a subnet that the host has a route to only where it named it. */
  readonly anyPool?: true;
  /** Part of the subnet that addresses are chosen from (--ip-range); absent: all of it. */
  readonly range?: string;
  readonly gateway?: string;
  /** Addresses that endpoints cannot have: gateway and auxiliary addresses. Without prefix length. */
  readonly reserved: readonly string[];
  /** NetworkID of the Docker network that uses it; absent: nobody yet, so that it expires. */
  readonly usedBy?: string;
  /** Milliseconds since the epoch, of the last request that concerned it. */
  readonly requestedAt: number;
}

/**
 * Networks of this host. A row whose content is broken costs its own network only, here and in the tables below: `get`
 * and `list` leave it out, `put` replaces it, `delete` deletes it.
 */
export interface NetworkTable {
  get(name: string): NetworkRow | undefined;
  put(row: NetworkRow): void;
  delete(name: string): void;
  list(): NetworkRow[];
  /** Names of the networks whose row is broken. */
  broken(): string[];
}

/** Docker networks of this host. */
export interface DockerNetworkTable {
  get(id: string): DockerNetworkRow | undefined;
  put(row: DockerNetworkRow): void;
  delete(id: string): void;
  list(): DockerNetworkRow[];
}

/** Pools that dockerd holds on this host. */
export interface PoolTable {
  get(id: string): PoolRow | undefined;
  put(row: PoolRow): void;
  delete(id: string): void;
  /** All of them, or those that lease in one scope. */
  list(scope?: string): PoolRow[];
}

/** What a broken row is known by. */
export interface EndpointKey {
  readonly attachment: Attachment;
  readonly role: Role;
}

/** Endpoints of this host and this boot; rows of an earlier boot do not show. */
export interface EndpointTable {
  get(attachment: Attachment, role: Role): Endpoint | undefined;
  put(row: Endpoint): void;
  delete(attachment: Attachment, role: Role): void;
  /** All of them, or those of one network, whatever their camp. */
  list(network?: string): Endpoint[];
  /** Endpoints whose row is broken, of one network or of all. */
  broken(network?: string): EndpointKey[];
  /** True where the network has one, broken or not, whatever its camp; as fast with a thousand as with one. */
  any(network: string): boolean;
}

export interface Lease {
  /** `<dataDir>/<network>`: one pool of addresses. */
  readonly scope: string;
  readonly address: Addr;
  readonly owner: Attachment;
  /** `file`: read from a host-local directory, whose file goes with the lease. */
  readonly source: 'store' | 'file';
}

/** Longest run of leased addresses without a gap. */
export interface Run {
  readonly first: Addr;
  readonly last: Addr;
}

/** Leases of this host; those of an earlier boot do not count. Uniqueness (scope, address) is the schema's. */
export interface LeaseTable {
  /** The run that holds `address`, or undefined where it is free. O(log n). */
  runAt(scope: string, address: Addr): Run | undefined;
  /** The lease of one address, or undefined where it is free. */
  at(scope: string, address: Addr): Lease | undefined;
  /** True if the scope has a lease; as fast with a thousand as with one. */
  any(scope: string): boolean;
  /** Throws NetError `conflict`, naming the holder, where the address is leased. */
  take(lease: Lease): void;
  /** Leases of one owner in a scope; all of the scope without one. */
  list(scope: string, owner?: Attachment): Lease[];
  /** Frees one address; absence is fine. */
  release(scope: string, address: Addr): void;
  /** The lease is another owner's from now on. Throws NetError `conflict` where the address is not `from`'s. */
  reassign(scope: string, address: Addr, from: Attachment, to: Attachment): void;
  /** How many addresses from `first` to `last` are leased. */
  count(scope: string, first: Addr, last: Addr): number;
}

/** A host port that an endpoint has. */
export interface PortClaim {
  readonly protocol: Protocol;
  readonly hostPort: number;
  /** One address of the host; absent: every address of `family`. */
  readonly hostIp?: string;
  /** `take` fills it in from `hostIp`. Absent without `hostIp`: both families. */
  readonly family?: Family;
  readonly owner: Attachment;
}

/** Host ports in use on this host; those of an earlier boot do not count. */
export interface PortTable {
  /**
   * Throws NetError `conflict`, naming the holder, if another container has the port in the same family, on the same
   * address or where one side takes every address. Attachments of one container may claim a port together: a runtime
   * hands the same mappings to each of its networks. A claim that its owner has already changes nothing.
   */
  take(claim: PortClaim): void;
  /** Frees all ports of an owner. */
  release(owner: Attachment): void;
  /** All of them, or an owner's, by protocol, port, family and address. */
  list(owner?: Attachment): PortClaim[];
  /** The other attachments of the owner's container that have claims. */
  partners(owner: Attachment): Attachment[];
}

/** Small facts: round-robin cursors, times of imported directories. Values are text; belongs to the host, durable. */
export interface NoteTable {
  get(key: string): string | undefined;
  put(key: string, value: string): void;
  /** Absence is fine. */
  delete(key: string): void;
  /** Keys that begin with `prefix`, sorted. Reads all notes of the host. */
  keys(prefix: string): string[];
}

/** Everything that must be known again after a crash. */
export interface LocalStore extends Disposable {
  /** What is read next is what the state is now, for whoever keeps a store open: its file may have been replaced. */
  refresh(): void;
  readonly networks: NetworkTable;
  readonly dockerNetworks: DockerNetworkTable;
  readonly pools: PoolTable;
  readonly endpoints: EndpointTable;
  readonly leases: LeaseTable;
  readonly ports: PortTable;
  readonly notes: NoteTable;
  /**
   * Runs `work` in one BEGIN IMMEDIATE transaction: all of it is stored or none. Nested calls join the outer one.
   * With `durable` the commit is synced to disk before the call returns.
   * Throws NetError `busy` where the lock is not had in time, `state` where the disk is full or the file broken.
   */
  transaction<T>(work: () => T, options?: { readonly durable?: boolean }): T;
}
