import type { View, ViewQuery } from '../host/host.ts';
import type { InsideFacts, LinkFacts } from '../model/endpoint.ts';
import type { RouteSpec } from '../model/link.ts';
import type { Plan } from '../model/op.ts';
import type { Prefix } from '../model/prefix.ts';

/** What an endpoint is called and looks like, decided before anything is made. */
export interface EndpointNames {
  /** Host-side interface. */
  readonly hostIf: string;
  /** Interface in the sandbox (CNI_IFNAME). */
  readonly ifName: string;
  /** MAC of the interface in the sandbox. */
  readonly mac: string;
  /** IFLA_IFALIAS of the host side: says whose it is, and is what a lost state is rebuilt from. */
  readonly alias: string;
}

/** One address of an endpoint. */
export interface Assigned {
  /** With the prefix length of its subnet. */
  readonly address: Prefix;
  readonly gateway?: string;
}

/** All that IPAM decided for an endpoint. Routes without a gateway get that of the first address of their family. */
export interface Addressing {
  readonly addresses: readonly Assigned[];
  readonly routes: readonly RouteSpec[];
}

/** One interface of a CNI result or an inspection; `inSandbox` is false for those of the host. */
export interface InterfaceReport {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly inSandbox: boolean;
}

/**
 * A driver that makes an interface for each endpoint. All methods are pure: they plan from the view that they asked
 * for. To add a driver, implement this in a folder of its own; src/shared/README.md says what else.
 */
export interface Driver {
  /** Host devices of the network; the first carries it: endpoints and lifetimes are locked by it. */
  readonly devices: readonly [string, ...string[]];
  /** The addressing with what the driver's options add: gateways that IPAM left out, default routes. */
  complete(addressing: Addressing): Addressing;
  /** What of the host must be seen next, given what has been seen; undefined once nothing is missing. */
  query(seen: View | undefined, addressing: Addressing): ViewQuery | undefined;
  /** What the network still lacks on this host. Empty where all is there. Throws `conflict` where it cannot be. */
  planNetwork(view: View, addressing: Addressing): Plan;
  /** The interface itself, both ends. */
  describeLink(view: View, names: EndpointNames): LinkFacts;
  /** What the interface has in the sandbox. */
  describeInside(addressing: Addressing): InsideFacts;
}
