import type { Element } from '../host/firewall-elements.ts';
import { rulesetGeneration } from '../netlink/nfnetlink.ts';
import { readRules } from '../netlink/nft-rules.ts';
import { countRules, getElements, listElements } from '../netlink/nft-sets.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { encodeElement, sameElement, setId, TABLE_ID } from './nft-elements.ts';
import { RULES, SET_NAMES } from './nft-table.ts';

/** `foreign`: there is one of the same key that leads elsewhere, or that covers it. */
export type Presence = 'present' | 'absent' | 'foreign';

/** What is there of each of the elements. */
export function presenceOf(socket: NetlinkSocket, elements: readonly Element[]): Presence[] {
  const wanted = elements.flatMap((element) =>
    encodeElement(element).map((raw) => ({ element, id: setId(element), raw })),
  );
  const found = getElements(
    socket,
    wanted.map(({ id, raw }) => ({ id, element: raw })),
  );
  const states = new Map<Element, Presence>(elements.map((element) => [element, 'present']));
  for (const [i, { element, raw }] of wanted.entries()) {
    if (sameElement(raw, found[i])) continue;
    // Half an interval is none.
    states.set(element, found[i] === undefined ? 'absent' : 'foreign');
  }
  return elements.map((element) => states.get(element) ?? 'absent');
}

/** Tells whether the table has all its chains and rules; looks again only after the ruleset has changed. */
export class TableWatch {
  readonly #socket: NetlinkSocket;
  #wholeAt: number | undefined;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  isWhole(): boolean {
    const generation = rulesetGeneration(this.#socket);
    if (this.#wholeAt === generation) return true;
    const counts = countRules(this.#socket, TABLE_ID);
    const whole = [...RULES].every(([chain, rules]) => counts.get(chain) === rules);
    this.#wholeAt = whole ? generation : undefined;
    return whole;
  }
}

export function isEmpty(socket: NetlinkSocket): boolean {
  return SET_NAMES.every((set) => listElements(socket, { ...TABLE_ID, set }).length === 0);
}

/** True where the chain of a port with conditions has its rule. */
export function hasRule(socket: NetlinkSocket, chain: string): boolean {
  return readRules(socket, { ...TABLE_ID, chain }).length > 0;
}
