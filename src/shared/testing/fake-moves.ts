import { opError } from '../host/failure.ts';
import type { Op } from '../model/op.ts';
import { EINVAL } from '../netlink/constants.ts';
import { checkFree, forgetLink, linkOf, release } from './fake-links.ts';
import { type FakeLink, type FakeNetns, peerOf } from './fake-netns.ts';

/** Links that belong to their namespace: netns_immutable of struct net_device. */
const IMMUTABLE: readonly (string | undefined)[] = ['bridge', 'vrf'];

/** Moves the link with its family: peers, parents and children stay as they are, wherever they are. */
export function moveFakeLink(op: Extract<Op, { op: 'link.move' }>, from: FakeNetns, to: FakeNetns): void {
  const link = linkOf(op, from, op.name);
  checkFree(op, to, op.toName);
  if (link.state.loopback || IMMUTABLE.includes(link.state.kind))
    throw opError(op, EINVAL, 'The interface netns is immutable');
  putInto(link, to, op.toName);
}

/** The kernel saves hardware from a namespace that ends, under its own name or `dev<n>`. */
export function saveHardware(gone: FakeNetns, own: FakeNetns): void {
  for (const link of [...gone.links.values()]) {
    const { name, parentDev, permMac } = link.state;
    if (parentDev === undefined && permMac === undefined) continue;
    let free = name;
    for (let n = 0; own.links.has(free); n++) free = `dev${n}`;
    putInto(link, own, free);
  }
}

function putInto(link: FakeLink, to: FakeNetns, name: string): void {
  const { state } = link;
  if (state.master !== undefined) release(link.ns, link);
  forgetLink(link.ns, link);
  state.index = to.takeIndex(state.index);
  state.name = name;
  state.up = false;
  link.ns = to;
  const peer = peerOf(link);
  if (peer !== undefined) peer.peer = { ns: to, name };
  to.links.set(name, link);
}
