import { asNetError, type NetError } from '../errors/net-error.ts';
import { type BridgeFacts, readBridges } from '../host/bridges.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { Logger } from '../log/log.ts';
import type { Family } from '../model/addr.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { type Admission, devicesOf, inputRule, inputsOf } from './admission.ts';
import { planInput, planInputRemoval, refusedPorts } from './filter-input.ts';
import { dropped, planAdmission, planRemoval, unadmitted } from './filter-table.ts';
import { FilterTables, type Planner } from './filter-tables.ts';
import { Firewalld } from './firewalld.ts';
import { concernsUs, dockerBridges, dockerGuarded, type FilterTable } from './forward-chain.ts';
import { FRESH_MS, KnownRuleset } from './known-ruleset.ts';

/**
 * Accepts the traffic of our devices in chain FORWARD of iptables-nft and iptables-legacy, for IPv4 and IPv6, and what
 * arrives for VXLAN devices in INPUT, by rules in chains of ours; `admission.ts` lists them. Never creates the table:
 * without one, iptables drops nothing. Where firewalld runs, also keeps the devices in a zone that accepts.
 */
export interface Admitter extends Disposable {
  /** Ensures the rules of the entries. In INPUT, and in iptables-legacy, only where the chain drops by default. */
  add(entries: readonly Admission[]): Promise<void>;
  /** Removes every rule of ours that names a device or port of the entries; absence is success. */
  remove(entries: readonly Admission[]): Promise<NetError[]>;
  /** Returns the entries whose rules are incomplete; with `onlyDropped`, those whose traffic some chain would drop. */
  missing(entries: readonly Admission[], onlyDropped?: boolean): Admission[];
  /** Like `add`, and removes our rules for all others. */
  reset(entries: readonly Admission[]): Promise<void>;
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
  readonly #filter: FilterTables;
  /** When they were read by code that still runs. */
  #bridges: { readonly all: readonly BridgeFacts[]; readonly readAt: number } | undefined;

  constructor(ns: LinuxNamespace, known: KnownRuleset, log?: Pick<Logger, 'warn'>) {
    this.#ns = ns;
    this.#known = known;
    this.#firewalld = new Firewalld(ns, known, log);
    this.#filter = new FilterTables(ns, known);
  }

  async add(entries: readonly Admission[]): Promise<void> {
    if (entries.length > 0) await this.#ensure(entries, false);
  }

  async remove(entries: readonly Admission[]): Promise<NetError[]> {
    if (entries.length === 0) return [];
    const devices = devicesOf(entries).map(({ device }) => device);
    const plan: Planner = (table) => {
      if (table.base === 'FORWARD') return planRemoval(table, (device) => devices.includes(device));
      const notes = inputsOf(entries, table.family).map((entry) => inputRule(entry).note);
      return planInputRemoval(table, (note) => notes.includes(note));
    };
    // A failure of one kind of iptables must not stop the changes to the other.
    const errors: NetError[] = [];
    const { socket } = this.#filter;
    const leave = (): unknown => devices.length > 0 && socket && this.#firewalld.remove(socket, devices);
    for (const work of [() => this.#filter.changeNft(plan), () => this.#filter.changeLegacy(plan), leave]) {
      try {
        await work();
      } catch (thrown) {
        errors.push(asNetError(thrown, 'admit'));
      }
    }
    return errors;
  }

  missing(entries: readonly Admission[], onlyDropped = false): Admission[] {
    if (entries.length === 0) return [];
    const { socket } = this.#filter;
    const devices = devicesOf(entries).map(({ device }) => device);
    const found = new Set([
      ...this.#filter.legacy().flatMap((table) => lackingIn(table, entries, true)),
      ...(socket === null ? [] : this.#missingInNft(socket, entries, onlyDropped)),
    ]);
    const unplaced = socket === null ? [] : this.#firewalld.missing(socket, devices, onlyDropped);
    return entries.filter((entry) => found.has(entry) || (entry.kind === 'admit' && unplaced.includes(entry.device)));
  }

  #missingInNft(socket: NetlinkSocket, entries: readonly Admission[], onlyDropped: boolean): readonly Admission[] {
    this.#known.look(socket);
    const fact = `admitted ${onlyDropped} ${JSON.stringify(entries)}`;
    if (this.#known.has(fact)) return [];
    const found = this.#filter.nft().flatMap((table) => lackingIn(table, entries, onlyDropped));
    if (found.length === 0) this.#known.keep(fact, 'network');
    return found;
  }

  closedBridges(): ClosedBridge[] {
    const { socket } = this.#filter;
    if (socket !== null) this.#known.look(socket);
    const all: readonly FilterTable[] = [...this.#filter.nft(), ...this.#filter.legacy()];
    const tables = all.filter(({ base }) => base === 'FORWARD');
    const named = new Set(tables.flatMap(dockerBridges));
    const bridges = this.#readBridges().flatMap(({ name, own, uplink }) => (own || uplink ? [] : [name]));
    const unknown = socket === null ? [] : this.#firewalld.unplaced(socket, bridges);
    const found = bridges.filter((name) => named.has(name) || DOCKER_NAME.test(name) || unknown.includes(name));
    return found.toSorted().map((name) => ({
      name,
      guarded: tables.flatMap((table) => (dockerGuarded(table).includes(name) ? [table.family] : [])),
    }));
  }

  async reset(entries: readonly Admission[]): Promise<void> {
    await this.#ensure(entries, true);
  }

  async refresh(): Promise<void> {
    await this.#ensure([], false);
  }

  async #ensure(all: readonly Admission[], only: boolean): Promise<void> {
    const entries = devicesOf(all);
    const wanted = { entries, bridges: this.#readBridges() };
    const plan: Planner = (table, variant) => {
      if (table.base === 'INPUT') return planInput(table, inputsOf(all, table.family), only);
      const isWanted = variant === 'nft' || concernsUs(table);
      return planAdmission(table, isWanted ? wanted : { ...wanted, entries: [] }, only);
    };
    this.#filter.changeNft(plan);
    await this.#filter.changeLegacy(plan);
    const { socket } = this.#filter;
    const devices = entries.map(({ device }) => device);
    if (socket !== null && devices.length > 0) await this.#firewalld.add(socket, devices);
  }

  /** Reads the bridges once for code that runs without waiting. */
  #readBridges(): readonly BridgeFacts[] {
    const now = performance.now();
    if (this.#bridges === undefined) {
      queueMicrotask(() => {
        this.#bridges = undefined;
      });
    } else if (now - this.#bridges.readAt < FRESH_MS) return this.#bridges.all;
    this.#bridges = { all: readBridges(this.#ns), readAt: now };
    return this.#bridges.all;
  }

  [Symbol.dispose](): void {
    this.#filter[Symbol.dispose]();
  }
}

/** The entries whose rules the table lacks; in INPUT, or with `onlyDropped`, those whose traffic it drops. */
function lackingIn(table: FilterTable, entries: readonly Admission[], onlyDropped: boolean): Admission[] {
  if (table.base === 'INPUT') return refusedPorts(table, inputsOf(entries, table.family));
  const devices = (onlyDropped ? dropped : unadmitted)(table, devicesOf(entries));
  return entries.filter((entry) => entry.kind === 'admit' && devices.includes(entry.device));
}
