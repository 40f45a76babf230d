import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { RemoteContent } from '../cluster/remote.ts';
import type { ClusterReport } from '../cluster/status.ts';
import { readClusterConfig } from '../config/cluster.ts';
import type { OverlayOptions } from '../config/overlay.ts';
import type { Core } from '../core/core.ts';
import { diffRemote, remoteQuery } from '../core/remote/diff.ts';
import { fault } from '../errors/fault.ts';

/** What `isthmus cluster status` prints. */
export interface ClusterInfo extends Omit<ClusterReport, 'networks'> {
  /** Name of the cluster. */
  readonly cluster: string;
  /** cluster.json, as the daemon has read it. */
  readonly file: string;
  readonly networks: readonly ClusterNetworkInfo[];
}

export interface ClusterNetworkInfo {
  readonly id: string;
  readonly name: string;
  readonly mode: string;
  /** In the store: addresses, or ranges of hosts. */
  readonly entries: number;
  /** Of hosts that have not said yet what they hold in a store that was wiped. */
  readonly carried: number;
  /** Entries that the kernel's tables lack or have too much; absent if this host has no device of the network. */
  readonly drift?: number;
}

/** What an overlay network has on one other host: an endpoint (`shared`), or all of them (`per-host`). */
export interface RemoteInfo {
  /** Addresses, or ranges. */
  readonly addresses: readonly string[];
  readonly mac: string;
  /** Name of the host, if the cluster knows one. */
  readonly host?: string;
  /** Its underlay address. */
  readonly underlay: string;
}

/** What a daemon knows of its cluster. */
export interface ClusterView {
  report(): ClusterReport;
  /** What other hosts have of a network, by its id in the cluster. */
  remote(network: string): RemoteContent | undefined;
}

export function clusterInfo(
  core: Core,
  view: ClusterView,
  { cluster, file }: Pick<ClusterInfo, 'cluster' | 'file'>,
): ClusterInfo {
  const report = view.report();
  const networks = report.networks.map((network): ClusterNetworkInfo => {
    const drift = driftOf(core, view, network.id);
    return { ...network, ...(drift !== undefined && { drift }) };
  });
  return { cluster, file, ...report, networks };
}

/** Sorted by host and address. */
export function listRemote(view: ClusterView, network: string): RemoteInfo[] {
  const content = view.remote(network);
  if (content === undefined) return [];
  const { members } = view.report();
  const all = content.mode === 'shared' ? content.endpoints : content.hosts;
  const found = all.map((one): RemoteInfo => {
    const name = members.find(({ underlay }) => underlay.includes(one.host))?.name;
    const addresses = 'addresses' in one ? one.addresses : one.ranges;
    return { addresses, mac: one.mac, ...(name !== undefined && { host: name }), underlay: one.host };
  });
  const order = ({ host = '', addresses }: RemoteInfo): string => `${host} ${addresses.join(' ')}`;
  return found.sort((a, b) => order(a).localeCompare(order(b), 'en', { numeric: true }));
}

/** Options of a network on record, if it is an overlay. */
export function overlayOptions({ store }: Core, name: string): OverlayOptions | undefined {
  const options = store.networks.get(name)?.spec?.options;
  return options?.driver === 'overlay' ? options : undefined;
}

/** Throws NetError `conflict` with their names while overlay networks have endpoints on this host. */
export function assertUnused({ store }: Core): void {
  const overlays = store.networks.list().filter(({ spec }) => spec?.options.driver === 'overlay');
  const used = overlays.filter(({ name }) => store.endpoints.list(name).length > 0).map(({ name }) => name);
  if (used.length === 0) return;
  const what = `overlay network ${used.join(', ')} has endpoints here`;
  throw fault.conflict('cluster.leave', 'host', what, 'Remove their containers first: isthmus endpoint ls lists them');
}

/** Throws NetError `exists` if the file is there and not that of cluster `name`. */
export function assertReplaceable(path: string, name: string): void {
  if (!existsSync(path)) return;
  const other = nameIn(path);
  if (other === name) return;
  const what = other === undefined ? 'it is there, and no file of a cluster' : `it is that of cluster ${other}`;
  throw fault.exists('cluster.join', `file ${path}`, what, 'Run cluster leave first, or give --force');
}

/** Writes the file whole, or not at all. Creates its directory. Throws NetError `io`. */
export function writeClusterFile(path: string, config: object): void {
  const draft = `${path}.${process.pid}.draft`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    const file = openSync(draft, 'wx', 0o644);
    try {
      writeSync(file, `${JSON.stringify(config, null, 2)}\n`);
      fsyncSync(file);
      renameSync(draft, path);
    } catch (thrown) {
      rmSync(draft, { force: true });
      throw thrown;
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint = 'Name another one with --file';
    throw fault.io('cluster.join', `file ${path}`, 'it cannot be written', hint, { reason, cause });
  }
}

/** Undefined for a file that the daemon would refuse. */
function nameIn(path: string): string | undefined {
  try {
    return readClusterConfig(path).name;
  } catch {
    return undefined;
  }
}

function driftOf(core: Core, view: ClusterView, id: string): number | undefined {
  const row = core.store.networks
    .list()
    .find(({ spec }) => spec?.options.driver === 'overlay' && spec.options.network === id);
  const options = row && overlayOptions(core, row.name);
  const content = view.remote(id);
  if (options === undefined || content === undefined) return undefined;
  const { device: vxlan } = options.vxlan;
  const network =
    content.mode === 'shared' ? { ...content, vxlan, bridge: options.bridge.bridge } : { ...content, vxlan };
  const seen = core.host.observe(core.host.own, remoteQuery(network));
  return seen.links.has(vxlan) ? diffRemote(network, seen).length : undefined;
}
