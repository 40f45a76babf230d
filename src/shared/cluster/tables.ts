import { Following } from './follow.ts';
import { parseTableKey } from './keys.ts';
import type { Site } from './site.ts';

/** Watches the tables of the networks that this host uses: each from the first endpoint to the last. */
export class Tables implements Disposable {
  readonly #site: Site;
  readonly #notify: () => void;
  readonly #following = new Map<string, Following>();

  constructor(site: Site, notify: () => void) {
    this.#site = site;
    this.#notify = notify;
  }

  /** Opens the table, if the network is known. Resolves once it is complete. */
  async open(network: string): Promise<void> {
    const record = this.#site.copy.networks.get(network);
    if (record === undefined) return;
    let following = this.#following.get(network);
    if (following === undefined) {
      const table = this.#site.copy.table(network, record.mode);
      following = new Following(this.#site.store, table, this.#site.now, this.#notify);
      this.#following.set(network, following);
    }
    await following.isComplete;
  }

  close(network: string): void {
    this.#following.get(network)?.[Symbol.dispose]();
    this.#following.delete(network);
    this.#site.copy.closeTable(network);
  }

  /** Opens those of the networks that this host has keys of, and closes all others. */
  followUsed(): void {
    const rows = this.#site.local.clusterKeys.list('').filter(({ state }) => state !== 'released');
    for (const network of new Set(rows.flatMap(({ key }) => parseTableKey(key)?.network ?? [])))
      void this.open(network);
  }

  list(): Following[] {
    return [...this.#following.values()];
  }

  [Symbol.dispose](): void {
    for (const network of [...this.#following.keys()]) this.close(network);
  }
}
