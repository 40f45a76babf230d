import type { Cluster } from '../../src/shared/cluster/cluster.ts';
import { parseTableKey } from '../../src/shared/cluster/keys.ts';
import type { SealedHost } from '../../src/shared/cluster/sealing.ts';
import type { Self } from '../../src/shared/cluster/site.ts';
import { encryptedPort } from '../../src/shared/config/overlay.ts';
import { missingEsp } from '../../src/shared/core/remote/esp.ts';
import { diffSeal, SEAL_QUERY, sentWith } from '../../src/shared/core/remote/seal.ts';
import { fault } from '../../src/shared/errors/fault.ts';
import { asNetError, type NetError } from '../../src/shared/errors/net-error.ts';
import type { Host } from '../../src/shared/host/host.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import type { Family } from '../../src/shared/model/addr.ts';
import type { Op } from '../../src/shared/model/op.ts';
import type { CallCore } from '../../src/shared/runtime/make-core.ts';
import type { LocalStore } from '../../src/shared/store/store.ts';

export interface SealerParts {
  readonly host: Host;
  readonly log: Logger;
  readonly family: Family;
  /** Of the cluster's other networks. */
  readonly port: number;
  readonly cluster: () => Cluster;
  /** The caller disposes of it. */
  readonly core: () => CallCore;
  readonly self: () => Self;
  /** As `watchTransforms`. */
  readonly watch: (heard: () => void) => Disposable;
}

/** Between two looks at the kernel, whatever is heard. */
const COMPARE_MS = 60_000;
/** Least time from a notification to the comparison, and the share of the time that comparisons take at most (1/SHARE). */
const LEAST_REST_MS = 2;
const SHARE = 4;

/** Makes the kernel encrypt what encrypted networks send, and refuse what they get in clear text. */
export class Sealer implements Disposable {
  readonly #parts: SealerParts;
  #watch: Disposable | undefined;
  #timer: NodeJS.Timeout | undefined;
  #restMs = LEAST_REST_MS;
  #hasEsp = false;
  /** False while the kernel may have something of an earlier process. */
  #isClean = false;
  #failure = '';
  #settled:
    | { readonly peers: readonly SealedHost[]; readonly local: string | undefined; readonly at: number }
    | undefined;

  constructor(parts: SealerParts) {
    this.#parts = parts;
  }

  /** Throws NetError `unsupported` if this kernel cannot encrypt. */
  assertEsp(network: string): void {
    const { host, family } = this.#parts;
    const missing = this.#hasEsp ? undefined : missingEsp(host, family);
    this.#hasEsp = missing === undefined;
    if (missing === undefined) return;
    const hint = 'Run the network on hosts with ESP, or create one that is not encrypted';
    throw fault.unsupported('overlay', `network ${network}`, missing, hint);
  }

  /**
   * Call it before the kernel's tables lead to another host, and before a device of an encrypted network goes up. Logs what
   * fails: then packets are dropped, and never sent in clear text.
   */
  sync(): void {
    let failures: readonly NetError[];
    try {
      const networks = this.#networks();
      failures = this.#sync(networks);
      this.#listen(networks.size > 0);
    } catch (thrown) {
      failures = [asNetError(thrown, 'cluster.seal')];
    }
    const [first] = failures;
    const failure = first?.message ?? '';
    if (first !== undefined && failure !== this.#failure)
      this.#parts.log.warn('cluster.seal', { error: failure, failures: failures.length });
    this.#failure = failure;
  }

  /** Gets keys where an encrypted network of this host lacks them. Throws NetError `unavailable`. */
  async complete(): Promise<void> {
    const cluster = this.#parts.cluster();
    const networks = this.#networks();
    if (networks.size > 0 && cluster.isMember && !cluster.sealing.isReady) await cluster.encrypt();
    // Otherwise, whatever changes the kernel's tables does it.
    if ((networks.size === 0) !== this.#isClean) this.sync();
  }

  /** Has keys for all hosts of an encrypted network, before this host makes it. Throws NetError `unavailable`. */
  async enter(network: string): Promise<void> {
    await this.complete();
    this.sync();
    if (this.#parts.cluster().sealing.isReady) return;
    const what = 'this host does not know the keys of its cluster';
    throw fault.unavailable('overlay', `network ${network}`, what, 'Wait, or see isthmus cluster status');
  }

  #sync(networks: ReadonlySet<string>): NetError[] {
    const { cluster, host, family, self } = this.#parts;
    const { sealing } = cluster();
    const port = encryptedPort(this.#parts.port);
    const isOff = networks.size === 0;
    if (isOff) sealing.close();
    else sealing.open();
    if (isOff && this.#isClean) return [];
    const { underlay4: local = self().underlay6 } = self();
    if (!isOff && (local === undefined || this.#isSettled(sealing.hosts(), local))) return [];
    const view = host.observe(host.own, SEAL_QUERY);
    const peers = isOff ? [] : this.#peers(sentWith(local, view));
    const ops = diffSeal(isOff || local === undefined ? undefined : { port, family, local, peers }, port, view);
    const failures = host.revert(ops, { host: host.own });
    const now = ops.length === 0 ? view : host.observe(host.own, SEAL_QUERY);
    if (!isOff) sealing.use([...sentWith(local, now)]);
    this.#isClean = isOff && failures.length === 0;
    this.#settled = failures.length === 0 && !isOff ? { peers, local, at: performance.now() } : undefined;
    if (ops.length > 0)
      this.#parts.log.debug('cluster.seal', { generation: sealing.generation, peers: peers.length, ...counts(ops) });
    return failures;
  }

  /** True if a recent comparison found no difference, and the kernel has reported no change since. */
  #isSettled(peers: readonly SealedHost[], local: string | undefined): boolean {
    const { peers: before, local: address, at } = this.#settled ?? { at: 0 };
    return peers === before && local === address && performance.now() - at < COMPARE_MS;
  }

  /** Begins with new keys where those of before cannot be used again. */
  #peers(sent: ReadonlySet<number>): readonly SealedHost[] {
    const { sealing } = this.#parts.cluster();
    const peers = sealing.hosts();
    const isSpent = ({ send: { spi } }: SealedHost): boolean => sealing.hasUsed(spi) && !sent.has(spi);
    if (!peers.some(isSpent) && !clash(peers)) return peers;
    sealing.renew();
    return sealing.hosts();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
  }

  #networks(): Set<string> {
    using core = this.#parts.core();
    return encryptedNetworks(core.store, this.#parts.cluster());
  }

  /** Hears of what other programs flush. The kernel tells of our own changes too, each for itself. */
  #listen(isOn: boolean): void {
    if (isOn) this.#watch ??= this.#parts.watch(() => (this.#timer ??= this.#lookSoon()));
    else this[Symbol.dispose]();
  }

  #lookSoon(): NodeJS.Timeout {
    const look = (): void => {
      this.#timer = undefined;
      this.#settled = undefined;
      const begin = performance.now();
      this.sync();
      this.#restMs = Math.max(LEAST_REST_MS, (performance.now() - begin) * (SHARE - 1));
    };
    return setTimeout(look, this.#restMs).unref();
  }
}

/** Ids of the encrypted networks that this host has on record or has begun to use. */
function encryptedNetworks(store: LocalStore, { networks }: Cluster): Set<string> {
  const recorded = store.networks.list().flatMap(({ spec }) => {
    const options = spec?.options;
    return options?.driver === 'overlay' && options.encrypted === true ? [options.network] : [];
  });
  const held = store.clusterKeys.list('u/').filter(({ state }) => state !== 'released');
  const used = held.flatMap(({ key }) => parseTableKey(key)?.network ?? []);
  return new Set([...recorded, ...used.filter((id) => networks.record(id)?.options.encrypted === true)]);
}

/** Two of the SPIs that others send with are the same: the kernel could have one of them only. */
function clash(peers: readonly SealedHost[]): boolean {
  const spis = peers.flatMap(({ receive }) => receive.map(({ spi }) => spi));
  return new Set(spis).size < spis.length;
}

function counts(ops: readonly Op[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { op } of ops) found[op] = (found[op] ?? 0) + 1;
  return found;
}
