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
  /** Bridge that the host side is a port of; absent if it is no port. */
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

/** One address of a device of the host. */
export interface DeviceAddress {
  /** With its prefix length. */
  readonly address: string;
  readonly noPrefixRoute?: true;
}

/** What a device has on the host. */
export interface DeviceState {
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly alias?: string;
  readonly master?: string;
  /** Permanent ones, but for the IPv6 link-local address that the kernel makes. */
  readonly addresses: readonly DeviceAddress[];
  /** Those that neither the kernel nor a router made. */
  readonly routes: readonly RouteSpec[];
}

/** A device of the host that an endpoint has for as long as it lives. */
export interface MovedLink {
  readonly kind: 'moved';
  /** Its name on the host. */
  readonly dev: string;
  /** IFLA_INFO_KIND; absent for hardware. */
  readonly type?: string;
  /** As in LinkState: hardware is found by them under any name. */
  readonly permMac?: string;
  readonly parentDev?: string;
  /** What DEL restores. */
  readonly before: DeviceState;
}

/** A device that a program drives without the kernel (DPDK): there is no interface. */
export interface UserspaceLink {
  readonly kind: 'userspace';
  /** Its PCI address. */
  readonly device: string;
}

/** An interface that a Docker plugin is to name: there is none yet. */
export interface AwaitedLink {
  readonly kind: 'awaited';
}

/** Kinds of links that are made in the sandbox. */
export type MadeLink = Exclude<LinkKind, { kind: 'veth' | 'bridge' | 'ifb' | 'vxlan' | 'vrf' }>;

/** Kinds of links that an endpoint may have without a side on the host. */
export type LoneLink = MadeLink | MovedLink | UserspaceLink | AwaitedLink;

/** True if the kernel has no interface for it. */
export function isWithoutInterface(link: LoneLink): link is UserspaceLink | AwaitedLink {
  return link.kind === 'userspace' || link.kind === 'awaited';
}

/** The interface of an endpoint that has no side on the host. */
export interface LoneLinkFacts {
  /** Interface in the sandbox. */
  readonly ifName: string;
  readonly link: LoneLink;
  /** Absent: the kernel chooses it (ipvlan has that of its parent). */
  readonly mac?: string;
  /** Bytes; absent: its parent's. */
  readonly mtu?: number;
  /** A bridge in the sandbox that it is a port of. */
  readonly master?: string;
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
