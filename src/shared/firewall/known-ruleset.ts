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
 * Facts about a namespace's ruleset, shared by the backends of this process. They hold for one generation: each
 * transaction of any process raises it by one. The kernel accepts a transaction that names a generation only if the
 * ruleset still has it. After such a transaction, the facts that it does not touch still hold, so a later call does not
 * read them again.
 */
export class KnownRuleset {
  #at: number | undefined;
  readonly #facts = new Map<string, Scope>();

  /** Reads and returns the generation. Forgets all facts if it has changed. */
  look(socket: NetlinkSocket): number {
    const generation = rulesetGeneration(socket);
    if (generation !== this.#at) {
      this.#facts.clear();
      this.#at = generation;
    }
    return generation;
  }

  /** True if the fact held at the last `look`, or after a transaction of ours since. */
  has(fact: string): boolean {
    return this.#facts.has(fact);
  }

  /** True if a fact of scope `network` begins with this text. */
  hasOfNetwork(beginning: string): boolean {
    for (const [fact, scope] of this.#facts) if (scope === 'network' && fact.startsWith(beginning)) return true;
    return false;
  }

  /** Adds a fact that was read after the last `look`. Changes to endpoints' entries keep facts of scope `network`. */
  keep(fact: string, scope: Scope): void {
    if (this.#facts.size >= MAX_FACTS) this.#forget(() => true);
    this.#facts.set(fact, scope);
  }

  /**
   * Runs the requests as one transaction. Returns the first errno, 0 for success. Keeps the facts outside of `reach` if
   * the generation is as known and a request surely changes something. Otherwise forgets all facts.
   */
  change(socket: NetlinkSocket, requests: readonly Request[], reach: Scope): number {
    if (requests.length === 0) return 0;
    const exact = requests.some(changesForSure) ? this.changeExactly(socket, requests, reach) : 'changed';
    if (exact !== 'changed') return exact;
    this.#lose();
    return transact(socket, requests).find(({ errno }) => errno !== 0)?.errno ?? 0;
  }

  /**
   * Like `change`, but returns `changed` and does nothing if the generation is not the known one. One of the requests must
   * surely change something: the kernel does not raise the generation for an empty transaction.
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

  /** Keeps the facts that a table has all its rules: no change here touches those. */
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

/** True for a new rule, a deletion, and NLM_F_EXCL: if there is nothing to change, the transaction fails. */
function changesForSure({ type, flags = 0 }: Request): boolean {
  return SURE.has(type) || (flags & NLM_F_EXCL) !== 0;
}

const SURE: ReadonlySet<number> = new Set(
  [NFT_MSG_DELSETELEM, NFT_MSG_DELCHAIN, NFT_MSG_DELTABLE, NFT_MSG_NEWRULE].map(nftType),
);

/** The largest generation; the kernel continues with 1. */
const MAX_GENERATION = 0xffffffff;

/** The first word of each fact that a table has all its rules. */
export const WHOLE = 'whole ';
