import { type Element, footprint } from '../host/firewall-elements.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import { NFT_SET_ELEM_INTERVAL_END } from '../netlink/netfilter.ts';
import { addElementsRequests, deleteChainRequests, deleteElementsRequests } from '../netlink/nft-batch.ts';
import { listElements, type RawElement } from '../netlink/nft-sets.ts';
import type { NetlinkSocket, Request } from '../netlink/socket.ts';
import { encodeElement, hasPrefix, setId, TABLE_ID, textOf } from './nft-elements.ts';
import { clash } from './nft-failure.ts';
import { obsoleteRequests } from './nft-obsolete.ts';
import { hasRule, intervalsOf, presenceOf, replaceable } from './nft-state.ts';
import { isIntervalSet, ruleCounts, SET_NAMES } from './nft-table.ts';

/** The wanted content of the table. */
interface TableContent {
  readonly elements: readonly Element[];
  /** Elements that stay if the table has them. */
  readonly kept: readonly Element[];
  /** Port chains. */
  readonly chains: readonly string[];
}

/**
 * Returns the messages that make the table's sets hold exactly these elements, and delete all port chains except the
 * named ones. Leaves existing elements untouched, so traffic is not interrupted.
 */
export function diffRequests(
  socket: NetlinkSocket,
  { elements, kept, chains }: TableContent,
  counted: ReadonlyMap<string, number>,
): Request[] {
  const changes = SET_NAMES.map((set) => setChange(socket, set, elements, kept));
  const [removed, added] = [changes.flatMap((change) => change.removed), changes.flatMap((change) => change.added)];
  const left = [...counted.keys()].filter((chain) => !ruleCounts().has(chain) && !chains.includes(chain));
  return [...removed, ...left.flatMap((chain) => deleteChainRequests(TABLE_ID, chain)), ...added];
}

/** Returns the messages that make the sets hold exactly these elements. */
export function setRequests(socket: NetlinkSocket, sets: readonly string[], elements: readonly Element[]): Request[] {
  const changes = sets.map((set) => setChange(socket, set, elements));
  return changes.flatMap(({ removed, added }) => [...removed, ...added]);
}

interface SetChange {
  readonly removed: readonly Request[];
  readonly added: readonly Request[];
}

function setChange(
  socket: NetlinkSocket,
  set: string,
  elements: readonly Element[],
  kept: readonly Element[] = [],
): SetChange {
  const id = { ...TABLE_ID, set };
  const of = (some: readonly Element[]) => byText(some.filter((one) => one.set === set).map(encodeElement));
  const wanted = of(elements);
  const there = byText(unitsOf(set, listElements(socket, id)));
  return {
    removed: deleteElementsRequests(id, without(there, new Map([...wanted, ...of(kept)]))),
    added: addElementsRequests(id, without(wanted, there)),
  };
}

/** The entries that the table lacks in part or whose replaced remains it still has. For a whole table. */
export function lackingEntries(socket: NetlinkSocket, entries: readonly FirewallEntry[]): FirewallEntry[] {
  const parts = entries.map((entry) => ({ entry, ...footprint([entry]) }));
  const states = presenceOf(
    socket,
    parts.flatMap(({ elements }) => elements),
  );
  let at = 0;
  return parts.flatMap(({ entry, elements, chains }) => {
    const own = states.slice(at, at + elements.length);
    at += elements.length;
    const isThere = own.every((state) => state === 'present') && chains.every(({ name }) => hasRule(socket, name));
    return isThere && obsoleteRequests(socket, [entry]).length === 0 ? [] : [entry];
  });
}

/**
 * Elements that are added and deleted together: the start of an interval directly followed by its end, or one element.
 */
function unitsOf(set: string, list: readonly RawElement[]): RawElement[][] {
  if (!isIntervalSet(set)) return list.map((element) => [element]);
  return intervalsOf(list).map(({ start, end }) =>
    end === undefined ? [start] : [start, { flags: NFT_SET_ELEM_INTERVAL_END, key: { value: end } }],
  );
}

function byText(units: readonly (readonly RawElement[])[]): ReadonlyMap<string, readonly RawElement[]> {
  return new Map(units.map((unit) => [textOf(unit), unit]));
}

function without(
  units: ReadonlyMap<string, readonly RawElement[]>,
  others: ReadonlyMap<string, unknown>,
): readonly RawElement[] {
  return [...units].flatMap(([text, unit]) => (others.has(text) ? [] : unit));
}

/**
 * Returns the messages that delete what these elements replace: a device's policy, a subnet's source and exceptions.
 * Throws NetError `conflict` if an element is another endpoint's.
 */
export function replacements(socket: NetlinkSocket, elements: readonly Element[]): Request[] {
  const states = presenceOf(socket, elements);
  const foreign = elements.filter((_, i) => states[i] === 'foreign');
  const olds = foreign.map((element) => ({ element, old: replaceable(socket, element) }));
  const clashing = olds.find(({ old }) => old === undefined)?.element;
  if (clashing !== undefined || foreign.length === 0)
    throw clash(socket, clashing ?? elements.find((element, i) => states[i] === 'absent' && hasPrefix(element)));
  // Several new exceptions may replace one old exception.
  const all = olds.map(({ element, old = [] }) => [`${element.set} ${textOf(old)}`, element, old] as const);
  const once = new Map(all.map(([text, element, old]) => [text, deleteElementsRequests(setId(element), old)]));
  return [...once.values()].flat();
}
