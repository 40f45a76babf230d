import type { LinkKind, RouteSpec } from './link.ts';
import type { VlanRange } from './op.ts';

/** A bridge port and the addresses of its endpoint, without prefix length. */
export interface PortFacts {
  readonly port: string;
  readonly addresses: readonly string[];
}

/** What the host side itself has where it is no bridge port. */
export interface HostSideFacts {
  /** With prefix lengths. */
  readonly addresses: readonly string[];
  /** The ways to the endpoint's addresses. */
  readonly routes: readonly RouteSpec[];
}

/** The veth pair of an endpoint, and the bridge port settings of its host side. */
export interface LinkFacts {
  /** Host-side interface. */
  readonly hostIf: string;
  /** Interface in the sandbox. */
  readonly ifName: string;
  /** MAC of the interface in the sandbox. */
  readonly mac: string;
  readonly hostMac: string;
  /** Bytes, of both ends. */
  readonly mtu: number;
  /** Bridge that the host side is a port of; absent: it is none. */
  readonly bridge?: string;
  readonly host?: HostSideFacts;
  /** IFLA_IFALIAS of the host side. */
  readonly alias: string;
  readonly hairpin?: true;
  /** The port exchanges no frames with other isolated ports. */
  readonly isolated?: true;
  /** With `isolated`: by the kernel's flag of the port, on a kernel whose packet filter cannot do it. */
  readonly byFlag?: true;
  /** Only `mac` may send from the port. */
  readonly guarded?: true;
  /** Nor does the port carry what only another endpoint, a router or a DHCP server may send. Implies `guarded`. */
  readonly spoofGuard?: true;
  /** With `spoofGuard`: the other guarded ports of the same container. Each may send as the others. */
  readonly partners?: readonly PortFacts[];
  /** VLANs of the port, besides the bridge's default one. */
  readonly vlans?: readonly VlanRange[];
  /** The port is not in the bridge's default VLAN. */
  readonly leavesDefaultVlan?: true;
}

/** Kinds of links that an endpoint may have without a side on the host. */
export type LoneLink = Exclude<LinkKind, { kind: 'veth' | 'bridge' | 'ifb' | 'vxlan' | 'vrf' }>;

/** The interface of an endpoint that has no side on the host. */
export interface LoneLinkFacts {
  /** Interface in the sandbox. */
  readonly ifName: string;
  readonly link: LoneLink;
  /** Absent: the kernel chooses it (ipvlan has that of its parent). */
  readonly mac?: string;
  /** Bytes; absent: its parent's. */
  readonly mtu?: number;
  /** IFLA_IFALIAS. It names the owner, so that DEL finds the interface where the state was lost. */
  readonly alias: string;
}

/** One address of an endpoint, as text. */
export interface AddressFacts {
  /** With the prefix length of its subnet. */
  readonly address: string;
  /** Gateway out of the subnet. */
  readonly gateway?: string;
  /** The subnet is not on the link: the kernel makes no route to it. */
  readonly noPrefixRoute?: true;
}

/** Addresses and routes of an endpoint's interface in its sandbox. */
export interface InsideFacts {
  readonly addresses: readonly AddressFacts[];
  /** With their gateways. */
  readonly routes: readonly RouteSpec[];
  readonly up: boolean;
  readonly detectDuplicates: boolean;
  /** `on`: without router advertisements. Absent: as the reference leaves it. */
  readonly ipv6?: 'on' | 'off';
}
