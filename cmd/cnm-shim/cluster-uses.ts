import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Cluster } from '../../src/shared/cluster/cluster.ts';
import { parseTableKey, useKey } from '../../src/shared/cluster/keys.ts';
import type { NetworkRequest } from '../../src/shared/cluster/networks.ts';
import { type NetworkRecord, parseEndpointText } from '../../src/shared/cluster/values.ts';
import type { OverlayOptions } from '../../src/shared/config/overlay.ts';
import { asNetError } from '../../src/shared/errors/net-error.ts';
import type { CallCore } from '../../src/shared/runtime/make-core.ts';
import type { LocalStore, NetworkRow } from '../../src/shared/store/store.ts';

/** How long an ADD waits for this host to join, and how often it looks. */
const ANSWER_MS = 1400;
const POLL_MS = 20;

/** Waits for a host that has just started: until it has joined, or a caller has to be answered. */
export async function joined(cluster: Cluster): Promise<void> {
  const end = performance.now() + ANSWER_MS;
  while (!cluster.isMember && performance.now() < end) await setTimeout(POLL_MS);
}

/** The records of this host's overlay networks say that the devices have this underlay address. */
export function moveDevices(store: LocalStore, local: string): void {
  store.transaction(() => {
    for (const row of store.networks.list()) {
      const options = row.spec?.options;
      if (row.spec === undefined || options?.driver !== 'overlay' || options.vxlan.local === local) continue;
      const moved: OverlayOptions = { ...options, vxlan: { ...options.vxlan, local } };
      store.networks.put({ ...row, spec: { ...row.spec, options: moved } });
    }
  });
}

/** In this time a commit that did not answer has landed, or never will. */
const LANDING_MS = 15_000;
/** Followed by the id of a network that this host creates or leaves: a daemon that ends meanwhile leaves the note. */
const NOTE = 'cluster unused ';

/** Which networks this host uses in the cluster: those that it carries. */
export class Uses {
  readonly #open: () => CallCore;
  readonly #cluster: Cluster;
  readonly #host: string;
  /** How many calls have joined a network and not put it on record yet, by id. */
  readonly #calls = new Map<string, number>();
  /** When this host began to create a network, by id. */
  readonly #createdAt = new Map<string, number>();
  /** Ids of networks to delete if they have no user. Undefined before they are read from the notes. */
  #doubtful: Set<string> | undefined;

  /** The caller disposes of what `open` returns. `host`: this host's id. */
  constructor(open: () => CallCore, cluster: Cluster, host: string) {
    this.#open = open;
    this.#cluster = cluster;
    this.#host = host;
  }

  /** Returns the id of the network, which the cluster has from then on. As `NetworkCalls.create`. */
  async create(request: NetworkRequest, call: DisposableStack): Promise<string> {
    using core = this.#open();
    const wanted = randomUUID();
    this.#createdAt.set(wanted, performance.now());
    call.use(this.#begin(wanted));
    this.#doubt(core.store, wanted);
    const { id } = await this.#cluster.networks.create(request, wanted);
    if (id !== wanted) this.#settle(core.store, wanted);
    return id;
  }

  /** Uses the network while `call` lasts. As `NetworkCalls.use`; without the store if this host does already. */
  async use(id: string, call: DisposableStack): Promise<NetworkRecord> {
    call.use(this.#begin(id));
    const known = this.#cluster.networks.record(id);
    return known !== undefined && this.has(id) ? known : await this.#cluster.networks.use(id);
  }

  has(id: string): boolean {
    using core = this.#open();
    return isHeld(core.store, id, this.#host);
  }

  /** Uses the networks on record, and leaves the others. Throws NetError `unavailable`; the next call does the rest. */
  async follow(): Promise<void> {
    using core = this.#open();
    const { store } = core;
    await this.#useRecorded(store);
    this.#leaveUnused(store);
    await this.#deleteDoubtful(store);
  }

  /** A network on record without a key of its use could be deleted under its endpoints. */
  async #useRecorded(store: LocalStore): Promise<void> {
    if (!this.#cluster.isMember) return;
    const { networks } = this.#cluster;
    for (const id of this.#carriedBy(store))
      if (!isHeld(store, id, this.#host) && networks.record(id)?.state === 'live') await networks.use(id);
  }

  #leaveUnused(store: LocalStore): void {
    // Without the cluster's networks, a record without an id could be that of any.
    if (!this.#cluster.knowsNetworks) return;
    const carried = this.#carriedBy(store);
    // A range may come late: its commit was not answered, and this host has left the network since.
    const rows = [...store.clusterKeys.list('u/'), ...store.clusterKeys.list('r/')];
    const held = rows.filter(({ state }) => state === 'held');
    for (const id of new Set(held.flatMap(({ key }) => parseTableKey(key)?.network ?? []))) {
      if (carried.has(id) || this.#calls.has(id)) continue;
      store.transaction(() => {
        this.#doubt(store, id);
        this.#cluster.networks.leave(id);
      });
    }
  }

  /** A host tries after its own key is gone: of several that leave at once, the last one finds no other's. */
  async #deleteDoubtful(store: LocalStore): Promise<void> {
    const { networks, knowsNetworks } = this.#cluster;
    for (const id of [...this.#doubtfulIn(store)]) {
      const isKnown = networks.record(id) !== undefined;
      if (this.#calls.has(id) || (!isKnown && (!knowsNetworks || this.#mayLand(id)))) continue;
      const isUsed = !isKnown || this.#carriedBy(store).has(id);
      if (!isUsed && store.clusterKeys.get(useKey(id, this.#host)) !== undefined) continue;
      if (!isUsed)
        await networks.delete(id).catch((thrown: unknown) => {
          if (asNetError(thrown, 'cluster').kind !== 'conflict') throw thrown;
        });
      this.#settle(store, id);
    }
  }

  /**
   * Ids of the overlay networks on record. A record that was rebuilt from the kernel has only the network's name, which the
   * cluster has once.
   */
  #carriedBy({ networks, endpoints }: LocalStore): Set<string> {
    const idOf = ({ name, driver, spec, holders = [] }: NetworkRow): string | undefined => {
      if (spec !== undefined) return spec.options.driver === 'overlay' ? spec.options.network : undefined;
      const isUsed = holders.length > 0 || endpoints.any(name);
      return driver === 'overlay' && isUsed ? this.#cluster.networks.named(name)?.[0] : undefined;
    };
    return new Set(networks.list().flatMap((row) => idOf(row) ?? []));
  }

  /** A call uses the network, until it is disposed of. */
  #begin(id: string): Disposable {
    this.#calls.set(id, (this.#calls.get(id) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#calls.get(id) ?? 0) - 1;
        if (left > 0) this.#calls.set(id, left);
        else this.#calls.delete(id);
      },
    };
  }

  #mayLand(id: string): boolean {
    return performance.now() - (this.#createdAt.get(id) ?? Number.NEGATIVE_INFINITY) < LANDING_MS;
  }

  #doubt({ notes }: Pick<LocalStore, 'notes'>, id: string): void {
    this.#doubtfulIn({ notes }).add(id);
    notes.put(NOTE + id, '');
  }

  #settle({ notes }: Pick<LocalStore, 'notes'>, id: string): void {
    notes.delete(NOTE + id);
    this.#doubtful?.delete(id);
    this.#createdAt.delete(id);
  }

  #doubtfulIn({ notes }: Pick<LocalStore, 'notes'>): Set<string> {
    this.#doubtful ??= new Set(notes.keys(NOTE).map((key) => key.slice(NOTE.length)));
    return this.#doubtful;
  }
}

function isHeld({ clusterKeys }: LocalStore, id: string, host: string): boolean {
  return clusterKeys.get(useKey(id, host))?.state === 'held';
}

/** True if this boot has the endpoint of a value (`endpointText`). Reads no other container's. */
export function isOnRecord({ endpoints }: Pick<LocalStore, 'endpoints'>, text: string): boolean {
  const wanted = parseEndpointText(text);
  if (wanted === undefined) return false;
  const found = endpoints.ofContainer(wanted);
  return found.some(({ attachment }) => attachment.ifName === wanted.ifName);
}
