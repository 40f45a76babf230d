import type { NetError } from '../errors/net-error.ts';
import type { FirewallBackend, FirewallEntry } from '../model/firewall.ts';

/** What is known of an endpoint without a record. */
export interface Stray {
  readonly addresses?: readonly string[];
  /** Its host-side interface. */
  readonly port?: string;
}

/**
 * The packet filter of one network namespace, seen as a set of entries. Never changes or flushes the rules of others,
 * except for the accept rules that `admit` adds to their chains and removes again. No method blocks the thread: a
 * backend that runs programs or waits for another process yields to other work.
 */
export interface Firewaller extends Disposable {
  readonly backend: FirewallBackend;
  /**
   * Ensures the entries, existing ones included, in one transaction (all or none), together with the table and chains
   * they need. A device has one policy and a subnet one masquerading: a new one replaces the old. Returns true if it
   * created the table or a base chain. If we had entries before, another program deleted them. Throws NetError `conflict`
   * for a port that already leads elsewhere, `invalid-config` for a condition that the backend does not accept,
   * `unsupported` if the host has no such filter.
   */
  add(entries: readonly FirewallEntry[]): Promise<boolean>;
  /** Removes the entries; absence is success. Removing the last entry also removes the table and chains. */
  remove(entries: readonly FirewallEntry[]): Promise<NetError[]>;
  /**
   * Returns the entries that are not fully in force: an element, rule, chain or jump of them is missing. With
   * `onlyDropped`, an admission counts only where a foreign chain would drop its device's traffic.
   */
  missing(entries: readonly FirewallEntry[], onlyDropped?: boolean): Promise<FirewallEntry[]>;
  /**
   * Removes the leftovers of an endpoint without a record: all `port` and `direct` entries that lead to its addresses,
   * and the guard of its bridge port.
   */
  removeStray(of: Stray): Promise<NetError[]>;
  /**
   * Replaces all our entries with exactly those that `read` returns, in one transaction. Calls `read` once nothing else
   * can change the filter: at once, or under the lock that the backend takes.
   */
  reset(read: () => Wanted): Promise<void>;
  /** Adapts the rules that depend on the bridges of others, if this filter has entries: Docker may have new networks. */
  refresh(): Promise<void>;
}

/** The entries that a reset leaves. */
export interface Wanted {
  readonly entries: readonly FirewallEntry[];
  /** Entries that a concurrent call adds or removes: those in force stay. */
  readonly underWay?: readonly FirewallEntry[];
  /** Entries of the other backends, which admit devices in the same foreign chains. */
  readonly elsewhere?: readonly FirewallEntry[];
}

/** A packet filter that the operator manages: changes nothing and reports nothing missing. */
export const NO_FIREWALLER: Firewaller = {
  backend: 'none',
  async add(): Promise<boolean> {
    return false;
  },
  async remove(): Promise<NetError[]> {
    return [];
  },
  async missing(): Promise<FirewallEntry[]> {
    return [];
  },
  async removeStray(): Promise<NetError[]> {
    return [];
  },
  async reset(): Promise<void> {},
  async refresh(): Promise<void> {},
  [Symbol.dispose](): void {},
};
