import type { NetError } from '../../errors/net-error.ts';
import type { Firewaller } from '../../firewall/firewaller.ts';
import { entryKey, type FirewallBackend, type FirewallEntry } from '../../model/firewall.ts';
import type { Recorder } from './dry-host.ts';

/** A packet filter without an entry that only records what is added to it and removed from it. */
export class DryFirewaller implements Firewaller {
  readonly backend: FirewallBackend;
  readonly #record: Recorder;
  readonly #keys = new Set<string>();

  constructor(backend: FirewallBackend, record: Recorder) {
    this.backend = backend;
    this.#record = record;
  }

  async add(entries: readonly FirewallEntry[]): Promise<boolean> {
    for (const entry of entries) this.#keys.add(entryKey(entry));
    const op = { ns: 'host', backend: this.backend, entries } as const;
    if (entries.length > 0) this.#record({ op: 'firewall.add', ...op }, [{ op: 'firewall.delete', ...op }]);
    return false;
  }

  async remove(entries: readonly FirewallEntry[]): Promise<NetError[]> {
    const there = entries.filter((entry) => this.#keys.delete(entryKey(entry)));
    const op = { ns: 'host', backend: this.backend, entries: there } as const;
    if (there.length > 0) this.#record({ op: 'firewall.delete', ...op }, [{ op: 'firewall.add', ...op }]);
    return [];
  }

  async missing(entries: readonly FirewallEntry[]): Promise<FirewallEntry[]> {
    return entries.filter((entry) => !this.#keys.has(entryKey(entry)));
  }

  async removeStray(): Promise<NetError[]> {
    return [];
  }

  async reset(): Promise<void> {}

  async refresh(): Promise<void> {}

  [Symbol.dispose](): void {}
}
