import type { RangeConfig } from '../config/ipam-ranges.ts';
import { formatRangeConfig, type NetworkSpec, type RangeText } from '../config/network-spec.ts';
import { parentedOf } from '../config/parented.ts';
import type { Core } from '../core/core.ts';
import { fault } from '../errors/fault.ts';
import { capacity, type RangeSpec, usable } from '../ipam/ranges.ts';
import { formatAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import type { NetworkHolder } from '../model/owned.ts';
import { describePrefix, firstHost } from '../model/prefix.ts';
import type { NetworkRow } from '../store/store.ts';
import { type EndpointInfo, listEndpoints } from './endpoints.ts';
import { networkRow, networkRows } from './network-rows.ts';

/** Networks that appear in every list, as in Docker's; a CNI network may have the same name. */
export const PREDEFINED: readonly { readonly name: string; readonly driver: string }[] = [
  { name: 'bridge', driver: 'bridge' },
  { name: 'host', driver: 'host' },
  { name: 'none', driver: 'null' },
];

/** One subnet of a network. */
export interface SubnetInfo extends RangeText {
  /** Default: the subnet's first address. */
  readonly gateway: string;
  /** First and last address of the range that an interface can have. */
  readonly first: string;
  readonly last: string;
  /** How many of them endpoints can have; approximate above 2^53. */
  readonly size: number;
  /** Number of addresses in use; absent if another program assigns them. */
  readonly leased?: number;
}

/** One network in operator commands. */
export interface NetworkInfo {
  readonly name: string;
  readonly driver: string;
  /** The host device of the network; absent if it has none. */
  readonly device?: string;
  /** False if the device is missing in the kernel. */
  readonly present: boolean;
  readonly predefined: boolean;
  readonly internal: boolean;
  readonly masquerade: boolean;
  /** Of driver overlay. */
  readonly overlay?: OverlayInfo;
  /** Who assigns the addresses: `isthmus`, `docker`, a CNI IPAM plugin; absent if the network has no addresses. */
  readonly allocator?: string;
  readonly subnets: readonly SubnetInfo[];
  /** Users that keep it without endpoints. */
  readonly holders: readonly NetworkHolder[];
  readonly endpoints: readonly EndpointInfo[];
}

/** What a network over several hosts has besides. */
export interface OverlayInfo {
  /** In the cluster. */
  readonly id: string;
  readonly mode: string;
  readonly vni: number;
  /** Of the network's interfaces. */
  readonly mtu?: number;
  /** Name of the VXLAN device. */
  readonly vxlan: string;
}

/** Docker's names of networks, by NetworkID. */
export type NetworkNames = ReadonlyMap<string, string>;

/** Lists the predefined networks and those of the state, sorted by name. */
export async function listNetworks(core: Core): Promise<NetworkInfo[]> {
  const rows = networkRows(core);
  const found = await Promise.all(rows.map((row) => describe(core, row)));
  const others = PREDEFINED.filter(({ name }) => !rows.some((row) => row.name === name));
  return [...found, ...others.map(predefined)].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Finds the network that `text` names: its name, Docker's name for it, or the beginning of a Docker network id (at
 * least 6 digits). Throws NetError `unknown-container` if none matches, `conflict` if several do.
 */
export async function inspectNetwork(core: Core, text: string, names: NetworkNames = new Map()): Promise<NetworkInfo> {
  const row = findRow(core, text, names);
  if (row !== undefined) return await describe(core, row);
  const known = PREDEFINED.find(({ name }) => name === text);
  if (known !== undefined) return predefined(known);
  throw fault.unknownContainer(
    'network',
    text,
    'there is no network of this name or id',
    'isthmus network ls shows those that there are',
  );
}

function findRow(core: Core, text: string, names: NetworkNames): NetworkRow | undefined {
  const { store } = core;
  const own = networkRow(core, text);
  if (own !== undefined) return own;
  const all = store.dockerNetworks.list();
  const called = all.filter(({ id }) => names.get(id) === text);
  const isId = /^[0-9a-f]{6,64}$/.test(text);
  const found = called.length > 0 || !isId ? called : all.filter(({ id }) => id.startsWith(text));
  const [name, ...more] = new Set(found.map(({ network }) => network));
  if (name === undefined) return undefined;
  if (more.length === 0) return store.networks.get(name);
  const what = `it means ${more.length + 1} networks: ${[name, ...more].join(', ')}`;
  throw fault.conflict('network', text, what, 'Give the name of one of them');
}

async function describe(core: Core, row: NetworkRow): Promise<NetworkInfo> {
  const { name, driver, device, spec, holders = [] } = row;
  const links = device === '' ? undefined : core.host.observe(core.host.own, { links: [device] }).links;
  const policy = spec?.rules?.options.policy;
  return {
    name,
    driver,
    ...(device === '' ? {} : { device }),
    present: links === undefined || links.has(device),
    predefined: false,
    internal: policy === 'internal' || parentedOf(spec?.options)?.internal === true,
    masquerade: spec?.rules?.options.masquerade !== undefined,
    ...overlayOf(spec),
    ...allocatorOf(spec),
    subnets: await subnetsOf(core, row),
    holders,
    endpoints: listEndpoints(core, name),
  };
}

function overlayOf(spec: NetworkSpec | undefined): { overlay?: OverlayInfo } {
  if (spec?.options.driver !== 'overlay') return {};
  const { network: id, mode, vxlan, bridge } = spec.options;
  return { overlay: { id, mode, vni: vxlan.id, ...given({ mtu: bridge.mtu }), vxlan: vxlan.device } };
}

function allocatorOf(spec: NetworkSpec | undefined): { allocator?: string } {
  if (spec === undefined) return {};
  if (spec.allocator !== undefined) return { allocator: spec.allocator };
  return spec.scope === undefined ? {} : { allocator: 'isthmus' };
}

/** The subnets that its endpoints get addresses from. */
export async function subnetsOf(core: Core, { spec }: NetworkRow): Promise<SubnetInfo[]> {
  return await Promise.all((spec?.ranges.flat() ?? []).map((range) => subnetOf(core, range, spec?.scope)));
}

async function subnetOf({ store }: Core, range: RangeConfig, scope: string | undefined): Promise<SubnetInfo> {
  const whole = await describePrefix(range.subnet);
  const leased = scope === undefined ? {} : { leased: store.leases.count(scope, whole.first, whole.last) };
  const gateway = range.gateway ?? firstHost(range.subnet);
  const spec: RangeSpec = { rangeStart: whole.first, rangeEnd: whole.last, ...range, gateway };
  const { first, last } = usable(spec);
  return {
    ...formatRangeConfig(range),
    gateway: formatAddr(gateway),
    first: formatAddr(first),
    last: formatAddr(last),
    size: Number(capacity([spec], [gateway])),
    ...leased,
  };
}

function predefined({ name, driver }: (typeof PREDEFINED)[number]): NetworkInfo {
  return {
    name,
    driver,
    present: true,
    predefined: true,
    internal: false,
    masquerade: false,
    subnets: [],
    holders: [],
    endpoints: [],
  };
}

/** The number of addresses as text: exact, or from 2^53 on as a power of two that is close, as `2^64`. */
export function formatSize(size: number): string {
  return size <= Number.MAX_SAFE_INTEGER ? String(size) : `2^${Math.round(Math.log2(size))}`;
}
