import type { Element } from '../host/firewall-elements.ts';
import { NFT_SET_ELEM_INTERVAL_END } from '../netlink/constants.ts';
import { rulesetGeneration } from '../netlink/nfnetlink.ts';
import { readRules } from '../netlink/nft-rules.ts';
import { countRules, getElements, listElements, type RawElement } from '../netlink/nft-sets.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { encodeElement, isInterval, sameElement, setId, TABLE_ID } from './nft-elements.ts';
import { ruleCounts, SET_NAMES } from './nft-table.ts';

/** `foreign`: there is one of the same key that leads elsewhere, or one that overlaps. */
export type Presence = 'present' | 'absent' | 'foreign';

/** What is there of each of the elements. */
export function presenceOf(socket: NetlinkSocket, elements: readonly Element[]): Presence[] {
  const keyed = elements.filter((element) => !isInterval(element));
  const wanted = keyed.map((element) => ({ id: setId(element), element: encodeElement(element)[0] ?? {} }));
  const found = getElements(socket, wanted);
  const states = new Map(
    keyed.map((element, i): [Element, Presence] => [element, stateOf(wanted[i]?.element ?? {}, found[i])]),
  );
  // The kernel finds the end of an interval for certain only where no other one begins there: they are listed.
  const lists = new Map<string, readonly Interval[]>();
  for (const element of elements.filter(isInterval)) {
    const list = lists.get(element.set) ?? intervalsOf(listElements(socket, setId(element)));
    lists.set(element.set, list);
    states.set(element, intervalState(element, list));
  }
  return elements.map((element) => states.get(element) ?? 'absent');
}

function stateOf(wanted: RawElement, found: RawElement | undefined): Presence {
  if (found === undefined) return 'absent';
  return sameElement(wanted, found) ? 'present' : 'foreign';
}

/** From `start` to before `end`, which is absent at the end of the addresses. */
export interface Interval {
  readonly start: RawElement;
  readonly end?: Uint8Array;
}

/** The intervals of a set of single prefixes, whose starts and ends are elements of their own. */
export function intervalsOf(list: readonly RawElement[]): Interval[] {
  const edges = list.toSorted((a, b) => Buffer.compare(keyOf(a), keyOf(b)) || (b.flags ?? 0) - (a.flags ?? 0));
  const intervals: Interval[] = [];
  let start: RawElement | undefined;
  for (const edge of edges) {
    if (start !== undefined) intervals.push({ start, end: keyOf(edge) });
    start = (edge.flags ?? 0) & NFT_SET_ELEM_INTERVAL_END ? undefined : edge;
  }
  return start === undefined ? intervals : [...intervals, { start }];
}

function intervalState(element: Element, list: readonly Interval[]): Presence {
  const [start = {}, last] = encodeElement(element);
  const end = last === undefined ? undefined : keyOf(last);
  const touching = list.find(
    (one) =>
      (end === undefined || Buffer.compare(keyOf(one.start), end) < 0) &&
      (one.end === undefined || Buffer.compare(keyOf(start), one.end) < 0),
  );
  if (touching === undefined) return 'absent';
  const sameEnd =
    end === undefined || touching.end === undefined ? end === touching.end : !Buffer.compare(end, touching.end);
  return sameEnd && sameElement(start, touching.start) ? 'present' : 'foreign';
}

function keyOf({ key }: RawElement): Uint8Array {
  return key?.value ?? new Uint8Array();
}

/** So often a ruleset that changes is looked at again. */
const MAX_LOOKS = 32;
/** So many lists of entries are remembered. */
const MAX_COMPLETE = 64;

/**
 * Tells whether the table has all its chains and rules, and what was found to be in it; looks again only after the
 * ruleset has changed.
 */
export class TableWatch {
  readonly #socket: NetlinkSocket;
  #wholeAt: number | undefined;
  /** Lists of entries, as text, of which the table lacks nothing, and the generation of which that is true. */
  #complete: { readonly at: number; readonly lists: Set<string> } | undefined;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /**
   * What lacks rules is looked at again where the ruleset has changed meanwhile: while somebody puts them in anew, a
   * list may have neither the old ones nor the new (nf_tables_dump_rules, which tells of a change between two parts of
   * a list only).
   */
  isWhole(): boolean {
    for (let attempt = 0; ; attempt++) {
      const generation = rulesetGeneration(this.#socket);
      if (this.#wholeAt === generation) return true;
      const counts = countRules(this.#socket, TABLE_ID);
      const whole = [...ruleCounts()].every(([chain, rules]) => counts.get(chain) === rules);
      this.#wholeAt = whole ? generation : undefined;
      if (whole || attempt === MAX_LOOKS || rulesetGeneration(this.#socket) === generation) return whole;
    }
  }

  /** True where nothing has changed since `keepComplete` was called for the list. Right after `isWhole` was true. */
  isComplete(list: string): boolean {
    return this.#complete?.at === this.#wholeAt && this.#complete?.lists.has(list) === true;
  }

  /** The whole table, as `isWhole` has found it, lacks nothing of the list. */
  keepComplete(list: string): void {
    const at = this.#wholeAt;
    if (at === undefined) return;
    const isFull = this.#complete === undefined || this.#complete.lists.size >= MAX_COMPLETE;
    if (isFull || this.#complete?.at !== at) this.#complete = { at, lists: new Set() };
    this.#complete?.lists.add(list);
  }
}

/** What a device or a subnet has one of: its new policy, its new source and its new exceptions come in place of the old. */
const SINGLE = /^(own|leaving|entering|(source|direct)[46])$/;

/** What is in the place of the element, where the element may take it; undefined where it is another's. */
export function replaceable(socket: NetlinkSocket, element: Element): RawElement[] | undefined {
  if (!SINGLE.test(element.set)) return undefined;
  const [start = {}, end] = encodeElement(element);
  if (isInterval(element)) {
    const there = intervalsOf(listElements(socket, setId(element))).find((one) => same(keyOf(one.start), keyOf(start)));
    const whole = there !== undefined && same(there.end ?? NOTHING, end === undefined ? NOTHING : keyOf(end));
    return whole ? [there.start, ...(end === undefined ? [] : [end])] : undefined;
  }
  const [found] = getElements(socket, [{ id: setId(element), element: start }]);
  const subnet = { direct4: 4, direct6: 16 }[element.set];
  if (found === undefined || (subnet !== undefined && !sameSubnet(start, found, subnet))) return undefined;
  const { data, ...place } = found;
  return [place];
}

/** True where the first field, of `size` bytes, is the same of both: from the lowest to the highest address. */
function sameSubnet(a: RawElement, b: RawElement, size: number): boolean {
  const first = (bytes: Uint8Array | undefined): Uint8Array => (bytes ?? NOTHING).subarray(0, size);
  return same(first(a.key?.value), first(b.key?.value)) && same(first(a.keyEnd?.value), first(b.keyEnd?.value));
}

const NOTHING = new Uint8Array();

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/**
 * The elements without the devices of `hairpin` that subnets other than those among the elements need too: a bridge may
 * have several.
 */
export function withoutNeeded(socket: NetlinkSocket, elements: readonly Element[]): readonly Element[] {
  const devices = elements.filter(({ set }) => set === 'hairpin');
  if (devices.length === 0) return elements;
  const going = elements.filter(({ set }) => set === 'hairpin4').flatMap(encodeElement);
  const staying = listElements(socket, { ...TABLE_ID, set: 'hairpin4' }).filter(
    (there) => !going.some((one) => sameElement(one, there)),
  );
  const needed = new Set(staying.map((one) => Buffer.from(keyOf(one).subarray(4)).toString()));
  return elements.filter((element) => {
    const [raw = {}] = element.set === 'hairpin' ? encodeElement(element) : [];
    return element.set !== 'hairpin' || !needed.has(Buffer.from(keyOf(raw)).toString());
  });
}

/** True where no set has an element; the end of an interval, which nft puts before the first one too, is none. */
export function isEmpty(socket: NetlinkSocket): boolean {
  return SET_NAMES.every((set) =>
    listElements(socket, { ...TABLE_ID, set }).every(({ flags = 0 }) => flags & NFT_SET_ELEM_INTERVAL_END),
  );
}

/** True where the chain of a port with conditions has its rule. */
export function hasRule(socket: NetlinkSocket, chain: string): boolean {
  return readRules(socket, { ...TABLE_ID, chain }).length > 0;
}
