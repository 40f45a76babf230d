import { fault } from '../errors/fault.ts';
import type { ClusterStore, Committed, Condition } from '../store/cluster/cluster-store.ts';
import { MAX_KEYS } from '../store/cluster/limits.ts';
import type { ClusterKeyRow } from '../store/cluster-keys.ts';
import type { LocalStore } from '../store/store.ts';
import { addressesOf, parseTableKey } from './keys.ts';
import { type AddressRecord, HOST_ENDPOINT, parseAddress, parseHolder } from './values.ts';

/** etcd gives up a commit after 7 s without a leader. */
const LANDING_MS = 10_000;

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/**
 * The local record of what this host has in the cluster's store. A row is written before each commit there, so after a
 * crash at any point a row names each key that the store may have: no key leaks. A key with a row is not claimed again,
 * so no address or range is assigned twice.
 */
export class Ledger {
  readonly #store: ClusterStore;
  readonly #local: LocalStore;
  readonly #host: string;
  readonly #now: () => number;
  /** Values whose deletion was committed, and which a late commit may still put. */
  readonly #erased = new Set<string>();
  #lane: Promise<unknown> = Promise.resolve();
  /** This host leaves its cluster: nothing is claimed. */
  isClosed = false;

  constructor(parts: { store: ClusterStore; local: LocalStore; host: string; now: () => number }) {
    this.#store = parts.store;
    this.#local = parts.local;
    this.#host = parts.host;
    this.#now = parts.now;
  }

  /**
   * Records keys that the caller is about to put. Throws NetError `conflict` if this host has one of them,
   * `unavailable` while an earlier claim of one is not settled, or if this host leaves its cluster.
   */
  claim(rows: readonly KeyValue[]): void {
    const { clusterKeys } = this.#local;
    if (this.isClosed)
      throw fault.unavailable('cluster.claim', `key ${rows[0]?.key}`, 'this host leaves its cluster', 'Join it again');
    this.#local.transaction(() => {
      for (const { key } of rows) {
        const state = clusterKeys.get(key)?.state;
        if (state === 'held')
          throw fault.conflict('cluster.claim', `key ${key}`, 'this host has it', 'Ask for another');
        if (state !== undefined)
          throw fault.unavailable(
            'cluster.claim',
            `key ${key}`,
            `it was ${state} and may still change`,
            'Try again in 10 s',
          );
      }
      for (const row of rows) clusterKeys.put({ ...row, state: 'claimed', until: this.#now() + LANDING_MS });
    });
  }

  /**
   * Records that claimed keys are in use. For the transaction that records their use. Throws NetError
   * `unavailable` if a claim has been given up meanwhile.
   */
  settle(rows: readonly KeyValue[]): void {
    const { clusterKeys } = this.#local;
    this.#local.transaction(() => {
      for (const { key, value } of rows) {
        const row = clusterKeys.get(key);
        if (row?.value !== value || row.state === 'released')
          throw fault.unavailable('cluster.settle', `key ${key}`, 'its claim has been given up', 'Try again');
        clusterKeys.put({ ...row, state: 'held', until: 0 });
      }
    });
  }

  /** Records that keys are to be deleted. Writes to the local store only; for the transaction that ends their use. */
  release(keys: readonly string[]): void {
    const { clusterKeys } = this.#local;
    this.#local.transaction(() => {
      for (const key of keys) {
        const row = clusterKeys.get(key);
        if (row !== undefined && row.state !== 'released') clusterKeys.put({ ...row, state: 'released' });
      }
    });
  }

  /** Releases claims that nothing here uses. Keeps those that a transaction has settled. */
  abandon(rows: readonly KeyValue[]): void {
    const { clusterKeys } = this.#local;
    const isOpen = ({ key, value }: KeyValue): boolean => {
      const row = clusterKeys.get(key);
      return row?.state === 'claimed' && row.value === value;
    };
    this.#local.transaction(() => this.release(rows.filter(isOpen).map(({ key }) => key)));
  }

  /** Deletes the rows of claims that a commit refused: the store does not have them. */
  retract(rows: readonly KeyValue[]): void {
    this.#local.transaction(() => {
      for (const { key, value } of rows)
        if (this.#local.clusterKeys.get(key)?.value === value) this.#local.clusterKeys.delete(key);
    });
  }

  /** Releases what an earlier process claimed and did not settle, and the endpoints' addresses of earlier boots. */
  recover(bootId: string): void {
    const { clusterKeys } = this.#local;
    this.#local.transaction(() => {
      const claimed = clusterKeys.outbox().filter(({ state }) => state === 'claimed');
      const old = clusterKeys
        .list('a/')
        .filter(({ value }) => parseAddress(value)?.bootId !== bootId && !isOfHost(value));
      this.release([...claimed, ...old].map(({ key }) => key));
    });
  }

  /** Deletes the released keys from the store, at most `MAX_KEYS` a commit. Throws NetError `unavailable`. */
  async flush(epoch: string): Promise<void> {
    await this.exclusively(async () => {
      const now = this.#now();
      const rows = this.#local.clusterKeys
        .outbox()
        .filter(({ state, value, until }) => state === 'released' && (now >= until || !this.#erased.has(value)));
      for (let at = 0; at < rows.length; at += MAX_KEYS) await this.#erase(epoch, rows.slice(at, at + MAX_KEYS));
    });
  }

  /**
   * Puts held keys that the store lacks. Returns those that others have, with the store's values. Call it within
   * `exclusively`: a key that is released meanwhile is then deleted afterwards.
   */
  async publish(epoch: string, rows: readonly ClusterKeyRow[]): Promise<KeyValue[]> {
    const taken: KeyValue[] = [];
    for (let at = 0; at < rows.length; at += MAX_KEYS) {
      let left = this.#renew(rows.slice(at, at + MAX_KEYS));
      while (left.length > 0) {
        const compare = left.map(({ key }): Condition => ({ kind: 'absent', key }));
        const put = left.map(({ key, value }) => ({ key, value }));
        const { done, found } = await this.#store.commit({ epoch, compare, put });
        if (done) this.#landed(left);
        if (done) break;
        const values = new Map(found.map((entry) => [entry.key, entry.value]));
        taken.push(...found.filter(({ key, value }) => left.some((row) => row.key === key && row.value !== value)));
        left = left.filter(({ key }) => !values.has(key));
      }
    }
    return taken;
  }

  /** Runs work that puts or deletes keys without a claim, one piece after the other. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lane.then(work, work);
    this.#lane = turn.catch(() => {});
    return await turn;
  }

  /** Number of claims and releases that are not completed. */
  get pending(): number {
    return this.#local.clusterKeys.outbox().length;
  }

  /** Returns the rows that are still held, after extending `until` to cover the next commit. */
  #renew(rows: readonly ClusterKeyRow[]): ClusterKeyRow[] {
    const { clusterKeys } = this.#local;
    return this.#local.transaction(() =>
      rows.flatMap(({ key, value }) => {
        const row = clusterKeys.get(key);
        if (row?.state !== 'held' || row.value !== value) return [];
        const renewed = { ...row, until: this.#now() + LANDING_MS };
        clusterKeys.put(renewed);
        return [renewed];
      }),
    );
  }

  #landed(rows: readonly ClusterKeyRow[]): void {
    const { clusterKeys } = this.#local;
    this.#local.transaction(() => {
      for (const { key, value } of rows) {
        const row = clusterKeys.get(key);
        if (row?.value === value) clusterKeys.put({ ...row, until: 0 });
      }
    });
  }

  async #erase(epoch: string, rows: readonly ClusterKeyRow[]): Promise<void> {
    let left: readonly KeyValue[] = rows;
    while (left.length > 0) {
      const { done, found } = await this.#deleteKeys(epoch, left);
      if (done) break;
      // A key that is absent or another host's needs no deletion. Our key with another value does: the row is older.
      const own = found.filter(({ key, value }) => ownerOf(key, value) === this.#host);
      left = left.flatMap(({ key }) => own.find((entry) => entry.key === key) ?? []);
    }
    const { clusterKeys } = this.#local;
    this.#local.transaction(() => {
      for (const { key, value, until } of rows) {
        const row = clusterKeys.get(key);
        if (row?.state !== 'released' || row.value !== value) continue;
        const isOver = this.#now() >= until;
        if (isOver) clusterKeys.delete(key);
        if (isOver) this.#erased.delete(value);
        else this.#erased.add(value);
      }
    });
  }

  async #deleteKeys(epoch: string, rows: readonly KeyValue[]): Promise<Committed> {
    const compare = rows.map(({ key, value }): Condition => ({ kind: 'value', key, value }));
    return await this.#store.commit({ epoch, compare, delete: rows.map(({ key }) => key) });
  }
}

/** The host that owns an address, a range or a use. */
export function ownerOf(key: string, text: string): string | undefined {
  const kind = parseTableKey(key)?.kind;
  if (kind === undefined) return undefined;
  const record: Pick<AddressRecord, 'host'> | undefined = kind === 'a' ? parseAddress(text) : parseHolder(text);
  return record?.host;
}

/** True for the value of an address that is a host's own. */
export function isOfHost(text: string): boolean {
  // Reads the text first: of thousands of values, few are a host's.
  return text.includes(`"${HOST_ENDPOINT}"`) && parseAddress(text)?.endpoint === HOST_ENDPOINT;
}

/** The rows of the addresses that this host itself has on a network, in the order of their addresses. */
export function hostRows({ clusterKeys }: Pick<LocalStore, 'clusterKeys'>, network: string): ClusterKeyRow[] {
  return clusterKeys.list(addressesOf(network)).filter(({ value }) => isOfHost(value));
}
