import { missingLink, missingParent, opError } from '../host/failure.ts';
import type { ParentFacts } from '../host/link-failure.ts';
import { given } from '../model/given.ts';
import { parentedLink } from '../model/link.ts';
import type { LinkChanges, Op } from '../model/op.ts';
import { EADDRINUSE, EBUSY, EEXIST, EINVAL, ENETDOWN, EOPNOTSUPP, ERANGE } from '../netlink/constants.ts';
import type { FakeLink, FakeNetns } from './fake-netns.ts';

type CreateOp = Extract<Op, { op: 'link.create' }>;
type SetOp = Extract<Op, { op: 'link.set' }>;

/** Twelve bits, without the last number: net/8021q/vlan_netlink.c. */
const VLAN_VID_MASK = 0xfff;

/** The link to create it on. A macvlan of a macvlan gets the parent of both, an ipvlan of an ipvlan too. */
export function parentOf(op: CreateOp, parents: FakeNetns): FakeLink | undefined {
  const { link } = op;
  const dev = 'dev' in link ? link.dev : undefined;
  if (dev === undefined) return undefined;
  const found = parents.links.get(dev);
  if (found === undefined) throw parentedLink(link) === undefined ? missingLink(op, dev) : missingParent(op, dev);
  const isShared = link.kind === found.state.kind && (link.kind === 'macvlan' || link.kind === 'ipvlan');
  return isShared ? (found.parent ?? found) : found;
}

/** A parent of macvlan or ipvlan links, which take all that it receives. */
export function isParent({ children }: FakeLink): boolean {
  return [...children].some(({ state: { kind } }) => kind === 'macvlan' || kind === 'ipvlan');
}

/** Refuses what the kernel refuses, in its order: drivers/net/macvlan.c, ipvlan/ipvlan_main.c, net/8021q. */
export function checkParent(op: CreateOp, on: FakeLink | undefined): void {
  const link = parentedLink(op.link);
  if (link === undefined || on === undefined) return;
  const refuse = (errno: number): never => {
    throw opError(op, errno, '', { parent: factsOf(on) });
  };
  if (link.kind === 'vlan') {
    checkVlan(op, link, on, refuse);
    return;
  }
  if (link.kind === 'macvlan' && (op.mtu ?? 0) > on.state.mtu) refuse(EINVAL);
  if (on.state.loopback) refuse(EINVAL);
  const siblings = [...on.children];
  if (on.state.port !== undefined || siblings.some(({ state }) => isOther(link.kind, state.kind))) refuse(EBUSY);
  if (link.kind !== 'macvlan') return;
  const macvlans = siblings.filter(({ state }) => state.kind === 'macvlan');
  const isAlone = macvlans.every(({ state }) => state.macvlan?.mode !== 'passthru');
  if (!isAlone || (link.mode === 'passthru' && macvlans.length > 0)) refuse(EINVAL);
  if (op.up && link.mode !== 'passthru' && isTaken(on, macOn(op, on))) refuse(EADDRINUSE);
}

function checkVlan(
  op: CreateOp,
  { id, protocol = '802.1Q' }: Extract<CreateOp['link'], { kind: 'vlan' }>,
  on: FakeLink,
  refuse: (errno: number) => never,
): void {
  if (id >= VLAN_VID_MASK) refuse(ERANGE);
  if (on.state.loopback) refuse(EOPNOTSUPP);
  if ([...on.children].some(({ state: { vlan } }) => vlan?.id === id && vlan.protocol === protocol)) refuse(EEXIST);
  if ((op.mtu ?? 0) > on.state.mtu) refuse(EINVAL);
  if (op.up && !on.state.up) refuse(ENETDOWN);
}

function isOther(kind: string, sibling: string | undefined): boolean {
  return sibling !== kind && (sibling === 'macvlan' || sibling === 'ipvlan');
}

/** The MAC of a new link on a parent; undefined: any. */
export function macOn({ link, mac }: CreateOp, { state }: FakeLink): string | undefined {
  if (link.kind === 'ipvlan' || (link.kind === 'macvlan' && link.mode === 'passthru')) return state.mac;
  return link.kind === 'vlan' ? (mac ?? state.mac) : mac;
}

/** True if the parent, or a macvlan on it that is up, has the MAC: macvlan_addr_busy of drivers/net/macvlan.c. */
function isTaken(on: FakeLink, mac: string | undefined, except?: FakeLink): boolean {
  if (on.state.mac === mac) return true;
  return [...on.children].some(
    (link) => link !== except && link.state.kind === 'macvlan' && link.state.up && link.state.mac === mac,
  );
}

/** Mode and flag of an ipvlan belong to its parent. */
export function putOn(link: FakeLink, on: FakeLink): void {
  link.parent = on;
  on.children.add(link);
  const { ipvlan } = link.state;
  if (ipvlan === undefined) return;
  for (const { state } of on.children) if (state.ipvlan !== undefined) state.ipvlan = ipvlan;
}

/** Refuses changes of a link that its parent does not allow. */
export function checkChild(op: SetOp, link: FakeLink): void {
  const { parent, state } = link;
  const { kind } = state;
  const { mtu, mac, up } = op.set;
  if (parent === undefined) return;
  if (kind === 'ipvlan' && mac !== undefined) throw opError(op, EOPNOTSUPP);
  if (kind === 'macvlan' && (mtu ?? 0) > parent.state.mtu) throw opError(op, EINVAL);
  if (kind === 'vlan' && (mtu ?? 0) > parent.state.mtu) throw opError(op, ERANGE);
  if (kind === 'vlan' && up === true && !parent.state.up) throw opError(op, ENETDOWN);
  const isListening = kind === 'macvlan' && state.macvlan?.mode !== 'passthru' && (up ?? state.up);
  const isChanging = mac !== undefined || (up === true && !state.up);
  if (isListening && isChanging && isTaken(parent, mac ?? state.mac, link)) throw opError(op, EADDRINUSE);
}

/** What a changed link passes on: a lower MTU to all on it, its state to VLANs, the MAC of a passthru to its parent. */
export function changeFamily({ state, parent, children }: FakeLink, { up, mtu, mac }: LinkChanges): void {
  for (const child of children) {
    if (mtu !== undefined) child.state.mtu = Math.min(child.state.mtu, mtu);
    if (up !== undefined && child.state.kind === 'vlan') child.state.up = up;
  }
  if (mac !== undefined && parent !== undefined && state.macvlan?.mode === 'passthru') parent.state.mac = mac;
}

function factsOf({ state }: FakeLink): ParentFacts {
  return {
    mtu: state.mtu,
    isLoopback: state.loopback,
    isEthernet: !state.loopback,
    ...given({ master: state.master }),
  };
}
