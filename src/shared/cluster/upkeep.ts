import { asNetError } from '../errors/net-error.ts';
import type { CopyChange, TableBefore } from './copy.ts';
import { announce } from './join.ts';
import { saveCopy } from './kept.ts';
import { parseTableKey, useKey } from './keys.ts';
import { listIn } from './listed.ts';
import type { Before } from './mirror.ts';
import { noteMoment } from './noted.ts';
import { Silence } from './silence.ts';
import type { Site } from './site.ts';
import { finishDeletion } from './uses.ts';
import { formatHost, parseHost, parsePresence } from './values.ts';
import { adoptOne, verify } from './verify.ts';

export interface UpkeepParts {
  /** File of the kept copy. */
  readonly path: string;
  /** Keys of this host that the copy has seen, with their values. */
  readonly strays: Map<string, string>;
  readonly graceMs: number;
  readonly changed: () => void;
  /** This host joins again. */
  readonly rejoin: () => void;
  /** All of the copy is listed again. */
  readonly relist: () => void;
  readonly isLost: () => boolean;
}

/** Least time between two writes of the copy, and for each of its entries: a write has them all. */
const SAVE_MS = 5_000;
const SAVE_ENTRY_MS = 1;
const VERIFY_MS = 10 * 60_000;

/** A member's periodic work. */
export class Upkeep {
  readonly #site: Site;
  readonly #parts: UpkeepParts;
  readonly #silence: Silence;
  #isSaved = true;
  /** Why the last write of the copy failed. */
  #unsaved: string | undefined;
  #savedAt = Number.NEGATIVE_INFINITY;
  #verifiedAt: number;
  #carriedSince: number | undefined;

  constructor(site: Site, parts: UpkeepParts) {
    this.#site = site;
    this.#parts = parts;
    this.#silence = new Silence(parts.graceMs);
    this.#verifiedAt = site.now();
  }

  /** Hosts whose entries are not in the tables. */
  get withdrawn(): ReadonlySet<string> {
    return this.#silence.withdrawn;
  }

  /** The copy has changed. */
  changed(change: CopyChange): void {
    this.#isSaved = false;
    const isLost =
      change.of === 'table' && change.before !== undefined
        ? this.#hasLost(change.network, change.before)
        : change.of === 'networks' && this.#hasLostNetwork(change.before);
    if (isLost) this.#verifiedAt = Number.NEGATIVE_INFINITY;
  }

  /** Does what is due. Throws NetError `unavailable`; the rest is then done next time. */
  async tick(): Promise<void> {
    const now = this.#site.now();
    this.#watchSilence(now);
    if (!this.#isSaved && now - this.#savedAt >= this.#saveMs()) await this.save();
    const { epoch } = this.#site;
    if (epoch === undefined) return;
    if (await this.#isGone(epoch)) return this.#parts.rejoin();
    await this.#announce(epoch);
    this.#adoptStrays(epoch);
    await this.#site.ledger.flush(epoch);
    await this.#dropCarried(epoch, now);
    if (now - this.#verifiedAt >= VERIFY_MS) await this.verify(epoch);
  }

  /** Compares the store with this host's ledger and copy, and finishes interrupted deletions. */
  async verify(epoch: string): Promise<void> {
    this.#verifiedAt = this.#site.now();
    this.#parts.relist();
    await verify(this.#site, epoch);
    for (const [network, { state }] of this.#site.copy.networks.stored())
      if (state === 'going') await finishDeletion(this.#site, epoch, network);
  }

  /** Keeps the copy for a process that starts without the store. */
  async save(): Promise<void> {
    const { copy, local, log } = this.#site;
    const { epoch } = copy.networks;
    if (epoch === undefined) return;
    this.#savedAt = this.#site.now();
    this.#isSaved = true;
    try {
      await saveCopy(this.#parts.path, copy, epoch);
      noteMoment(local, copy);
      this.#unsaved = undefined;
    } catch (thrown) {
      // Tried again, whether or not the copy changes.
      this.#isSaved = false;
      const error = asNetError(thrown, 'cluster.keep').message;
      if (error !== this.#unsaved) log.warn('cluster copy not kept', { error });
      this.#unsaved = error;
    }
  }

  #saveMs(): number {
    const entries = [...this.#site.copy.tables().values()].reduce((sum, { size }) => sum + size, 0);
    return Math.max(SAVE_MS, SAVE_ENTRY_MS * entries);
  }

  #watchSilence(now: number): void {
    const { copy, self, epoch } = this.#site;
    const isChanged = this.#silence.observe({
      now,
      isHealthy: epoch !== undefined && !this.#parts.isLost(),
      hosts: [...copy.hosts].map(([host]) => host).filter((host) => host !== self.id),
      isPresent: (host) => copy.presences.has(host),
    });
    if (isChanged) this.#parts.changed();
  }

  /** Somebody has deleted or overwritten entries that this host holds. */
  #hasLost(network: string, before: TableBefore): boolean {
    const { copy, local, self } = this.#site;
    const table = copy.tableOf(network);
    return [...before].some(([rest, old]) => {
      if (table === undefined || old?.host !== self.id || table.get(rest)?.host === self.id) return false;
      return local.clusterKeys.get(table.prefix + rest)?.state === 'held';
    });
  }

  /** The same of the record of a network that this host uses. */
  #hasLostNetwork(before: Before<unknown> = new Map()): boolean {
    const { copy, local, self } = this.#site;
    return [...before.keys()].some(
      (id) => !copy.networks.has(id) && local.clusterKeys.get(useKey(id, self.id))?.state === 'held',
    );
  }

  /** Somebody has deleted or overwritten the record or the presence of this host: the others would drop its entries. */
  async #isGone(epoch: string): Promise<boolean> {
    const { copy, self, store } = this.#site;
    for (const { mirror, parse } of [
      { mirror: copy.hosts, parse: parseHost },
      { mirror: copy.presences, parse: parsePresence },
    ]) {
      if (mirror.epoch !== epoch || mirror.has(self.id)) continue;
      // The copy may be late.
      const key = mirror.prefix + self.id;
      const found = (await listIn(store, epoch, key)).entries.get(key);
      if (found !== undefined && parse(found.value) !== undefined) continue;
      // Else this host is leaving, or joining again.
      if (this.#site.epoch === epoch) return true;
    }
    return false;
  }

  /** Repeats an announcement that failed. Without a record, this host is leaving its cluster. */
  async #announce(epoch: string): Promise<void> {
    const { copy, self } = this.#site;
    const known = copy.hosts.get(self.id);
    if (known !== undefined && formatHost(known) !== formatHost(self)) await announce(this.#site, epoch);
  }

  /** Records entries of this host that have no row: of commits that succeeded late. */
  #adoptStrays(epoch: string): void {
    const { copy, local } = this.#site;
    for (const [key, value] of this.#parts.strays) {
      const parts = parseTableKey(key);
      const table = parts && copy.tableOf(parts.network);
      const isStored = table?.epoch === epoch && table.stored().has(parts?.rest ?? '');
      if (parts !== undefined && isStored && local.clusterKeys.get(key) === undefined)
        adoptOne(this.#site, parts.network, key, value);
    }
    this.#parts.strays.clear();
  }

  /** Drops entries of a former epoch once their host has put all of its own again, or after the grace time. */
  async #dropCarried(epoch: string, now: number): Promise<void> {
    const { copy, store } = this.#site;
    const mirrors = [copy.hosts, copy.networks, ...copy.tables().values()];
    if (mirrors.every(({ carried }) => carried === 0)) {
      this.#carriedSince = undefined;
      return;
    }
    this.#carriedSince ??= now;
    if (now - this.#carriedSince >= this.#parts.graceMs) {
      for (const mirror of mirrors) mirror.drop(() => true);
      return;
    }
    // What the epoch before said of hosts says nothing of what they have put since.
    if (copy.presences.epoch !== epoch) return;
    const isReady = (host: string): boolean => copy.presences.get(host)?.isReady === true;
    for (const table of copy.tables().values()) {
      if (table.epoch !== epoch || table.carried === 0 || ![...table].some(([, { host }]) => isReady(host))) continue;
      const { entries } = await listIn(store, epoch, table.prefix);
      table.drop((rest, { host }) => isReady(host) && !entries.has(table.prefix + rest));
    }
  }
}
