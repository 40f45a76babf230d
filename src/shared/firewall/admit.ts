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
 * The accepts for our devices in the chains of others that drop forwarded packets: of iptables-nft and of
 * iptables-legacy, IPv4 and IPv6. Two rules a device; nothing where nothing is dropped.
 */
export interface Admitter extends Disposable {
  /** Traffic from and to the devices is let through wherever it would be dropped. Rules in a wrong place move. */
  add(devices: readonly string[]): Promise<void>;
  /** No rule of ours names the devices; absence is success. */
  remove(devices: readonly string[]): Promise<NetError[]>;
  /** Those of the devices whose traffic would be dropped somewhere. */
  missing(devices: readonly string[]): string[];
  /** As `add`, and no rule of ours names any other device. */
  reset(devices: readonly string[]): Promise<void>;
}

/** What is to become of one table. */
type Planner = <R extends FilterRule>(table: FilterTable<R>) => TableChange<R>;

/** Somebody else changes the rules meanwhile: so often it is tried again. */
const MAX_ATTEMPTS = 32;
const MAX_LEGACY_ATTEMPTS = 3;

/** The admitter of a namespace. Nothing is opened or read before it is first used. */
export function openAdmitter(ns: LinuxNamespace): Admitter {
  return new LinuxAdmitter(ns);
}

class LinuxAdmitter implements Admitter {
  readonly #ns: LinuxNamespace;
  /** Null where the kernel has no such thing. */
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
    // One kind of iptables that fails must not keep the other's rules.
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

  /** All tables in one transaction, which holds only while the ruleset is as it was read. */
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

  /** Each family in one transaction. It fails where a rule has gone since it was read: then it is read again. */
  async #changeLegacy(plan: Planner): Promise<void> {
    for (const family of [4, 6] as const) {
      let failure: string | undefined;
      for (let attempt = 0; attempt < MAX_LEGACY_ATTEMPTS && failure !== ''; attempt++) {
        failure = await this.#changeLegacyTable(family, plan);
      }
      if (failure) throw toolError('legacy', family, 'the rules of table filter were not changed', failure);
    }
  }

  /** What iptables-legacy said against the change; empty for success. */
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
