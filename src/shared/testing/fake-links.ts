import { fault } from '../errors/fault.ts';
import { missingLink, opError } from '../host/failure.ts';
import { given } from '../model/given.ts';
import { infoKind, type LinkKind, type LinkState, parentedLink, USUAL_PORT } from '../model/link.ts';
import type { LinkChanges, Op } from '../model/op.ts';
import { EBUSY, EEXIST, EINVAL, ENODEV, ENOENT, EOPNOTSUPP, ERANGE, IFNAMSIZ } from '../netlink/constants.ts';
import type { FakeLink, FakeNetns } from './fake-netns.ts';
import { changeFamily, checkChild, checkParent, isParent, macOn, parentOf, putOn } from './fake-parents.ts';
import { checkVni, setFakeVxlan, vxlanState } from './fake-vxlan.ts';

type OpOf<N extends Op['op']> = Extract<Op, { op: N }>;

/** drivers/net/tun.c: MAX_MTU without an Ethernet header. */
const MAX_TUN_MTU = 65_521;

/** include/net/ipv6.h, IP6_MAX_MTU: that of a new VRF. */
const MAX_MTU_V6 = 65_575;

/** Returns the link with a name. Throws NetError ENODEV as the kernel does. */
export function linkOf(op: Op, ns: FakeNetns, name: string): FakeLink {
  const link = ns.links.get(name);
  if (link === undefined) throw missingLink(op, name);
  return link;
}

/** The namespaces of what belongs to a link to create. */
export interface LinkPlaces {
  readonly ns: FakeNetns;
  readonly peers?: FakeNetns;
  readonly parents: FakeNetns;
}

export function createFakeLink(op: OpOf<'link.create'>, { ns, peers, parents }: LinkPlaces): void {
  const { name, link: made, mtu, master, group = 0, alias, up = false } = op;
  const on = parentOf(op, parents);
  if (master !== undefined) linkOf(op, ns, master);
  checkFree(op, ns, name);
  if (made.kind === 'veth' && peers !== undefined) checkFree(op, peers, made.peer.name);
  if (master !== undefined) checkMaster(op, ns, master);
  if (made.kind === 'vxlan') checkVni(op, ns, made);
  checkParent(op, on);
  if (made.kind === 'tap' && (mtu ?? 0) > MAX_TUN_MTU) throw opError(op, EINVAL);
  const mac = on === undefined ? op.mac : macOn(op, on);
  const link = ns.addLink(
    {
      ...{ name, kind: infoKind(made), up, group },
      ...given({ mac, alias, mtu: mtu ?? usualMtu(made, on) }),
      ...fakeLinkData(made),
    },
    made,
  );
  if (on !== undefined) putOn(link, on);
  if (made.kind === 'veth' && peers !== undefined) {
    const { name: peerName, mac: peerMac, mtu: peerMtu } = made.peer;
    const peer = peers.addLink({ name: peerName, kind: 'veth', ...given({ mac: peerMac, mtu: peerMtu }) });
    link.peer = { ns: peers, name: peerName };
    peer.peer = { ns, name };
  }
  if (master !== undefined) enslave(ns, link, master);
}

export function setFakeLink(op: OpOf<'link.set'>, ns: FakeNetns): void {
  const { set } = op;
  const link = linkOf(op, ns, op.name);
  if (typeof set.master === 'string') {
    linkOf(op, ns, set.master);
    checkMaster(op, ns, set.master, link);
  }
  checkChild(op, link);
  if (set.vxlan !== undefined) setFakeVxlan(op, link, set.vxlan);
  if ((set.up === false && link.state.up) || set.mac !== undefined) ns.forgetNeighbours(op.name);
  changeState(link, set);
  changeFamily(link, set);
  if (set.promisc !== undefined) link.promisc = set.promisc;
  if (set.up === false) ns.routes = ns.routes.filter(({ dev }) => dev !== op.name);
  if (typeof set.master === 'string') enslave(ns, link, set.master);
  else if (set.master === null) release(ns, link);
}

/** Deleting a veth deletes its peer; a bridge detaches its ports; a device deletes the devices on top of it. */
export function deleteFakeLink(op: OpOf<'link.delete'>, ns: FakeNetns): void {
  const { kind = 'none' } = linkOf(op, ns, op.name).state;
  if (op.kind !== undefined && op.kind !== kind) {
    const what = `it is of kind ${kind} and not ${op.kind}, so it is left alone`;
    throw fault.conflict(op.op, `link ${op.name}`, what, undefined, { errno: ENODEV });
  }
  if (kind === 'none') throw opError(op, EOPNOTSUPP);
  removeLink(ns, op.name);
}

export function setFakePort(op: OpOf<'port.set'>, ns: FakeNetns): void {
  const { state } = linkOf(op, ns, op.name);
  if (state.port === undefined) throw opError(op, EOPNOTSUPP);
  state.port = { ...state.port, ...op.set };
}

export function changeFakeVlans(op: OpOf<'vlan.add' | 'vlan.delete'>, ns: FakeNetns): void {
  linkOf(op, ns, op.name);
  const kept = ns.vlans.filter(({ name, vlan }) => name !== op.name || vlan.vid !== op.vlan.vid);
  if (op.op === 'vlan.delete' && kept.length === ns.vlans.length) throw opError(op, ENOENT);
  ns.vlans = op.op === 'vlan.add' ? [...kept, { name: op.name, vlan: op.vlan }] : kept;
}

/** Deletes the link and everything that belongs to it. */
export function removeLink(ns: FakeNetns, name: string): void {
  const link = ns.links.get(name);
  if (link === undefined) return;
  forgetLink(ns, link);
  link.parent?.children.delete(link);
  for (const child of [...link.children]) removeLink(child.ns, child.state.name);
  if (link.peer !== undefined) removeLink(link.peer.ns, link.peer.name);
}

/** Takes the link out of its namespace, with all that names it there. */
export function forgetLink(ns: FakeNetns, { state: { name } }: FakeLink): void {
  ns.links.delete(name);
  ns.addresses = ns.addresses.filter(({ dev }) => dev !== name);
  ns.routes = ns.routes.filter(({ dev }) => dev !== name);
  ns.forgetNeighbours(name);
  ns.forgetForwarding(name);
  ns.vlans = ns.vlans.filter((entry) => entry.name !== name);
  ns.shaping.delete(name);
  for (const key of ns.sysctls.keys()) if (key.split('/')[3] === name) ns.sysctls.delete(key);
  for (const other of ns.links.values()) if (other.state.master === name) release(ns, other);
}

function changeState(
  { state }: FakeLink,
  { up, mtu, mac, alias, group, allMulticast, txQueueLength }: LinkChanges,
): void {
  if (up !== undefined) state.up = up;
  if (mtu !== undefined) state.mtu = mtu;
  if (mac !== undefined) state.mac = mac;
  if (group !== undefined) state.group = group;
  if (allMulticast !== undefined) state.allMulticast = allMulticast;
  if (txQueueLength !== undefined) state.txQueueLength = txQueueLength;
  if (alias === '') delete state.alias;
  else if (alias !== undefined) state.alias = alias;
}

function enslave(ns: FakeNetns, link: FakeLink, master: string): void {
  if (link.state.master !== undefined && link.state.master !== master) release(ns, link);
  link.state.master = master;
  const vrf = ns.links.get(master)?.state.vrf;
  if (vrf !== undefined) {
    link.state.vrfTable = vrf.table;
    cycle(ns, link);
    return;
  }
  link.state.port ??= USUAL_PORT;
  const bridge = ns.links.get(master)?.state.bridge;
  if (bridge?.vlanFiltering && bridge.defaultPvid) {
    ns.vlans.push({ name: link.state.name, vlan: { vid: bridge.defaultPvid, pvid: true, untagged: true } });
  }
}

export function release(ns: FakeNetns, link: FakeLink): void {
  const { state } = link;
  const wasMember = state.vrfTable !== undefined;
  ns.forgetForwarding(state.name, 'master');
  delete state.master;
  delete state.port;
  delete state.vrfTable;
  if (wasMember) cycle(ns, link);
}

/** A VRF takes a link that it gains or loses down and up: cycle_netdev of drivers/net/vrf.c. */
function cycle(ns: FakeNetns, { state: { name, up } }: FakeLink): void {
  if (!up) return;
  ns.routes = ns.routes.filter(({ dev }) => dev !== name);
  if (ns.sysctls.get(`net/ipv6/conf/${name}/keep_addr_on_down`) === '1') return;
  ns.addresses = ns.addresses.filter(({ dev, address }) => dev !== name || !address.includes(':'));
}

/** net/core/dev.c, dev_valid_name; netlink's policy refuses names of IFNAMSIZ bytes or more. */
export function checkFree(op: Op, ns: FakeNetns, name: string): void {
  if (Buffer.byteLength(name) >= IFNAMSIZ) throw opError(op, ERANGE);
  if (name === '' || name === '.' || name === '..' || /[/:\s]/.test(name)) throw opError(op, EINVAL);
  if (ns.links.has(name)) throw opError(op, EEXIST);
}

function checkMaster(op: Op, ns: FakeNetns, master: string, link?: FakeLink): void {
  const kind = ns.links.get(master)?.state.kind;
  if (kind !== 'bridge' && kind !== 'vrf') throw opError(op, EOPNOTSUPP);
  if (kind === 'bridge' && link !== undefined && isParent(link)) throw opError(op, EBUSY);
}

/** Undefined: 1500. */
function usualMtu(made: LinkKind, on: FakeLink | undefined): number | undefined {
  if (made.kind === 'vrf') return MAX_MTU_V6;
  return parentedLink(made) === undefined ? undefined : on?.state.mtu;
}

function fakeLinkData(made: LinkKind): Partial<LinkState> {
  switch (made.kind) {
    case 'bridge':
      return { bridge: { vlanFiltering: made.vlanFiltering ?? false, defaultPvid: made.defaultPvid ?? 1 } };
    case 'vxlan':
      return { vxlan: vxlanState(made) };
    case 'macvlan':
      return { macvlan: { mode: made.mode, bcQueueLength: made.bcQueueLength ?? 1000 } };
    case 'ipvlan':
      return { ipvlan: { mode: made.mode, flag: made.flag } };
    case 'vlan':
      return { vlan: { id: made.id, protocol: made.protocol ?? '802.1Q' } };
    case 'vrf':
      return { vrf: { table: made.table } };
    case 'tap': {
      const { owner, group, multiQueue = false, vnetHdr = false } = made;
      return { tun: { type: 'tap', ...given({ owner, group }), multiQueue, vnetHdr } };
    }
    default:
      return {};
  }
}
