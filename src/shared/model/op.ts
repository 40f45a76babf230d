import type { FirewallBackend, FirewallEntry, Protocol } from './firewall.ts';
import type { ForwardingState, LinkKind, NsRef, PortState, RouteSpec } from './link.ts';
import { isUnicastMac } from './mac.ts';
import type { RuleSpec } from './rule.ts';
import type { XfrmPolicy, XfrmState, XfrmStateId } from './xfrm.ts';

/** Link attributes that can be changed. Only the keys present are changed. */
export interface LinkChanges {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly mac?: string;
  /** Name of the bridge to join as a port; null leaves the bridge. */
  readonly master?: string | null;
  readonly alias?: string;
  readonly group?: number;
  readonly promisc?: boolean;
  readonly allMulticast?: boolean;
  /** Packets. */
  readonly txQueueLength?: number;
  /**
   * `none`: the link gets no IPv6 link-local address when it goes up. `eui64`: one of its MAC, the kernel's default. Has
   * no effect on a kernel without IPv6. Equivalent: `ip link set dev X addrgenmode none`.
   */
  readonly addrGenMode?: 'none' | 'eui64';
  /**
   * What a VXLAN device can change while it carries traffic; every other option needs a new device. `local` stays of its
   * family.
   */
  readonly vxlan?: { readonly local?: string; readonly learning?: boolean };
}

/** Flags of a bridge port, as PortState describes them. Only the keys present are changed. */
export type PortChanges = Partial<PortState>;

/** A range of VLAN ids on a bridge port, or on the bridge itself with `self`. */
export interface VlanRange {
  readonly vid: number;
  readonly vidEnd?: number;
  readonly pvid?: boolean;
  readonly untagged?: boolean;
  readonly self?: boolean;
}

/**
 * One kernel step, as data: plain JSON, so that it can be journaled, printed and compared. Ops name links; the host
 * looks up their indexes when it runs the op. Addresses, prefixes and MACs are canonical text.
 */
export type Op =
  | {
      readonly op: 'link.create';
      readonly ns: NsRef;
      readonly name: string;
      readonly link: LinkKind;
      readonly mac?: string;
      readonly mtu?: number;
      readonly master?: string;
      readonly group?: number;
      readonly alias?: string;
      readonly up?: boolean;
    }
  | { readonly op: 'link.set'; readonly ns: NsRef; readonly name: string; readonly set: LinkChanges }
  | {
      readonly op: 'link.delete';
      readonly ns: NsRef;
      readonly name: string;
      /** Deletes only a link of this IFLA_INFO_KIND (`tun` for a tap), in case the name has come to mean another link. */
      readonly kind?: string;
    }
  | {
      /**
       * Moves a link to another namespace under the name `toName`: down, and without its addresses, routes and master.
       * The inverse is the move back.
       */
      readonly op: 'link.move';
      readonly ns: NsRef;
      readonly name: string;
      readonly to: NsRef;
      readonly toName: string;
    }
  | { readonly op: 'port.set'; readonly ns: NsRef; readonly name: string; readonly set: PortChanges }
  | { readonly op: 'vlan.add' | 'vlan.delete'; readonly ns: NsRef; readonly name: string; readonly vlan: VlanRange }
  | {
      readonly op: 'addr.add' | 'addr.delete';
      readonly ns: NsRef;
      readonly dev: string;
      readonly address: string;
      /** IFA_F_NODAD: usable at once, without duplicate address detection (IPv6). */
      readonly noDad?: boolean;
      /** IFA_F_NOPREFIXROUTE: the kernel makes no route to the subnet. */
      readonly noPrefixRoute?: boolean;
      /** Preferred for 0 s: the host does not choose it as a source while it has another (IPv6). */
      readonly deprecated?: boolean;
    }
  | {
      readonly op: 'route.add' | 'route.delete';
      readonly ns: NsRef;
      readonly route: RouteSpec;
      /** NLM_F_EXCL: fails if there is a route to the same destination with the same metric, by any device. */
      readonly exclusive?: boolean;
    }
  /** A deletion deletes the first rule that has the given keys. */
  | { readonly op: 'rule.add' | 'rule.delete'; readonly ns: NsRef; readonly rule: RuleSpec }
  | {
      /** A permanent neighbour. `neigh.replace` also overwrites one that the kernel has found by itself. */
      readonly op: 'neigh.add' | 'neigh.replace' | 'neigh.delete';
      readonly ns: NsRef;
      readonly dev: string;
      readonly address: string;
      readonly mac: string;
    }
  | {
      /**
       * `fdb.replace` also moves the MAC from another `dst`, or from another port of the bridge: even the MAC of the bridge
       * itself. The kernel refuses it for the flood list.
       */
      readonly op: 'fdb.add' | 'fdb.replace' | 'fdb.delete';
      readonly ns: NsRef;
      readonly dev: string;
      readonly mac: string;
      /**
       * Remote VXLAN endpoint; absent for an entry of a bridge port. A deletion ignores it, save in the flood list: the
       * kernel answers success for a wrong one and keeps the entry.
       */
      readonly dst?: string;
      readonly flags: 'self' | 'master';
    }
  | {
      /**
       * Tells the link's neighbours once which MAC has these addresses, after all ops and as soon as the link is up. Needs
       * `arp_notify` for IPv4.
       */
      readonly op: 'announce';
      readonly ns: NsRef;
      readonly dev: string;
      readonly mac: string;
      readonly addresses: readonly string[];
    }
  | {
      readonly op: 'sysctl.set';
      readonly ns: NsRef;
      /** Path below /proc/sys, with dots or slashes as in the kernel: `net/ipv4/conf/eth0/arp_notify`. */
      readonly key: string;
      readonly value: string;
      /** True if it is no failure that the kernel lacks this key (IPv6 switched off) or that it cannot be written. */
      readonly optional?: boolean;
      /** True if a kernel that will never take this value (EINVAL, EACCES, …) is not a failure either: an undo. */
      readonly bestEffort?: boolean;
      /** True if the pod and later plugins may change it: CHECK accepts any value. */
      readonly isInitial?: boolean;
    }
  | {
      readonly op: 'firewall.add' | 'firewall.delete';
      readonly ns: 'host';
      readonly backend: FirewallBackend;
      readonly entries: readonly FirewallEntry[];
    }
  | {
      readonly op: 'conntrack.flush';
      readonly ns: 'host';
      readonly protocol: Protocol;
      /** Original destination of the connections to delete; absent: any address. */
      readonly address?: string;
      readonly family: 4 | 6;
      readonly port: number;
      /** How many ports, from `port`; absent: one. */
      readonly count?: number;
    }
  | {
      /** A token bucket on the egress of `dev`: `tc qdisc add dev <dev> root tbf rate … burst … latency …`. */
      readonly op: 'tbf.add' | 'tbf.delete';
      readonly ns: NsRef;
      readonly dev: string;
      /** Bytes a second. */
      readonly rate: number;
      /** Bytes. */
      readonly burst: number;
      /** Milliseconds a packet may wait: 25 in the reference. */
      readonly latency: number;
    }
  | {
      /** Redirects the ingress of `dev` to `to` (an ifb): ingress qdisc, matchall filter, mirred redirect. */
      readonly op: 'redirect.add' | 'redirect.delete';
      readonly ns: NsRef;
      readonly dev: string;
      readonly to: string;
    }
  /** Has a key, so that it must not be journaled; in JSON and in text, the key is `<key>`. */
  | { readonly op: 'xfrm.state.add'; readonly ns: NsRef; readonly state: XfrmState }
  | { readonly op: 'xfrm.state.delete'; readonly ns: NsRef; readonly state: XfrmStateId }
  /** The kernel has one policy for each direction, addresses and port. */
  | { readonly op: 'xfrm.policy.replace' | 'xfrm.policy.delete'; readonly ns: NsRef; readonly policy: XfrmPolicy };

export type OpName = Op['op'];

/** Ordered kernel steps, and the steps that revert them, in the order to run those. */
export interface Plan {
  readonly ops: readonly Op[];
  readonly undo: readonly Op[];
}

export const EMPTY_PLAN: Plan = { ops: [], undo: [] };

/** The plan that runs `a`, then `b`. Its undo runs in the opposite order. */
export function joinPlans(a: Plan, b: Plan): Plan {
  return { ops: [...a.ops, ...b.ops], undo: [...b.undo, ...a.undo] };
}

/** The all-zero address of a VXLAN device, its flood list, and group addresses take several remote ends. */
export function inFloodList({ mac, flags }: Pick<ForwardingState, 'mac' | 'flags'>): boolean {
  return flags === 'self' && !isUnicastMac(mac);
}

/**
 * The path below /proc/sys of a key. A key with a slash is a path already; in any other, dots become slashes
 * (`net.ipv4.ip_forward`). Undefined for keys outside net/, or with a path that leaves it.
 */
export function sysctlPath(key: string): string | undefined {
  const path = key.includes('/') ? key : key.replaceAll('.', '/');
  const parts = path.split('/');
  const clean = parts.every((part) => part !== '' && part !== '.' && part !== '..' && !/[\0\s]/.test(part));
  return clean && parts[0] === 'net' && parts.length > 2 ? path : undefined;
}
