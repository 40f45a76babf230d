import { fault } from '../errors/fault.ts';
import { asNetError, type NetError } from '../errors/net-error.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { Family } from '../model/addr.ts';
import { rulesetGeneration } from '../netlink/nfnetlink.ts';
import { changeRulesAt } from '../netlink/nft-change.ts';
import { openNetfilter, type RuleChange } from '../netlink/nft-rules.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { strerror } from '../netlink/sys.ts';
import { legacyScript, readLegacyTable } from './filter-legacy.ts';
import { nftChange, readNftTables } from './filter-nft.ts';
import {
  type FilterRule,
  type FilterTable,
  ourRules,
  planAdmission,
  type TableChange,
  unadmitted,
} from './filter-table.ts';
import { restore, toolError } from './iptables-tools.ts';

/**
 * Adds the accept rules for our devices to chains of others that drop forwarded packets, in iptables-nft and
 * iptables-legacy, for IPv4 and IPv6. Each device needs two rules. Adds nothing where no chain drops.
 */
export interface Admitter extends Disposable {
  /** Ensures that traffic from and to the devices is accepted wherever it would be dropped. Moves misplaced rules. */
  add(devices: readonly string[]): Promise<void>;
  /** Removes every rule of ours that names the devices; absence is success. */
  remove(devices: readonly string[]): Promise<NetError[]>;
  /** Returns the devices whose traffic some chain would drop. */
  missing(devices: readonly string[]): string[];
  /** Like `add`, and removes our rules for all other devices. */
  reset(devices: readonly string[]): Promise<void>;
}

/** Computes the change to one table. */
type Planner = <R extends FilterRule>(table: FilterTable<R>) => TableChange<R>;

/** Number of attempts when another process changes the rules between our read and our write. */
const MAX_ATTEMPTS = 32;
const MAX_LEGACY_ATTEMPTS = 3;

/** Creates the admitter of a namespace. Opens and reads nothing before the first use. */
export function openAdmitter(ns: LinuxNamespace): Admitter {
  return new LinuxAdmitter(ns);
}

class LinuxAdmitter implements Admitter {
  readonly #ns: LinuxNamespace;
  /** Null if the kernel lacks this kind of iptables. */
  #opened: NetlinkSocket | null | undefined;

  constructor(ns: LinuxNamespace) {
    this.#ns = ns;
  }

  async add(devices: readonly string[]): Promise<void> {
    if (devices.length > 0) await this.#change((table) => planAdmission(table, devices));
  }

  async remove(devices: readonly string[]): Promise<NetError[]> {
    if (devices.length === 0) return [];
    const plan: Planner = (table) => ({ remove: ourRules(table, (device) => devices.includes(device)), insert: [] });
    // A failure of one kind of iptables must not stop the changes to the other.
    const errors: NetError[] = [];
    for (const work of [() => this.#changeNft(plan), () => this.#changeLegacy(plan)]) {
      try {
        await work();
      } catch (thrown) {
        errors.push(asNetError(thrown, 'admit'));
      }
    }
    return errors;
  }

  missing(devices: readonly string[]): string[] {
    if (devices.length === 0) return [];
    const legacy = [readLegacyTable(this.#ns, 4), readLegacyTable(this.#ns, 6)];
    const nft = this.#socket === null ? [] : readNftTables(this.#socket);
    const tables = [...nft, ...legacy.filter((table) => table !== undefined)];
    const found = new Set(tables.flatMap((table) => unadmitted(table, devices)));
    return devices.filter((device) => found.has(device));
  }

  async reset(devices: readonly string[]): Promise<void> {
    await this.#change((table) => {
      const { remove, insert } = planAdmission(table, devices);
      return { remove: [...remove, ...ourRules(table, (device) => !devices.includes(device))], insert };
    });
  }

  [Symbol.dispose](): void {
    this.#opened?.[Symbol.dispose]();
    this.#opened = undefined;
  }

  get #socket(): NetlinkSocket | null {
    if (this.#opened === undefined) this.#opened = this.#ns.within(openNetfilter) ?? null;
    return this.#opened;
  }

  async #change(plan: Planner): Promise<void> {
    this.#changeNft(plan);
    await this.#changeLegacy(plan);
  }

  /** Applies all tables in one transaction, which the kernel refuses if the ruleset has changed since it was read. */
  #changeNft(plan: Planner): void {
    const socket = this.#socket;
    if (socket === null) return;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const generation = rulesetGeneration(socket);
      const changes = readNftTables(socket).map((table) => nftChange(table, plan(table)));
      const change: RuleChange = {
        remove: changes.flatMap(({ remove }) => remove),
        insert: changes.flatMap(({ insert }) => insert),
      };
      if (change.remove.length + change.insert.length === 0) return;
      const result = changeRulesAt(socket, change, generation);
      if (result === 'changed') continue;
      if (result.errno === 0) return;
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
  async #changeLegacy(plan: Planner): Promise<void> {
    for (const family of [4, 6] as const) {
      let failure: string | undefined;
      for (let attempt = 0; attempt < MAX_LEGACY_ATTEMPTS && failure !== ''; attempt++) {
        failure = await this.#changeLegacyTable(family, plan);
      }
      if (failure) throw toolError('legacy', family, 'the rules of table filter were not changed', failure);
    }
  }

  /** Returns the error text of iptables-legacy, or an empty string on success. */
  async #changeLegacyTable(family: Family, plan: Planner): Promise<string> {
    const table = readLegacyTable(this.#ns, family);
    if (table === undefined) return '';
    const change = plan(table);
    if (change.remove.length + change.insert.length === 0) return '';
    const { ok, error } = await restore(this.#ns, 'legacy', family, legacyScript(table, change));
    return ok ? '' : error || 'iptables-legacy-restore failed';
  }
}

function busy(subject: string): NetError {
  const what = `its rules changed during each of ${MAX_ATTEMPTS} attempts`;
  return fault.busy('admit', subject, what, 'Try again');
}
