import { opError } from '../host/failure.ts';
import { inFloodList, type Op } from '../model/op.ts';
import { EAFNOSUPPORT, EEXIST, EINVAL, ENOENT, EOPNOTSUPP } from '../netlink/constants.ts';
import { linkOf } from './fake-links.ts';
import type { FakeLink, FakeNetns } from './fake-netns.ts';
import { familyOf } from './fake-vxlan.ts';

type OpOf<N extends Op['op']> = Extract<Op, { op: N }>;
type NeighbourOp = OpOf<'neigh.add' | 'neigh.replace' | 'neigh.delete'>;
type ForwardingOp = OpOf<'fdb.add' | 'fdb.replace' | 'fdb.delete'>;

export function changeFakeNeighbour(op: NeighbourOp, ns: FakeNetns): void {
  linkOf(op, ns, op.dev);
  const { dev, address, mac } = op;
  const key = `${dev} ${address}`;
  const isFound = ns.neighbours.has(key);
  const isOff = address.includes(':') && ns.sysctls.get(`net/ipv6/conf/${dev}/disable_ipv6`) === '1';
  if (isOff && op.op !== 'neigh.delete') throw opError(op, EINVAL);
  if (op.op === 'neigh.add' && isFound) throw opError(op, EEXIST);
  if (op.op !== 'neigh.delete') ns.neighbours.set(key, { dev, address, mac });
  else if (!ns.neighbours.delete(key)) throw opError(op, ENOENT);
}

export function changeFakeForwarding(op: ForwardingOp, ns: FakeNetns): void {
  const link = linkOf(op, ns, op.dev);
  if (op.flags === 'master') changeBehindPort(op, ns, link);
  else if (inFloodList(op)) changeFloodList(op, ns, link);
  else changeOwn(op, ns, link);
}

/** Has one entry for each MAC, whatever its remote end. */
function changeOwn(op: ForwardingOp, ns: FakeNetns, link: FakeLink): void {
  const key = `${op.dev} self ${op.mac}`;
  if (op.op === 'fdb.delete') {
    if (!ns.forwarding.delete(key)) throw opError(op, ENOENT);
    return;
  }
  checkRemote(op, link);
  if (op.op === 'fdb.add' && ns.forwarding.has(key)) throw opError(op, EEXIST);
  ns.forwarding.set(key, entryOf(op));
}

/** Ignores an entry that is there, and the deletion of one that is not while others are. */
function changeFloodList(op: ForwardingOp, ns: FakeNetns, link: FakeLink): void {
  const list = `${op.dev} self ${op.mac} `;
  const key = `${list}${op.dst}`;
  if (op.op === 'fdb.delete') {
    if (!ns.forwarding.delete(key) && ![...ns.forwarding.keys()].some((other) => other.startsWith(list)))
      throw opError(op, ENOENT);
    return;
  }
  checkRemote(op, link);
  if (op.op === 'fdb.replace') throw opError(op, EOPNOTSUPP);
  ns.forwarding.set(key, entryOf(op));
}

/** A bridge has one entry for each MAC; the MACs of its ports and its own are among them. */
function changeBehindPort(op: ForwardingOp, ns: FakeNetns, { state: { master } }: FakeLink): void {
  if (master === undefined) throw opError(op, EOPNOTSUPP);
  const key = `${master} master ${op.mac}`;
  const found = ns.forwarding.get(key);
  if (op.op === 'fdb.delete') {
    if (found?.dev !== op.dev) throw opError(op, ENOENT);
    ns.forwarding.delete(key);
    return;
  }
  if (op.op === 'fdb.add' && (found !== undefined || isLocal(ns, master, op.mac))) throw opError(op, EEXIST);
  ns.forwarding.set(key, entryOf(op));
}

function isLocal(ns: FakeNetns, bridge: string, mac: string): boolean {
  return [...ns.links.values()].some(
    ({ state }) => state.mac === mac && (state.name === bridge || state.master === bridge),
  );
}

function checkRemote(op: ForwardingOp, { state: { vxlan } }: FakeLink): void {
  if (vxlan === undefined) return;
  if (op.dst === undefined) throw opError(op, EINVAL);
  if (familyOf(op.dst) !== familyOf(vxlan.local)) throw opError(op, EAFNOSUPPORT);
}

function entryOf({ dev, mac, flags, dst }: ForwardingOp): { dev: string; mac: string; flags: 'self' | 'master' } {
  return { dev, mac, ...(dst !== undefined && { dst }), flags };
}

/** The entries of these devices. A query without any reads none: others may have thousands. */
export function ofDevices<T extends { readonly dev: string }>(
  entries: ReadonlyMap<string, T>,
  devices: readonly string[] = [],
): T[] {
  return devices.length === 0 ? [] : [...entries.values()].filter(({ dev }) => devices.includes(dev));
}
