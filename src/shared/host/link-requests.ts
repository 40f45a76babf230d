import { type LinkKind, parentedLink, type VxlanLink } from '../model/link.ts';
import type { TapLink } from '../model/link-data.ts';
import type { NsRef } from '../model/ns-ref.ts';
import type { LinkChanges, Op, VlanRange } from '../model/op.ts';
import {
  AF_BRIDGE,
  BRIDGE_FLAGS_MASTER,
  BRIDGE_FLAGS_SELF,
  BRIDGE_VLAN_INFO_PVID,
  BRIDGE_VLAN_INFO_RANGE_BEGIN,
  BRIDGE_VLAN_INFO_RANGE_END,
  BRIDGE_VLAN_INFO_UNTAGGED,
  IFF_ALLMULTI,
  IFF_PROMISC,
  IFF_UP,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELLINK,
  RTM_NEWLINK,
  RTM_SETLINK,
} from '../netlink/constants.ts';
import {
  bridgeLink,
  IN6_ADDR_GEN_MODE,
  IPVLAN_FLAG,
  IPVLAN_MODE,
  type LinkInfo,
  link,
  linkSpec,
  MACVLAN_MODE,
  VLAN_PROTOCOL,
  VXLAN_DF,
} from '../netlink/link.ts';
import type { Request } from '../netlink/socket.ts';

type OpOf<N extends Op['op']> = Extract<Op, { op: N }>;

/** Resolves names to numbers while an Op is encoded. */
export interface Resolver {
  /** The ifindex of a link in the Op's namespace. Throws NetError if it does not exist. */
  index(name: string): number;
  /** The ifindex of the parent of a link to create, in its own namespace. Throws NetError if it does not exist. */
  parent(name: string, ns: NsRef): number;
  /** The descriptor of a namespace that a message refers to. */
  netnsFd(ns: NsRef): number;
}

/** IANA's port; the kernel's default predates it. */
const VXLAN_PORT = 4789;

/** A link that RTM_NEWLINK creates: every kind but a tap, which takes an ioctl. */
export type MessageLink = OpOf<'link.create'> & { readonly link: Exclude<LinkKind, TapLink> };

/**
 * The message that creates a link with every attribute that RTM_NEWLINK accepts on creation. The alias is not among
 * them (rtnl_newlink_create in net/core/rtnetlink.c ignores IFLA_IFALIAS). It is for the socket of the parent's
 * namespace.
 */
export function createLink(op: MessageLink, resolver: Resolver): Request {
  const { name, mac, mtu, master, group, up } = op;
  const { dev, devNs = op.ns } = parentedLink(op.link) ?? {};
  const flags = up ? IFF_UP : 0;
  const payload = link.encode({
    header: { flags, change: flags },
    attrs: {
      name,
      address: mac,
      mtu,
      group,
      link: dev === undefined ? undefined : resolver.parent(dev, devNs),
      netnsFd: devNs === op.ns ? undefined : resolver.netnsFd(op.ns),
      master: master === undefined ? undefined : resolver.index(master),
      info: linkInfo(op.link, resolver),
    },
  });
  return { type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, payload };
}

/** Needs a message of its own: combined with others, the kernel would apply it only after IFF_UP. */
export function setAddrGenMode(name: string, mode: keyof typeof IN6_ADDR_GEN_MODE): Request {
  const inet6 = { addrGenMode: IN6_ADDR_GEN_MODE[mode] };
  return { type: RTM_SETLINK, payload: linkSpec.encode({ header: {}, attrs: { name, spec: { inet6 } } }) };
}

/**
 * Sets `net/ipv4/conf/<name>/arp_notify` without /proc: looking up a path in /proc/sys takes longer with each network
 * namespace of the machine, and /proc/sys may be read-only.
 */
export function setArpNotify(name: string, value: number): Request {
  const inet = { conf: { arpNotify: value } };
  return { type: RTM_SETLINK, payload: linkSpec.encode({ header: {}, attrs: { name, spec: { inet } } }) };
}

/** The device of `net/ipv4/conf/<device>/arp_notify`, which netlink can set; undefined for any other key. */
export function notifyingDevice(path: string, value: string): string | undefined {
  const [, device] = /^net\/ipv4\/conf\/([^/]+)\/arp_notify$/.exec(path) ?? [];
  return device === 'all' || device === 'default' || !/^[01]$/.test(value) ? undefined : device;
}

export function setLink(name: string, set: LinkChanges, resolver: Resolver): Request {
  const { up, promisc, allMulticast, txQueueLength, mtu, mac, master, alias, group } = set;
  const bit = (on: boolean | undefined, flag: number): number => (on ? flag : 0);
  const mask = (on: boolean | undefined, flag: number): number => (on === undefined ? 0 : flag);
  const payload = link.encode({
    header: {
      flags: bit(up, IFF_UP) | bit(promisc, IFF_PROMISC) | bit(allMulticast, IFF_ALLMULTI),
      change: mask(up, IFF_UP) | mask(promisc, IFF_PROMISC) | mask(allMulticast, IFF_ALLMULTI),
    },
    attrs: {
      name,
      address: mac,
      mtu,
      group,
      alias,
      txQueueLength,
      master: master === undefined ? undefined : master === null ? 0 : resolver.index(master),
    },
  });
  return { type: RTM_SETLINK, payload };
}

/** RTM_SETLINK ignores IFLA_INFO_DATA; RTM_NEWLINK without NLM_F_CREATE changes the device. */
export function setVxlan(name: string, { local, learning }: NonNullable<LinkChanges['vxlan']>): Request {
  const info = { kind: 'vxlan', vxlan: { learning, ...localOf(local) } };
  return { type: RTM_NEWLINK, payload: link.encode({ header: {}, attrs: { name, info } }) };
}

export function deleteLink(index: number): Request {
  return { type: RTM_DELLINK, payload: link.encode({ header: { index }, attrs: {} }) };
}

/** Moves a link by its index; `name` is its new name. */
export function moveLink(index: number, netnsFd: number, name: string): Request {
  return { type: RTM_SETLINK, payload: link.encode({ header: { index }, attrs: { netnsFd, name } }) };
}

/** Also sets it up, where `up` says so: the kernel renames first. */
export function renameLink(index: number, name: string, up = false): Request {
  const flags = up ? IFF_UP : 0;
  return { type: RTM_SETLINK, payload: link.encode({ header: { index, flags, change: flags }, attrs: { name } }) };
}

export function setPort(op: OpOf<'port.set'>): Request {
  const info = { slaveKind: 'bridge', bridgePort: { ...op.set } };
  return { type: RTM_NEWLINK, payload: link.encode({ header: {}, attrs: { name: op.name, info } }) };
}

export function changeVlan(op: OpOf<'vlan.add' | 'vlan.delete'>, resolver: Resolver): Request {
  const flags = op.vlan.self ? BRIDGE_FLAGS_SELF : BRIDGE_FLAGS_MASTER;
  const payload = bridgeLink.encode({
    header: { family: AF_BRIDGE, index: resolver.index(op.name) },
    attrs: { vlans: { flags, info: vlanInfo(op.vlan) } },
  });
  return { type: op.op === 'vlan.add' ? RTM_SETLINK : RTM_DELLINK, payload };
}

function vlanInfo({ vid, vidEnd = vid, pvid, untagged }: VlanRange): ReturnType<typeof vlanEntry>[] {
  const flags = (pvid ? BRIDGE_VLAN_INFO_PVID : 0) | (untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0);
  if (vidEnd === vid) return [vlanEntry(flags, vid)];
  return [vlanEntry(flags | BRIDGE_VLAN_INFO_RANGE_BEGIN, vid), vlanEntry(flags | BRIDGE_VLAN_INFO_RANGE_END, vidEnd)];
}

function vlanEntry(flags: number, vid: number) {
  return { header: { flags, vid }, attrs: {} };
}

function linkInfo(spec: MessageLink['link'], resolver: Resolver): LinkInfo {
  const { kind } = spec;
  switch (spec.kind) {
    case 'bridge':
      return { kind, bridge: { vlanFiltering: spec.vlanFiltering, defaultPvid: spec.defaultPvid } };
    case 'veth': {
      const { ns, name, mac, mtu } = spec.peer;
      const attrs = { name, address: mac, mtu, netnsFd: resolver.netnsFd(ns) };
      const header = { family: 0, type: 0, index: 0, flags: 0, change: 0 };
      return { kind, veth: { peer: { header, attrs } } };
    }
    case 'vxlan':
      return { kind, vxlan: vxlanData(spec, resolver) };
    case 'macvlan':
      return { kind, macvlan: { bcQueueLength: spec.bcQueueLength, mode: MACVLAN_MODE[spec.mode] } };
    case 'ipvlan':
      return { kind, ipvlan: { mode: IPVLAN_MODE[spec.mode], flags: IPVLAN_FLAG[spec.flag] } };
    case 'vlan':
      return { kind, vlan: { protocol: spec.protocol && VLAN_PROTOCOL[spec.protocol], id: spec.id } };
    case 'vrf':
      return { kind, vrf: { table: spec.table } };
    case 'dummy':
    case 'ifb':
      return { kind };
  }
}

/** The attribute of the address's family. */
function localOf(local: string | undefined) {
  return local?.includes(':') ? { local6: local } : { local };
}

function vxlanData(spec: VxlanLink, resolver: Resolver): NonNullable<LinkInfo['vxlan']> {
  const { kind, port = VXLAN_PORT, local, group, dev, df, ...same } = spec;
  return {
    ...same,
    port,
    df: df === undefined ? undefined : VXLAN_DF[df],
    link: dev === undefined ? undefined : resolver.index(dev),
    ...localOf(local),
    ...(group?.includes(':') ? { group6: group } : { group }),
  };
}
