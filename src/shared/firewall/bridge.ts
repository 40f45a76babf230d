import { fault } from '../errors/fault.ts';
import { asNetError, type NetError } from '../errors/net-error.ts';
import { BRIDGE_TABLE, guardElements } from '../host/guard-elements.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import { EEXIST, ENOENT } from '../netlink/constants.ts';
import { answersNftables, hasTable, openNetfilter, rulesetGeneration } from '../netlink/nfnetlink.ts';
import { deleteTableAt, deleteTableRequest, transactAt } from '../netlink/nft-batch.ts';
import { listElements } from '../netlink/nft-sets.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { strerror } from '../netlink/sys.ts';
import {
  additions,
  all,
  difference,
  displaced,
  type Held,
  heldOf,
  idOf,
  look,
  ofPort,
  present,
  removals,
} from './bridge-elements.ts';
import { BRIDGE_SETS, BRIDGE_TABLE_ID, bridgeRuleCounts, bridgeTableRequests } from './bridge-table.ts';
import type { Firewaller, Stray, Wanted } from './firewaller.ts';
import { KnownRuleset, reachOf, type Scope } from './known-ruleset.ts';
import { TableWatch } from './nft-state.ts';

/** Number of attempts when another process changes the ruleset meanwhile. */
const MAX_ATTEMPTS = 32;

/**
 * Keeps the guards of bridge ports as elements of `bridge isthmus`, whose rules never vary. Everything goes to the
 * kernel as raw messages, the table too: it needs neither libnftables nor `nft`.
 */
export class BridgeFirewaller implements Firewaller {
  readonly backend = 'bridge';
  readonly #ns: LinuxNamespace;
  readonly #known: KnownRuleset;
  #opened: { readonly socket: NetlinkSocket; readonly watch: TableWatch } | undefined;

  constructor(ns: LinuxNamespace, known = new KnownRuleset()) {
    this.#ns = ns;
    this.#known = known;
  }

  async add(entries: readonly FirewallEntry[]): Promise<boolean> {
    const wanted = heldOf(guardElements(entries));
    if (wanted.length === 0) return false;
    const { socket, watch } = this.#kernel ?? {};
    if (socket !== undefined && watch?.wasWhole() && reachOf(entries) === 'endpoint') {
      // Usually the ruleset is as it was and the endpoint is new, so the table need not be read.
      if (this.#known.changeExactly(socket, additions(wanted, true), 'endpoint') === 0) return false;
    }
    if (socket === undefined || watch === undefined || !answersNftables(socket)) throw withoutNftables();
    const isAnew = !watch.isWhole();
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      // An address that has moved to another port is that port's from now on.
      const errno = watch.isWhole()
        ? this.#known.change(socket, [...removals(displaced(socket, wanted)), ...additions(wanted)], 'network')
        : remake(socket, (there) => [...there, ...wanted]);
      if (errno === 0) return isAnew;
      if (errno !== 'changed' && errno !== ENOENT && errno !== EEXIST) throw refused('firewall.add', errno);
    }
    throw busy('firewall.add');
  }

  async remove(entries: readonly FirewallEntry[]): Promise<NetError[]> {
    return this.#attempt((socket) => {
      const wanted = heldOf(guardElements(entries));
      return this.#remove(socket, () => present(socket, wanted), reachOf(entries));
    });
  }

  async missing(entries: readonly FirewallEntry[]): Promise<FirewallEntry[]> {
    return this.#missing(entries);
  }

  #missing(entries: readonly FirewallEntry[]): FirewallEntry[] {
    const { socket, watch } = this.#kernel ?? {};
    if (entries.length === 0 || socket === undefined || watch === undefined || !watch.isWhole()) return [...entries];
    if (watch.isComplete(entries)) return [];
    const parts = entries.map((entry) => heldOf(guardElements([entry])));
    const found = look(socket, parts.flat());
    let at = 0;
    const lacking = entries.filter((_, i) => {
      const own = found.slice(at, at + (parts[i]?.length ?? 0));
      at += own.length;
      return own.includes(undefined);
    });
    if (lacking.length === 0) watch.keepComplete(entries);
    return lacking;
  }

  /** Removes everything of the port; reads whole sets only if the port has a guard. */
  async removeStray({ port }: Stray): Promise<NetError[]> {
    if (port === undefined) return [];
    return this.#attempt((socket) => {
      const entries = [{ kind: 'guard', port, mac: NO_MAC } as const, { kind: 'isolated', port } as const];
      const asked = heldOf(guardElements(entries)).filter(isOfPort);
      if (look(socket, asked).every((found) => found === undefined)) return 0;
      return this.#remove(socket, () => ofPort(socket, port), 'endpoint');
    });
  }

  async reset(read: () => Wanted): Promise<void> {
    const { entries: wanted, underWay = [] } = read();
    const lacking = new Set(underWay.length === 0 ? [] : this.#missing(underWay));
    const elements = heldOf(guardElements([...wanted, ...underWay.filter((entry) => !lacking.has(entry))]));
    const { socket, watch } = this.#kernel ?? {};
    if (socket === undefined || watch === undefined || !answersNftables(socket)) {
      if (elements.length > 0) throw withoutNftables();
      return;
    }
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (elements.length === 0 && !hasTable(socket, BRIDGE_TABLE_ID)) return;
      const whole = elements.length > 0 && watch.isWhole();
      const errno = whole
        ? this.#known.change(socket, difference(socket, elements), 'network')
        : remake(socket, () => elements);
      if (errno === 0) return;
      if (errno !== 'changed' && errno !== ENOENT && errno !== EEXIST) throw refused('firewall.reset', errno);
    }
    throw busy('firewall.reset');
  }

  /** Bridges of others have no guards here. */
  async refresh(): Promise<void> {}

  [Symbol.dispose](): void {
    this.#opened?.socket[Symbol.dispose]();
    this.#opened = undefined;
  }

  get #kernel(): { readonly socket: NetlinkSocket; readonly watch: TableWatch } | undefined {
    if (this.#opened === undefined) {
      const socket = this.#ns.within(openNetfilter);
      if (socket === undefined) return undefined;
      this.#opened = { socket, watch: new TableWatch(socket, this.#known, BRIDGE_TABLE_ID, bridgeRuleCounts) };
    }
    return this.#opened;
  }

  #attempt(work: (socket: NetlinkSocket) => number): NetError[] {
    try {
      const errno = this.#kernel === undefined ? 0 : work(this.#kernel.socket);
      return errno === 0 ? [] : [refused('firewall.delete', errno)];
    } catch (thrown) {
      return [asNetError(thrown, 'firewall.delete')];
    }
  }

  /** Removes what `find` returns, and the table if that was the rest. Returns the kernel's errno. */
  #remove(socket: NetlinkSocket, find: () => readonly Held[], reach: Scope): number {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const errno = this.#known.change(socket, removals(find()), reach);
      if (errno === 0) return this.#kernel?.watch.isInUse() ? 0 : deleteEmptyTable(socket);
      if (errno !== ENOENT) return errno;
    }
    throw busy('firewall.delete');
  }
}

const NO_MAC = '00:00:00:00:00:00';

/** Each port of ours is in one of these sets. */
function isOfPort({ set }: Held): boolean {
  return set === 'guarded' || set === 'isolated';
}

/** Creates the table anew with what `elements` makes of those that it has; deletes it if that is nothing. */
function remake(socket: NetlinkSocket, elements: (there: readonly Held[]) => readonly Held[]): number | 'changed' {
  const at = rulesetGeneration(socket);
  const old = hasTable(socket, BRIDGE_TABLE_ID) ? [deleteTableRequest(BRIDGE_TABLE_ID)] : [];
  const held = elements(old.length === 0 ? [] : all(socket));
  const made = held.length === 0 ? [] : [...bridgeTableRequests(), ...additions(held)];
  const result = transactAt(socket, [...old, ...made], at);
  return result === 'changed' ? result : result.errno;
}

/** The kernel has no "delete if empty", so the deletion names the generation that was read. */
function deleteEmptyTable(socket: NetlinkSocket): number {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const at = rulesetGeneration(socket);
    // `networks` is small and comes first: as a rule it tells that the table is in use.
    if (BRIDGE_SETS.some((set) => listElements(socket, idOf(set)).length > 0)) return 0;
    const result = deleteTableAt(socket, BRIDGE_TABLE_ID, at);
    if (result !== 'changed') return result === ENOENT ? 0 : result;
  }
  return 0;
}

function refused(op: string, errno: number): NetError {
  const reason = strerror(errno);
  return fault.kernel(op, `nft table ${BRIDGE_TABLE}`, 'the kernel refused it', undefined, { errno, reason });
}

function busy(op: string): NetError {
  return fault.busy(op, `nft table ${BRIDGE_TABLE}`, 'the ruleset changed during every attempt', 'Try again');
}

function withoutNftables(): NetError {
  const what = 'the kernel has no nf_tables, which guards bridge ports';
  return fault.unsupported(
    'firewall.add',
    `nft table ${BRIDGE_TABLE}`,
    what,
    'Set spoofGuard and macspoofchk to false, and leave out portIsolation',
  );
}
