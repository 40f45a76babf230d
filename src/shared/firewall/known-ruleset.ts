import type { FirewallEntry } from '../model/firewall.ts';
import { NLM_F_EXCL } from '../netlink/constants.ts';
import { NFT_MSG_DELCHAIN, NFT_MSG_DELSETELEM, NFT_MSG_DELTABLE, NFT_MSG_NEWRULE } from '../netlink/netfilter.ts';
import { nftType, rulesetGeneration } from '../netlink/nfnetlink.ts';
import { transact, transactAt } from '../netlink/nft-batch.ts';
import type { NetlinkSocket, Request } from '../netlink/socket.ts';

/** Entries that belong to one endpoint. Their elements lie in other sets than those of a network's entries. */
const ENDPOINT_KINDS: readonly FirewallEntry['kind'][] = ['port', 'direct', 'guard', 'mac', 'isolated'];

/** Maximum number of facts to remember: each is as long as its list of entries. */
const MAX_FACTS = 64;

/** `network`: of entries that endpoints share. `endpoint`: of entries of endpoints alone. */
export type Scope = 'network' | 'endpoint';

/** The widest scope among the entries: what a change to them may touch. */
export function reachOf(entries: readonly FirewallEntry[]): Scope {
  return entries.every(({ kind }) => ENDPOINT_KINDS.includes(kind)) ? 'endpoint' : 'network';
}

/** The narrowest scope among the entries: what a change must not touch for a fact about them to stay true. */
export function basisOf(entries: readonly FirewallEntry[]): Scope {
  return entries.some(({ kind }) => ENDPOINT_KINDS.includes(kind)) ? 'endpoint' : 'network';
}

/**
 * What the backends of this process know of a namespace's ruleset. The knowledge belongs to one generation of it, which
 * every transaction of anybody raises. A transaction of ours that names the generation, and that the kernel accepts, is
 * the only one since: what it does not touch stays known, so that a call beside others need not read it again.
 */
export class KnownRuleset {
  #at: number | undefined;
  readonly #facts = new Map<string, Scope>();

  /** Reads the generation; forgets everything if it is another one than known. Returns it. */
  look(socket: NetlinkSocket): number {
    const generation = rulesetGeneration(socket);
    if (generation !== this.#at) {
      this.#facts.clear();
      this.#at = generation;
    }
    return generation;
  }

  /** True for a fact of the generation that was looked at last, or that a transaction of ours made of it. */
  has(fact: string): boolean {
    return this.#facts.has(fact);
  }

  /** True if a fact of scope `network` begins so. */
  hasOfNetwork(beginning: string): boolean {
    for (const [fact, scope] of this.#facts) if (scope === 'network' && fact.startsWith(beginning)) return true;
    return false;
  }

  /** Remembers what was read after the last `look`. A fact of scope `network` outlives changes to endpoints' entries. */
  keep(fact: string, scope: Scope): void {
    if (this.#facts.size >= MAX_FACTS) this.#forget(() => true);
    this.#facts.set(fact, scope);
  }

  /**
   * Runs the requests as one transaction. If one of them changes something for sure, the kernel accepts the transaction
   * and nobody else has changed the ruleset, forgets only what changes of this reach touch; else, everything. Returns the
   * first errno, 0 for success.
   */
  change(socket: NetlinkSocket, requests: readonly Request[], reach: Scope): number {
    if (requests.length === 0) return 0;
    const exact = requests.some(changesForSure) ? this.changeExactly(socket, requests, reach) : 'changed';
    if (exact !== 'changed') return exact;
    this.#lose();
    return transact(socket, requests).find(({ errno }) => errno !== 0)?.errno ?? 0;
  }

  /**
   * Like `change`; returns `changed`, and changes nothing, if anybody has changed the ruleset since the last `look`. One
   * of the requests must change something for sure: the kernel does not count an empty transaction.
   */
  changeExactly(socket: NetlinkSocket, requests: readonly Request[], reach: Scope): number | 'changed' {
    const at = this.#at;
    const result = at === undefined || at === MAX_GENERATION ? 'changed' : transactAt(socket, requests, at);
    if (at === undefined || result === 'changed') {
      this.#lose();
      return 'changed';
    }
    if (result.errno !== 0) return result.errno;
    this.#at = at + 1;
    this.#forget((scope) => reach === 'network' || scope === 'endpoint');
    return 0;
  }

  /** Keeps that the tables have all their rules: no change here touches those. */
  #forget(isTouched: (scope: Scope) => boolean): void {
    for (const [fact, scope] of this.#facts) {
      if (!fact.startsWith(WHOLE) && isTouched(scope)) this.#facts.delete(fact);
    }
  }

  #lose(): void {
    this.#at = undefined;
    this.#facts.clear();
  }
}

/** A rule, which has no identity; a deletion, and a creation of what must not exist: else the transaction fails. */
function changesForSure({ type, flags = 0 }: Request): boolean {
  return SURE.has(type) || (flags & NLM_F_EXCL) !== 0;
}

const SURE: ReadonlySet<number> = new Set(
  [NFT_MSG_DELSETELEM, NFT_MSG_DELCHAIN, NFT_MSG_DELTABLE, NFT_MSG_NEWRULE].map(nftType),
);

/** The kernel counts from 1 to here, and goes on from 1. */
const MAX_GENERATION = 0xffffffff;

/** Begins the facts that a table has all its rules. */
export const WHOLE = 'whole ';
