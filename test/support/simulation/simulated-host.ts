import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KernelTables, type OverlayDevices } from '../../../cmd/cnm-shim/cluster-kernel.ts';
import { Cluster } from '../../../src/shared/cluster/cluster.ts';
import { forgetCopy } from '../../../src/shared/cluster/kept.ts';
import { deviceMac } from '../../../src/shared/cluster/remote.ts';
import type { Self } from '../../../src/shared/cluster/site.ts';
import { allocate } from '../../../src/shared/ipam/allocate.ts';
import { release } from '../../../src/shared/ipam/leases.ts';
import type { Addr } from '../../../src/shared/model/addr.ts';
import { hostId } from '../../../src/shared/model/attachment.ts';
import type { Op } from '../../../src/shared/model/op.ts';
import type { ClusterStore } from '../../../src/shared/store/cluster/cluster-store.ts';
import { FakeHost } from '../../../src/shared/testing/fake-host.ts';
import { MemoryDisk, MemoryStore } from '../../../src/shared/testing/memory-store.ts';
import { SETTINGS } from '../cluster-machine.ts';

export interface SimulatedParts {
  /** Names the host, and gives it its underlay address. Below 60,000. */
  readonly index: number;
  /** Opens a connection of its own. */
  readonly open: () => Promise<ClusterStore>;
  /** Of all hosts. */
  readonly stateDirs: string;
  /** Called with what the kernel is told of other hosts, once it has it. */
  readonly told?: (network: string, ops: readonly Op[]) => void;
}

/** One endpoint of a simulated host. */
interface Attached {
  readonly network: string;
  readonly addresses: readonly Addr[];
}

const LOOK_MS = 1_000;
const SILENT = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

/**
 * A host of a cluster with its daemon's own parts: `Cluster`, its ledger and copy, and `KernelTables`; the kernel is a
 * FakeHost, and the state is in memory. What survives a daemon's end survives `stop`.
 */
export class SimulatedHost {
  readonly self: Self;
  /** By name. */
  readonly endpoints = new Map<string, Attached>();
  #fake: FakeHost;
  #devices: OverlayDevices[] = [];
  #cluster: Cluster | undefined;
  #tables: KernelTables | undefined;
  #stop: (() => Promise<void>) | undefined;
  #boots = 1;
  #made = 0;
  readonly #parts: SimulatedParts;
  readonly #disk = new MemoryDisk();

  constructor(parts: SimulatedParts) {
    this.#parts = parts;
    const { index } = parts;
    const id = `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
    const underlay4 = `172.${16 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
    this.self = { id, name: `host-${index}`, bootId: this.#bootId, underlay4, mtu: 1500, release: '1' };
    this.#fake = new FakeHost();
  }

  get isUp(): boolean {
    return this.#cluster !== undefined;
  }

  get cluster(): Cluster {
    if (this.#cluster === undefined) throw new Error(`${this.self.name} is down`);
    return this.#cluster;
  }

  /** Ids of the networks that it has devices of. */
  get networks(): readonly string[] {
    return this.#devices.map(({ network }) => network);
  }

  /** Starts the daemon, and resolves once it has joined. */
  async start(): Promise<void> {
    const { open } = this.#parts;
    const stateDir = this.#stateDir;
    mkdirSync(stateDir, { recursive: true });
    const store = await open();
    const self = { ...this.self, bootId: this.#bootId };
    const identity = { hostId: hostId('root'), bootId: self.bootId, bootedAt: 0 };
    const local = new MemoryStore(identity, this.#disk);
    const tables = new KernelTables({
      ...{ host: this.#kernel(), log: SILENT, devices: () => this.#devices, seal: () => {} },
      cluster: () => this.cluster,
    });
    const cluster = new Cluster({
      ...{ store, local, stateDir, settings: SETTINGS, log: SILENT, self },
      isUsed: (_, { endpoint }) => this.endpoints.has(endpoint),
      changed: (network, before) => tables.changed(network, before),
      peersChanged: () => tables.hostsChanged(),
    });
    this.#cluster = cluster;
    this.#tables = tables;
    const end = new AbortController();
    const running = cluster.run(end.signal);
    const timer = setInterval(() => tables.compareIfDue(), LOOK_MS);
    this.#stop = async () => {
      clearInterval(timer);
      // The store first: once it is closed, nothing ends the session.
      for (const part of [store, tables, cluster]) part[Symbol.dispose]();
      end.abort();
      await running;
    };
    while (!cluster.isMember) {
      if (end.signal.aborted) throw new Error(`${self.name} has not joined`);
      await sleep(5);
    }
  }

  /** As `kill -9` of the daemon: its session ends by itself. The kernel goes on. */
  async kill(): Promise<void> {
    const stop = this.#stop;
    [this.#cluster, this.#tables, this.#stop] = [undefined, undefined, undefined];
    await stop?.();
  }

  /** Of a host whose daemon is down: nothing runs on it any more, and its kernel is empty. */
  reboot(): void {
    this.#boots++;
    this.endpoints.clear();
    this.emptyKernel();
  }

  /** Of a host whose daemon is down: the devices are there, and no entry of theirs. */
  emptyKernel(): void {
    this.#fake = new FakeHost();
    for (const devices of this.#devices) this.#makeDevices(devices);
  }

  /** Of a host whose daemon is down: it knows nothing of the others. */
  forgetOthers(): void {
    forgetCopy(this.#stateDir);
  }

  /** Uses the network, and has its devices. */
  async use(network: string): Promise<void> {
    if (this.networks.includes(network)) return;
    const { mode, vni, name } = await this.cluster.networks.use(network);
    const devices = { name, network, vxlan: `vx${vni}`, bridge: mode === 'shared' ? `br${vni}` : '' };
    this.#devices.push(devices);
    this.#makeDevices(devices);
    this.#tables?.mirror(devices);
  }

  /** Attaches an endpoint: what the daemon's ADD asks of the cluster. Returns its name. */
  async add(network: string, requested: readonly Addr[] = []): Promise<string> {
    const { cluster } = this;
    const endpoint = `cni/${this.self.name}x${this.#boots}x${this.#made++}/eth0`;
    const record = cluster.networks.record(network);
    const addresses =
      record?.mode === 'per-host'
        ? await this.#allocate(network, endpoint)
        : await this.#claim(network, endpoint, requested);
    this.endpoints.set(endpoint, { network, addresses });
    return endpoint;
  }

  del(endpoint: string): void {
    const found = this.endpoints.get(endpoint);
    if (found === undefined) return;
    this.endpoints.delete(endpoint);
    if (this.cluster.networks.record(found.network)?.mode === 'shared')
      this.cluster.addresses.release(found.network, { endpoint });
    else release(this.#local(), found.network, ownerOf(found.network, endpoint));
  }

  /** Lines of its tables, of one network, in order. */
  tablesOf(network: string): string[] {
    const devices = this.#devices.find((one) => one.network === network);
    if (devices === undefined) return [];
    const { vxlan, bridge } = devices;
    const dev = bridge === '' ? vxlan : bridge;
    const view = this.#fake.observe(this.#fake.own, { forwarding: [vxlan], neighbours: [dev], routes: true });
    return [
      ...view.forwarding.map(({ mac, flags, dst }) => (flags === 'self' ? `fdb ${mac} ${dst}` : `port ${mac}`)),
      ...view.neighbours.map(({ address, mac }) => `neigh ${address} ${mac}`),
      ...view.routes.flatMap((route) => (route.dev === vxlan ? [`route ${route.dst} ${route.gateway}`] : [])),
    ].sort();
  }

  get #stateDir(): string {
    return join(this.#parts.stateDirs, String(this.#parts.index));
  }

  get #bootId(): string {
    return `boot-${this.#boots}`;
  }

  #local(): MemoryStore {
    return new MemoryStore({ hostId: hostId('root'), bootId: this.#bootId, bootedAt: 0 }, this.#disk);
  }

  async #claim(network: string, endpoint: string, requested: readonly Addr[]): Promise<readonly Addr[]> {
    const { cluster } = this;
    const claim = await cluster.addresses.claim({ network, requested, endpoint });
    cluster.addresses.settle(claim);
    return claim.addresses.map(({ address }) => address.addr);
  }

  async #allocate(network: string, endpoint: string): Promise<readonly Addr[]> {
    const sets = await this.cluster.addresses.ranges(network);
    const request = { scope: network, sets, requested: [], owner: ownerOf(network, endpoint) };
    return allocate(this.#local(), request).map(({ address }) => address.addr);
  }

  #makeDevices({ network, vxlan, bridge }: OverlayDevices): void {
    const ns = 'host';
    const link = { kind: 'vxlan', id: Number(vxlan.slice(2)), local: this.self.underlay4 ?? '' } as const;
    const up = (name: string): Op => ({ op: 'link.set', ns, name, set: { up: true } });
    const master: Op[] =
      bridge === '' ? [] : [{ op: 'link.create', ns, name: bridge, link: { kind: 'bridge' } }, up(bridge)];
    const mac = deviceMac(this.self.id, network);
    const device: Op = { op: 'link.create', ns, name: vxlan, link, mac, ...(bridge !== '' && { master: bridge }) };
    this.#fake.apply([...master, device, up(vxlan)], { host: this.#fake.own });
  }

  /** The host's kernel, which tells what it is told. */
  #kernel(): Pick<FakeHost, 'own' | 'observe' | 'revert'> {
    const { told } = this.#parts;
    const fake = this.#fake;
    return {
      own: fake.own,
      observe: (ns, query) => fake.observe(ns, query),
      revert: (ops, namespaces) => {
        const errors = fake.revert(ops, namespaces);
        const [first] = ops;
        if (first !== undefined && 'dev' in first) told?.(this.#networkOf(String(first.dev)), ops);
        return errors;
      },
    };
  }

  #networkOf(device: string): string {
    return this.#devices.find(({ vxlan, bridge }) => vxlan === device || bridge === device)?.network ?? '';
  }
}

function ownerOf(network: string, endpoint: string) {
  const [, containerId = ''] = endpoint.split('/');
  return { camp: 'cni', network, containerId, ifName: 'eth0' } as const;
}
