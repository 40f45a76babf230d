import { fault } from '../errors/fault.ts';
import { asNetError, type NetError } from '../errors/net-error.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { Family } from '../model/addr.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import { admissions } from './admission.ts';
import { type Admitter, openAdmitter } from './admit.ts';
import type { Firewaller, Stray, Wanted } from './firewaller.ts';
import { absentChains, dropOrphans, hasChains } from './iptables-chains.ts';
import { collecting, refusal, refuseConflicts } from './iptables-refusals.ts';
import { addScript, removeScript, resetScript, type Script } from './iptables-script.ts';
import {
  basesOf,
  concerns,
  entryId,
  foreignGroup,
  foreignOf,
  type Group,
  groupsOf,
  isWhole,
  parseState,
  type State,
} from './iptables-state.ts';
import { familiesOf, legacyTables, nativeVariant, restore, save, type Variant } from './iptables-tools.ts';

export interface IptablesOptions {
  /** A lock that one call holds at a time, across processes. Processes of other users cannot hold it. */
  readonly lock: (key: string) => Promise<Disposable>;
  /** Default: the variant of the command `iptables`. */
  readonly variant?: Variant;
}

/** Number of attempts when another iptables process deletes a rule between our read and our write. */
const MAX_ATTEMPTS = 3;

/** The packet filter of a namespace, controlled by the iptables tools: rules in chains of our own, ISTHMUS-…. */
export function openIptables(ns: LinuxNamespace, options: IptablesOptions, admitter = openAdmitter(ns)): Firewaller {
  return new IptablesFirewaller(ns, options, admitter);
}

class IptablesFirewaller implements Firewaller {
  readonly backend = 'iptables';
  readonly #ns: LinuxNamespace;
  readonly #admitter: Admitter;
  readonly #given: Variant | undefined;
  readonly #lock: IptablesOptions['lock'];
  #native: Variant | undefined;

  constructor(ns: LinuxNamespace, { variant, lock }: IptablesOptions, admitter: Admitter) {
    this.#ns = ns;
    this.#given = variant;
    this.#lock = lock;
    this.#admitter = admitter;
  }

  add(entries: readonly FirewallEntry[]): Promise<boolean> {
    return this.#alone(() => this.#add(entries));
  }

  async #add(entries: readonly FirewallEntry[]): Promise<boolean> {
    const variant = await this.#variant();
    const docker = this.#admitter.closedBridges();
    const works: { family: Family; state: State; groups: Group[] }[] = [];
    for (const family of this.#families(entries)) {
      const state = await this.#read(variant, family);
      const groups = [...groupsOf(entries, family, state), ...foreignOf(entries, family, state, docker)];
      refuseConflicts(entries, family, state);
      works.push({ family, state, groups });
    }
    const broken = works.flatMap(({ groups, state }) => groups.filter((group) => !isWhole(group, state)));
    const ids = new Set(broken.map(({ id }) => id));
    const fresh = entries.filter((entry) => ids.has(entryId(entry)));
    try {
      for (const { family, groups, state } of works)
        await this.#apply(
          variant,
          family,
          addScript(family, groups, state, absentChains(this.#ns, variant, family)),
          entries,
        );
      await this.#admitter.add(admissions(entries));
      return works.some(({ family, groups, state }) => basesOf(groups, family).some((base) => !isWhole(base, state)));
    } catch (thrown) {
      await this.#remove(fresh);
      throw thrown;
    }
  }

  async remove(entries: readonly FirewallEntry[]): Promise<NetError[]> {
    return await collecting(() => this.#alone(() => this.#remove(entries)));
  }

  async #remove(entries: readonly FirewallEntry[]): Promise<NetError[]> {
    if (entries.length === 0) return [];
    const ids = new Set(entries.map(entryId));
    const errors = await this.#admitter.remove(admissions(entries));
    return [...errors, ...(await this.#removeWhere(this.#families(entries), entries, () => ids))];
  }

  async missing(entries: readonly FirewallEntry[], onlyDropped = false): Promise<FirewallEntry[]> {
    const variant = await this.#variant();
    const dropped = new Set<FirewallEntry>(this.#admitter.missing(admissions(entries), onlyDropped));
    const lost = new Set<string>();
    for (const family of this.#families(entries)) {
      const state = await this.#read(variant, family);
      const groups = groupsOf(entries, family, state);
      for (const group of groups) {
        if (![group, ...basesOf([group], family)].every((one) => isWhole(one, state))) lost.add(group.id);
      }
    }
    return entries.filter((entry) => lost.has(entryId(entry)) || dropped.has(entry));
  }

  async removeStray({ addresses = [] }: Stray): Promise<NetError[]> {
    return await collecting(() => this.#alone(() => this.#removeByAddress(addresses)));
  }

  async #removeByAddress(addresses: readonly string[]): Promise<NetError[]> {
    const targets = addresses.map((address) => (address.includes(':') ? ` [${address}]:` : ` ${address}:`));
    return await this.#removeWhere(familiesOf(this.#ns), [], (state) => {
      const leading = state.lines.filter(({ note }) => targets.some((target) => note.includes(target)));
      return new Set(leading.map(({ id }) => id));
    });
  }

  async reset(read: () => Wanted): Promise<void> {
    await this.#alone(async () => {
      const { entries, underWay = [], elsewhere = [] } = read();
      const lacking = new Set(underWay.length === 0 ? [] : await this.missing(underWay));
      const wanted = [...entries, ...underWay.filter((entry) => !lacking.has(entry))];
      await this.#reset(wanted);
      await this.#admitter.reset(admissions([...wanted, ...elsewhere]));
    });
  }

  /** Starts no program if nothing is wanted and there is nothing of ours. Empties the variant that `iptables` is not. */
  async #reset(entries: readonly FirewallEntry[]): Promise<void> {
    const native = entries.length === 0 ? [] : [await this.#variant()];
    const docker = this.#admitter.closedBridges();
    for (const variant of new Set([...native, ...this.#present()])) {
      const wanted = native.includes(variant) ? entries : [];
      for (const family of familiesOf(this.#ns)) {
        await this.#retry(variant, family, wanted, (state) => {
          const groups = [...groupsOf(wanted, family, state), ...foreignOf(wanted, family, state, docker)];
          return resetScript(family, groups, state, absentChains(this.#ns, variant, family));
        });
      }
    }
  }

  async refresh(): Promise<void> {
    await this.#alone(async () => {
      const docker = this.#admitter.closedBridges();
      const both = this.#present().flatMap((variant) => familiesOf(this.#ns).map((family) => ({ variant, family })));
      for (const { variant, family } of both) {
        await this.#retry(variant, family, [], (state) => {
          const groups = state.chains.mangle.includes('ISTHMUS-FOREIGN')
            ? [foreignGroup([], family, state, docker)]
            : [];
          return addScript(family, groups, state, () => false);
        });
      }
      await this.#admitter.refresh();
    });
  }

  [Symbol.dispose](): void {
    this.#admitter[Symbol.dispose]();
  }

  /**
   * Runs `work` while no other call and no other process changes the namespace's rules through this class: xtables.lock
   * covers one program, not the pair of iptables-save and iptables-restore. Only root can hold the lock, whereas
   * anybody can flock(2) the file of a namespace. Rejects with NetError `busy` if it cannot take the lock.
   */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    using _held = await this.#lock(`iptables of network namespace ${this.#ns.id}`);
    return await work();
  }

  async #variant(): Promise<Variant> {
    this.#native ??= this.#given ?? (await nativeVariant(this.#ns));
    if (this.#native !== undefined) return this.#native;
    const [what, hint] = ['there is no command iptables', 'Install iptables or nftables'];
    throw fault.unsupported('firewall', 'iptables', what, hint);
  }

  async #removeWhere(
    families: readonly Family[],
    entries: readonly FirewallEntry[],
    idsOf: (state: State) => ReadonlySet<string>,
  ): Promise<NetError[]> {
    const errors: NetError[] = [];
    const variants = families.length === 0 ? [] : this.#present();
    for (const variant of variants) {
      for (const family of families) {
        try {
          await this.#retry(variant, family, entries, (state) => removeScript(idsOf(state), state));
        } catch (thrown) {
          errors.push(asNetError(thrown, 'firewall.delete'));
        }
      }
    }
    return errors;
  }

  /** Every filter that may hold rules of ours: the variant of `iptables` can change between an ADD and its DEL. */
  #present(): Variant[] {
    if (this.#given !== undefined) return [this.#given];
    const found: Variant[] = hasChains(this.#ns) ? ['nft'] : [];
    if (legacyTables(this.#ns, 4).length + legacyTables(this.#ns, 6).length > 0) found.push('legacy');
    return found;
  }

  /** The families that the entries have rules in and the kernel supports. */
  #families(entries: readonly FirewallEntry[]): Family[] {
    return familiesOf(this.#ns).filter((family) => entries.some((entry) => concerns(entry, family)));
  }

  async #read(variant: Variant, family: Family): Promise<State> {
    return parseState(await save(this.#ns, variant, family));
  }

  async #retry(
    variant: Variant,
    family: Family,
    entries: readonly FirewallEntry[],
    script: (state: State) => Script,
  ): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const made = script(await this.#read(variant, family));
      try {
        await this.#apply(variant, family, made, entries);
        return;
      } catch (thrown) {
        if (attempt === MAX_ATTEMPTS) throw thrown;
      }
    }
  }

  async #apply(variant: Variant, family: Family, script: Script, entries: readonly FirewallEntry[]): Promise<void> {
    if (script.text === '') return;
    const { ok, error } = await restore(this.#ns, variant, family, script.text);
    if (!ok) throw refusal(variant, family, script.text, error, entries);
    if (variant === 'nft') dropOrphans(this.#ns, family, script.orphans);
  }
}
