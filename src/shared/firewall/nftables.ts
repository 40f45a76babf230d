import { asNetError, type NetError } from '../errors/net-error.ts';
import { type Element, footprint, type PortChain } from '../host/firewall-elements.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import { EEXIST, ENOENT, NETLINK_NETFILTER } from '../netlink/constants.ts';
import { rulesetGeneration } from '../netlink/nfnetlink.ts';
import { deleteTableAt } from '../netlink/nft-batch.ts';
import { countRules } from '../netlink/nft-sets.ts';
import { NetlinkSocket, type Request } from '../netlink/socket.ts';
import { admissions } from './admission.ts';
import { type Admitter, openAdmitter } from './admit.ts';
import type { Firewaller, Stray, Wanted } from './firewaller.ts';
import { KnownRuleset, reachOf, type Scope } from './known-ruleset.ts';
import { diffRequests, lackingEntries, othersElements, othersRequests, replacements } from './nft-diff.ts';
import { addRequests, footprintThere, removeRequests, TABLE_ID } from './nft-elements.ts';
import { refused, rulesetBusy } from './nft-failure.ts';
import { TableMaker } from './nft-make.ts';
import { obsoleteRequests } from './nft-obsolete.ts';
import { leadingTo } from './nft-ports.ts';
import type { ScriptRunner } from './nft-script.ts';
import { hasRule, isEmpty, ownPresent, presenceOf, TableWatch, withoutNeeded } from './nft-state.ts';

/** Number of attempts when another process changes the ruleset meanwhile. */
const MAX_ATTEMPTS = 32;

/** Number of times a reset rereads a changing ruleset before it replaces the whole table. */
const MAX_RESETS = 4;

/**
 * Keeps the entries as elements of one table of our own, `inet isthmus`, whose rules never vary; only a port with
 * conditions also has a chain. Everything goes to the kernel as raw messages; a script runs only for conditions.
 */
export class NftablesFirewaller implements Firewaller {
  readonly backend = 'nftables';
  readonly #ns: LinuxNamespace;
  readonly #maker: TableMaker;
  readonly #known: KnownRuleset;
  readonly #admitter: Admitter;
  #opened: { readonly socket: NetlinkSocket; readonly watch: TableWatch } | undefined;

  constructor(ns: LinuxNamespace, via?: ScriptRunner, known = new KnownRuleset(), admitter = openAdmitter(ns, known)) {
    this.#ns = ns;
    this.#maker = new TableMaker(ns, known, via);
    this.#known = known;
    this.#admitter = admitter;
  }

  async add(entries: readonly FirewallEntry[]): Promise<boolean> {
    const { elements, chains } = footprint(entries);
    let isAnew = false;
    if (elements.length > 0) {
      isAnew = await this.#addElements(elements, chains, entries);
      this.#removeObsolete(entries);
      this.#nameOthers(entries);
    }
    await this.#admitter.add(admissions(entries));
    return isAnew;
  }

  async remove(entries: readonly FirewallEntry[]): Promise<NetError[]> {
    // Do not await before the elements are removed: a caller may hold a transaction until then.
    const errors = this.#removeFootprint(entries);
    return [...errors, ...(await this.#admitter.remove(admissions(entries).map(({ device }) => device)))];
  }

  #removeFootprint(entries: readonly FirewallEntry[]): NetError[] {
    try {
      const { elements, chains } = footprintThere(entries);
      if (elements.length > 0) this.#removeElements(elements, chains, reachOf(entries));
      return [];
    } catch (thrown) {
      return [asNetError(thrown, 'firewall.delete')];
    }
  }

  async missing(entries: readonly FirewallEntry[], onlyDropped = false): Promise<FirewallEntry[]> {
    return this.#missing(entries, onlyDropped);
  }

  #missing(entries: readonly FirewallEntry[], onlyDropped = false): FirewallEntry[] {
    const unadmitted = new Set(this.#admitter.missing(admissions(entries), onlyDropped));
    const lacking = new Set(this.#missingInTable(entries.filter(({ kind }) => kind !== 'admit')));
    return entries.filter((entry) => (entry.kind === 'admit' ? unadmitted.has(entry.device) : lacking.has(entry)));
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
    const { socket } = this.#kernel;
    const requests = othersRequests(socket, this.#ns, this.#admitter, entries);
    const errno = this.#known.change(socket, requests, 'endpoint');
    // Another call may have done the same.
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
    const inTable = entries.filter(({ kind }) => kind !== 'admit');
    const { elements, chains } = footprint(inTable);
    if (inTable.length === 0) this.#deleteTable();
    else if (!this.#resetElements(elements, chains)) {
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
    this.#opened?.socket[Symbol.dispose]();
    this.#opened = undefined;
    this.#admitter[Symbol.dispose]();
  }

  get #kernel(): { readonly socket: NetlinkSocket; readonly watch: TableWatch } {
    if (this.#opened === undefined) {
      const socket = this.#ns.within(() => new NetlinkSocket(NETLINK_NETFILTER));
      this.#opened = { socket, watch: new TableWatch(socket, this.#known) };
    }
    return this.#opened;
  }

  /** Returns false if the table is incomplete or lacks the chain of a port, so that the caller recreates it. */
  #resetElements(elements: readonly Element[], chains: readonly PortChain[]): boolean {
    const { socket, watch } = this.#kernel;
    const names = chains.map(({ name }) => name);
    for (let attempt = 0; attempt < MAX_RESETS; attempt++) {
      if (!watch.isWhole()) return false;
      const counted = countRules(socket, TABLE_ID);
      if (!names.every((name) => counted.has(name))) return false;
      const all = [...elements, ...othersElements(this.#ns, this.#admitter, elements)];
      const errno = this.#known.change(socket, diffRequests(socket, all, names, counted), 'network');
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
    if (watch.wasWhole() && chains.length === 0 && reachOf(entries) === 'endpoint') {
      // Usually the ruleset is as it was and the ports are new, so the table need not be read.
      if (this.#known.changeExactly(socket, addRequests(elements, true), 'endpoint') === 0) return false;
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

  /** Removes only elements that lead where the entry says: another endpoint's port is not ours to remove. */
  #removeElements(elements: readonly Element[], chains: readonly PortChain[], reach: Scope): void {
    const { socket, watch } = this.#kernel;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const going = withoutNeeded(socket, elements);
      const present = ownPresent(going, presenceOf(socket, going));
      const filled = chains.filter(({ name }) => hasRule(socket, name)).map(({ name }) => name);
      const errno = this.#known.change(socket, removeRequests(present, filled), reach);
      if (errno === 0) break;
      if (errno !== ENOENT) throw refused('firewall.delete', elements, errno);
      if (attempt === MAX_ATTEMPTS - 1) throw rulesetBusy('firewall.delete');
    }
    if (!watch.isInUse()) this.#deleteTable(isEmpty);
  }

  /** Deletes the table if `holds`. The kernel has no "delete if", so the deletion names the generation that was read. */
  #deleteTable(holds: (socket: NetlinkSocket) => boolean = () => true): void {
    const { socket } = this.#kernel;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const generation = rulesetGeneration(socket);
      if (!holds(socket)) return;
      const result = deleteTableAt(socket, TABLE_ID, generation);
      if (result === 0 || result === ENOENT) return;
      if (result !== 'changed') throw refused('firewall.delete', [], result);
    }
  }
}
