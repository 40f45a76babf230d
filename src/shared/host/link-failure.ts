import { type LinkKind, parentedLink } from '../model/link.ts';
import type { Op } from '../model/op.ts';
import { EADDRINUSE, EBUSY, EEXIST, EINVAL, ENETDOWN, EOPNOTSUPP, ERANGE } from '../netlink/constants.ts';

type CreateOp = Extract<Op, { op: 'link.create' }>;

/** What explains a refusal to create a link on this parent. */
export interface ParentFacts {
  readonly mtu: number;
  readonly isLoopback: boolean;
  readonly isEthernet: boolean;
  /** The bridge, or another master, that it is a port of. */
  readonly master?: string;
}

/** The kernel's text for a kind that it lacks (rtnl_newlink in net/core/rtnetlink.c). */
export const UNKNOWN_KIND = 'Unknown device type';

const CONFIG: Readonly<Record<LinkKind['kind'], string>> = {
  bridge: 'CONFIG_BRIDGE',
  veth: 'CONFIG_VETH',
  vxlan: 'CONFIG_VXLAN',
  macvlan: 'CONFIG_MACVLAN',
  ipvlan: 'CONFIG_IPVLAN',
  vlan: 'CONFIG_VLAN_8021Q',
  dummy: 'CONFIG_DUMMY',
  vrf: 'CONFIG_NET_VRF',
  tap: 'CONFIG_TUN',
  ifb: 'CONFIG_IFB',
};

/** Says what the kernel lacks for a link to create; undefined where it refused it for another reason. */
export function missingKind(op: Op, errno: number, text: string): string | undefined {
  if (op.op !== 'link.create' || errno !== EOPNOTSUPP) return undefined;
  if (text === UNKNOWN_KIND) return `this kernel has no ${op.link.kind} (${CONFIG[op.link.kind]})`;
  const filters = op.link.kind === 'bridge' && op.link.vlanFiltering === true;
  return filters ? 'this kernel has no VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING)' : undefined;
}

/** Why the kernel refused to create the link, as far as the numbers of its parent tell. */
export function whyRefused(op: CreateOp, errno: number, parent?: ParentFacts): string | undefined {
  const link = parentedLink(op.link);
  if (link === undefined) return undefined;
  const { dev, kind } = link;
  if (errno === EADDRINUSE) return `${dev} or another ${kind} on it has the MAC ${op.mac ?? 'that it got'}`;
  if (errno === ENETDOWN) return `${dev} is down`;
  if (errno === EBUSY) {
    return parent?.master === undefined
      ? `${dev} is in use by links of another kind, or by a bridge`
      : `${dev} is a port of ${parent.master}, and a port cannot be a parent`;
  }
  if (parent === undefined || (errno !== EINVAL && errno !== EOPNOTSUPP)) return undefined;
  if (parent.isLoopback) return `${dev} is a loopback device, which cannot be a parent`;
  if (errno !== EINVAL) return undefined;
  if (!parent.isEthernet) return `${dev} is not an Ethernet device`;
  if (op.mtu !== undefined && op.mtu > parent.mtu) return `the MTU ${op.mtu} is above ${parent.mtu}, that of ${dev}`;
  if (link.kind !== 'macvlan') return undefined;
  return link.mode === 'passthru'
    ? `mode passthru needs ${dev} for itself, and another macvlan is on it`
    : `a macvlan in mode passthru may be on ${dev}, and allows no other`;
}

/** What the reader can do about a failed change of a link with a parent, or of a parent. */
export function parentHint(op: Op, errno: number): string | undefined {
  if (op.op === 'link.create' && op.link.kind === 'vlan' && errno === EEXIST)
    return `VLAN ${op.link.id} of ${op.link.dev} may exist under another name`;
  if (op.op !== 'link.set') return undefined;
  if (errno === EADDRINUSE) return 'Its parent, or another macvlan on it, has this MAC: choose another';
  if (errno === EBUSY && typeof op.set.master === 'string')
    return 'It may be the parent of macvlan or ipvlan links, which cannot be a port';
  if ((errno === EINVAL || errno === ERANGE) && op.set.mtu !== undefined)
    return 'A link allows an MTU up to that of its parent';
  return undefined;
}
