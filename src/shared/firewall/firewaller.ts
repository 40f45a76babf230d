import type { NetError } from '../errors/net-error.ts';
import type { FirewallBackend, FirewallEntry } from '../model/firewall.ts';

/**
 * The packet filter of one network namespace, seen as a set of entries. Rules of others are never changed or flushed,
 * save the accepts that `admit` puts into their chains and takes out again.
 * No method blocks the thread: a backend that runs programs, or waits for another process, lets other work go on.
 */
export interface Firewaller extends Disposable {
  readonly backend: FirewallBackend;
  /**
   * The entries are in force, those that were so already included: in one transaction, all or none, together with what
   * they need (table, chains). A device has one policy and a subnet one masquerading: a new one takes the place of the
   * old. Throws NetError `conflict` for a port that leads elsewhere already, `invalid-config` for
   * a condition that the backend does not take, `unsupported` where the host has no such filter.
   */
  add(entries: readonly FirewallEntry[]): Promise<void>;
  /** The entries are not in force; absence is success. With the last one goes everything that was made for them. */
  remove(entries: readonly FirewallEntry[]): Promise<NetError[]>;
  /** Those of the entries that are not wholly in force: an element, rule, chain or jump of them is missing. */
  missing(entries: readonly FirewallEntry[]): Promise<FirewallEntry[]>;
  /** No `port` or `direct` entry leads to one of these addresses: what is left of an endpoint whose record was lost. */
  forget(addresses: readonly string[]): Promise<NetError[]>;
  /**
   * Exactly these entries are in force, in one transaction, whatever was there of ours; entries of `underWay`, which a
   * call is adding or removing, stay as they are.
   */
  reset(entries: readonly FirewallEntry[], underWay?: readonly FirewallEntry[]): Promise<void>;
}
