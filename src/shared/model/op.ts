import type { FirewallBackend, FirewallEntry, Protocol } from './firewall.ts';
import type { LinkKind, NsRef, RouteSpec } from './link.ts';

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
   * `none`: the link gets no IPv6 link-local address when it goes up. Has no effect on a kernel without IPv6.
   * Equivalent: `ip link set dev X addrgenmode none`.
   */
  readonly addrGenMode?: 'none';
}

export interface PortChanges {
  readonly hairpin?: boolean;
  readonly isolated?: boolean;
  readonly learning?: boolean;
}

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
      /** Deletes only a link of this kind, in case the name has come to mean another link. */
      readonly kind?: string;
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
    }
  | { readonly op: 'route.add' | 'route.delete'; readonly ns: NsRef; readonly route: RouteSpec }
  | {
      readonly op: 'neigh.add' | 'neigh.delete';
      readonly ns: NsRef;
      readonly dev: string;
      readonly address: string;
      readonly mac: string;
    }
  | {
      readonly op: 'fdb.add' | 'fdb.delete';
      readonly ns: NsRef;
      readonly dev: string;
      readonly mac: string;
      /** Remote VXLAN endpoint; absent for an entry of a bridge port. */
      readonly dst?: string;
      readonly flags: 'self' | 'master';
    }
  | {
      readonly op: 'sysctl.set';
      /**
       * The announcement that the kernel sends because of this key (`arp_notify`) when the link goes up. A host that
       * keeps running may send it itself at the end, and set the key for later.
       */
      readonly announces?: { readonly dev: string; readonly mac: string; readonly addresses: readonly string[] };
      readonly ns: NsRef;
      /** Path below /proc/sys, with dots or slashes as in the kernel: `net/ipv4/conf/eth0/arp_notify`. */
      readonly key: string;
      readonly value: string;
      /** True if it is no failure that the kernel lacks this key (IPv6 switched off) or that it cannot be written. */
      readonly optional?: boolean;
      /** True if a kernel that will never take this value (EINVAL, EACCES, …) is not a failure either: an undo. */
      readonly bestEffort?: boolean;
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
    };

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
