import type { Claim } from '../../src/shared/cluster/addresses.ts';
import { Cluster } from '../../src/shared/cluster/cluster.ts';
import { forgetCopy } from '../../src/shared/cluster/kept.ts';
import { assertRoom } from '../../src/shared/cluster/mtu.ts';
import type { RemoteContent } from '../../src/shared/cluster/remote.ts';
import type { ClusterReport } from '../../src/shared/cluster/status.ts';
import { endpointText, type NetworkRecord } from '../../src/shared/cluster/values.ts';
import type { ClusterConfig } from '../../src/shared/config/cluster.ts';
import type { OverlayConfig } from '../../src/shared/config/overlay.ts';
import type {
  AddressUse,
  ClaimRequest,
  ClusterNetworks,
  JoinedNetwork,
  OfferedRange,
  OfferRequest,
  OverlayRequest,
} from '../../src/shared/core/cluster-networks.ts';
import { asNetError } from '../../src/shared/errors/net-error.ts';
import type { LinuxHost } from '../../src/shared/host/linux-host.ts';
import { watchNeighbours } from '../../src/shared/host/watch-neighbours.ts';
import { watchTransforms } from '../../src/shared/host/watch-transforms.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import type { Addr } from '../../src/shared/model/addr.ts';
import { given } from '../../src/shared/model/given.ts';
import type { CallCore } from '../../src/shared/runtime/make-core.ts';
import type { ClusterStore } from '../../src/shared/store/cluster/cluster-store.ts';
import { joinedNetwork, offerOf } from './cluster-carried.ts';
import { devicesOf, KernelTables } from './cluster-kernel.ts';
import { currentStore, notInCluster, requestOf, sameNetwork, stillMember, whyNotReady } from './cluster-parts.ts';
import { PeerGuard } from './cluster-peers.ts';
import { Sealer } from './cluster-seal.ts';
import { addressOfSelf, describeSelf, FollowedSelf } from './cluster-self.ts';
import { isOnRecord, joined, moveDevices, Uses } from './cluster-uses.ts';

export interface ClusterSideParts {
  readonly host: LinuxHost;
  readonly stateDir: string;
  readonly log: Logger;
  /** The caller disposes of it. */
  readonly core: () => CallCore;
  /** Makes the networks of this host agree with their records. */
  readonly pass: () => Promise<void>;
  /** Called when the cluster has changed. */
  readonly called: () => void;
}

/** Time between two checks of the underlay, and of networks that this host does not use any more. */
const LOOK_MS = 1000;

/** The networks over several hosts that the daemon carries. */
export class ClusterSide implements ClusterNetworks, AsyncDisposable {
  readonly #config: ClusterConfig;
  readonly #parts: ClusterSideParts;
  readonly #watch: Disposable;
  readonly #cluster: Cluster;
  readonly #store: Disposable;
  readonly #tables: KernelTables;
  readonly #guard: PeerGuard;
  readonly #sealer: Sealer;
  readonly #end = new AbortController();
  readonly #running: Promise<unknown>;
  readonly #self: FollowedSelf;
  #timer: NodeJS.Timeout;
  #hasLeft = false;
  readonly #uses: Uses;
  #looking: Promise<void> = Promise.resolve();
  #willLook = false;

  constructor(config: ClusterConfig, parts: ClusterSideParts, store: ClusterStore) {
    const { stateDir, log } = parts;
    const { port, firstVni, lastVni, family } = config;
    [this.#config, this.#parts, this.#store] = [config, parts, store];
    this.#self = new FollowedSelf({
      describe: () => describeSelf(config, parts.host, stateDir),
      move: async (self) => {
        using core = parts.core();
        moveDevices(core.store, addressOfSelf(self, family));
        this.#sealer.sync();
        await parts.pass();
        this.#tables.doubt();
      },
      renumber: ({ underlay4, underlay6, mtu }) => this.#cluster.renumber({ ...given({ underlay4, underlay6 }), mtu }),
    });
    const local = currentStore(parts.core);
    this.#sealer = new Sealer({
      ...{ ...parts, family, port, cluster: () => this.#cluster, self: () => this.#self.current },
      watch: (heard) => watchTransforms(parts.host.own, heard),
    });
    this.#tables = new KernelTables({
      ...parts,
      devices: () => devicesOf(local.networks.list()),
      cluster: () => this.#cluster,
      seal: () => this.#sealer.sync(),
    });
    this.#cluster = new Cluster({
      ...{ store, local, stateDir, log, self: this.#self.current },
      settings: { port, underlay: family, firstVni, lastVni },
      graceMs: config.graceSeconds * 1000,
      elects: (config.etcd ?? config.zookeeper).endpoints.length > 1,
      isUsed: (_, { endpoint }) => isOnRecord(local, endpoint),
      changed: (network, before) => {
        this.#tables.changed(network, before);
        parts.called();
      },
      // A host that has just joined may send at once.
      peersChanged: () => {
        this.#tables.hostsChanged();
        setImmediate(() => {
          this.#sealer.sync();
          this.#look();
        });
      },
    });
    this.#uses = new Uses(parts.core, this.#cluster, this.#self.current.id);
    this.#guard = new PeerGuard({ family, addresses: () => this.#cluster.peers() });
    this.#watch = watchNeighbours(parts.host.own, () => this.#tables.doubt());
    this.#running = this.#cluster.run(this.#end.signal);
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  async join(asked: OverlayRequest, call: DisposableStack): Promise<JoinedNetwork> {
    const { name, config } = asked;
    const { mode, encrypted } = config;
    if (encrypted) this.#sealer.assertEsp(name);
    const request = requestOf(asked);
    if (!this.#serves(name, mode)) await joined(this.#cluster);
    const known = this.#cluster.networks.named(name);
    const id = known && sameNetwork(request, known[1]) ? known[0] : await this.#uses.create(request, call);
    const record = await this.#uses.use(id, call);
    // Also of a network that it used before: its underlay may have changed.
    assertRoom(this.#self.current, this.#config.family, record);
    if (encrypted) await this.#sealer.enter(name);
    return await joinedNetwork(this.#cluster, asked, { id, record }, { ...this.#config, self: this.#self.current });
  }

  async offer(name: string, asked: OfferRequest): Promise<OfferedRange | undefined> {
    return await offerOf(this.#cluster, name, asked);
  }

  named(name: string): NetworkRecord | undefined {
    return this.#cluster.networks.named(name)?.[1];
  }

  async claim(network: string, { owner, ...request }: ClaimRequest): Promise<Claim> {
    await joined(this.#cluster);
    return await this.#cluster.addresses.claim({ network, endpoint: endpointText(owner), ...request });
  }

  async amend(network: string, addresses: readonly Addr[], { owner, mac }: AddressUse): Promise<void> {
    await joined(this.#cluster);
    await this.#cluster.addresses.amend(network, addresses, { mac, endpoint: endpointText(owner) });
  }

  settle(claim: Claim): void {
    this.#cluster.addresses.settle(claim);
  }

  abandon(claim: Claim): void {
    this.#cluster.addresses.abandon(claim);
  }

  async mirror(name?: string): Promise<void> {
    if (name === undefined) this.#tables.changed(undefined);
    using core = this.#parts.core();
    const row = name === undefined ? undefined : core.store.networks.get(name);
    this.#sealer.sync();
    for (const devices of devicesOf(row === undefined ? [] : [row])) this.#tables.mirror(devices);
    await this.#guard.sync(core);
  }

  assertReady(name: string, mode: OverlayConfig['mode']): void {
    if (this.named(name)?.options.encrypted) this.#sealer.assertEsp(name);
    const why = whyNotReady(this.#cluster.status());
    if (why === undefined || this.#serves(name, mode)) return;
    throw notInCluster(name, why);
  }

  report(): ClusterReport {
    return this.#cluster.status();
  }

  /** Name of the cluster. */
  get name(): string {
    return this.#config.name;
  }

  remote(network: string): RemoteContent | undefined {
    return this.#cluster.remote(network);
  }

  forget(host: string): Promise<number> {
    return this.#cluster.forget(host);
  }

  /** As `Cluster.leave`. This process does not join again. */
  async leave(): Promise<void> {
    await this.#cluster.leave();
    await this.#stop();
  }

  /** Leaves without the store: its keys stay there. Throws NetError `conflict` while this host is a member. */
  async forceLeave(): Promise<void> {
    if (this.#cluster.isMember) throw stillMember(this.#self.current.name);
    await this.#stop();
  }

  /** Ends what keeps this host a member. */
  async #stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
    this.#hasLeft = true;
    forgetCopy(this.#parts.stateDir);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const one of [this.#watch, this.#sealer, this.#tables]) one[Symbol.dispose]();
    this.#end.abort();
    await Promise.allSettled([this.#running, this.#looking]);
    if (!this.#hasLeft) await this.#cluster.upkeep.save();
    this.#cluster[Symbol.dispose]();
    this.#store[Symbol.dispose]();
  }

  /** True if the host gives addresses of the network by itself. */
  #serves(name: string, mode: OverlayConfig['mode']): boolean {
    const known = this.#cluster.networks.named(name);
    return mode === 'per-host' && known !== undefined && this.#uses.has(known[0]);
  }

  /** Soon; those that ask meanwhile get one look. */
  #look(): void {
    if (this.#willLook) return;
    this.#willLook = true;
    this.#looking = this.#looking.then(async () => {
      this.#willLook = false;
      try {
        await this.#self.follow();
        this.#tables.compareIfDue();
        using core = this.#parts.core();
        await this.#uses.follow();
        await this.#sealer.complete();
        await this.#guard.sync(core);
      } catch (thrown) {
        this.#parts.log.warn('cluster.look', { error: asNetError(thrown, 'cluster').message });
      }
    });
  }
}
