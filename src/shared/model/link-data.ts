import type { NsRef } from './ns-ref.ts';

/* What IFLA_INFO_DATA says of links that stand on a parent, of VRFs and of taps. */

/** linux/if_link.h, enum macvlan_mode. */
export type MacvlanMode = 'private' | 'vepa' | 'bridge' | 'passthru' | 'source';

export interface MacvlanState {
  readonly mode: MacvlanMode;
  /** Packets; the parent uses the largest of its macvlans. Absent on kernels before 5.11. */
  readonly bcQueueLength?: number;
}

export type IpvlanMode = 'l2' | 'l3' | 'l3s';
export type IpvlanFlag = 'bridge' | 'private' | 'vepa';

/** Both belong to the parent: what was set last holds for all its ipvlans. */
export interface IpvlanState {
  readonly mode: IpvlanMode;
  readonly flag: IpvlanFlag;
}

export type VlanProtocol = '802.1Q' | '802.1ad';

export interface VlanState {
  readonly id: number;
  readonly protocol: VlanProtocol;
}

/** A VRF device: the table that its members' routes are in. */
export interface VrfState {
  readonly table: number;
}

/** A device of /dev/net/tun, whose IFLA_INFO_KIND is `tun`. */
export interface TunState {
  readonly type: 'tun' | 'tap';
  /** User and group that may open it without CAP_NET_ADMIN. */
  readonly owner?: number;
  readonly group?: number;
  readonly multiQueue: boolean;
  readonly vnetHdr: boolean;
}

/** The parent of a link, which lives and dies with it. */
export interface OnParent {
  readonly dev: string;
  /** The namespace of `dev`; absent: that of the Op. */
  readonly devNs?: NsRef;
}

/** In mode `passthru` it takes the MAC of its parent, whatever the Op says; changing it later changes both. */
export interface MacvlanLink extends OnParent {
  readonly kind: 'macvlan';
  readonly mode: MacvlanMode;
  readonly bcQueueLength?: number;
}

export interface IpvlanLink extends OnParent {
  readonly kind: 'ipvlan';
  readonly mode: IpvlanMode;
  readonly flag: IpvlanFlag;
}

export interface VlanLink extends OnParent {
  readonly kind: 'vlan';
  readonly id: number;
  /** Default: `802.1Q`. */
  readonly protocol?: VlanProtocol;
}

/** A persistent tap without packet information. It has no carrier until a process opens it. */
export interface TapLink {
  readonly kind: 'tap';
  readonly owner?: number;
  readonly group?: number;
  readonly multiQueue?: true;
  readonly vnetHdr?: true;
}

export type ParentedLink = MacvlanLink | IpvlanLink | VlanLink;
