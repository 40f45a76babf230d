import type { Element } from '../host/firewall-elements.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import { given } from '../model/given.ts';
import { NFT_SET_ELEM_INTERVAL_END } from '../netlink/netfilter.ts';
import { rulesetGeneration, type TableId } from '../netlink/nfnetlink.ts';
import { changeRulesAt, NO_CHANGE } from '../netlink/nft-change.ts';
import { readRules } from '../netlink/nft-rules.ts';
import { countRules, getElements, listElements, type RawElement } from '../netlink/nft-sets.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { basisOf, type KnownRuleset, WHOLE } from './known-ruleset.ts';
import { encodeElement, isInterval, sameElement, setId, TABLE_ID } from './nft-elements.ts';
import { isOfOthers, ruleCounts, SET_NAMES } from './nft-table.ts';

/** `foreign`: an element with the same key leads elsewhere, or an element overlaps. */
export type Presence = 'present' | 'absent' | 'foreign';

/** Returns the state of each element. */
export function presenceOf(socket: NetlinkSocket, elements: readonly Element[]): Presence[] {
  const keyed = elements.filter((element) => !isInterval(element));
  const wanted = keyed.map((element) => ({ id: setId(element), element: encodeElement(element)[0] ?? {} }));
  const found = getElements(socket, wanted);
  const states = new Map(
    keyed.map((element, i): [Element, Presence] => [element, stateOf(wanted[i]?.element ?? {}, found[i])]),
  );
  // The kernel finds the end of an interval reliably only if no other interval begins there, so these sets are listed.
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

/** From `start` up to but excluding `end`; no `end` means the end of the address space. */
export interface Interval {
  readonly start: RawElement;
  readonly end?: Uint8Array;
}

/** Returns the intervals of a set of single prefixes, whose starts and ends are separate elements. */
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

/** Keys of elements that one record of completeness may have: a hundred ports have two each. */
const MAX_KEYS = 400;

/** Number of attempts to read a ruleset that keeps changing. */
const MAX_LOOKS = 32;

/** Checks whether a table has all its chains and rules, and remembers the result until the ruleset changes. */
export class TableWatch {
  readonly known: KnownRuleset;
  readonly #socket: NetlinkSocket;
  readonly #table: TableId;
  readonly #rules: () => ReadonlyMap<string, number>;
  readonly #name: string;

  /** `rules` tells how many rules each chain of the table has. */
  constructor(socket: NetlinkSocket, known: KnownRuleset, table: TableId = TABLE_ID, rules = ruleCounts) {
    this.known = known;
    this.#socket = socket;
    this.#table = table;
    this.#rules = rules;
    this.#name = `${table.family} ${table.table}`;
  }

  /**
   * Checks again if rules are missing and the ruleset has changed meanwhile: while another process replaces them, a
   * list may contain neither the old rules nor the new (nf_tables_dump_rules reports a change only between two parts of
   * a list).
   */
  isWhole(): boolean {
    let committed: number | undefined;
    for (let attempt = 0; ; attempt++) {
      const generation = this.known.look(this.#socket, attempt > 0);
      if (this.wasWhole()) return true;
      if (this.known.has(`incomplete ${this.#name}`)) return false;
      const counts = countRules(this.#socket, this.#table);
      const whole = [...this.#rules()].every(([chain, rules]) => counts.get(chain) === rules);
      if (whole) this.known.keep(`${WHOLE}${this.#name}`, 'network');
      if (whole || attempt === MAX_LOOKS) return whole;
      if (rulesetGeneration(this.#socket) !== generation) continue;
      if (committed === generation) {
        this.known.keep(`incomplete ${this.#name}`, 'network');
        return false;
      }
      // A commit raises the generation before it shows its rules. An empty one waits for its mutex (nf_tables_commit).
      committed = changeRulesAt(this.#socket, NO_CHANGE, generation) === 'changed' ? undefined : generation;
    }
  }

  /** True if the table was whole when this process last looked; a change must name that generation. */
  wasWhole(): boolean {
    return this.known.has(`${WHOLE}${this.#name}`);
  }

  /** Returns true if the table is known to hold all these entries. Call right after `isWhole` returned true. */
  isComplete(entries: readonly FirewallEntry[]): boolean {
    return this.known.has(this.#completeness(entries));
  }

  /**
   * Records that the table, as `isWhole` read it or as the last change has made it, holds all these entries. `keys` are
   * those of their elements: then changes of other elements leave the record.
   */
  keepComplete(entries: readonly FirewallEntry[], keys?: readonly string[]): void {
    if (keys !== undefined && keys.length > MAX_KEYS) return;
    this.known.keep(this.#completeness(entries), basisOf(entries), given({ keys: keys && new Set(keys) }));
  }

  /** True if the table is known to hold entries that endpoints share, so that it is not empty. */
  isInUse(): boolean {
    return this.known.hasOfNetwork(`complete ${this.#name} `);
  }

  #completeness(entries: readonly FirewallEntry[]): string {
    return `complete ${this.#name} ${JSON.stringify(entries)}`;
  }
}

/** Keys of which a device or a subnet has one: a new policy, source or exception replaces the old one. */
const SINGLE = /^(own|leaving|entering|(source|direct)[46])$/;

/** Returns the element that this one may replace; undefined if the key belongs to another. */
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

/** Returns true if both have the same first field of `size` bytes, in the lowest and the highest key. */
function sameSubnet(a: RawElement, b: RawElement, size: number): boolean {
  const first = (bytes: Uint8Array | undefined): Uint8Array => (bytes ?? NOTHING).subarray(0, size);
  return same(first(a.key?.value), first(b.key?.value)) && same(first(a.keyEnd?.value), first(b.keyEnd?.value));
}

const NOTHING = new Uint8Array();

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Sets whose element says where a port leads, and sets whose element says something else of the port of that key. */
const LEADS = /^(port|span|condition)(_any)?[46]$/;
const SAYS = /^(label|span_label|answer)(_any)?[46]$/;

/** Returns the elements that are present, without those about a port of another endpoint: they equal its own. */
export function ownPresent(elements: readonly Element[], states: readonly Presence[]): Element[] {
  const place = ({ set, key }: Element): string =>
    `${/(_any)?[46]$/.exec(set)?.[0]} ${key.map(({ value }) => value).join(' ')}`;
  const others = elements.filter(({ set }, i) => states[i] === 'foreign' && LEADS.test(set));
  const foreign = new Set(others.map(place));
  return elements.filter(
    (element, i) => states[i] === 'present' && !(SAYS.test(element.set) && foreign.has(place(element))),
  );
}

/** Returns the elements without the `hairpin` devices that other subnets still need: a bridge may have several. */
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

/**
 * Returns true if no set has an element that an entry put there; ignores the interval end that nft places at address 0.
 */
export function isEmpty(socket: NetlinkSocket): boolean {
  return SET_NAMES.filter((set) => !isOfOthers(set)).every((set) =>
    listElements(socket, { ...TABLE_ID, set }).every(({ flags = 0 }) => flags & NFT_SET_ELEM_INTERVAL_END),
  );
}

/** Returns true if the chain of a port with conditions has its rule. */
export function hasRule(socket: NetlinkSocket, chain: string): boolean {
  return readRules(socket, { ...TABLE_ID, chain }).length > 0;
}
