import { fault } from '../errors/fault.ts';
import { NetError } from '../errors/net-error.ts';
import type { HostIdentity } from '../host/host.ts';
import { given } from '../model/given.ts';
import { Boots } from './boots.ts';
import type { ClusterKeyTable } from './cluster-keys.ts';
import type { Pause } from './locks.ts';
import { SqliteClusterKeys } from './sqlite-cluster-keys.ts';
import type { Context } from './sqlite-context.ts';
import { SqliteDockerNetworks, SqlitePools } from './sqlite-docker.ts';
import { SqliteEndpoints } from './sqlite-endpoints.ts';
import { brokenState, diskError, isBroken, storeError } from './sqlite-errors.ts';
import { SqliteFile } from './sqlite-file.ts';
import { SqliteLeases } from './sqlite-leases.ts';
import { SqliteNetworks } from './sqlite-networks.ts';
import { SqliteNotes } from './sqlite-notes.ts';
import { SqlitePorts } from './sqlite-ports.ts';
import { ensureStateDir } from './state-dir.ts';
import type {
  DockerNetworkTable,
  EndpointTable,
  LeaseTable,
  LocalStore,
  NetworkTable,
  NoteTable,
  PoolTable,
  PortTable,
} from './store.ts';

export interface SqliteStoreOptions {
  /** Created with mode 0700 if missing. */
  readonly stateDir: string;
  readonly identity: HostIdentity;
  /**
   * How long to wait for another process's transaction, in milliseconds. Default: 30,000; a transaction takes one or
   * less.
   */
  readonly waitMs?: number;
  /**
   * Pages of the write-ahead log before SQLite folds it into the database. Default: 256, which bounds what the next
   * process reads. A long-lived process sets more, because each fold costs two syncs.
   */
  readonly logPages?: number;
  /**
   * How to wait for a process that creates the file or sets it aside. Absent if the thread must not block; `busy` is
   * thrown instead.
   */
  readonly pause?: Pause;
  /**
   * True: leaves the file as it is. A missing or broken one throws NetError `state` instead of being created or set
   * aside. Default: false.
   */
  readonly keeps?: boolean;
  /** True: keeps what it has parsed, for a process that lists the same endpoints several times and ends. Default: false. */
  readonly remembers?: boolean;
}

/**
 * Opens the store in `<stateDir>/state.db`. Creates a missing file, migrates an old one, and replaces a broken one
 * after setting it aside. Throws NetError `state` for the directory, the disk or the file, `newer-schema` for a file of
 * a later version, `busy` if another process holds the file for longer than `waitMs`.
 */
export function openSqliteStore({
  stateDir,
  identity,
  waitMs = 30_000,
  logPages = 256,
  pause,
  keeps = false,
  remembers = false,
}: SqliteStoreOptions): LocalStore {
  ensureStateDir(stateDir);
  try {
    const file = new SqliteFile(stateDir, { waitMs, logPages, keeps, ...given({ pause }) });
    return new SqliteStore(stateDir, identity, file, { keeps, remembers });
  } catch (error) {
    if (keeps && isBroken(error)) throw brokenState(error, 'store.open', stateDir);
    throw diskError(error, 'store.open', stateDir);
  }
}

class SqliteStore implements LocalStore {
  readonly networks: NetworkTable;
  readonly dockerNetworks: DockerNetworkTable;
  readonly pools: PoolTable;
  readonly endpoints: EndpointTable;
  readonly leases: LeaseTable;
  readonly notes: NoteTable;
  readonly ports: PortTable;
  readonly clusterKeys: ClusterKeyTable;
  readonly #stateDir: string;
  readonly #file: SqliteFile;
  readonly #boots: Boots;
  readonly #keeps: boolean;
  #depth = 0;
  #durable = false;

  constructor(
    stateDir: string,
    identity: HostIdentity,
    file: SqliteFile,
    { keeps = false, remembers = false }: Pick<SqliteStoreOptions, 'keeps' | 'remembers'>,
  ) {
    this.#stateDir = stateDir;
    this.#keeps = keeps;
    this.#file = file;
    this.#boots = new Boots(file, identity);
    const current = (): number => this.#boots.current();
    const ensure = (): number => this.#boots.ensure();
    const context: Context = {
      host: identity.hostId,
      read: (work) =>
        this.#guard('store.read', () => {
          this.#ensureOpen();
          return work(file, current);
        }),
      write: (work) => this.transaction(() => work(file, ensure)),
    };
    this.networks = new SqliteNetworks(context);
    this.dockerNetworks = new SqliteDockerNetworks(context);
    this.pools = new SqlitePools(context);
    this.endpoints = new SqliteEndpoints(context, remembers);
    this.leases = new SqliteLeases(context);
    this.notes = new SqliteNotes(context);
    this.ports = new SqlitePorts(context);
    this.clusterKeys = new SqliteClusterKeys(context);
  }

  transaction<T>(work: () => T, { durable = false }: { readonly durable?: boolean } = {}): T {
    // The outer commit is durable if a nested call requests it.
    this.#durable ||= durable;
    if (this.#depth > 0) return this.#guard('store.write', work);
    try {
      return this.#guard('store.write', () => this.#commit(work));
    } finally {
      this.#durable = false;
    }
  }

  snapshot<T>(work: () => T): T {
    if (this.#depth > 0) return work();
    return this.#guard('store.read', () => {
      this.#ensureOpen();
      return this.#file.snapshot(work);
    });
  }

  refresh(): void {
    const renewed = this.#guard('store.read', () => this.#onDisk('store.open', () => this.#file.renew()));
    if (renewed) this.#boots.invalidate();
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  /** Opens the file again if an earlier attempt failed. */
  #ensureOpen(): void {
    if (this.#onDisk('store.open', () => this.#file.ensureOpen())) this.#boots.invalidate();
  }

  #commit<T>(work: () => T): T {
    this.#boots.invalidate();
    this.#onDisk('store.begin', () => this.#file.begin());
    this.#depth++;
    try {
      const result = work();
      this.#file.commit();
      if (this.#durable) this.#onDisk('store.sync', () => this.#file.syncLog());
      return result;
    } catch (error) {
      this.#file.rollback();
      this.#boots.invalidate();
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /** Converts SQLite's errors to NetErrors, and replaces a broken file once no transaction is open. */
  #guard<T>(op: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      const origin = error instanceof NetError ? error.cause : error;
      if (this.#depth > 0 || !isBroken(origin)) throw storeError(error, op, this.#stateDir);
      throw this.#keeps ? brokenState(origin, op, this.#stateDir) : this.#replace(op, origin);
    }
  }

  #replace(op: string, cause: unknown): NetError {
    this.#boots.invalidate();
    const moved = this.#onDisk(op, () => this.#file.replace());
    return fault.stateReset(
      op,
      `directory ${this.#stateDir}`,
      moved === undefined ? 'state.db was broken and has been replaced' : `state.db was broken and is now ${moved}`,
      'An empty one has taken its place: try again',
      { reason: cause instanceof Error ? cause.message : '', cause },
    );
  }

  #onDisk<T>(op: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw diskError(error, op, this.#stateDir);
    }
  }
}
