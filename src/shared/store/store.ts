import type { NetworkSpec } from '../config/network-spec.ts';
import type { Addr, Family } from '../model/addr.ts';
import type { Attachment, Camp, Role } from '../model/attachment.ts';
import type { ListFacts } from '../model/chain.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { PortSpan, Protocol } from '../model/firewall.ts';
import type { NetworkHolder, Owned } from '../model/owned.ts';
import type { ClusterKeyTable } from './cluster-keys.ts';

/** A network, with what was created once for all its endpoints. Survives reboots. */
export interface NetworkRow {
  readonly name: string;
  readonly driver: string;
  /** The device that carries the network. A different one is refused while endpoints exist. */
  readonly device: string;
  /** What we created for it, in the order to delete it. Excludes what we found. */
  readonly owned: readonly Owned[];
  /** True while it is being deleted: some of what it owns may be gone. */
  readonly deleting?: true;
  /** The boot in which `owned` was created. A later boot has none of it. */
  readonly bootId: string;
  /** Its spec; absent if only parts of a plugin chain use it. */
  readonly spec?: NetworkSpec;
  /** Users that keep the network without endpoints. Default: none. */
  readonly holders?: readonly NetworkHolder[];
}

/** How hosts outside reach a family of a Docker network (com.docker.network.bridge.gateway_mode_ipv4, _ipv6). */
export type GatewayMode = 'nat' | 'nat-unprotected' | 'routed' | 'isolated';

/** A Docker network, by its id: what later calls need, since dockerd sends it only once. Survives reboots. */
export interface DockerNetworkRow {
  readonly id: string;
  /** Its Network: `docker-<12 hex digits of the id>`, or the one that it shares. */
  readonly network: string;
  readonly driver: 'bridge' | 'null' | 'overlay' | 'macvlan' | 'ipvlan' | 'cni';
  readonly list?: ListFacts;
  /** The CreateNetwork request, as JSON with sorted keys: repeating the same request succeeds. */
  readonly request: string;
  readonly internal: boolean;
  /** The containers' gateways; absent if they get no default route through this network. */
  readonly gateway4?: string;
  readonly gateway6?: string;
  readonly mode4: GatewayMode;
  readonly mode6: GatewayMode;
  /** Scope of the built-in IPAM's leases; absent if dockerd's own IPAM allocates. */
  readonly scope?: string;
  /** Host address for published ports that name none; absent: all. */
  readonly hostBinding?: string;
  /** Prefix of interface names in containers; a number follows. */
  readonly ifPrefix: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** One RequestPool of dockerd that has not been released. Survives reboots. */
export interface PoolRow {
  /** PoolID. */
  readonly id: string;
  /** Scope of its leases. */
  readonly scope: string;
  /** The Network whose pool was requested (--ipam-opt network=); absent: a network of its own. */
  readonly network?: string;
  /** `10.88.0.0/16`. */
  readonly subnet: string;
  /** Of a network over several hosts, each with a range of its own: the subnet of all; `subnet` is this host's range. */
  readonly whole?: string;
  /**
   * dockerd was told 0.0.0.0/0, because it accepts a subnet that the host has a route to only if it named it itself.
   */
  readonly anyPool?: true;
  /** The part of the subnet that addresses are chosen from (--ip-range); absent: all of it. */
  readonly range?: string;
  readonly gateway?: string;
  /** Addresses that endpoints cannot have: gateway and auxiliary addresses, without prefix length. */
  readonly reserved: readonly string[];
  /** NetworkID of the Docker network that uses it; absent: none yet, so it expires. */
  readonly usedBy?: string;
  /** When it was last requested, in milliseconds since the epoch. */
  readonly requestedAt: number;
}

/**
 * Networks of this host. A row with broken content affects its own network only, here and in the tables below: `get`
 * and `list` omit it, `put` replaces it, `delete` deletes it. With a device, `list` has only the networks on it.
 */
export interface NetworkTable {
  get(name: string): NetworkRow | undefined;
  put(row: NetworkRow): void;
  delete(name: string): void;
  list(device?: string): NetworkRow[];
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
  /** All pools, or those of one scope. */
  list(scope?: string): PoolRow[];
}

/** The key of an endpoint's row, which a broken row still has. */
export interface EndpointKey {
  readonly attachment: Attachment;
  readonly role: Role;
}

/** How many parts of endpoints are alike. */
export interface PartCount {
  readonly camp: Camp;
  readonly role: Role;
  readonly progress: Endpoint['progress'];
  readonly count: number;
}

/** Endpoints of this host and this boot. Rows of an earlier boot are hidden. */
export interface EndpointTable {
  get(attachment: Attachment, role: Role): Endpoint | undefined;
  put(row: Endpoint): void;
  delete(attachment: Attachment, role: Role): void;
  /** All endpoints, or those of one network, of both camps. */
  list(network?: string): Endpoint[];
  /** Keys of broken rows, of one network or of all. */
  broken(network?: string): EndpointKey[];
  /** Counts the parts of all endpoints, without reading each. */
  count(): PartCount[];
  /** The parts of all attachments of one container; as fast with a thousand containers as with one. */
  ofContainer(container: Pick<Attachment, 'camp' | 'containerId'>): Endpoint[];
  /** Endpoints that have a device of the host; those without a side on the host whose interface has this MAC. */
  withDevice(): Endpoint[];
  withMac(mac: string): Endpoint[];
  /** True if the network has an endpoint of either camp, broken or not. As fast with a thousand as with one. */
  any(network: string): boolean;
}

export interface Lease {
  /** `<dataDir>/<network>`: one pool of addresses. */
  readonly scope: string;
  readonly address: Addr;
  readonly owner: Attachment;
  /**
   * When dockerd requested it, in milliseconds since the epoch; absent once an endpoint has it. Its owner is no
   * attachment until then.
   */
  readonly requestedAt?: number;
  /** `file`: imported from a host-local directory; releasing the lease deletes the file. */
  readonly source: 'store' | 'file';
}

/** A maximal run of leased addresses without a gap. */
export interface Run {
  readonly first: Addr;
  readonly last: Addr;
}

/** Leases of this host and this boot. The schema enforces unique (scope, address). */
export interface LeaseTable {
  /** The run that contains `address`, or undefined if it is free. O(log n). */
  runAt(scope: string, address: Addr): Run | undefined;
  /** The lease of one address, or undefined if it is free. */
  at(scope: string, address: Addr): Lease | undefined;
  /** True if the scope has a lease; as fast with a thousand as with one. */
  any(scope: string): boolean;
  /** Leases the address. Throws NetError `conflict`, naming the holder, if it is leased. */
  take(lease: Lease): void;
  /** Leases of one owner in a scope; without an owner, all of the scope. */
  list(scope: string, owner?: Attachment): Lease[];
  /** Releases one address; accepts absence. */
  release(scope: string, address: Addr): void;
  /** Moves the lease to another owner, which requested it at that time, or has it. Throws NetError `conflict` if the address is not leased to `from`. */
  reassign(scope: string, address: Addr, from: Attachment, to: Pick<Lease, 'owner' | 'requestedAt'>): void;
  /** How many addresses from `first` to `last` are leased. */
  count(scope: string, first: Addr, last: Addr): number;
}

/** A host port that an endpoint has claimed, or a span of them. */
export interface PortClaim extends PortSpan {
  readonly protocol: Protocol;
  readonly hostPort: number;
  /** One address of the host; absent: every address of `family`. */
  readonly hostIp?: string;
  /** `take` derives it from `hostIp`. Absent without `hostIp`: both families. */
  readonly family?: Family;
  readonly owner: Attachment;
}

/** Host ports in use on this host in this boot. */
export interface PortTable {
  /**
   * Claims the ports, all or none. Throws NetError `conflict`, naming the holder, if another container has claimed one in
   * the same family, on the same address, or if either claim covers every address. Attachments of one container may claim
   * a port together, because a runtime passes the same mappings to each of its networks. Repeating a claim changes nothing.
   */
  take(...claims: readonly PortClaim[]): void;
  /** Releases all ports of an owner. */
  release(owner: Attachment): void;
  /** All claims, or an owner's, sorted by protocol, port, family and address. */
  list(owner?: Attachment): PortClaim[];
  /** The other attachments of the owner's container that have claims. */
  partners(owner: Attachment): Attachment[];
}

/**
 * Small facts: round-robin cursors, times of imported directories. Values are text. Notes belong to the host and
 * survive reboots.
 */
export interface NoteTable {
  get(key: string): string | undefined;
  put(key: string, value: string): void;
  /** Accepts absence. */
  delete(key: string): void;
  /** Keys that begin with `prefix`, sorted. Reads all notes of the host. */
  keys(prefix: string): string[];
}

/** All state that must survive a crash. */
export interface LocalStore extends Disposable {
  /**
   * Makes later reads see the current state, for a process that keeps a store open: another process may have replaced
   * the file.
   */
  refresh(): void;
  readonly networks: NetworkTable;
  readonly dockerNetworks: DockerNetworkTable;
  readonly pools: PoolTable;
  readonly endpoints: EndpointTable;
  readonly leases: LeaseTable;
  readonly ports: PortTable;
  readonly notes: NoteTable;
  readonly clusterKeys: ClusterKeyTable;
  /** Reads all of `work` from one state, and locks the file once. Not for writes, unless in a transaction. */
  snapshot<T>(work: () => T): T;
  /**
   * Runs `work` in one BEGIN IMMEDIATE transaction, all or nothing. Nested calls join the outer one. `durable` syncs
   * the commit to disk before the call returns. Throws NetError `busy` if the lock is not acquired in time, `state` if
   * the disk is full or the file is broken.
   */
  transaction<T>(work: () => T, options?: { readonly durable?: boolean }): T;
}
