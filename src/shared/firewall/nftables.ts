import { asNetError, type NetError } from '../errors/net-error.ts';
import { type Element, footprint, keyOf, type PortChain } from '../host/firewall-elements.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import { isOverlayEntry } from '../model/overlay-entries.ts';
import { EEXIST, ENOENT, NETLINK_NETFILTER } from '../netlink/constants.ts';
import { deleteTableIf } from '../netlink/nft-change.ts';
import { countRules } from '../netlink/nft-sets.ts';
import { NetlinkSocket, type Request } from '../netlink/socket.ts';
import { admissions } from './admission.ts';
import { type Admitter, openAdmitter } from './admit.ts';
import type { Firewaller, Stray, Wanted } from './firewaller.ts';
import { FixedTables } from './fixed-tables.ts';
import { KnownRuleset, reachOf, type Scope } from './known-ruleset.ts';
import { diffRequests, lackingEntries, replacements } from './nft-diff.ts';
import { addRequests, footprintThere, isOfTable, removeRequests, TABLE_ID } from './nft-elements.ts';
import { refused, rulesetBusy } from './nft-failure.ts';
import { TableMaker } from './nft-make.ts';
import { obsoleteRequests } from './nft-obsolete.ts';
import { OthersElements } from './nft-others.ts';
import { leadingTo } from './nft-ports.ts';
import type { ScriptRunner } from './nft-script.ts';
import { hasRule, isEmpty, ownPresent, presenceOf, TableWatch, withoutNeeded } from './nft-state.ts';
import { SEALED } from './sealed-table.ts';
import { UNDERLAY } from './underlay-table.ts';

/** Number of attempts when another process changes the ruleset meanwhile. */
const MAX_ATTEMPTS = 32;

/** Number of times a reset rereads a changing ruleset before it replaces the whole table. */
const MAX_RESETS = 4;

/**
 * Keeps the entries as elements of tables of our own whose rules never vary: `inet isthmus-underlay` and `-sealed` for
 * the underlay of overlays, `inet isthmus` for the rest, in which only a port with conditions also has a chain.
 * Everything goes to the kernel as raw messages; a script runs only for conditions.
 */
export class NftablesFirewaller implements Firewaller {
  readonly backend = 'nftables';
  readonly #ns: LinuxNamespace;
  readonly #maker: TableMaker;
  readonly #known: KnownRuleset;
  readonly #admitter: Admitter;
  readonly #underlay: FixedTables;
  readonly #others: OthersElements;
  #opened: { readonly socket: NetlinkSocket; readonly watch: TableWatch } | undefined;

  constructor(ns: LinuxNamespace, via?: ScriptRunner, known = new KnownRuleset(), admitter = openAdmitter(ns, known)) {
    this.#ns = ns;
    this.#maker = new TableMaker(ns, known, via);
    this.#known = known;
    this.#admitter = admitter;
    this.#others = new OthersElements(ns, known, admitter);
    this.#underlay = new FixedTables(ns, known, [UNDERLAY, SEALED]);
  }

  async add(entries: readonly FirewallEntry[]): Promise<boolean> {
    const { elements, chains } = footprint(entries);
    let isAnew = this.#underlay.add(entries);
    if (elements.length > 0) {
      isAnew = (await this.#addElements(elements, chains, entries)) || isAnew;
      this.#removeObsolete(entries);
      this.#nameOthers(entries);
    }
    await this.#admitter.add(admissions(entries));
    return isAnew;
  }

  async remove(entries: readonly FirewallEntry[]): Promise<NetError[]> {
    // Do not await before the elements are removed: a caller may hold a transaction until then.
    const errors = [...this.#removeFootprint(entries), ...this.#underlay.remove(entries)];
    return [...errors, ...(await this.#admitter.remove(admissions(entries)))];
  }

  #removeFootprint(entries: readonly FirewallEntry[]): NetError[] {
    try {
      const { elements, chains } = footprintThere(entries);
      if (elements.length > 0 && (chains.length > 0 || !this.#removeKnown(elements, entries)))
        this.#removeElements(elements, chains, reachOf(entries));
      return [];
    } catch (thrown) {
      return [asNetError(thrown, 'firewall.delete')];
    }
  }

  async missing(entries: readonly FirewallEntry[], onlyDropped = false): Promise<FirewallEntry[]> {
    return this.#missing(entries, onlyDropped);
  }

  #missing(entries: readonly FirewallEntry[], onlyDropped = false): FirewallEntry[] {
    const unadmitted = new Set<FirewallEntry>(this.#admitter.missing(admissions(entries), onlyDropped));
    const underlay = this.#underlay.missing(entries.filter(isOverlayEntry));
    const lacking = new Set([...this.#missingInTable(entries.filter(isOfTable)), ...underlay]);
    return entries.filter((entry) => unadmitted.has(entry) || lacking.has(entry));
  }

  #missingInTable(entries: readonly FirewallEntry[]): readonly FirewallEntry[] {
    if (entries.length === 0) return [];
    const { socket, watch } = this.#kernel;
    if (!watch.isWhole()) return entries;
    if (watch.isComplete(entries)) return [];
    const lacking = lackingEntries(socket, entries);
    if (lacking.length === 0) watch.keepComplete(entries);
    return lacking;
  }

  #nameOthers(entries?: readonly FirewallEntry[]): void {
    const errno = this.#others.update(this.#kernel.socket, entries);
    if (errno !== 0 && errno !== ENOENT && errno !== EEXIST) throw refused('firewall.add', [], errno);
  }

  #removeObsolete(entries: readonly FirewallEntry[]): void {
    const { socket } = this.#kernel;
    const errno = this.#known.change(socket, obsoleteRequests(socket, entries), reachOf(entries));
    if (errno !== 0 && errno !== ENOENT) throw refused('firewall.add', footprint(entries).elements, errno);
  }

  async removeStray({ addresses = [] }: Stray): Promise<NetError[]> {
    try {
      const { elements, chains } = leadingTo(this.#kernel.socket, addresses);
      if (elements.length > 0 || chains.length > 0) this.#removeElements(elements, chains, 'endpoint');
      return [];
    } catch (thrown) {
      return [asNetError(thrown, 'firewall.delete')];
    }
  }

  async reset(read: () => Wanted): Promise<void> {
    // Do not await before the table is reset: a caller may hold a transaction until then.
    const { entries: ready, underWay = [], elsewhere = [] } = read();
    const lacking = new Set(underWay.length === 0 ? [] : this.#missing(underWay));
    const entries = [...ready, ...underWay.filter((entry) => !lacking.has(entry))];
    const inTable = entries.filter(isOfTable);
    this.#underlay.reset({ entries: ready, underWay });
    // A call under way may remove its elements at any time: they are kept if they exist, and never added.
    const [wanted, kept] = [footprint(ready).elements, footprintThere(underWay).elements];
    if (inTable.length === 0) this.#deleteTable();
    else if (!this.#resetElements(wanted, kept, footprint(inTable).chains)) {
      await this.#maker.remake(this.#kernel.socket, inTable);
      this.#nameOthers();
    }
    await this.#admitter.reset(admissions([...entries, ...elsewhere]));
  }

  async refresh(): Promise<void> {
    if (this.#kernel.watch.isWhole()) this.#nameOthers();
    await this.#admitter.refresh();
  }

  [Symbol.dispose](): void {
    for (const one of [this.#opened?.socket, this.#admitter, this.#underlay]) one?.[Symbol.dispose]();
    this.#opened = undefined;
  }

  get #kernel(): { readonly socket: NetlinkSocket; readonly watch: TableWatch } {
    if (this.#opened === undefined) {
      const socket = this.#ns.within(() => new NetlinkSocket(NETLINK_NETFILTER));
      this.#opened = { socket, watch: new TableWatch(socket, this.#known) };
    }
    return this.#opened;
  }

  /** Returns false if the table is incomplete or lacks the chain of a port, so that the caller recreates it. */
  #resetElements(elements: readonly Element[], kept: readonly Element[], chains: readonly PortChain[]): boolean {
    const { socket, watch } = this.#kernel;
    const names = chains.map(({ name }) => name);
    for (let attempt = 0; attempt < MAX_RESETS; attempt++) {
      if (!watch.isWhole()) return false;
      const counted = countRules(socket, TABLE_ID);
      if (!names.every((name) => counted.has(name))) return false;
      const all = [...elements, ...this.#others.wanted(elements)];
      const requests = diffRequests(socket, { elements: all, kept, chains: names }, counted);
      const errno = this.#known.change(socket, requests, 'network');
      if (errno === 0) return true;
      if (errno !== ENOENT && errno !== EEXIST) throw refused('firewall.reset', elements, errno);
    }
    return false;
  }

  /** Returns true if the table was incomplete. */
  async #addElements(
    elements: readonly Element[],
    chains: readonly PortChain[],
    entries: readonly FirewallEntry[],
  ): Promise<boolean> {
    const { socket, watch } = this.#kernel;
    if (chains.length === 0 && (watch.wasWhole() || watch.isWhole())) {
      // Usually the elements are new. Naming the generation keeps what is known of the rules for the next call.
      const [reach, keys] = [reachOf(entries), elements.map(keyOf)];
      if (this.#known.changeExactly(socket, addRequests(elements, true), reach, keys) === 0) {
        if (reach === 'endpoint') watch.keepComplete(entries, keys);
        return false;
      }
    }
    const isAnew = !watch.isWhole();
    let replaced: readonly Request[] = [];
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const whole = watch.isWhole();
      const table = whole && chains.length === 0 ? [] : this.#maker.messages(chains);
      const errno =
        table === undefined
          ? await this.#maker.addByScript(socket, whole, replaced, entries)
          : this.#known.change(
              socket,
              [...replaced, ...table, ...addRequests(elements)],
              whole ? reachOf(entries) : 'network',
            );
      if (errno === 0) return isAnew;
      if (errno === ENOENT) {
        // Meanwhile the table or the element to replace has disappeared.
        replaced = [];
        continue;
      }
      if (errno !== EEXIST) throw refused('firewall.add', elements, errno);
      replaced = replacements(socket, elements);
    }
    throw rulesetBusy('firewall.add');
  }

  /**
   * Removes the elements of endpoints' entries if they are known to be there, as usually after the call that added them.
   * Returns false and does nothing otherwise.
   */
  #removeKnown(elements: readonly Element[], entries: readonly FirewallEntry[]): boolean {
    const { socket, watch } = this.#kernel;
    if (reachOf(entries) !== 'endpoint' || !watch.isWhole() || !watch.isComplete(entries) || !watch.isInUse())
      return false;
    return this.#known.changeExactly(socket, removeRequests(elements, []), 'endpoint', elements.map(keyOf)) === 0;
  }

  /** Removes only elements that lead where the entry says: another endpoint's port is not ours to remove. */
  #removeElements(elements: readonly Element[], chains: readonly PortChain[], reach: Scope): void {
    const { socket, watch } = this.#kernel;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const going = withoutNeeded(socket, elements);
      const present = ownPresent(going, presenceOf(socket, going));
      const filled = chains.filter(({ name }) => hasRule(socket, name)).map(({ name }) => name);
      const errno = this.#known.change(socket, removeRequests(present, filled), reach, present.map(keyOf));
      if (errno === 0) break;
      if (errno !== ENOENT) throw refused('firewall.delete', elements, errno);
      if (attempt === MAX_ATTEMPTS - 1) throw rulesetBusy('firewall.delete');
    }
    if (!watch.isInUse()) this.#deleteTable(isEmpty);
  }

  #deleteTable(holds: (socket: NetlinkSocket) => boolean = () => true): void {
    const errno = deleteTableIf(this.#kernel.socket, TABLE_ID, holds);
    if (errno !== 0) throw refused('firewall.delete', [], errno);
  }
}
