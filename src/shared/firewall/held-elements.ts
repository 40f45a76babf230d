import type { Element } from '../host/firewall-elements.ts';
import type { TableId } from '../netlink/nfnetlink.ts';
import { addElementsRequests, deleteElementsRequests } from '../netlink/nft-batch.ts';
import { getElements, hasElements, listElements, type RawElement } from '../netlink/nft-sets.ts';
import type { NetlinkSocket, Request } from '../netlink/socket.ts';
import { encodeElement } from './nft-elements.ts';

/** An element as the kernel has it, with its set. */
export interface Held {
  readonly set: string;
  readonly raw: RawElement;
}

export function heldOf(elements: readonly Element[]): Held[] {
  return elements.flatMap((element) => encodeElement(element).map((raw) => ({ set: element.set, raw })));
}

/** The kernel's elements with these keys; undefined for those that it lacks. */
function look(socket: NetlinkSocket, id: TableId, wanted: readonly Held[]): (RawElement | undefined)[] {
  return getElements(socket, keysOf(id, wanted));
}

/** Whether the kernel has elements with these keys. */
export function areThere(socket: NetlinkSocket, id: TableId, wanted: readonly Held[]): boolean[] {
  return hasElements(socket, keysOf(id, wanted));
}

function keysOf(id: TableId, wanted: readonly Held[]): Parameters<typeof getElements>[1] {
  return wanted.map(({ set, raw: { key } }) => ({ id: { ...id, set }, element: { key } }));
}

/** The wanted elements that the kernel has with the same owner. */
export function present(socket: NetlinkSocket, id: TableId, wanted: readonly Held[]): Held[] {
  const found = look(socket, id, wanted);
  return wanted.filter(({ raw }, i) => found[i] !== undefined && sameOwner(raw, found[i]));
}

/** The wanted elements that the kernel has with another owner. */
export function displaced(socket: NetlinkSocket, id: TableId, wanted: readonly Held[]): Held[] {
  const owned = wanted.filter(({ raw }) => raw.userdata !== undefined);
  const found = look(socket, id, owned);
  return owned.filter(({ raw }, i) => found[i] !== undefined && !sameOwner(raw, found[i]));
}

function sameOwner(a: RawElement, b: RawElement | undefined): boolean {
  return a.userdata === undefined || Buffer.compare(a.userdata, b?.userdata ?? new Uint8Array()) === 0;
}

/** Everything in these sets of the table. */
export function all(socket: NetlinkSocket, id: TableId, sets: readonly string[]): Held[] {
  return sets.flatMap((set) => listElements(socket, { ...id, set }).map((raw) => ({ set, raw })));
}

/** The messages that leave in the table exactly the wanted elements, and those of `kept` that it has. */
export function difference(
  id: TableId,
  there: readonly Held[],
  wanted: readonly Held[],
  kept: readonly Held[],
): Request[] {
  const [has, stays] = [new Set(there.map(textOf)), new Set([...wanted, ...kept].map(textOf))];
  return [
    ...removals(
      id,
      there.filter((one) => !stays.has(textOf(one))),
    ),
    ...additions(
      id,
      wanted.filter((one) => !has.has(textOf(one))),
    ),
  ];
}

/** The elements that are also in `there`. */
export function among(elements: readonly Held[], there: readonly Held[]): Held[] {
  const has = new Set(there.map(textOf));
  return elements.filter((one) => has.has(textOf(one)));
}

function textOf({ set, raw: { key, userdata } }: Held): string {
  return [set, ...[key?.value, userdata].map((bytes) => Buffer.from(bytes ?? []).toString('hex'))].join(' ');
}

export function additions(id: TableId, held: readonly Held[], allNew = false): Request[] {
  return bySet(held).flatMap(([set, list]) => addElementsRequests({ ...id, set }, list, allNew));
}

export function removals(id: TableId, held: readonly Held[]): Request[] {
  const keys = held.map(({ set, raw: { key } }) => ({ set, raw: { key } }));
  return bySet(keys).flatMap(([set, list]) => deleteElementsRequests({ ...id, set }, list));
}

/** The elements of each set, one per key: the last wins. */
function bySet(held: readonly Held[]): [set: string, list: RawElement[]][] {
  const keyed = new Map(held.map((one) => [textOf({ set: one.set, raw: { key: one.raw.key } }), one]));
  return [...Map.groupBy(keyed.values(), ({ set }) => set)].map(([set, list]) => [set, list.map(({ raw }) => raw)]);
}
