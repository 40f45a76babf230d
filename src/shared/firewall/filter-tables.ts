import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { Family } from '../model/addr.ts';
import { openNetfilter } from '../netlink/nfnetlink.ts';
import { changeRulesAt } from '../netlink/nft-change.ts';
import type { RuleChange } from '../netlink/nft-rules.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { strerror } from '../netlink/sys.ts';
import { legacyScript, readLegacyTable } from './filter-legacy.ts';
import { type NftFilterTable, nftChange, readNftInputs, readNftTables } from './filter-nft.ts';
import type { TableChange } from './filter-table.ts';
import type { Base, FilterRule, FilterTable } from './forward-chain.ts';
import { restore, toolError, type Variant } from './iptables-tools.ts';
import { type KnownRuleset, WHOLE } from './known-ruleset.ts';

/** Computes the change to one table. */
export type Planner = <R extends FilterRule>(table: FilterTable<R>, variant: Variant) => TableChange<R>;

const TABLES_READ = `${WHOLE}ip filter, ip6 filter`;

/** Number of attempts when another process changes the rules between our read and our write. */
const MAX_ATTEMPTS = 32;
const MAX_LEGACY_ATTEMPTS = 3;

/** The tables `filter` of iptables-nft and iptables-legacy in a namespace, for both families and each base chain. */
export class FilterTables implements Disposable {
  readonly #ns: LinuxNamespace;
  readonly #known: KnownRuleset;
  /** Valid while `TABLES_READ` is known by this object. */
  #tables: readonly NftFilterTable[] = [];
  /** Null if the kernel lacks this kind of iptables. */
  #opened: NetlinkSocket | null | undefined;

  constructor(ns: LinuxNamespace, known: KnownRuleset) {
    this.#ns = ns;
    this.#known = known;
  }

  /** Null if the kernel lacks nftables. */
  get socket(): NetlinkSocket | null {
    if (this.#opened === undefined) this.#opened = this.#ns.within(openNetfilter) ?? null;
    return this.#opened;
  }

  /** For a caller that has looked at the generation. Only changes to tables of others make it read them again. */
  nft(): readonly NftFilterTable[] {
    const { socket } = this;
    if (socket !== null && !this.#known.has(TABLES_READ, this)) {
      this.#tables = [...readNftTables(socket), ...readNftInputs(socket)];
      this.#known.keep(TABLES_READ, 'network', { by: this });
    }
    return this.#tables;
  }

  legacy(): FilterTable[] {
    return places().flatMap(({ family, base }) => readLegacyTable(this.#ns, family, base) ?? []);
  }

  /** Applies all tables in one transaction, which the kernel refuses if the ruleset has changed since it was read. */
  changeNft(plan: Planner): void {
    const { socket } = this;
    if (socket === null) return;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const generation = this.#known.look(socket, attempt > 0);
      const changes = this.nft().map((table) => nftChange(table, plan(table, 'nft')));
      const change: RuleChange = {
        createChains: changes.flatMap(({ createChains }) => createChains),
        insert: changes.flatMap(({ insert }) => insert),
        remove: changes.flatMap(({ remove }) => remove),
        deleteChains: changes.flatMap(({ deleteChains }) => deleteChains),
      };
      if (Object.values(change).every((steps) => steps.length === 0)) return;
      const result = changeRulesAt(socket, change, generation);
      if (result === 'changed') continue;
      if (result.errno === 0) {
        this.#known.advance(generation, TABLES_READ);
        return;
      }
      throw fault.kernel('admit', 'table filter of iptables-nft', 'its rules were not changed', undefined, {
        errno: result.errno,
        reason: result.text === '' ? strerror(result.errno) : `${strerror(result.errno)}: ${result.text}`,
      });
    }
    throw busy('iptables-nft');
  }

  /**
   * Applies each family in one transaction. Fails if a rule has disappeared since it was read; the caller then reads
   * again.
   */
  async changeLegacy(plan: Planner): Promise<void> {
    for (const { family, base } of places()) {
      let failure: string | undefined;
      for (let attempt = 0; attempt < MAX_LEGACY_ATTEMPTS && failure !== ''; attempt++) {
        failure = await this.#changeLegacyTable(family, base, plan);
      }
      if (failure) throw toolError('legacy', family, 'the rules of table filter were not changed', failure);
    }
  }

  /** Returns the error text of iptables-legacy, or an empty string on success. */
  async #changeLegacyTable(family: Family, base: Base, plan: Planner): Promise<string> {
    const table = readLegacyTable(this.#ns, family, base);
    if (table === undefined) return '';
    const change = plan(table, 'legacy');
    if (isUnchanged(change)) return '';
    const { ok, error } = await restore(this.#ns, 'legacy', family, legacyScript(table, change));
    return ok ? '' : error || 'iptables-legacy-restore failed';
  }

  [Symbol.dispose](): void {
    this.#opened?.[Symbol.dispose]();
    this.#opened = undefined;
  }
}

function places(): { readonly family: Family; readonly base: Base }[] {
  return (['FORWARD', 'INPUT'] as const).flatMap((base) => ([4, 6] as const).map((family) => ({ family, base })));
}

function busy(subject: string): NetError {
  const what = `its rules changed during each of ${MAX_ATTEMPTS} attempts`;
  return fault.busy('admit', subject, what, 'Try again');
}

function isUnchanged(change: TableChange<FilterRule>): boolean {
  return Object.values(change).every((steps) => steps.length === 0);
}
