import type {
  IpvlanLink,
  IpvlanState,
  MacvlanLink,
  MacvlanState,
  ParentedLink,
  TapLink,
  TunState,
  VlanLink,
  VlanState,
  VrfState,
} from './link-data.ts';
import type { NsRef } from './ns-ref.ts';

export type { NsRef };

/** A network interface as the kernel reports it. Field names follow `ip -d link`. */
export interface LinkState {
  readonly index: number;
  readonly name: string;
  /** IFLA_INFO_KIND: `bridge`, `veth`, `vxlan`, …; absent for hardware and `lo`. */
  readonly kind?: string;
  readonly mac: string;
  readonly mtu: number;
  /** IFF_UP: administratively up. */
  readonly up: boolean;
  /** IFF_LOWER_UP: the link has a carrier. */
  readonly lowerUp: boolean;
  readonly loopback: boolean;
  /** True if the total promiscuity count is above zero. */
  readonly promisc: boolean;
  /** IFF_ALLMULTI: set by `ip link set … allmulticast on`. */
  readonly allMulticast: boolean;
  /** Packets; 0 for devices without a queue of their own. */
  readonly txQueueLength: number;
  readonly group: number;
  readonly alias?: string;
  readonly altNames: readonly string[];
  /** IFLA_PERM_ADDRESS: the MAC that the hardware came with. */
  readonly permMac?: string;
  /** IFLA_PARENT_DEV_NAME and IFLA_PARENT_DEV_BUS_NAME: `0000:00:03.0` of `pci`, `virtio0` of `virtio`. */
  readonly parentDev?: string;
  readonly parentBus?: string;
  /** Name of the bridge (or other upper device) that this link is a port of. */
  readonly master?: string;
  /** IFLA_LINK: ifindex of the veth peer or lower device, in `linkNetnsId` if that is present. */
  readonly linkIndex?: number;
  readonly linkNetnsId?: number;
  readonly bridge?: BridgeState;
  readonly port?: PortState;
  readonly vxlan?: VxlanState;
  readonly macvlan?: MacvlanState;
  readonly ipvlan?: IpvlanState;
  readonly vlan?: VlanState;
  readonly vrf?: VrfState;
  /** Table of the VRF that this link is a member of. */
  readonly vrfTable?: number;
  readonly tun?: TunState;
}

export interface BridgeState {
  readonly vlanFiltering: boolean;
  readonly defaultPvid?: number;
}

/** A bridge port: IFLA_BRPORT_*. */
export interface PortState {
  readonly hairpin: boolean;
  readonly isolated: boolean;
  readonly learning: boolean;
  /** Answers requests for permanent neighbours of the bridge that are behind this port, instead of sending them out. */
  readonly neighSuppress: boolean;
  /** Frames to unknown unicast addresses leave by this port. */
  readonly unicastFlood: boolean;
  readonly mcastFlood: boolean;
  readonly bcastFlood: boolean;
}

/** The flags of a new port. */
export const USUAL_PORT: PortState = {
  hairpin: false,
  isolated: false,
  learning: true,
  neighSuppress: false,
  unicastFlood: true,
  mcastFlood: true,
  bcastFlood: true,
};

/** A VXLAN device: IFLA_VXLAN_*. Its remote ends are of the family of `local`, of IPv4 without one. */
export interface VxlanState {
  /** VNI. */
  readonly id: number;
  /** UDP port of the remote ends. */
  readonly port: number;
  readonly local?: string;
  /** Enters the senders of what arrives into its FDB. */
  readonly learning: boolean;
  /** Answers ARP and neighbour solicitations itself. */
  readonly proxy: boolean;
  /** Of outer packets; 0: the kernel's default. */
  readonly ttl: number;
  /** The DF bit of outer IPv4 packets. */
  readonly df: VxlanDf;
  /** UDP source ports; absent: the ephemeral range. */
  readonly portRange?: PortRange;
  /** Outer UDP checksums over IPv4. */
  readonly udpCsum: boolean;
  /** Sends without UDP checksums over IPv6. */
  readonly zeroCsum6Tx: boolean;
  /** Accepts packets without UDP checksums over IPv6. */
  readonly zeroCsum6Rx: boolean;
}

export type VxlanDf = 'unset' | 'set' | 'inherit';

/** Both ends included. */
export interface PortRange {
  readonly low: number;
  readonly high: number;
}

/** A permanent neighbour. */
export interface NeighbourState {
  readonly dev: string;
  readonly address: string;
  readonly mac: string;
}

/** A static FDB entry: of a VXLAN device (`self`, with the remote end `dst`), or of the bridge behind a port (`master`). */
export interface ForwardingState {
  readonly dev: string;
  readonly mac: string;
  readonly dst?: string;
  readonly flags: 'self' | 'master';
}

export interface AddressState {
  readonly dev: string;
  /** `10.0.0.2/16`. */
  readonly address: string;
  readonly scope: RouteScope;
  readonly permanent: boolean;
  readonly dadFailed: boolean;
  readonly tentative: boolean;
}

export type RouteScope = 'global' | 'site' | 'link' | 'host' | 'nowhere' | number;

/** A unicast route. `table` defaults to 254 (main), `scope` to global with a gateway and link without. */
export interface RouteSpec {
  /** Destination without host bits: `0.0.0.0/0`. */
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly source?: string;
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  readonly scope?: RouteScope;
  /** RTNH_F_ONLINK: the kernel assumes that the gateway is on the link, without a route to it. */
  readonly onlink?: boolean;
}

export interface RouteState extends RouteSpec {
  /** RTPROT_*: 2 kernel, 3 boot, 4 static, 9 router advertisement. */
  readonly protocol: number;
}

/** IFLA_INFO_DATA by kind. */
export type LinkKind =
  | { readonly kind: 'bridge'; readonly vlanFiltering?: boolean; readonly defaultPvid?: number }
  | { readonly kind: 'veth'; readonly peer: VethPeer }
  | VxlanLink
  | MacvlanLink
  | IpvlanLink
  | VlanLink
  | { readonly kind: 'dummy' }
  | { readonly kind: 'vrf'; readonly table: number }
  | TapLink
  | { readonly kind: 'ifb' };

/** Undefined for links without a parent. */
export function parentedLink(link: LinkKind): ParentedLink | undefined {
  return link.kind === 'macvlan' || link.kind === 'ipvlan' || link.kind === 'vlan' ? link : undefined;
}

/** The IFLA_INFO_KIND that the kernel reports for such a link. */
export function infoKind({ kind }: LinkKind): string {
  return kind === 'tap' ? 'tun' : kind;
}

/** Absent: port 4789, and the kernel's default for every other key. */
export interface VxlanLink extends Partial<Omit<VxlanState, 'id'>> {
  readonly kind: 'vxlan';
  readonly id: number;
  /** Multicast group of the remote ends, reached by `dev`. */
  readonly group?: string;
  readonly dev?: string;
}

/** The other end of a veth pair; it cannot be created up (ENOTCONN). */
export interface VethPeer {
  readonly ns: NsRef;
  readonly name: string;
  readonly mac?: string;
  readonly mtu?: number;
}

/** Bytes of a name: IFNAMSIZ - 1, linux/if.h. */
export const MAX_IFNAME = 15;

/** Directories, and the two that stand for all interfaces below /proc/sys/net/ipv4/conf. */
const RESERVED: readonly string[] = ['.', '..', 'all', 'default'];

/**
 * Why no interface can or should have this name; undefined if one can. `%` makes the kernel choose a number, `*` and a
 * last `+` stand for every name that begins so (nft, iptables), a first `-` or `!` is read as an option.
 */
export function ifNameFault(name: string, longest = MAX_IFNAME): string | undefined {
  if (name === '') return 'is empty';
  if (Buffer.byteLength(name) > longest) return `is longer than ${longest} bytes, the kernel's limit`;
  if (RESERVED.includes(name)) return 'is a reserved name, which no interface can have';
  // The second pattern needs sets that take V8 0.5 ms to make.
  if (!/^[!-~]*$/.test(name) && /[\p{C}\p{Z}\p{M}]/u.test(name))
    return 'has white space, a control or an invisible character, which no interface name can have';
  const found = /[/:%"*]|^[-!]|\+$/.exec(name)?.[0];
  return found === undefined ? undefined : `has ${found} where no interface name can have it`;
}
