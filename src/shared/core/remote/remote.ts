/** An endpoint of a `shared` network on another host. */
export interface RemoteEndpoint {
  /** `10.9.0.7`, `fd00:9::7`. */
  readonly addresses: readonly string[];
  readonly mac: string;
  /** Underlay address of its host, of the family that this host uses. */
  readonly host: string;
}

/**
 * A bridged network: the VXLAN device is a port of the bridge. Each endpoint has two FDB entries and a neighbour for each
 * address.
 */
export interface SharedNetwork {
  readonly mode: 'shared';
  readonly vxlan: string;
  readonly bridge: string;
  /** Subnets of the network. Neighbours of the bridge outside of them belong to others. */
  readonly pools: readonly string[];
  readonly endpoints: readonly RemoteEndpoint[];
  /** Broadcast and multicast frames go to every host that has endpoints. Default: false. */
  readonly flood?: boolean;
}

/** Another host of a `per-host` network. */
export interface RemoteHost {
  /** The subnets of its endpoints. The network address of each is the address of its VXLAN device. */
  readonly ranges: readonly string[];
  /** MAC of its VXLAN device. */
  readonly mac: string;
  /** Underlay address, of the family that this host uses. */
  readonly host: string;
}

/** A routed network: each host has one FDB entry, and a neighbour and a route for each range. */
export interface PerHostNetwork {
  readonly mode: 'per-host';
  readonly vxlan: string;
  readonly hosts: readonly RemoteHost[];
}

/** The part of a network that is on other hosts. Addresses, prefixes and MACs are canonical text. */
export type RemoteNetwork = SharedNetwork | PerHostNetwork;
