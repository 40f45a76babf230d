import type { Bandwidth } from '../config/bandwidth.ts';
import type { Dns } from '../config/dns.ts';
import type { NetworkSpec } from '../config/network-spec.ts';
import type { Assigned, Driver, InterfaceReport, LoneDriver, NetworkDriver } from '../drivers/driver.ts';
import type { Rules } from '../drivers/rules.ts';
import type { Addr } from '../model/addr.ts';
import type { Attachment, Role } from '../model/attachment.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Route } from '../model/route.ts';
import type { RemotePort } from '../remote/options.ts';
import type { AddressSource, LocalSource } from './core.ts';
import type { PluggedNetwork } from './plugins/network.ts';

/** One attachment, whatever its driver makes. */
export interface AttachRequest {
  readonly attachment: Attachment;
  readonly role: Role;
  /** Path of the sandbox's network namespace. */
  readonly netns: string;
  /** True lets the sandbox be the host's own namespace (CNI_NETNS_OVERRIDE). */
  readonly ownNamespace: boolean;
  readonly source?: AddressSource;
  /** The MAC that the caller requests; absent: derived from the first address. */
  readonly mac?: string;
  readonly aliases: readonly string[];
}

/** One attachment to create or to check. */
export interface EndpointRequest extends AttachRequest {
  readonly driver: Driver;
  readonly driverName: string;
  /** Rate limits for ingress and egress; absent: none. */
  readonly rates?: Bandwidth;
  /** Its packet filter rules; absent: none. */
  readonly rules?: Rules;
  /** Spec of its Network; absent: the recorded spec stays. */
  readonly spec?: NetworkSpec;
}

/** One attachment to create or to check, by a driver whose interfaces have no side on the host. */
export interface LoneRequest extends AttachRequest {
  readonly driver: LoneDriver;
  /** What its network has on the host; absent: nothing. */
  readonly onHost?: HostPart;
}

/** What the host has of a network whose interfaces have no side on it. */
export interface HostPart {
  readonly driver: NetworkDriver;
  readonly driverName: string;
  readonly spec: NetworkSpec;
}

/** One attachment to create or to check, whose interface a Docker plugin makes. */
export interface PluggedEndpointRequest extends Omit<AttachRequest, 'source'> {
  readonly plugged: PluggedNetwork;
  /** Absent where a plugin gives the addresses, or nobody does. */
  readonly source?: LocalSource;
  /** Addresses to ask an IPAM plugin for. */
  readonly requested: readonly Addr[];
  /** Ports of the host, for the plugin. */
  readonly ports: readonly RemotePort[];
}

/** One attachment to delete: its identity, and hints for when it has no record. */
export interface RemovalRequest {
  readonly attachment: Attachment;
  readonly role: Role;
  /** May be empty, missing, or a different namespace by now. */
  readonly netns: string;
  readonly source?: AddressSource;
  /**
   * What to search for without a record: `own` is the interface with this attachment's derived name; `any` also matches
   * an interface of another plugin in the sandbox (a node taken over from the reference plugins).
   */
  readonly orphans: 'none' | 'own' | 'any';
  /**
   * The kind of link in the sandbox that `any` also matches. `moved`: a device of the host, which is given back. Default:
   * `veth`.
   */
  readonly kind?: string;
  /** True: does not wait for a Docker plugin that is not running; another call is to delete what it has. */
  readonly isHurried?: true;
  /** True: forgets what plugins do not delete. Only the operator may want that. */
  readonly isForced?: true;
  /** What Docker plugins know the network by, for where their part has no record. */
  readonly plugged?: PluggedNetwork;
  /** Called under the lock with the current record. Nothing is removed if it returns false. */
  readonly when?: (row: Endpoint | undefined) => boolean;
}

/** The facts of an endpoint, for its caller. */
export interface EndpointReport {
  readonly interfaces: readonly InterfaceReport[];
  readonly addresses: readonly Assigned[];
  readonly routes: readonly Route[];
  readonly dns: Dns;
}

/** The state that the caller expects (prevResult). */
export interface Expectation {
  readonly interfaces: readonly { readonly name: string; readonly mac?: string; readonly mtu?: number }[];
  /** Addresses of the interface in the sandbox. */
  readonly addresses: readonly Assigned[];
  readonly routes: readonly Route[];
}
