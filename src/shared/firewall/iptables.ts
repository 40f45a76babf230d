import { asNetError, NetError } from '../errors/net-error.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import { type Family, parseAddr } from '../model/addr.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import { contains, formatPrefix, networkOf, parsePrefix } from '../model/prefix.ts';
import { tryLockFile, unlockFile } from '../netlink/flock.ts';
import { type Admitter, openAdmitter } from './admit.ts';
import type { Firewaller } from './firewaller.ts';
import { absentChains, dropOrphans, hasChains } from './iptables-chains.ts';
import { familyOf } from './iptables-lines.ts';
import { refusal, refuseConflicts } from './iptables-refusals.ts';
import { entryLines, placeOf } from './iptables-rules.ts';
import { addScript, removeScript, resetScript, type Script } from './iptables-script.ts';
import { baseGroup, entryId, type Group, isWhole, parseState, type State, tablesOf } from './iptables-state.ts';
import { familiesOf, legacyTables, nativeVariant, restore, save, type Variant } from './iptables-tools.ts';

export interface IptablesOptions {
  /** Absent: what the command `iptables` is. */
  readonly variant?: Variant;
}

const MAX_WAIT_MS = 20_000;
const POLL_MS = 4;

/** Somebody else's iptables may take away a rule between our look and our change. */
const MAX_ATTEMPTS = 3;

/** The packet filter of a namespace, kept by the tools of iptables: rules in chains of our own, ISTHMUS-…. */
export function openIptables(ns: LinuxNamespace, options: IptablesOptions = {}): Firewaller {
  return new IptablesFirewaller(ns, options.variant);
}

class IptablesFirewaller implements Firewaller {
  readonly backend = 'iptables';
  readonly #ns: LinuxNamespace;
  readonly #admitter: Admitter;
  readonly #given: Variant | undefined;
  #native: Variant | undefined;

  constructor(ns: LinuxNamespace, variant: Variant | undefined) {
    this.#ns = ns;
    this.#given = variant;
    this.#admitter = openAdmitter(ns);
  }

  add(entries: readonly FirewallEntry[]): void {
    this.#alone(() => this.#add(entries));
  }

  #add(entries: readonly FirewallEntry[]): void {
    const variant = this.#variant;
    const works = this.#families(entries).map((family) => {
      const state = this.#read(variant, family);
      const groups = groupsOf(entries, family, state);
      refuseConflicts(entries, family, state);
      return { family, state, groups };
    });
    const broken = works.flatMap(({ groups, state }) => groups.filter((group) => !isWhole(group, state)));
    const ids = new Set(broken.map(({ id }) => id));
    const fresh = entries.filter((entry) => ids.has(entryId(entry)));
    try {
      for (const { family, groups, state } of works)
        this.#apply(
          variant,
          family,
          addScript(family, groups, state, absentChains(this.#ns, variant, family)),
          entries,
        );
      this.#admitter.add(devicesOf(entries));
    } catch (thrown) {
      this.#remove(fresh);
      throw thrown;
    }
  }

  remove(entries: readonly FirewallEntry[]): NetError[] {
    return collecting(() => this.#alone(() => this.#remove(entries)));
  }

  #remove(entries: readonly FirewallEntry[]): NetError[] {
    if (entries.length === 0) return [];
    const ids = new Set(entries.map(entryId));
    const errors = this.#admitter.remove(devicesOf(entries));
    return [...errors, ...this.#removeWhere(this.#families(entries), entries, () => ids)];
  }

  missing(entries: readonly FirewallEntry[]): FirewallEntry[] {
    const variant = this.#variant;
    const dropped = new Set(this.#admitter.missing(devicesOf(entries)));
    const lost = new Set<string>();
    for (const family of this.#families(entries)) {
      const state = this.#read(variant, family);
      const groups = groupsOf(entries, family, state);
      for (const group of groups) {
        const shared = tablesOf([group]).map((table) => baseGroup(table, family));
        if (![group, ...shared].every((one) => isWhole(one, state))) lost.add(group.id);
      }
    }
    return entries.filter((entry) => lost.has(entryId(entry)) || (entry.kind === 'admit' && dropped.has(entry.device)));
  }

  forget(addresses: readonly string[]): NetError[] {
    return collecting(() => this.#alone(() => this.#forget(addresses)));
  }

  #forget(addresses: readonly string[]): NetError[] {
    const targets = addresses.map((address) => (address.includes(':') ? ` [${address}]:` : ` ${address}:`));
    return this.#removeWhere(familiesOf(this.#ns), [], (state) => {
      const leading = state.lines.filter(({ note }) => targets.some((target) => note.includes(target)));
      return new Set(leading.map(({ id }) => id));
    });
  }

  reset(entries: readonly FirewallEntry[]): void {
    this.#alone(() => this.#reset(entries));
  }

  #reset(entries: readonly FirewallEntry[]): void {
    const variant = this.#variant;
    for (const family of familiesOf(this.#ns)) {
      this.#retry(variant, family, entries, (state) => {
        const groups = groupsOf(entries, family, state);
        return resetScript(family, groups, state, absentChains(this.#ns, variant, family));
      });
    }
    this.#admitter.reset(devicesOf(entries));
  }

  [Symbol.dispose](): void {
    this.#admitter[Symbol.dispose]();
  }

  /**
   * The result of `work`, while no other process changes the namespace's rules by this class: xtables.lock covers one
   * program, not the pair of iptables-save and iptables-restore. The lock is on the namespace itself, flock(2).
   * Throws NetError `busy` where it is not had in 20 s.
   */
  #alone<T>(work: () => T): T {
    const { fd } = this.#ns;
    const until = Date.now() + MAX_WAIT_MS;
    while (!tryLockFile(fd)) {
      if (Date.now() > until) throw busy();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS * (0.5 + Math.random()));
    }
    try {
      return work();
    } finally {
      unlockFile(fd);
    }
  }

  get #variant(): Variant {
    this.#native ??= this.#given ?? nativeVariant(this.#ns);
    if (this.#native !== undefined) return this.#native;
    const [what, hint] = ['there is no command iptables', 'Install iptables or nftables'];
    throw new NetError({ kind: 'unsupported', op: 'firewall', subject: 'iptables', what, hint });
  }

  #removeWhere(
    families: readonly Family[],
    entries: readonly FirewallEntry[],
    idsOf: (state: State) => ReadonlySet<string>,
  ): NetError[] {
    const errors: NetError[] = [];
    const variants = families.length === 0 ? [] : this.#present();
    for (const variant of variants) {
      for (const family of families) {
        try {
          this.#retry(variant, family, entries, (state) => removeScript(idsOf(state), state));
        } catch (thrown) {
          errors.push(asNetError(thrown, 'firewall.delete'));
        }
      }
    }
    return errors;
  }

  /** Where rules of ours may be: what `iptables` is can change between an ADD and its DEL. */
  #present(): Variant[] {
    if (this.#given !== undefined) return [this.#given];
    const found: Variant[] = hasChains(this.#ns) ? ['nft'] : [];
    if (legacyTables(this.#ns, 4).length + legacyTables(this.#ns, 6).length > 0) found.push('legacy');
    return found;
  }

  /** Those that the entries have rules in, and that the kernel has. */
  #families(entries: readonly FirewallEntry[]): Family[] {
    return familiesOf(this.#ns).filter((family) => entries.some((entry) => concerns(entry, family)));
  }

  #read(variant: Variant, family: Family): State {
    return parseState(save(this.#ns, variant, family));
  }

  #retry(variant: Variant, family: Family, entries: readonly FirewallEntry[], script: (state: State) => Script): void {
    for (let attempt = 1; ; attempt++) {
      const made = script(this.#read(variant, family));
      try {
        this.#apply(variant, family, made, entries);
        return;
      } catch (thrown) {
        if (attempt === MAX_ATTEMPTS) throw thrown;
      }
    }
  }

  #apply(variant: Variant, family: Family, script: Script, entries: readonly FirewallEntry[]): void {
    if (script.text === '') return;
    const { ok, error } = restore(this.#ns, variant, family, script.text);
    if (!ok) throw refusal(variant, family, script.text, error, entries);
    if (variant === 'nft') dropOrphans(this.#ns, family, script.orphans);
  }
}

function concerns(entry: FirewallEntry, family: Family): boolean {
  if (entry.kind === 'policy') return true;
  if (entry.kind === 'admit') return false;
  if (entry.kind === 'exposure') return entry.family === family;
  return familyOf('address' in entry ? entry.address : entry.subnet) === family;
}

function devicesOf(entries: readonly FirewallEntry[]): string[] {
  return entries.flatMap((entry) => (entry.kind === 'admit' ? [entry.device] : []));
}

function groupsOf(entries: readonly FirewallEntry[], family: Family, state: State): Group[] {
  const saved = state.lines.flatMap(({ chain, text }) => (chain === 'ISTHMUS-ANSWERS' ? [text] : []));
  const known = saved.flatMap((text) => /^-s (\S+) -o /.exec(text)?.[1] ?? []);
  const given = entries.flatMap((entry) => (entry.kind === 'hairpin' ? [entry.subnet] : []));
  const subnets = [...given, ...known].flatMap((text) => parsePrefix(text) ?? []);
  const subnetOf = (address: string): string => {
    const addr = parseAddr(address);
    const found = addr === undefined ? undefined : subnets.find((subnet) => contains(subnet, addr));
    return found === undefined ? address : formatPrefix(networkOf(found));
  };
  return entries.flatMap((entry) => {
    const lines = entryLines(entry, family, subnetOf);
    if (lines.length === 0) return [];
    const replaces = entry.kind === 'policy' || entry.kind === 'masquerade' ? { replaces: placeOf(entry) } : {};
    return [{ id: entryId(entry), lines, ...replaces }];
  });
}

function collecting(work: () => NetError[]): NetError[] {
  try {
    return work();
  } catch (thrown) {
    return [asNetError(thrown, 'firewall.delete')];
  }
}

function busy(): NetError {
  const what = `another call changed its rules for more than ${MAX_WAIT_MS / 1000} s`;
  return new NetError({ kind: 'busy', op: 'firewall', subject: 'iptables', what, hint: 'Try again' });
}
