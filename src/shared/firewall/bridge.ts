import type { NetError } from '../errors/net-error.ts';
import { BRIDGE_TABLE, guardElements } from '../host/guard-elements.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { BRIDGE_SETS, BRIDGE_TABLE_ID, bridgeRuleCounts, bridgeTableRequests } from './bridge-table.ts';
import type { Firewaller, Stray, Wanted } from './firewaller.ts';
import { FixedTable, type TableKind } from './fixed-table.ts';
import { all, areThere, type Held, heldOf } from './held-elements.ts';
import { KnownRuleset } from './known-ruleset.ts';
import { encodeComment, IFNAME_BYTES } from './nft-elements.ts';

const KIND: TableKind = {
  id: BRIDGE_TABLE_ID,
  name: BRIDGE_TABLE,
  sets: BRIDGE_SETS,
  rules: bridgeRuleCounts,
  requests: bridgeTableRequests,
  elements: guardElements,
  lacking: {
    what: 'the kernel has no nf_tables, which guards bridge ports',
    hint: 'Set spoofGuard and macspoofchk to false, and leave out portIsolation',
  },
};

/**
 * Keeps the guards of bridge ports as elements of `bridge isthmus`, whose rules never vary. Everything goes to the
 * kernel as raw messages, the table too: it needs neither libnftables nor `nft`.
 */
export class BridgeFirewaller implements Firewaller {
  readonly backend = 'bridge';
  readonly #table: FixedTable;

  constructor(ns: LinuxNamespace, known = new KnownRuleset()) {
    this.#table = new FixedTable(ns, known, KIND);
  }

  async add(entries: readonly FirewallEntry[]): Promise<boolean> {
    return this.#table.add(entries);
  }

  async remove(entries: readonly FirewallEntry[]): Promise<NetError[]> {
    return this.#table.remove(entries);
  }

  async missing(entries: readonly FirewallEntry[]): Promise<FirewallEntry[]> {
    return this.#table.missing(entries);
  }

  /** Removes everything of the port; reads whole sets only if the port has a guard. */
  async removeStray({ port }: Stray): Promise<NetError[]> {
    if (port === undefined) return [];
    return this.#table.removeFound('endpoint', (socket) => {
      const entries = [{ kind: 'guard', port, mac: NO_MAC } as const, { kind: 'isolated', port } as const];
      const asked = heldOf(guardElements(entries)).filter(isOfPort);
      const isThere = areThere(socket, BRIDGE_TABLE_ID, asked).includes(true);
      return isThere ? () => ofPort(socket, port) : undefined;
    });
  }

  async reset(read: () => Wanted): Promise<void> {
    this.#table.reset(read());
  }

  /** Bridges of others have no guards here. */
  async refresh(): Promise<void> {}

  [Symbol.dispose](): void {
    this.#table[Symbol.dispose]();
  }
}

const NO_MAC = '00:00:00:00:00:00';

/** Each port of ours is in one of these sets. */
function isOfPort({ set }: Held): boolean {
  return set === 'guarded' || set === 'isolated';
}

/** Everything that begins with the port's name, or is in use by it. */
function ofPort(socket: NetlinkSocket, port: string): Held[] {
  const name = Buffer.alloc(IFNAME_BYTES);
  name.write(port);
  const comment = encodeComment(port);
  return all(socket, BRIDGE_TABLE_ID, BRIDGE_SETS).filter(({ set, raw: { key, userdata } }) =>
    set.startsWith('leased')
      ? Buffer.compare(userdata ?? NOTHING, comment) === 0
      : Buffer.compare((key?.value ?? NOTHING).subarray(0, IFNAME_BYTES), name) === 0,
  );
}

const NOTHING = new Uint8Array();
