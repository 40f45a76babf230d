import type { View, ViewQuery } from '../host/host.ts';
import type { Addr } from '../model/addr.ts';
import type { Attachment } from '../model/attachment.ts';
import type { BridgeEntry } from '../model/firewall.ts';
import type { HostSideFacts, InsideFacts, LinkFacts, LoneLink, LoneLinkFacts } from '../model/interface-facts.ts';
import type { NsRef } from '../model/link.ts';
import type { Plan } from '../model/op.ts';
import type { Prefix } from '../model/prefix.ts';
import type { Route } from '../model/route.ts';

/** Names of an endpoint, chosen before anything is created. */
export interface EndpointNames {
  /** Host-side interface. */
  readonly hostIf: string;
  /** Interface in the sandbox (CNI_IFNAME). */
  readonly ifName: string;
  /** MAC of the interface in the sandbox. */
  readonly mac: string;
  /** IFLA_IFALIAS of the host side. It names the owner, and a lost state is rebuilt from it. */
  readonly alias: string;
}

/** One address of an endpoint. */
export interface Assigned {
  /** With the prefix length of its subnet. */
  readonly address: Prefix;
  readonly gateway?: Addr;
}

/** The IPAM result for an endpoint. Routes without a gateway use that of the first address of their family. */
export interface Addressing {
  readonly addresses: readonly Assigned[];
  readonly routes: readonly Route[];
}

/** One interface of a CNI result or an inspection. `inSandbox` is false for the host's. */
export interface InterfaceReport {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly inSandbox: boolean;
}

/** A driver's part on the host that all endpoints of a network share. All methods are pure. */
export interface NetworkDriver {
  /**
   * Host devices of the network. The first one carries it: its lock guards endpoints and lifetimes. Empty where each
   * endpoint has a device of its own.
   */
  readonly devices: readonly string[];
  /** The device keeps its ports apart, so that the host must not route from one to another. */
  readonly separatesPorts: boolean;
  /** Adds what the driver's options imply: gateways that IPAM omitted, default routes. */
  complete(addressing: Addressing): Addressing;
  /** The next query on the host, given the view so far; undefined once the view is complete. */
  query(seen: View | undefined, addressing: Addressing): ViewQuery | undefined;
  /**
   * The steps that the network still needs on this host; empty if it is complete. Throws `conflict` if it cannot be.
   */
  planNetwork(view: View, addressing: Addressing): Plan;
  /** Entries that guard the network's bridge, besides those of its ports; empty for ports without guards. */
  networkGuards(addressing: Addressing): readonly BridgeEntry[];
}

/**
 * A driver that creates an interface for each endpoint. All methods are pure: they plan from the view that they query.
 * To add a driver, implement this in a folder of its own; src/shared/README.md lists the other places.
 */
export interface Driver extends NetworkDriver {
  /** Facts of both ends of the interface, but for `host`. */
  describeLink(view: View, names: EndpointNames): LinkFacts;
  /** What the host side itself has. Absent where it is a bridge port. */
  describeHost?(addressing: Addressing, hostMac: string): HostSideFacts;
  /** Facts of the interface in the sandbox. `isOwnIpam`: the built-in IPAM gives its addresses. */
  describeInside(addressing: Addressing, isOwnIpam: boolean): InsideFacts;
}

/** A driver of a network on a parent of the host, whose interfaces others move to their sandbox. */
export interface ParentedDriver extends NetworkDriver {
  /** `mac` is what the caller requests, or else what a driver that chooses gives. */
  describeLone(names: Omit<LoneNames, 'attachment'>): LoneLinkFacts;
}

/** Names of an endpoint without a side on the host. */
export interface LoneNames extends Omit<EndpointNames, 'hostIf'> {
  readonly attachment: Attachment;
  /** `mac` is what the caller requests. */
  readonly isRequested: boolean;
}

/** A driver that creates each interface in the sandbox itself: it has no side on the host. All methods are pure. */
export interface LoneDriver {
  /** The namespace whose view the methods get: that of the interface's parent. */
  readonly parentNs: NsRef;
  /** Its neighbours are those of its parent, and may know another MAC for its addresses. */
  readonly announces: boolean;
  /**
   * Only of a driver that takes a device of the host: true if `link`, which another endpoint has, may be the device that
   * this driver looks for.
   */
  takes?(link: LoneLink): boolean;
  /** Adds what the driver's options imply. */
  complete(addressing: Addressing): Addressing;
  /** The next query, given the view so far and how many looks made it; undefined once the view is complete. */
  query(seen: View | undefined, looks: number): ViewQuery | undefined;
  /** Throws NetError `invalid-config` or `conflict` where there can be no such interface. */
  describeLink(view: View, names: LoneNames): LoneLinkFacts;
  describeInside(addressing: Addressing): InsideFacts;
}
