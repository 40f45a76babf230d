import type { Cluster } from '../../src/shared/cluster/cluster.ts';
import type { TableBefore, TableEntry } from '../../src/shared/cluster/copy.ts';
import type { RemoteContent } from '../../src/shared/cluster/remote.ts';
import { changeRemote, diffRemote, remoteQuery } from '../../src/shared/core/remote/diff.ts';
import type { RemoteNetwork } from '../../src/shared/core/remote/remote.ts';
import { asNetError, type NetError } from '../../src/shared/errors/net-error.ts';
import type { Host, View } from '../../src/shared/host/host.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import type { Op } from '../../src/shared/model/op.ts';
import type { NetworkRow } from '../../src/shared/store/store.ts';

/** The devices of an overlay network on this host. */
export interface OverlayDevices {
  /** Its name here. */
  readonly name: string;
  /** Its id in the cluster. */
  readonly network: string;
  readonly vxlan: string;
  readonly bridge: string;
}

export interface KernelTablesParts {
  readonly host: Pick<Host, 'own' | 'observe' | 'revert'>;
  readonly log: Logger;
  /** Those on record. */
  readonly devices: () => readonly OverlayDevices[];
  readonly cluster: () => Pick<Cluster, 'remote' | 'remoteChange'>;
  /** Called before the tables change: the kernel encrypts what encrypted networks send. */
  readonly seal: () => void;
}

/** Time between two comparisons of all tables if no change is reported. */
const COMPARE_MS = 60_000;
/** Comparisons take at most one part in this many of the time, however many changes come. */
const SHARE = 4;
/** The same of comparisons because the kernel may say something else: each deletion of ours is heard too. */
const DOUBT_SHARE = 20;

/** Changes of one network that the kernel does not have yet: `whole` needs a comparison. */
type Changes = Map<string, TableEntry | undefined> | 'whole';

/**
 * Makes the kernel's tables of the overlay networks say what the cluster says of other hosts: changes as they come, in
 * time for the changes alone, and a comparison with all that is there whenever something else may have changed it.
 */
export class KernelTables implements Disposable {
  readonly #parts: KernelTablesParts;
  /** By network. */
  #dirty: Map<string, Changes> | 'all' = 'all';
  /** The kernel may say something else than it did. */
  #isInDoubt = false;
  /** The devices as they were last seen on record, by network. */
  #devices = new Map<string, OverlayDevices>();
  /** `generationOf` the devices whose tables were compared, by network. */
  readonly #compared = new Map<string, string>();
  /**
   * Networks that each look compares: they have had no VXLAN device, or another host claims what this one holds, and
   * nothing reports that it has released that.
   */
  readonly #unsettled = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #comparedAt = performance.now();
  #notBefore = 0;
  #compareNotBefore = 0;

  constructor(parts: KernelTablesParts) {
    this.#parts = parts;
  }

  /**
   * The cluster says something else of this network; without one, of any. `before`: what the changed entries of its table
   * were; without it, any may have changed. Changes that come together are one pass.
   */
  changed(network?: string, before?: TableBefore): void {
    if (network === undefined) this.#dirty = 'all';
    else if (this.#dirty !== 'all') note(this.#dirty, network, before);
    this.#timer ??= setTimeout(() => this.#run(), Math.max(0, this.#notBefore - performance.now())).unref();
  }

  /** The cluster has other records of hosts: what entries were before says no more what the kernel has. */
  hostsChanged(): void {
    if (this.#dirty !== 'all') for (const network of this.#dirty.keys()) this.#dirty.set(network, 'whole');
  }

  /** Makes the next `compareIfDue` compare all networks: the kernel's tables may have changed. */
  doubt(): void {
    this.#isInDoubt = true;
  }

  compareIfDue(): void {
    const now = performance.now();
    const isDue = this.#isInDoubt ? now >= this.#compareNotBefore : now - this.#comparedAt >= COMPARE_MS;
    if (isDue) this.#dirty = 'all';
    else for (const network of this.#unsettled) if (this.#dirty !== 'all') note(this.#dirty, network, undefined);
    if (this.#dirty === 'all' || this.#unsettled.size > 0) this.#run();
  }

  /** Makes the tables of one network right now. Compares only what has not been compared since its devices are there. */
  mirror(devices: OverlayDevices): void {
    const { network } = devices;
    this.#devices.set(network, devices);
    const changes = this.#dirty === 'all' ? 'whole' : (this.#dirty.get(network) ?? new Map());
    if (this.#dirty !== 'all') this.#dirty.delete(network);
    this.#follow(devices, changes);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #run(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const begin = performance.now();
    const dirty = this.#dirty;
    this.#dirty = new Map();
    try {
      this.#parts.seal();
      if (dirty === 'all') this.#compareAll(begin);
      else
        for (const [network, changes] of dirty) {
          if (!this.#devices.has(network)) this.#readDevices();
          const devices = this.#devices.get(network);
          if (devices !== undefined) this.#follow(devices, changes);
        }
    } catch (thrown) {
      this.#dirty = 'all';
      this.#parts.log.warn('cluster.tables', { error: asNetError(thrown, 'cluster').message });
    }
    const end = performance.now();
    this.#notBefore = end + (end - begin) * (SHARE - 1);
    if (dirty === 'all') this.#compareNotBefore = end + (end - begin) * (DOUBT_SHARE - 1);
  }

  #compareAll(now: number): void {
    this.#comparedAt = now;
    this.#isInDoubt = false;
    this.#compared.clear();
    this.#readDevices();
    for (const devices of this.#devices.values()) this.#follow(devices, 'whole');
  }

  #readDevices(): void {
    this.#devices = new Map(this.#parts.devices().map((devices) => [devices.network, devices]));
    for (const network of this.#unsettled) if (!this.#devices.has(network)) this.#unsettled.delete(network);
  }

  #follow(devices: OverlayDevices, changes: Changes): void {
    const { host } = this.#parts;
    const view = host.observe(host.own, { links: [devices.vxlan, devices.bridge] });
    const generation = generationOf(devices, view);
    if (generation === undefined) {
      this.#compared.delete(devices.network);
      this.#unsettled.add(devices.network);
      return;
    }
    const isSettled = !this.#unsettled.delete(devices.network);
    const isCompared = isSettled && this.#compared.get(devices.network) === generation;
    if (!isCompared || !this.#change(devices, changes, view)) this.#compare(devices, generation);
  }

  /** False: only a comparison tells what the kernel needs, or it has refused an entry. */
  #change(devices: OverlayDevices, changes: Changes, view: View): boolean {
    if (changes === 'whole') return false;
    const change = this.#parts.cluster().remoteChange(devices.network, changes);
    if (change === undefined) return false;
    const [before, after] = [networkOf(change.before, devices), networkOf(change.after, devices)];
    return this.#revert(changeRemote(before, after, view)).length === 0;
  }

  #compare(devices: OverlayDevices, generation: string): void {
    const { host, log, cluster } = this.#parts;
    const content = cluster().remote(devices.network);
    if (content === undefined) return;
    const network = networkOf(content, devices);
    for (const { message } of this.#revert(diffRemote(network, host.observe(host.own, remoteQuery(network)))))
      log.warn('cluster.entry', { network: devices.name, error: message });
    this.#compared.set(devices.network, generation);
    if (content.isContested) this.#unsettled.add(devices.network);
  }

  #revert(ops: readonly Op[]): NetError[] {
    const { host } = this.#parts;
    return ops.length === 0 ? [] : host.revert(ops, { host: host.own });
  }
}

/** Another one once a device has been made again, or is the port of another bridge; undefined without the VXLAN device. */
function generationOf({ vxlan, bridge }: OverlayDevices, { links }: View): string | undefined {
  const device = links.get(vxlan);
  return (
    device && `${device.index} ${device.mac} ${device.master} ${links.get(bridge)?.index} ${links.get(bridge)?.mac}`
  );
}

/** The devices of the overlay networks among the rows. */
export function devicesOf(rows: readonly NetworkRow[]): OverlayDevices[] {
  return rows.flatMap(({ name, spec }) => {
    const options = spec?.options;
    if (options?.driver !== 'overlay') return [];
    const { network, vxlan, bridge } = options;
    return [{ name, network, vxlan: vxlan.device, bridge: bridge.bridge }];
  });
}

function networkOf(content: RemoteContent, { vxlan, bridge }: OverlayDevices): RemoteNetwork {
  return content.mode === 'shared' ? { ...content, vxlan, bridge } : { ...content, vxlan };
}

/** Keeps what an entry was before the first of its changes. */
function note(dirty: Map<string, Changes>, network: string, before: TableBefore | undefined): void {
  const known = dirty.get(network);
  if (before === undefined) dirty.set(network, 'whole');
  else if (known === undefined) dirty.set(network, new Map(before));
  else if (known !== 'whole') for (const [rest, entry] of before) if (!known.has(rest)) known.set(rest, entry);
}
