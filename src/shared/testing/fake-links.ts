import { fault } from '../errors/fault.ts';
import { missingLink, opError } from '../host/failure.ts';
import { USUAL_PORT } from '../model/link.ts';
import type { LinkChanges, Op } from '../model/op.ts';
import { EEXIST, EINVAL, ENODEV, EOPNOTSUPP, ERANGE, IFNAMSIZ } from '../netlink/constants.ts';
import type { FakeLink, FakeNetns } from './fake-netns.ts';
import { checkVni, setFakeVxlan, vxlanState } from './fake-vxlan.ts';

type OpOf<N extends Op['op']> = Extract<Op, { op: N }>;

/** Returns the link with a name. Throws NetError ENODEV as the kernel does. */
export function linkOf(op: Op, ns: FakeNetns, name: string): FakeLink {
  const link = ns.links.get(name);
  if (link === undefined) throw missingLink(op, name);
  return link;
}

export function createFakeLink(op: OpOf<'link.create'>, ns: FakeNetns, peerNs: FakeNetns | undefined): void {
  const { name, link: made, mac, mtu, master, group = 0, alias, up = false } = op;
  if (master !== undefined) linkOf(op, ns, master);
  if ('dev' in made && made.dev !== undefined) linkOf(op, ns, made.dev);
  checkFree(op, ns, name);
  if (made.kind === 'veth' && peerNs !== undefined) checkFree(op, peerNs, made.peer.name);
  if (master !== undefined) checkBridge(op, ns, master);
  if (made.kind === 'vxlan') checkVni(op, ns, made);
  const link = ns.addLink(
    { name, kind: made.kind, up, group, ...(mac && { mac }), ...(mtu && { mtu }), ...(alias && { alias }) },
    made,
  );
  if (made.kind === 'bridge')
    link.state.bridge = { vlanFiltering: made.vlanFiltering ?? false, defaultPvid: made.defaultPvid ?? 1 };
  if (made.kind === 'vxlan') link.state.vxlan = vxlanState(made);
  if (made.kind === 'veth' && peerNs !== undefined) {
    const { name: peerName, mac: peerMac, mtu: peerMtu } = made.peer;
    const peer = peerNs.addLink({
      name: peerName,
      kind: 'veth',
      ...(peerMac && { mac: peerMac }),
      ...(peerMtu && { mtu: peerMtu }),
    });
    link.peer = { ns: peerNs, name: peerName };
    peer.peer = { ns, name };
    for (const [one, other] of [
      [link, peer],
      [peer, link],
    ] as const) {
      one.state.linkIndex = other.state.index;
      if (peerNs !== ns) one.state.linkNetnsId = 0;
    }
  }
  if (master !== undefined) enslave(ns, link, master);
}

export function setFakeLink(op: OpOf<'link.set'>, ns: FakeNetns): void {
  const { set } = op;
  const link = linkOf(op, ns, op.name);
  if (typeof set.master === 'string') {
    linkOf(op, ns, set.master);
    checkBridge(op, ns, set.master);
  }
  if (set.vxlan !== undefined) setFakeVxlan(op, link, set.vxlan);
  if ((set.up === false && link.state.up) || set.mac !== undefined) ns.forgetNeighbours(op.name);
  changeState(link, set);
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

/** Deletes the link and everything that belongs to it. */
export function removeLink(ns: FakeNetns, name: string): void {
  const link = ns.links.get(name);
  if (link === undefined) return;
  ns.links.delete(name);
  ns.addresses = ns.addresses.filter(({ dev }) => dev !== name);
  ns.routes = ns.routes.filter(({ dev }) => dev !== name);
  ns.forgetNeighbours(name);
  ns.forgetForwarding(name);
  ns.vlans = ns.vlans.filter((entry) => entry.name !== name);
  ns.shaping.delete(name);
  for (const key of ns.sysctls.keys()) if (key.split('/')[3] === name) ns.sysctls.delete(key);
  for (const other of [...ns.links.values()]) {
    if (other.state.master === name) release(ns, other);
    if (other.made !== undefined && 'dev' in other.made && other.made.dev === name) removeLink(ns, other.state.name);
  }
  if (link.peer !== undefined) removeLink(link.peer.ns, link.peer.name);
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
  link.state.port ??= USUAL_PORT;
  const bridge = ns.links.get(master)?.state.bridge;
  if (bridge?.vlanFiltering && bridge.defaultPvid) {
    ns.vlans.push({ name: link.state.name, vlan: { vid: bridge.defaultPvid, pvid: true, untagged: true } });
  }
}

function release(ns: FakeNetns, { state }: FakeLink): void {
  ns.forgetForwarding(state.name, 'master');
  delete state.master;
  delete state.port;
}

/** net/core/dev.c, dev_valid_name; netlink's policy refuses names of IFNAMSIZ bytes or more. */
function checkFree(op: Op, ns: FakeNetns, name: string): void {
  if (Buffer.byteLength(name) >= IFNAMSIZ) throw opError(op, ERANGE);
  if (name === '' || name === '.' || name === '..' || /[/:\s]/.test(name)) throw opError(op, EINVAL);
  if (ns.links.has(name)) throw opError(op, EEXIST);
}

function checkBridge(op: Op, ns: FakeNetns, master: string): void {
  if (ns.links.get(master)?.state.kind !== 'bridge') throw opError(op, EOPNOTSUPP);
}
