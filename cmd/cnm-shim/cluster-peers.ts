import { chosenBackend } from '../../src/shared/firewall/open.ts';
import type { Family } from '../../src/shared/model/addr.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { isOverlayEntry } from '../../src/shared/model/overlay-entries.ts';
import type { Owned } from '../../src/shared/model/owned.ts';
import type { CallCore } from '../../src/shared/runtime/make-core.ts';
import type { NetworkRow } from '../../src/shared/store/store.ts';

/** Who may send to the UDP port of this host's VXLAN devices. */
export interface Peers {
  readonly family: Family;
  /** Underlay addresses of the other hosts. */
  readonly addresses: readonly string[];
}

/** Time between two checks of the packet filter if nothing changes. */
const COMPARE_MS = 60_000;

/** Keeps the packet filter's list of peers. */
export class PeerGuard {
  readonly #parts: Omit<Peers, 'addresses'> & { readonly addresses: () => readonly string[] };
  #synced = '';
  #syncedAt = Number.NEGATIVE_INFINITY;
  #last: Promise<void> = Promise.resolve();

  constructor(parts: Omit<Peers, 'addresses'> & { readonly addresses: () => readonly string[] }) {
    this.#parts = parts;
  }

  /** Does nothing if peers, networks and their records are as at the last call. Rejects if the packet filter refuses. */
  async sync(core: CallCore): Promise<void> {
    const work = (): Promise<void> => this.#sync(core);
    this.#last = this.#last.then(work, work);
    await this.#last;
  }

  async #sync(core: CallCore): Promise<void> {
    const peers = { ...this.#parts, addresses: this.#parts.addresses() };
    const networks = core.store.networks
      .list()
      .filter(isCarried)
      .map(({ name, bootId, deleting, owned }) => [name, bootId, deleting, owned.filter(isOfUnderlay)]);
    const text = JSON.stringify([peers.addresses, core.host.identity.bootId, networks]);
    if (text === this.#synced && performance.now() - this.#syncedAt < COMPARE_MS) return;
    await syncPeers(core, peers);
    this.#synced = text;
    this.#syncedAt = performance.now();
  }
}

type OwnedEntry = Extract<Owned, { readonly kind: 'entry' }>;

/**
 * Writes the peers to the packet filter and to the records of all overlay networks. The entries belong to the networks,
 * so that they are restored and deleted with them.
 */
export async function syncPeers(core: CallCore, peers: Peers): Promise<void> {
  const { host, store } = core;
  const before = store.networks.list().filter(isCarried);
  const stale: OwnedEntry[] = [];
  store.transaction(() => {
    for (const { name } of before) {
      const row = store.networks.get(name);
      if (row === undefined || row.deleting || row.bootId !== host.identity.bootId) continue;
      const wanted = ownedBy(row, peers);
      const found = row.owned.filter(isOfUnderlay);
      if (textOf(found) === textOf(wanted)) continue;
      stale.push(...found);
      // Before everything else, so that they go last.
      store.networks.put({ ...row, owned: [...wanted, ...row.owned.filter((one) => !isOfUnderlay(one))] });
    }
  });
  const now = store.networks
    .list()
    .filter(isCarried)
    .flatMap(({ owned }) => owned.filter(isOfUnderlay));
  const texts = new Set(now.map((one) => JSON.stringify(one)));
  for (const [backend, entries] of byBackend(now)) {
    const missing = await core.firewall(backend).missing(entries);
    if (missing.length > 0) await core.firewall(backend).add(missing);
  }
  const gone = stale.filter((one) => !texts.has(JSON.stringify(one)));
  for (const [backend, entries] of byBackend(gone)) {
    const [failure] = await core.firewall(backend).remove(entries);
    if (failure !== undefined) throw failure;
  }
}

function isCarried({ spec }: NetworkRow): boolean {
  return spec?.options.driver === 'overlay';
}

function isOfUnderlay(one: Owned): one is OwnedEntry {
  return one.kind === 'entry' && isOverlayEntry(one.entry);
}

function ownedBy({ spec }: NetworkRow, { family, addresses }: Peers): OwnedEntry[] {
  if (spec?.options.driver !== 'overlay') return [];
  const { vxlan, encrypted: isEncrypted = false } = spec.options;
  const { port } = vxlan;
  const backend = spec?.rules?.backend ?? chosenBackend('auto');
  if (backend !== 'nftables' && backend !== 'iptables') return [];
  const entries: FirewallEntry[] = [
    { kind: 'underlay', family, port },
    ...(isEncrypted ? [{ kind: 'sealed', family, port } as const] : []),
    ...addresses.map((address): FirewallEntry => ({ kind: 'peer', port, address })),
  ];
  return entries.map((entry) => ({ kind: 'entry', backend, entry }));
}

function byBackend(owned: readonly OwnedEntry[]): Map<OwnedEntry['backend'], FirewallEntry[]> {
  const found = new Map<OwnedEntry['backend'], FirewallEntry[]>();
  for (const { backend, entry } of owned) found.set(backend, [...(found.get(backend) ?? []), entry]);
  return found;
}

const textOf = (owned: readonly OwnedEntry[]): string => JSON.stringify(owned);
