import { NetError } from '../../src/shared/errors/net-error.ts';
import { type Firewaller, NO_FIREWALLER, type Stray, type Wanted } from '../../src/shared/firewall/firewaller.ts';
import { keyOf } from '../../src/shared/host/firewall-elements.ts';
import { guardElements } from '../../src/shared/host/guard-elements.ts';
import {
  type BridgeEntry,
  entryKey,
  type FirewallBackend,
  type FirewallEntry,
  isBridgeEntry,
  type PortEntry,
} from '../../src/shared/model/firewall.ts';

/** A packet filter in memory: a set of entries, in which a host port leads to one place only. */
export class FakeFirewaller implements Firewaller {
  readonly backend: FirewallBackend = 'nftables';
  /** The changes, in order: `add 3`, `remove 1`. */
  readonly changes: string[] = [];
  /** Entries that are refused, by `add` or by `remove`. */
  refuse: (entry: FirewallEntry, how: 'add' | 'remove') => boolean = () => false;
  #entries = new Map<string, FirewallEntry>();
  #bridge: FakeFirewaller | undefined;

  of(backend: 'bridge'): FakeFirewaller;
  of(backend: FirewallBackend): Firewaller;
  /** The filter of a backend: one of the bridge, and this one of nftables. The host has no iptables. */
  of(backend: FirewallBackend): Firewaller {
    if (backend !== 'bridge') return backend === 'nftables' ? this : NO_FIREWALLER;
    this.#bridge ??= new FakeFirewaller();
    return this.#bridge;
  }

  /** Everything in force, of the bridge too, or what is of one kind. */
  list(kind?: FirewallEntry['kind']): FirewallEntry[] {
    const all = [...this.#entries.values(), ...(this.#bridge?.list() ?? [])];
    return all.filter((entry) => kind === undefined || entry.kind === kind);
  }

  /** `tcp 8080 -> 10.88.0.2:80`, sorted. */
  ports(): string[] {
    return this.list()
      .flatMap((entry) => {
        if (entry.kind === 'direct') return [`${entry.protocol} direct ${entry.address}:${entry.port}`];
        return entry.kind === 'port' ? [`${placeOf(entry)} -> ${entry.address}:${entry.port}`] : [];
      })
      .sort();
  }

  async add(entries: readonly FirewallEntry[]): Promise<boolean> {
    this.changes.push(`add ${entries.length}`);
    const isAnew = this.#entries.size === 0;
    const next = new Map(this.#entries);
    for (const entry of entries) {
      if (this.refuse(entry, 'add')) throw refusal('firewall.add', 'was chosen to fail');
      if (entry.kind === 'port' && this.#leadsElsewhere(entry)) throw refusal('firewall.add', 'leads elsewhere');
      next.set(placeKey(entry), entry);
    }
    this.#entries = next;
    return isAnew;
  }

  async remove(entries: readonly FirewallEntry[]): Promise<NetError[]> {
    this.changes.push(`remove ${entries.length}`);
    if (entries.some((entry) => this.refuse(entry, 'remove')))
      return [refusal('firewall.delete', 'was chosen to fail')];
    for (const entry of entries) this.#entries.delete(placeKey(entry));
    return [];
  }

  async missing(entries: readonly FirewallEntry[]): Promise<FirewallEntry[]> {
    return entries.filter((entry) => !this.#has(entry));
  }

  async refresh(): Promise<void> {}

  async removeStray({ addresses = [], port }: Stray): Promise<NetError[]> {
    for (const [key, entry] of this.#entries) {
      if ('address' in entry && addresses.includes(entry.address)) this.#entries.delete(key);
      if ((entry.kind === 'guard' || entry.kind === 'mac' || entry.kind === 'isolated') && entry.port === port)
        this.#entries.delete(key);
    }
    return [];
  }

  async reset(read: () => Wanted): Promise<void> {
    const { entries: wanted, underWay = [] } = read();
    const entries = [...wanted, ...underWay.filter((entry) => this.#has(entry))];
    this.#entries = new Map(entries.map((entry) => [placeKey(entry), entry]));
  }

  [Symbol.dispose](): void {}

  #has(entry: FirewallEntry): boolean {
    if (isBridgeEntry(entry)) return this.#hasElements(entry);
    const there = this.#entries.get(placeKey(entry));
    return there !== undefined && entryKey(there) === entryKey(entry);
  }

  /** As in the kernel's sets: in force if others have all its elements. */
  #hasElements(entry: BridgeEntry): boolean {
    const known = new Set(guardElements([...this.#entries.values()]).map(keyOf));
    return guardElements([entry]).every((element) => known.has(keyOf(element)));
  }

  #leadsElsewhere(entry: PortEntry): boolean {
    return this.list().some(
      (other) => other.kind === 'port' && placeOf(other) === placeOf(entry) && entryKey(other) !== entryKey(entry),
    );
  }
}

/** A device has one admission. */
function placeKey(entry: FirewallEntry): string {
  return entry.kind === 'admit' ? `admit ${entry.device}` : entryKey(entry);
}

function placeOf({ protocol, hostIp, hostPort, address }: PortEntry): string {
  const ip = hostIp ?? (address.includes(':') ? '*6' : '*4');
  return `${protocol} ${ip} ${hostPort}`;
}

function refusal(op: string, what: string): NetError {
  return new NetError({ kind: 'kernel', op, subject: 'this step', what, errno: 12 });
}
