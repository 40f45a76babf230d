import type { NetworkRequest } from '../../src/shared/cluster/networks.ts';
import type { ClusterReport } from '../../src/shared/cluster/status.ts';
import type { NetworkRecord } from '../../src/shared/cluster/values.ts';
import { type ClusterConfig, readNamed, type ZooKeeperConfig } from '../../src/shared/config/cluster.ts';
import type { OverlayRequest } from '../../src/shared/core/cluster-networks.ts';
import { fault } from '../../src/shared/errors/fault.ts';
import type { NetError } from '../../src/shared/errors/net-error.ts';
import type { Host } from '../../src/shared/host/host.ts';
import { formatSet, type RangeSet } from '../../src/shared/ipam/ranges.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import type { CallCore } from '../../src/shared/runtime/make-core.ts';
import type { ClusterOptions } from '../../src/shared/store/cluster/open.ts';
import type { LocalStore } from '../../src/shared/store/store.ts';

/** The options of the cluster's store, with the content of the named files. Throws NetError `invalid-config`. */
export function storeOptions(config: ClusterConfig): ClusterOptions {
  const root = `/isthmus/${config.name}/v1/`;
  const { etcd, zookeeper } = config;
  if (etcd === undefined)
    return { kind: 'zookeeper', endpoints: zookeeper.endpoints, root, ...userOf(zookeeper, '.zookeeper') };
  const { endpoints, ca, cert, key, serverName } = etcd;
  const client =
    cert === undefined || key === undefined
      ? undefined
      : { certificate: readNamed(cert, '.etcd.cert'), key: readNamed(key, '.etcd.key') };
  const isTls = ca !== undefined || client !== undefined || serverName !== undefined;
  const tls = {
    ...(ca !== undefined && { ca: readNamed(ca, '.etcd.ca') }),
    ...(client !== undefined && { client }),
    ...(serverName !== undefined && { serverName }),
  };
  return { kind: 'etcd', endpoints, root, ...(isTls && { tls }), ...userOf(etcd, '.etcd') };
}

/** `key` leads to the configuration of the store. */
function userOf({ user, passwordFile }: ZooKeeperConfig, key: string) {
  if (user === undefined || passwordFile === undefined) return {};
  const [password = ''] = readNamed(passwordFile, `${key}.passwordFile`).toString('utf8').split('\n');
  return { user: { name: user, password } };
}

/** The daemon's store: each use opens the current one, since a state that was replaced has another. */
export function currentStore(open: () => CallCore): LocalStore {
  const now = (): LocalStore => {
    using core = open();
    return core.store;
  };
  return new Proxy({} as LocalStore, {
    get: (_, key) => {
      const store = now();
      const value: unknown = Reflect.get(store, key);
      return typeof value === 'function' ? value.bind(store) : value;
    },
  });
}

/** How this host reaches its peers. */
export interface Underlay {
  /** Absent: it has no address of the family. */
  readonly address?: string;
  readonly mtu: number;
}

const USUAL_MTU = 1500;

/** The address that the configuration names, else that of the default route's device, with the device's MTU. */
export function underlayOf(
  host: Pick<Host, 'observe' | 'own'>,
  { underlay, family }: Pick<ClusterConfig, 'underlay' | 'family'>,
): Underlay {
  const view = host.observe(host.own, { links: 'all', addresses: 'all', routes: true });
  const isOf = (address: string): boolean =>
    address.includes(':') === (family === 6) && !address.startsWith('fe80:') && !address.startsWith('127.');
  const candidates = view.addresses.filter(({ address }) => isOf(address));
  const named = candidates.find(({ address, dev }) => dev === underlay || address.split('/')[0] === underlay);
  const everywhere = family === 4 ? '0.0.0.0/0' : '::/0';
  const defaults = view.routes.filter(({ dst, dev }) => dst === everywhere && dev !== undefined);
  const [best] = defaults.toSorted((a, b) => (a.priority ?? 0) - (b.priority ?? 0));
  const found = underlay === undefined ? candidates.find(({ dev }) => dev === best?.dev) : named;
  const mtu = view.links.get(found?.dev ?? '')?.mtu ?? USUAL_MTU;
  const address = found?.address.split('/')[0];
  return { ...(address !== undefined && { address }), mtu };
}

/** Throws NetError `invalid-config` if the file names an underlay that this host does not have. */
export function assertUnderlay(found: Underlay, { underlay, family }: ClusterConfig, path: string): void {
  if (underlay === undefined || found.address !== undefined) return;
  const what = `.underlay=${underlay} is no address of IPv${family} and no interface with one on this host`;
  throw fault.invalidConfig('cluster', path, what, 'Name an address or an interface of this host');
}

/** Length of the range that a host leases of the first pool of each family. */
export function rangeLengths(sets: readonly RangeSet[]): Pick<NetworkRequest, 'hostLength4' | 'hostLength6'> {
  const lengthOf = (family: 4 | 6): number | undefined =>
    sets.flat().find(({ subnet }) => subnet.addr.family === family)?.subnet.length;
  const [four, six] = [lengthOf(4), lengthOf(6)];
  return {
    ...(four !== undefined && { hostLength4: four < 24 ? 24 : Math.min(four + 3, 30) }),
    ...(six !== undefined && { hostLength6: six < 80 ? 80 : Math.min(six + 8, 126) }),
  };
}

/** Why this host cannot change the cluster's store; undefined if it can. */
export function whyNotReady({ isMember, obstacle, watches }: ClusterReport): string | undefined {
  const late = watches.find(({ lost }) => lost !== undefined)?.lost;
  return isMember && late === undefined ? undefined : (obstacle ?? late?.why ?? 'it has not joined yet');
}

/** The request to the cluster for this network. */
export function requestOf({ name, config, bridge, sets, internal }: OverlayRequest): NetworkRequest {
  const { mode, flood, hostAddress, encrypted, vni } = config;
  const { mtu } = bridge;
  return {
    ...{ name, mode, sets, options: { flood, hostAddress, internal, encrypted } },
    ...(mode === 'per-host' ? rangeLengths(sets) : {}),
    ...(vni !== undefined && { vni }),
    ...(mtu !== undefined && { mtu }),
  };
}

/** True if the known network is as requested, so that the store need not be asked. */
export function sameNetwork(asked: NetworkRequest, known: NetworkRecord): boolean {
  const text = ({ mode, sets, options, hostLength4, hostLength6 }: NetworkRequest | NetworkRecord): string =>
    JSON.stringify([mode, sets.map(textOfSet), optionsText(options), hostLength4 ?? 0, hostLength6 ?? 0]);
  const isWithin = (wanted: number | undefined, is: number): boolean => wanted === undefined || wanted === is;
  return (
    known.state === 'live' &&
    text(asked) === text(known) &&
    isWithin(asked.vni, known.vni) &&
    isWithin(asked.mtu, known.mtu)
  );
}

const textOfSet = (set: RangeSet): string =>
  `${formatSet(set)} ${set.map(({ gateway }) => formatAddr(gateway)).join(' ')}`;

const optionsText = ({ flood, hostAddress, internal, encrypted }: NetworkRequest['options']): string =>
  [flood, hostAddress, internal, encrypted].join(' ');

/** NetError `unavailable`: an ADD on the network would fail. */
export function notInCluster(network: string, why: string): NetError {
  const what = `this host is not in its cluster: ${why}`;
  return fault.unavailable('STATUS', `network ${network}`, what, 'Wait, or see isthmus cluster status');
}

/** NetError `conflict`: a member leaves with its keys. */
export function stillMember(host: string): NetError {
  const what = 'it is a member, so its keys can be deleted';
  return fault.conflict('cluster.leave', `host ${host}`, what, 'Leave --force out');
}
