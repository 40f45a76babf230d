import type { FirewallEntry } from '../model/firewall.ts';
import { given } from '../model/given.ts';
import { NLM_F_EXCL } from '../netlink/constants.ts';
import { NFT_MSG_DELCHAIN, NFT_MSG_DELSETELEM, NFT_MSG_DELTABLE, NFT_MSG_NEWRULE } from '../netlink/netfilter.ts';
import { nftType, rulesetGeneration } from '../netlink/nfnetlink.ts';
import { transact, transactAt } from '../netlink/nft-batch.ts';
import type { NetlinkSocket, Request } from '../netlink/socket.ts';

/** Entries that belong to one endpoint. Their elements lie in other sets than those of a network's entries. */
const ENDPOINT_KINDS: readonly FirewallEntry['kind'][] = ['port', 'direct', 'guard', 'mac', 'isolated'];

/** Code that runs for longer without a break has waited for another process. */
export const FRESH_MS = 1;

/** Maximum number of facts to remember: each is as long as its list of entries. */
const MAX_FACTS = 64;

/** `network`: of entries that endpoints share. `endpoint`: of entries of endpoints alone. */
export type Scope = 'network' | 'endpoint';

/** The widest scope among the entries: what a change to them may touch. */
export function reachOf(entries: readonly FirewallEntry[]): Scope {
  return entries.every(({ kind }) => ENDPOINT_KINDS.includes(kind)) ? 'endpoint' : 'network';
}

/** A fact: its scope, and the keys of the elements that it is about if all of them are known. */
interface Fact {
  readonly scope: Scope;
  readonly keys?: ReadonlySet<string>;
  /** The object that keeps what was read along with the fact. */
  readonly by?: object;
}

/** The narrowest scope among the entries: what a change must not touch for a fact about them to stay true. */
export function basisOf(entries: readonly FirewallEntry[]): Scope {
  return entries.some(({ kind }) => ENDPOINT_KINDS.includes(kind)) ? 'endpoint' : 'network';
}

/**
 * Facts about a namespace's ruleset, shared by the backends of this process. They hold for one generation: each
 * transaction of any process raises it by one. The kernel accepts a transaction that names a generation only if the
 * ruleset still has it. After such a transaction, the facts that it does not touch still hold, so a later call does not
 * read them again.
 */
export class KnownRuleset {
  #at: number | undefined;
  /** When `#at` was read by code that still runs. */
  #readAt: number | undefined;
  readonly #facts = new Map<string, Fact>();

  /**
   * Reads and returns the generation, once for code that runs without waiting; `again` reads it anyway. Forgets all facts
   * if it has changed.
   */
  look(socket: NetlinkSocket, again = false): number {
    const now = performance.now();
    const isFresh = this.#readAt !== undefined && now - this.#readAt < FRESH_MS;
    if (isFresh && !again && this.#at !== undefined) return this.#at;
    const generation = rulesetGeneration(socket);
    if (this.#readAt === undefined)
      queueMicrotask(() => {
        this.#readAt = undefined;
      });
    this.#readAt = now;
    if (generation !== this.#at) {
      this.#facts.clear();
      this.#at = generation;
    }
    return generation;
  }

  /**
   * True if the fact held at the last `look`, or after a transaction of ours since; with `by`, only if the same object has
   * kept it: another backend's reading says nothing about what this one remembers.
   */
  has(fact: string, by?: object): boolean {
    const found = this.#facts.get(fact);
    return found !== undefined && (by === undefined || found.by === by);
  }

  /** True if a fact of scope `network` begins with this text. */
  hasOfNetwork(beginning: string): boolean {
    for (const [fact, { scope }] of this.#facts) if (scope === 'network' && fact.startsWith(beginning)) return true;
    return false;
  }

  /** Forgets the facts that begin with this text. */
  drop(beginning: string): void {
    for (const fact of this.#facts.keys()) if (fact.startsWith(beginning)) this.#facts.delete(fact);
  }

  /**
   * Adds a fact that was read after the last `look`, or that the last change has made true. Changes to endpoints' entries
   * keep facts of scope `network`, and facts about elements with other `keys`.
   */
  keep(fact: string, scope: Scope, { keys, by }: Omit<Fact, 'scope'> = {}): void {
    if (this.#facts.size >= MAX_FACTS) this.#forget(() => true);
    this.#facts.set(fact, { scope, ...given({ keys, by }) });
  }

  /**
   * Runs the requests as one transaction. Returns the first errno, 0 for success. Keeps the facts outside of `reach` if
   * the generation is as known and a request surely changes something. Otherwise forgets all facts. `keys` are those of
   * all elements in the requests.
   */
  change(socket: NetlinkSocket, requests: readonly Request[], reach: Scope, keys?: readonly string[]): number {
    if (requests.length === 0) return 0;
    const exact = requests.some(changesForSure) ? this.changeExactly(socket, requests, reach, keys) : 'changed';
    if (exact !== 'changed') return exact;
    this.#lose();
    return transact(socket, requests).find(({ errno }) => errno !== 0)?.errno ?? 0;
  }

  /**
   * Like `change`, but returns `changed` and does nothing if the generation is not the known one. One of the requests must
   * surely change something: the kernel does not raise the generation for an empty transaction.
   */
  changeExactly(
    socket: NetlinkSocket,
    requests: readonly Request[],
    reach: Scope,
    keys?: readonly string[],
  ): number | 'changed' {
    const at = this.#at;
    const result = at === undefined || at === MAX_GENERATION ? 'changed' : transactAt(socket, requests, at);
    if (at === undefined || result === 'changed') {
      this.#lose();
      return 'changed';
    }
    if (result.errno !== 0) return result.errno;
    this.#at = at + 1;
    this.#forget((fact) => {
      if (reach === 'network') return true;
      if (keys === undefined || fact.keys === undefined) return fact.scope === 'endpoint';
      return keys.some((key) => fact.keys?.has(key));
    });
    return 0;
  }

  /**
   * Notes that this process has changed the rules of others' tables, in the transaction that named generation `at`.
   * Forgets `fact` and what may depend on those rules.
   */
  advance(at: number, fact: string): void {
    if (this.#at !== at || at === MAX_GENERATION) {
      this.#lose();
      return;
    }
    this.#at = at + 1;
    this.#facts.delete(fact);
    this.#forget(() => true);
  }

  /** Keeps the facts that begin with `WHOLE`. */
  #forget(isTouched: (fact: Fact) => boolean): void {
    for (const [text, fact] of this.#facts) {
      if (!text.startsWith(WHOLE) && isTouched(fact)) this.#facts.delete(text);
    }
  }

  #lose(): void {
    this.#at = undefined;
    this.#facts.clear();
  }
}

/** True for a new rule, a deletion, and NLM_F_EXCL: if there is nothing to change, the transaction fails. */
function changesForSure({ type, flags = 0 }: Request): boolean {
  return SURE.has(type) || (flags & NLM_F_EXCL) !== 0;
}

const SURE: ReadonlySet<number> = new Set(
  [NFT_MSG_DELSETELEM, NFT_MSG_DELCHAIN, NFT_MSG_DELTABLE, NFT_MSG_NEWRULE].map(nftType),
);

/** The largest generation; the kernel continues with 1. */
const MAX_GENERATION = 0xffffffff;

/**
 * The first word of each fact that no change of an entry's elements touches: that a table of ours has all its rules, that
 * others' rules have been read, that the sets about others hold what they should.
 */
export const WHOLE = 'whole ';
