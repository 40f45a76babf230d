import type { RangeSet } from '../ipam/ranges.ts';
import type { Addr } from '../model/addr.ts';
import type { Prefix } from '../model/prefix.ts';
import {
  type AddressRequest,
  addressesOfEndpoint,
  amendAddresses,
  type Claim,
  type Cursors,
  claimAddresses,
} from './addresses.ts';
import type { Versioned } from './copy.ts';
import type { Patience } from './deadline.ts';
import { claimHostAddresses, heldHostAddresses } from './host-addresses.ts';
import { addressKey } from './keys.ts';
import { type CreatedNetwork, createNetwork, type NetworkRequest } from './networks.ts';
import { heldRanges, leaseRanges, offerRange } from './ranges.ts';
import type { Site } from './site.ts';
import type { Tables } from './tables.ts';
import { deleteNetwork, leaveNetwork, liveNetwork, useNetwork } from './uses.ts';
import type { AddressRecord, NetworkRecord } from './values.ts';

/** What calls need besides the site. */
export interface CallParts {
  readonly site: Site;
  readonly tables: Tables;
  readonly patience: Patience;
  /** The epoch to commit in. Throws NetError `unavailable` with the reason while this host has not joined. */
  readonly epoch: (op: string) => string;
  /** Something is in the outbox. */
  readonly poke: () => void;
}

/** Runs one call of a key at a time: calls that come meanwhile get its outcome. */
class Flights {
  readonly #flights = new Map<string, Promise<unknown>>();

  async share<T>(key: string, work: () => Promise<T>): Promise<T> {
    const flight = (this.#flights.get(key) as Promise<T> | undefined) ?? work();
    this.#flights.set(key, flight);
    try {
      return await flight;
    } finally {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    }
  }
}

/** Networks of the cluster. */
export class NetworkCalls {
  readonly #parts: CallParts;
  readonly #flights = new Flights();

  constructor(parts: CallParts) {
    this.#parts = parts;
  }

  /** As `createNetwork` and `Patience.within`; the copy knows it from then on. */
  async create(request: NetworkRequest, id?: string): Promise<CreatedNetwork> {
    const { site, epoch, patience } = this.#parts;
    return await patience.within('cluster.create', `network ${request.name}`, async () => {
      const created = await createNetwork(site, epoch('cluster.create'), request, id);
      if (!site.copy.networks.has(created.id)) await this.#refresh(created.id);
      return created;
    });
  }

  /** As `useNetwork` and `Patience.within`, and this host knows who has which address. */
  async use(network: string): Promise<NetworkRecord> {
    const { site, epoch, tables, patience } = this.#parts;
    return await patience.within('cluster.use', `network ${network}`, async () => {
      await this.#flights.share(network, () => useNetwork(site, epoch('cluster.use'), network));
      await tables.open(network);
      return liveNetwork(site, network);
    });
  }

  /** As `leaveNetwork`: for the last endpoint. Writes to the local store only. */
  leave(network: string): void {
    leaveNetwork(this.#parts.site, network);
    this.#parts.tables.close(network);
    this.#parts.poke();
  }

  /** As `deleteNetwork`. */
  async delete(network: string): Promise<void> {
    const { site, epoch, tables } = this.#parts;
    await deleteNetwork(site, epoch('cluster.delete'), network);
    tables.close(network);
  }

  named(name: string): readonly [id: string, record: Versioned<NetworkRecord>] | undefined {
    return this.#parts.site.copy.networkNamed(name);
  }

  record(network: string): NetworkRecord | undefined {
    return this.#parts.site.copy.networks.get(network);
  }

  async #refresh(network: string): Promise<void> {
    const { site } = this.#parts;
    site.copy.learn([...(await site.store.list(`net/${network}`)).entries.values()]);
  }
}

/** Addresses of this host's endpoints. */
export class AddressCalls {
  readonly #parts: CallParts;
  readonly #cursors: Cursors = new Map();
  readonly #flights = new Flights();

  constructor(parts: CallParts) {
    this.#parts = parts;
  }

  /** As `claimAddresses` and `Patience.within`. The caller settles or abandons the claim. */
  async claim(request: AddressRequest): Promise<Claim> {
    const { site, epoch, poke, patience } = this.#parts;
    const subject = `network ${site.copy.networks.get(request.network)?.name ?? request.network}`;
    try {
      return await patience.within('ipam', subject, (signal) =>
        claimAddresses(site, epoch('ipam'), request, { cursors: this.#cursors, signal }),
      );
    } catch (error) {
      poke();
      throw error;
    }
  }

  /** Records that the claim is in use. For the transaction that writes the endpoint. */
  settle(claim: Pick<Claim, 'rows'>): void {
    this.#parts.site.ledger.settle(claim.rows);
  }

  /** Releases a claim, unless its transaction has settled it. */
  abandon(claim: Pick<Claim, 'rows'>): void {
    const { site, poke } = this.#parts;
    site.ledger.abandon(claim.rows);
    poke();
  }

  /**
   * Releases addresses by value or by endpoint. For the transaction that deletes the endpoint: only writes here, and
   * accepts absence.
   */
  release(network: string, what: { readonly endpoint: string } | { readonly addresses: readonly Addr[] }): void {
    const { site, poke } = this.#parts;
    if ('endpoint' in what) site.ledger.release(addressesOfEndpoint(site, network, what.endpoint));
    else site.ledger.release(what.addresses.map((addr) => addressKey(network, addr)));
    poke();
  }

  /** As `amendAddresses`. */
  async amend(
    network: string,
    addrs: readonly Addr[],
    changes: Partial<Pick<AddressRecord, 'mac' | 'endpoint'>>,
  ): Promise<void> {
    const { site, epoch, patience } = this.#parts;
    await patience.within('ipam', `network ${network}`, () =>
      amendAddresses(site, epoch('ipam'), network, addrs, changes),
    );
  }

  /** The addresses of this host itself on a `shared` network. Without the store if it holds them. */
  async ofHost(network: string): Promise<Prefix[]> {
    const { site, epoch, patience } = this.#parts;
    const held = heldHostAddresses(site, network, liveNetwork(site, network));
    if (held !== undefined) return held;
    const cursors = this.#cursors;
    return await this.#flights.share(`host ${network}`, () =>
      patience.within('ipam', `network ${network}`, (signal) =>
        claimHostAddresses(site, epoch('ipam'), network, { cursors, signal }),
      ),
    );
  }

  /** The ranges to allocate from on a `per-host` network. Without the store if this host holds them. */
  async ranges(network: string, wanted?: readonly Prefix[]): Promise<RangeSet[]> {
    const { site, epoch, patience } = this.#parts;
    const held = heldRanges(site, network, liveNetwork(site, network));
    if (held !== undefined) return held;
    return await this.#flights.share(network, () =>
      patience.within('ipam', `network ${network}`, (signal) =>
        leaseRanges(site, epoch('ipam'), network, { wanted, signal }),
      ),
    );
  }

  /** As `offerRange`, for a network of the cluster's or one that is to come. */
  async offer(request: NetworkRequest, set: RangeSet, id?: string): Promise<Prefix> {
    const { site, epoch, patience } = this.#parts;
    const known = id === undefined ? undefined : { id, epoch: () => epoch('ipam') };
    return await patience.within('ipam', `network ${request.name}`, () => offerRange(site, request, set, known));
  }
}
