import { fault } from '../errors/fault.ts';
import { asNetError } from '../errors/net-error.ts';
import type { Logger } from '../log/log.ts';
import { given } from '../model/given.ts';
import type { ClusterStore } from '../store/cluster/cluster-store.ts';
import { pause } from '../store/cluster/pause.ts';
import type { LocalStore } from '../store/store.ts';
import { AddressCalls, type CallParts, NetworkCalls } from './calls.ts';
import { Copy, type CopyChange, type TableBefore } from './copy.ts';
import { Patience } from './deadline.ts';
import { Following } from './follow.ts';
import { forgetHost, leaveCluster } from './forget.ts';
import { Incarnation } from './incarnation.ts';
import { announce } from './join.ts';
import { copyPath, loadCopy } from './kept.ts';
import { Ledger } from './ledger.ts';
import { Membership } from './membership.ts';
import { peersOf, touchedBy } from './peers.ts';
import { type RemoteChange, type RemoteContent, remoteChange, remoteContent } from './remote.ts';
import { restoreCopy } from './restore.ts';
import { Sealing } from './sealing.ts';
import type { Self, Site } from './site.ts';
import { type ClusterReport, reportOf } from './status.ts';
import { Tables } from './tables.ts';
import { Upkeep } from './upkeep.ts';
import type { AddressRecord, Settings } from './values.ts';

export interface ClusterParts {
  readonly store: ClusterStore;
  readonly local: LocalStore;
  readonly stateDir: string;
  readonly self: Self;
  readonly settings: Settings;
  readonly log: Logger;
  /** How long a host is the only silent one before its entries are withdrawn, in milliseconds. Default: 15 minutes. */
  readonly graceMs?: number;
  /** The store has several members, which elect a leader when they lose it. Default: false. */
  readonly elects?: boolean;
  /** Of `Site`. Default: the system's clocks. */
  readonly now?: () => number;
  readonly wall?: () => number;
  /** As in `Site`. Default: always false. */
  readonly isUsed?: (network: string, record: AddressRecord) => boolean;
  /**
   * Called after each change of what `remote` returns, with its network, and what the changed entries of its table were.
   * Without either, any may have changed.
   */
  readonly changed?: (network?: string, before?: TableBefore) => void;
  /** Called after each change of what `peers` returns, and of keys. */
  readonly peersChanged?: () => void;
}

type Notices = Required<Pick<ClusterParts, 'changed' | 'peersChanged'>>;

const GRACE_MS = 15 * 60_000;
const TICK_MS = 1_000;

/** This host's part of a cluster, in the daemon: a process that lives for one call has none. */
export class Cluster implements Disposable {
  readonly networks: NetworkCalls;
  readonly addresses: AddressCalls;
  readonly membership: Membership;
  readonly upkeep: Upkeep;
  readonly sealing: Sealing;
  readonly #site: Site;
  readonly #tables: Tables;
  readonly #patience: Patience;
  readonly #following: readonly Following[];
  #poked = Promise.withResolvers<void>();

  /** Loads the copy that an earlier process kept. `run` joins the cluster. */
  constructor(parts: ClusterParts) {
    const { store, local, settings, log, self, isUsed = () => false } = parts;
    const { now = () => performance.now(), wall = Date.now, changed = () => {}, peersChanged = () => {} } = parts;
    const strays = new Map<string, string>();
    const notify = (): void => {
      changed();
      peersChanged();
    };
    const copy = new Copy({
      log,
      host: self.id,
      joined: () => this.#site.epoch,
      own: (key, text) => strays.set(key, text),
      reset: (epoch) => {
        if (epoch !== this.#site.epoch) this.membership.restart();
      },
      changed: (change) => this.#changed(change, { changed, peersChanged }),
    });
    const ledger = new Ledger({ store, local, host: self.id, now: wall });
    const shared = { store, local, settings, log, copy, ledger, now, wall, isUsed, self };
    this.#site = { ...shared, epoch: undefined, obstacle: undefined, conflicts: [], unused: new Set() };
    this.membership = new Membership(this.#site);
    this.#tables = new Tables(this.#site, notify);
    const path = copyPath(parts.stateDir);
    this.upkeep = new Upkeep(this.#site, {
      ...{ path, strays, graceMs: parts.graceMs ?? GRACE_MS, changed: notify, rejoin: () => this.membership.restart() },
      relist: () => {
        for (const following of this.watches()) following.relist();
      },
      isLost: () => this.watches().some(({ lost }) => lost !== undefined),
    });
    this.sealing = new Sealing({
      site: this.#site,
      incarnation: new Incarnation(parts.stateDir, self.bootId),
      notify,
    });
    this.#patience = new Patience({ elects: parts.elects ?? false, lostSince: () => this.#lostSince(), now });
    const calls: CallParts = {
      site: this.#site,
      tables: this.#tables,
      patience: this.#patience,
      epoch: (op) => this.#epoch(op),
      poke: () => this.#poked.resolve(),
    };
    this.networks = new NetworkCalls(calls);
    this.addresses = new AddressCalls(calls);
    ledger.recover(self.bootId);
    const kept = loadCopy(path);
    if (kept !== undefined) restoreCopy(copy, kept);
    this.#following = [copy.hosts, copy.presences, copy.networks].map(
      (mirror) => new Following(store, mirror, now, notify),
    );
    this.#tables.followUsed();
  }

  /** Keeps this host a member, and does the periodic work, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.membership.stay(signal), this.#work(signal)]);
  }

  /** True while this host is a member, so that it can change the store. */
  get isMember(): boolean {
    return this.#site.epoch !== undefined;
  }

  /** True once it knows the networks of the epoch in which this host has joined. */
  get knowsNetworks(): boolean {
    const { epoch, copy } = this.#site;
    return epoch !== undefined && copy.networks.epoch === epoch;
  }

  /** What the network has on other hosts; undefined if this host does not use it. */
  remote(network: string): RemoteContent | undefined {
    return remoteContent(this.#site.copy, network, this.#remoteParts());
  }

  /** As `remoteChange`. */
  remoteChange(network: string, before: TableBefore): RemoteChange | undefined {
    return remoteChange(this.#site.copy, network, before, this.#remoteParts());
  }

  /** Underlay addresses of the other hosts. */
  peers(): string[] {
    return peersOf(this.#site.copy, this.#remoteParts());
  }

  /** As `Sealing.ensure` and `Patience.within`. */
  async encrypt(): Promise<void> {
    const epoch = this.#epoch('cluster.encrypt');
    await this.#patience.within('cluster.encrypt', 'keys', () => this.sealing.ensure(epoch));
  }

  /** As `forgetHost`. */
  async forget(host: string): Promise<number> {
    return await forgetHost(this.#site, this.#epoch('cluster.forget'), host);
  }

  /** As `leaveCluster`. End `run` afterwards: it would join again. */
  async leave(): Promise<void> {
    await leaveCluster(this.#site, this.#epoch('cluster.leave'));
  }

  /** Sets this host's new underlay addresses: rewrites its host key, now or when it joins. */
  async renumber(underlay: Pick<Self, 'underlay4' | 'underlay6' | 'mtu'>): Promise<void> {
    const { id, name, bootId, release, esp } = this.#site.self;
    this.#site.self = { id, name, bootId, release, ...given({ esp }), ...underlay };
    if (this.#site.epoch !== undefined) await announce(this.#site, this.#site.epoch);
  }

  status(): ClusterReport {
    return reportOf(this.#site, this.watches(), this.upkeep);
  }

  watches(): readonly Following[] {
    return [...this.#following, ...this.sealing.watches(), ...this.#tables.list()];
  }

  [Symbol.dispose](): void {
    for (const following of this.#following) following[Symbol.dispose]();
    this.#tables[Symbol.dispose]();
    this.sealing[Symbol.dispose]();
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const end = new AbortController();
      await Promise.race([this.#poked.promise, pause(TICK_MS, AbortSignal.any([signal, end.signal]))]);
      end.abort();
      this.#poked = Promise.withResolvers();
      try {
        await this.upkeep.tick();
        if (this.#site.epoch !== undefined) await this.sealing.tick(this.#site.epoch);
      } catch (error) {
        this.#site.log.debug('cluster upkeep', { error: asNetError(error, 'cluster').message });
        await pause(TICK_MS, signal);
      }
    }
  }

  #lostSince(): number | undefined {
    const times = this.watches().flatMap(({ lost }) => lost?.since ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #changed(change: CopyChange, { changed, peersChanged }: Notices): void {
    this.upkeep.changed(change);
    if (change.of === 'table') changed(change.network, change.before);
    else if (change.of !== 'secrets') {
      const touched = touchedBy(this.#site.copy, change, this.#site.settings.underlay);
      if (touched === 'any') changed();
      else for (const network of touched) changed(network);
    }
    if (change.of === 'networks') this.#tables.followUsed();
    if (change.of === 'hosts' || change.of === 'secrets') peersChanged();
  }

  #epoch(op: string): string {
    const { epoch, obstacle } = this.#site;
    if (epoch !== undefined) return epoch;
    const lost = this.watches().find((watch) => watch.lost !== undefined)?.lost?.error;
    const why = obstacle ?? lost;
    const what =
      why === undefined
        ? 'this host has not joined its cluster yet'
        : `this host is not in its cluster: ${why.message}`;
    throw fault.unavailable(op, `host ${this.#site.self.name}`, what, 'isthmus cluster status says more');
  }

  #remoteParts() {
    const { self, settings, local } = this.#site;
    const held = (prefix: string): Map<string, string> => {
      const rows = local.clusterKeys.list(prefix).filter(({ state }) => state === 'held');
      return new Map(rows.map(({ key, value }) => [key, value]));
    };
    return { host: self.id, underlay: settings.underlay, withdrawn: this.upkeep.withdrawn, held };
  }
}
