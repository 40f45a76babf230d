import { fault } from '../errors/fault.ts';
import { asNetError, type NetError } from '../errors/net-error.ts';
import type { Element } from '../host/firewall-elements.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import { EEXIST, ENOENT } from '../netlink/constants.ts';
import { answersNftables, hasTable, openNetfilter, rulesetGeneration, type TableId } from '../netlink/nfnetlink.ts';
import { deleteTableRequest, transactAt } from '../netlink/nft-batch.ts';
import { deleteTableIf } from '../netlink/nft-change.ts';
import { listElements } from '../netlink/nft-sets.ts';
import type { NetlinkSocket, Request } from '../netlink/socket.ts';
import { strerror } from '../netlink/sys.ts';
import type { Wanted } from './firewaller.ts';
import {
  additions,
  all,
  among,
  areThere,
  difference,
  displaced,
  type Held,
  heldOf,
  present,
  removals,
} from './held-elements.ts';
import { type KnownRuleset, reachOf, type Scope } from './known-ruleset.ts';
import { TableWatch } from './nft-state.ts';

/** A table of nftables whose rules never vary, made of raw messages. */
export interface TableKind {
  readonly id: TableId;
  /** As nft writes it: `bridge isthmus`. */
  readonly name: string;
  /** Every set, ordered by how soon each shows that the table is in use. */
  readonly sets: readonly string[];
  /** Number of rules in each chain. */
  readonly rules: () => ReadonlyMap<string, number>;
  /** The messages that create the table, with its sets empty. It must not exist. */
  readonly requests: () => readonly Request[];
  /** The elements of these entries, each once; those of other tables have none. */
  readonly elements: (entries: readonly FirewallEntry[]) => readonly Element[];
  /** What a kernel without nf_tables lacks, and what to do instead. */
  readonly lacking: { readonly what: string; readonly hint: string };
}

/** Number of attempts when another process changes the ruleset meanwhile. */
const MAX_ATTEMPTS = 32;

/**
 * Keeps entries as elements of one such table. Needs neither libnftables nor `nft`. Never awaits: a caller may hold a
 * transaction. Opens nothing before the first use.
 */
export class FixedTable implements Disposable {
  readonly #ns: LinuxNamespace;
  readonly #known: KnownRuleset;
  readonly #kind: TableKind;
  #opened: { readonly socket: NetlinkSocket; readonly watch: TableWatch } | undefined;

  constructor(ns: LinuxNamespace, known: KnownRuleset, kind: TableKind) {
    this.#ns = ns;
    this.#known = known;
    this.#kind = kind;
  }

  /** Returns true if the table was incomplete. */
  add(entries: readonly FirewallEntry[]): boolean {
    const { id } = this.#kind;
    const wanted = this.#held(entries);
    if (wanted.length === 0) return false;
    const { socket, watch } = this.#kernel ?? {};
    if (socket !== undefined && watch?.wasWhole() && reachOf(entries) === 'endpoint') {
      // Usually the ruleset is as it was and the endpoint is new, so the table need not be read.
      if (this.#known.changeExactly(socket, additions(id, wanted, true), 'endpoint', OTHER_TABLE) === 0) return false;
    }
    if (socket === undefined || watch === undefined || !answersNftables(socket)) throw this.#unsupported();
    const isAnew = !watch.isWhole();
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      // An element of another owner is replaced.
      const errno = watch.isWhole()
        ? this.#known.change(
            socket,
            [...removals(id, displaced(socket, id, wanted)), ...additions(id, wanted)],
            'network',
          )
        : this.#remake(socket, (there) => [...there, ...wanted]);
      if (errno === 0) return isAnew;
      if (errno !== 'changed' && errno !== ENOENT && errno !== EEXIST) throw this.#refused('firewall.add', errno);
    }
    throw this.#busy('firewall.add');
  }

  remove(entries: readonly FirewallEntry[]): NetError[] {
    return this.removeFound(reachOf(entries), (socket) => {
      const wanted = this.#held(entries);
      return wanted.length === 0 ? undefined : () => present(socket, this.#kind.id, wanted);
    });
  }

  /** `find` returns a function that looks for the elements to remove; it runs again if the ruleset has changed. */
  removeFound(reach: Scope, find: (socket: NetlinkSocket) => (() => readonly Held[]) | undefined): NetError[] {
    try {
      const { socket } = this.#kernel ?? {};
      const found = socket && find(socket);
      const errno = socket === undefined || found === undefined ? 0 : this.#remove(socket, found, reach);
      return errno === 0 ? [] : [this.#refused('firewall.delete', errno)];
    } catch (thrown) {
      return [asNetError(thrown, 'firewall.delete')];
    }
  }

  missing(entries: readonly FirewallEntry[]): FirewallEntry[] {
    if (entries.length === 0) return [];
    const { socket, watch } = this.#kernel ?? {};
    if (socket === undefined || watch === undefined || !watch.isWhole()) return [...entries];
    if (watch.isComplete(entries)) return [];
    const parts = entries.map((entry) => this.#held([entry]));
    const found = areThere(socket, this.#kind.id, parts.flat());
    let at = 0;
    const lacking = entries.filter((_, i) => {
      const own = found.slice(at, at + (parts[i]?.length ?? 0));
      at += own.length;
      return own.includes(false);
    });
    if (lacking.length === 0) watch.keepComplete(entries);
    return lacking;
  }

  reset({ entries, underWay = [] }: Wanted): void {
    const { id, sets } = this.#kind;
    const [wanted, kept] = [this.#held(entries), this.#held(underWay)];
    const { socket, watch } = this.#kernel ?? {};
    if (socket === undefined || watch === undefined || !answersNftables(socket)) {
      if (wanted.length > 0) throw this.#unsupported();
      return;
    }
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (wanted.length === 0 && !hasTable(socket, id)) return;
      const whole = wanted.length > 0 && watch.isWhole();
      // A call under way may remove its entries at any time: they are kept if they exist, and never added.
      const errno = whole
        ? this.#known.change(socket, difference(id, all(socket, id, sets), wanted, kept), 'network')
        : this.#remake(socket, (there) => [...wanted, ...among(kept, there)]);
      if (errno === 0) return;
      if (errno !== 'changed' && errno !== ENOENT && errno !== EEXIST) throw this.#refused('firewall.reset', errno);
    }
    throw this.#busy('firewall.reset');
  }

  [Symbol.dispose](): void {
    this.#opened?.socket[Symbol.dispose]();
    this.#opened = undefined;
  }

  get #kernel(): { readonly socket: NetlinkSocket; readonly watch: TableWatch } | undefined {
    if (this.#opened === undefined) {
      const socket = this.#ns.within(openNetfilter);
      if (socket === undefined) return undefined;
      this.#opened = { socket, watch: new TableWatch(socket, this.#known, this.#kind.id, this.#kind.rules) };
    }
    return this.#opened;
  }

  #held(entries: readonly FirewallEntry[]): Held[] {
    return heldOf(this.#kind.elements(entries));
  }

  /** Removes what `find` returns, and the table if that was the rest. Returns the kernel's errno. */
  #remove(socket: NetlinkSocket, find: () => readonly Held[], reach: Scope): number {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const errno = this.#known.change(socket, removals(this.#kind.id, find()), reach, OTHER_TABLE);
      if (errno === 0) return this.#kernel?.watch.isInUse() ? 0 : this.#deleteEmpty(socket);
      if (errno !== ENOENT) return errno;
    }
    throw this.#busy('firewall.delete');
  }

  /** Replaces the elements by those that `elements` returns. Deletes the table if it returns none. */
  #remake(socket: NetlinkSocket, elements: (there: readonly Held[]) => readonly Held[]): number | 'changed' {
    const { id, sets, requests } = this.#kind;
    const at = rulesetGeneration(socket);
    const old = hasTable(socket, id) ? [deleteTableRequest(id)] : [];
    const held = elements(old.length === 0 ? [] : all(socket, id, sets));
    const made = held.length === 0 ? [] : [...requests(), ...additions(id, held)];
    const result = transactAt(socket, [...old, ...made], at);
    return result === 'changed' ? result : result.errno;
  }

  #deleteEmpty(socket: NetlinkSocket): number {
    const { id, sets } = this.#kind;
    return deleteTableIf(socket, id, () => sets.every((set) => listElements(socket, { ...id, set }).length === 0));
  }

  #refused(op: string, errno: number): NetError {
    const reason = strerror(errno);
    return fault.kernel(op, `nft table ${this.#kind.name}`, 'the kernel refused it', undefined, { errno, reason });
  }

  #busy(op: string): NetError {
    return fault.busy(op, `nft table ${this.#kind.name}`, 'the ruleset changed during every attempt', 'Try again');
  }

  #unsupported(): NetError {
    const { name, lacking } = this.#kind;
    return fault.unsupported('firewall.add', `nft table ${name}`, lacking.what, lacking.hint);
  }
}

/** No keys: facts about single elements are all about table `inet isthmus`. */
const OTHER_TABLE: readonly string[] = [];
