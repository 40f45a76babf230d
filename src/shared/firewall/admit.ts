import { fault } from '../errors/fault.ts';
import { asNetError, type NetError } from '../errors/net-error.ts';
import { readBridges } from '../host/bridges.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { Logger } from '../log/log.ts';
import type { Family } from '../model/addr.ts';
import type { AdmitEntry } from '../model/firewall.ts';
import { openNetfilter, rulesetGeneration } from '../netlink/nfnetlink.ts';
import { changeRulesAt } from '../netlink/nft-change.ts';
import type { RuleChange } from '../netlink/nft-rules.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { strerror } from '../netlink/sys.ts';
import { legacyScript, readLegacyTable } from './filter-legacy.ts';
import { nftChange, readNftTables } from './filter-nft.ts';
import { dropped, planAdmission, planRemoval, type TableChange, unadmitted } from './filter-table.ts';
import { Firewalld } from './firewalld.ts';
import { concernsUs, dockerBridges, dockerGuarded, type FilterRule, type FilterTable } from './forward-chain.ts';
import { restore, toolError, type Variant } from './iptables-tools.ts';
import { KnownRuleset } from './known-ruleset.ts';

/**
 * Accepts the traffic of our devices in chain FORWARD of iptables-nft and iptables-legacy, for IPv4 and IPv6, by rules
 * in a chain of ours; `admission.ts` lists them. Never creates the table: without one, iptables
 * drops nothing. Where firewalld runs, also keeps the devices in a zone that accepts.
 */
export interface Admitter extends Disposable {
  /** Ensures the rules of the entries. In iptables-legacy, only where FORWARD drops by default. */
  add(entries: readonly AdmitEntry[]): Promise<void>;
  /** Removes every rule of ours that names the devices; absence is success. */
  remove(devices: readonly string[]): Promise<NetError[]>;
  /** Returns the devices whose rules are incomplete; with `onlyDropped`, those whose traffic some chain would drop. */
  missing(entries: readonly AdmitEntry[], onlyDropped?: boolean): string[];
  /** Like `add`, and removes our rules for all other devices. */
  reset(entries: readonly AdmitEntry[]): Promise<void>;
  /** Adapts the rules that depend on the bridges and the rules of others, where there are any. */
  refresh(): Promise<void>;
  /**
   * Returns the bridges that are closed to networks of ours, none of which leads out: those of Docker's own networks, by
   * their names and by Docker's rules, and those that firewalld has in no zone, since it lets ours go anywhere.
   */
  closedBridges(): ClosedBridge[];
}

export interface ClosedBridge {
  readonly name: string;
  /** The families whose packets to it Docker's own rules drop unless it publishes the port: Docker 28 and newer. */
  readonly guarded: readonly Family[];
}

/** The names that Docker chooses; `docker network create -o com.docker.network.bridge.name` chooses another. */
const DOCKER_NAME = /^(docker0|docker_gwbridge|br-[0-9a-f]{12})$/;

/** Computes the change to one table. */
type Planner = <R extends FilterRule>(table: FilterTable<R>, variant: Variant) => TableChange<R>;

/** Number of attempts when another process changes the rules between our read and our write. */
const MAX_ATTEMPTS = 32;
const MAX_LEGACY_ATTEMPTS = 3;

/** Creates the admitter of a namespace. Opens and reads nothing before the first use. */
export function openAdmitter(
  ns: LinuxNamespace,
  known: KnownRuleset = new KnownRuleset(),
  log?: Pick<Logger, 'warn'>,
): Admitter {
  return new LinuxAdmitter(ns, known, log);
}

class LinuxAdmitter implements Admitter {
  readonly #ns: LinuxNamespace;
  readonly #known: KnownRuleset;
  readonly #firewalld: Firewalld;
  /** Null if the kernel lacks this kind of iptables. */
  #opened: NetlinkSocket | null | undefined;

  constructor(ns: LinuxNamespace, known: KnownRuleset, log?: Pick<Logger, 'warn'>) {
    this.#ns = ns;
    this.#known = known;
    this.#firewalld = new Firewalld(ns, known, log);
  }

  async add(entries: readonly AdmitEntry[]): Promise<void> {
    if (entries.length > 0) await this.#ensure(entries, false);
  }

  async remove(devices: readonly string[]): Promise<NetError[]> {
    if (devices.length === 0) return [];
    const plan: Planner = (table) => planRemoval(table, (device) => devices.includes(device));
    // A failure of one kind of iptables must not stop the changes to the other.
    const errors: NetError[] = [];
    const leave = (): unknown => this.#socket && this.#firewalld.remove(this.#socket, devices);
    for (const work of [() => this.#changeNft(plan), () => this.#changeLegacy(plan), leave]) {
      try {
        await work();
      } catch (thrown) {
        errors.push(asNetError(thrown, 'admit'));
      }
    }
    return errors;
  }

  missing(entries: readonly AdmitEntry[], onlyDropped = false): string[] {
    if (entries.length === 0) return [];
    const devices = entries.map(({ device }) => device);
    const found = new Set([
      ...legacyTables(this.#ns).flatMap((table) => dropped(table, entries)),
      ...(this.#socket === null ? [] : this.#missingInNft(this.#socket, entries, onlyDropped)),
      ...(this.#socket === null ? [] : this.#firewalld.missing(this.#socket, devices, onlyDropped)),
    ]);
    return devices.filter((device) => found.has(device));
  }

  #missingInNft(socket: NetlinkSocket, entries: readonly AdmitEntry[], onlyDropped: boolean): readonly string[] {
    this.#known.look(socket);
    const fact = `admitted ${onlyDropped} ${JSON.stringify(entries)}`;
    if (this.#known.has(fact)) return [];
    const found = readNftTables(socket).flatMap((table) => (onlyDropped ? dropped : unadmitted)(table, entries));
    if (found.length === 0) this.#known.keep(fact, 'network');
    return found;
  }

  closedBridges(): ClosedBridge[] {
    const tables: readonly FilterTable[] = [
      ...(this.#socket === null ? [] : readNftTables(this.#socket)),
      ...legacyTables(this.#ns),
    ];
    const named = new Set(tables.flatMap(dockerBridges));
    const bridges = readBridges(this.#ns).flatMap(({ name, own, uplink }) => (own || uplink ? [] : [name]));
    const unknown = this.#socket === null ? [] : this.#firewalld.unplaced(this.#socket, bridges);
    const found = bridges.filter((name) => named.has(name) || DOCKER_NAME.test(name) || unknown.includes(name));
    return found.toSorted().map((name) => ({
      name,
      guarded: tables.flatMap((table) => (dockerGuarded(table).includes(name) ? [table.family] : [])),
    }));
  }

  async reset(entries: readonly AdmitEntry[]): Promise<void> {
    await this.#ensure(entries, true);
  }

  async refresh(): Promise<void> {
    await this.#ensure([], false);
  }

  async #ensure(entries: readonly AdmitEntry[], only: boolean): Promise<void> {
    const wanted = { entries, bridges: readBridges(this.#ns) };
    await this.#change((table, variant) => {
      const isWanted = variant === 'nft' || concernsUs(table);
      return planAdmission(table, isWanted ? wanted : { ...wanted, entries: [] }, only);
    });
    const devices = entries.map(({ device }) => device);
    if (this.#socket !== null && devices.length > 0) await this.#firewalld.add(this.#socket, devices);
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
      const changes = readNftTables(socket).map((table) => nftChange(table, plan(table, 'nft')));
      const change: RuleChange = {
        createChains: changes.flatMap(({ createChains }) => createChains),
        insert: changes.flatMap(({ insert }) => insert),
        remove: changes.flatMap(({ remove }) => remove),
        deleteChains: changes.flatMap(({ deleteChains }) => deleteChains),
      };
      if (Object.values(change).every((steps) => steps.length === 0)) return;
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
    const change = plan(table, 'legacy');
    if (isUnchanged(change)) return '';
    const { ok, error } = await restore(this.#ns, 'legacy', family, legacyScript(table, change));
    return ok ? '' : error || 'iptables-legacy-restore failed';
  }
}

function busy(subject: string): NetError {
  const what = `its rules changed during each of ${MAX_ATTEMPTS} attempts`;
  return fault.busy('admit', subject, what, 'Try again');
}

function legacyTables(ns: LinuxNamespace): FilterTable[] {
  return ([4, 6] as const).flatMap((family) => readLegacyTable(ns, family) ?? []);
}

function isUnchanged(change: TableChange<FilterRule>): boolean {
  return Object.values(change).every((steps) => steps.length === 0);
}
