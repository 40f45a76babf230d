import type { Element } from '../host/firewall-elements.ts';
import { addElementsRequests, deleteElementsRequests } from '../netlink/nft-batch.ts';
import { getElements, listElements, type RawElement, type SetId } from '../netlink/nft-sets.ts';
import type { NetlinkSocket, Request } from '../netlink/socket.ts';
import { BRIDGE_SETS, BRIDGE_TABLE_ID } from './bridge-table.ts';
import { encodeComment, encodeElement, IFNAME_BYTES } from './nft-elements.ts';

/** An element as the kernel has it, with its set. */
export interface Held {
  readonly set: string;
  readonly raw: RawElement;
}

export function heldOf(elements: readonly Element[]): Held[] {
  return elements.flatMap((element) => encodeElement(element).map((raw) => ({ set: element.set, raw })));
}

export function idOf(set: string): SetId {
  return { ...BRIDGE_TABLE_ID, set };
}

/** The kernel's elements with these keys; undefined for those that it lacks. */
export function look(socket: NetlinkSocket, wanted: readonly Held[]): (RawElement | undefined)[] {
  return getElements(
    socket,
    wanted.map(({ set, raw: { key } }) => ({ id: idOf(set), element: { key } })),
  );
}

/** The elements that are there, without addresses that another port or bridge has by now. */
export function present(socket: NetlinkSocket, wanted: readonly Held[]): Held[] {
  const found = look(socket, wanted);
  return wanted.filter(({ raw }, i) => found[i] !== undefined && sameOwner(raw, found[i]));
}

/** The addresses that are there for another port or bridge. */
export function displaced(socket: NetlinkSocket, wanted: readonly Held[]): Held[] {
  const owned = wanted.filter(({ raw }) => raw.userdata !== undefined);
  const found = look(socket, owned);
  return owned.filter(({ raw }, i) => found[i] !== undefined && !sameOwner(raw, found[i]));
}

function sameOwner(a: RawElement, b: RawElement | undefined): boolean {
  return a.userdata === undefined || Buffer.compare(a.userdata, b?.userdata ?? new Uint8Array()) === 0;
}

/** Everything that begins with the port's name, or is in use by it. */
export function ofPort(socket: NetlinkSocket, port: string): Held[] {
  const name = Buffer.alloc(IFNAME_BYTES);
  name.write(port);
  const comment = encodeComment(port);
  return all(socket).filter(({ set, raw: { key, userdata } }) =>
    set.startsWith('leased')
      ? Buffer.compare(userdata ?? NOTHING, comment) === 0
      : Buffer.compare((key?.value ?? NOTHING).subarray(0, IFNAME_BYTES), name) === 0,
  );
}

const NOTHING = new Uint8Array();

export function all(socket: NetlinkSocket): Held[] {
  return BRIDGE_SETS.flatMap((set) => listElements(socket, idOf(set)).map((raw) => ({ set, raw })));
}

/** The messages that make the sets of a whole table hold exactly these elements. */
export function difference(socket: NetlinkSocket, wanted: readonly Held[]): Request[] {
  const there = all(socket);
  const [has, wants] = [new Set(there.map(textOf)), new Set(wanted.map(textOf))];
  return [
    ...removals(there.filter((one) => !wants.has(textOf(one)))),
    ...additions(wanted.filter((one) => !has.has(textOf(one)))),
  ];
}

function textOf({ set, raw: { key, userdata } }: Held): string {
  return [set, ...[key?.value, userdata].map((bytes) => Buffer.from(bytes ?? []).toString('hex'))].join(' ');
}

export function additions(held: readonly Held[], allNew = false): Request[] {
  return bySet(held).flatMap(([set, list]) => addElementsRequests(idOf(set), list, allNew));
}

export function removals(held: readonly Held[]): Request[] {
  const keys = held.map(({ set, raw: { key } }) => ({ set, raw: { key } }));
  return bySet(keys).flatMap(([set, list]) => deleteElementsRequests(idOf(set), list));
}

/** Each set's elements, each key once: the last of two. */
function bySet(held: readonly Held[]): [set: string, list: RawElement[]][] {
  const keyed = new Map(held.map((one) => [textOf({ set: one.set, raw: { key: one.raw.key } }), one]));
  return [...Map.groupBy(keyed.values(), ({ set }) => set)].map(([set, list]) => [set, list.map(({ raw }) => raw)]);
}
