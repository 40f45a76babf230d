import type { Family } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { field, isObject, type Json } from '../model/json.ts';
import { type BridgeOptions, wantsSpoofGuard } from './bridge.ts';
import { type ChainedConfig, type ChainedName, parseChained } from './chained.ts';
import { parseCniArgs } from './cni-args.ts';
import { type DhcpOptions, parseDhcp } from './dhcp.ts';
import { type Document, parseNetworkName } from './document.ts';
import type { InterfaceDriver, InterfaceOptions } from './inside.ts';
import { invalid } from './invalid.ts';
import { assertGatewaysInside } from './ipam-ranges.ts';
import { type LocalIpam, parseLocalIpam, requestedIn } from './local-ipam.ts';
import { type DriverName, ipamType, type NetworkConfig, parseNetconf } from './netconf.ts';
import { type OverlayConfig, withoutPool } from './overlay.ts';

import { besideHost, withHostAccess } from './read-host-access.ts';

import { isRemoteIpam, parseRemoteIpam, type RemoteIpam } from './remote.ts';

import { type CniResult, parseResult } from './result.ts';
import type { CniVersion } from './versions.ts';

/** Names of the executable; argv[0] selects one. */
export type PluginName =
  | 'isthmus'
  | 'bridge'
  | 'dhcp'
  | 'host-local'
  | 'loopback'
  | 'static'
  | Exclude<InterfaceDriver, 'remote'>
  | ChainedName;

/** How an attachment gets its addresses. */
export type IpamConfig = LocalIpam | DhcpConfig | RemoteIpamConfig | DelegateConfig;

/** A DHCP server on the network, asked by the daemon. */
export interface DhcpConfig extends DhcpOptions {
  readonly kind: 'dhcp';
}

/** An IPAM plugin that was written for Docker. */
export interface RemoteIpamConfig extends RemoteIpam {
  readonly kind: 'remote';
}

/** A foreign IPAM plugin. */
export interface DelegateConfig {
  readonly kind: 'delegate';
  readonly type: string;
}

/** An interface in the sandbox that is a port of a bridge, with its network. */
export interface EndpointConfig extends NetworkConfig {
  readonly kind: 'endpoint';
  readonly options: BridgeOptions;
  /** Present: the bridge is this host's part of a network over several hosts. */
  readonly overlay?: OverlayConfig;
  /** Absent: the interface gets no addresses. */
  readonly ipam?: IpamConfig;
  /** True if the configuration itself asks for the spoof guard, which is else on only where the kernel has it. */
  readonly requiresGuard: boolean;
}

/** An interface in the sandbox that is on no bridge of the host. */
export interface InterfaceConfig extends NetworkConfig {
  readonly kind: 'interface';
  readonly options: InterfaceOptions;
  /** Absent: the interface gets no addresses, or those of an earlier plugin (ipvlan). */
  readonly ipam?: IpamConfig;
}

/** What a plugin does, by its kind. */
type Wanted =
  | EndpointConfig
  | InterfaceConfig
  /** The sandbox's loopback interface, or the host's own interfaces. */
  | { readonly kind: 'null' | 'host' }
  /** Addresses for another plugin's interface (an IPAM plugin). */
  | { readonly kind: 'addresses'; readonly ipam: LocalIpam | DhcpConfig }
  | ChainedConfig;

/** A parsed configuration, for ADD, CHECK and STATUS. */
export type PluginConfig = Wanted & {
  /** Name of the network. */
  readonly name: string;
  /** Of ADD: the result of earlier plugins in a list. Of CHECK: the result of ADD. */
  readonly previous?: CniResult;
  /** Present: an exhausted pool does not fail STATUS, and is only a line in the log. */
  readonly exhaustedStatus?: 'log';
};

/** What the meaning of a configuration depends on. */
export interface Reading {
  readonly plugin: PluginName;
  readonly command: 'ADD' | 'CHECK' | 'STATUS';
  /** CNI_ARGS, unparsed. */
  readonly args: string;
  /** CNI_IFNAME; empty without an interface. */
  readonly ifName: string;
  /** Version of the result. */
  readonly version: CniVersion;
  /** Returns true if the IPAM plugin of this name is Isthmus. May throw NetError if the plugin is not installed. */
  readonly isOwn: (type: string) => boolean;
}

/**
 * Parses a whole configuration, for ADD, CHECK and STATUS. Throws NetError `invalid-config` naming path, value and rule;
 * `bad-environment` for CNI_ARGS; `unsupported-field` for options that the chosen backend cannot implement.
 */
export function parsePlugin({ json, text }: Document, reading: Reading): PluginConfig {
  const config = isObject(json) ? json : {};
  const { command } = reading;
  const before = command === 'ADD' ? previousIn(config) : undefined;
  const name = parseNetworkName(field(config, 'name'));
  const wanted = parseWanted(config, reading, text);
  // host-local and static check leases by their owner, and ignore prevResult.
  const later = command === 'CHECK' && wanted.kind !== 'addresses' ? previousIn(config) : undefined;
  const previous = before ?? later;
  const onlyLogs = field(config, 'exhaustedStatus') === 'log';
  return { ...wanted, name, ...given({ previous }), ...(onlyLogs ? { exhaustedStatus: 'log' } : {}) };
}

function previousIn(config: Json): CniResult | undefined {
  const value = field(config, 'prevResult');
  return value === undefined ? undefined : parseResult(value, '.prevResult');
}

function parseWanted(config: Json, reading: Reading, text?: string): Wanted {
  const { plugin, args, ifName } = reading;
  switch (plugin) {
    case 'host-local':
    case 'static':
      return { kind: 'addresses', ipam: parseLocalIpam(config, reading, plugin) };
    case 'dhcp':
      return { kind: 'addresses', ipam: parseDhcpIpam(config, args) };
    case 'bandwidth':
    case 'firewall':
    case 'portmap':
    case 'tuning':
    case 'sbr':
    case 'vrf':
      return parseChained(plugin, config, { args, ifName, ...given({ text }) });
    default:
      return parseInterface(config, { ...reading, plugin });
  }
}

/** The driver that a plugin's own name means. */
export const DRIVER_OF: Readonly<Partial<Record<PluginName, DriverName>>> = {
  bridge: 'bridge',
  loopback: 'null',
  macvlan: 'macvlan',
  ipvlan: 'ipvlan',
  vlan: 'vlan',
  ptp: 'ptp',
  dummy: 'dummy',
  tap: 'tap',
  'host-device': 'host-device',
};

/** Plugins whose references read no CNI_ARGS, so they refuse none. */
const WITHOUT_ARGS: readonly PluginName[] = ['loopback', 'ipvlan', 'vlan', 'ptp', 'dummy', 'host-device'];

function parseInterface(config: Json, reading: Reading): Wanted {
  const { plugin, args } = reading;
  const mac = WITHOUT_ARGS.includes(plugin) ? undefined : parseCniArgs(args).get('MAC');
  const strict = plugin === 'isthmus';
  const parsed = parseNetconf({ config, strict, ...given({ driver: DRIVER_OF[plugin], mac }) });
  const { options } = parsed;
  if (options.driver === 'host' || options.driver === 'null') return { kind: options.driver };
  const ipam = parseIpam(config, reading);
  if (ipam?.kind === 'pool' || ipam?.kind === 'static') assertRoomForIPv6(config, ipam);
  if (options.driver === 'remote') assertEarly(config, ipam);
  if (options.driver !== 'bridge' && options.driver !== 'overlay') {
    const ranges = ipam?.kind === 'pool' ? ipam.ranges : undefined;
    const own = withHostAccess(config, { options, strict, ranges });
    return { kind: 'interface', ...parsed, options: own, ...given({ ipam: ipam && besideHost(own, ipam) }) };
  }
  const bridge = options.driver === 'bridge' ? options : options.bridge;
  if (bridge.isGateway && ipam?.kind === 'pool') assertGatewaysInside(ipam.ranges);
  const requiresGuard = wantsSpoofGuard(config) === true;
  const endpoint = { kind: 'endpoint', ...parsed, requiresGuard, ...given({ ipam }) } as const;
  if (options.driver === 'bridge') return { ...endpoint, options };
  assertPooled(config, ipam);
  return { ...endpoint, options: bridge, overlay: options.overlay };
}

/** The kernel refuses IPv6 addresses on a link with a smaller MTU (RFC 8200, section 5). */
function assertRoomForIPv6(config: Json, ipam: LocalIpam): void {
  const mtu = field(config, 'mtu');
  if (typeof mtu !== 'number' || mtu === 0 || mtu >= 1280 || !familiesOf(ipam).includes(6)) return;
  throw invalid('.mtu', mtu, 'IPv6 needs 1280 bytes, and .ipam gives an IPv6 address', 'Use 1280 or more');
}

/** Throws NetError `invalid-config` for addresses that a Docker plugin cannot take. */
function assertEarly(config: Json, ipam: IpamConfig | undefined): void {
  if (ipam?.kind === 'dhcp' || ipam?.kind === 'delegate') {
    const what = 'driver "remote" needs the addresses before there is an interface';
    const hint = 'Use the built-in IPAM, "static", "remote", or no .ipam where the plugin gives the addresses';
    throw invalid('.ipam.type', ipamType(config, true), what, hint);
  }
  const families = ipam === undefined ? [] : familiesOf(ipam);
  if (new Set(families).size === families.length) return;
  const what = 'it gives several addresses of a family, and a Docker plugin takes one';
  throw invalid('.ipam', field(config, 'ipam'), what, 'Give one range or address of each family');
}

function familiesOf(ipam: LocalIpam | RemoteIpamConfig): Family[] {
  if (ipam.kind === 'remote') return ipam.pools.map(({ family }) => family);
  if (ipam.kind === 'static') return ipam.addresses.map(({ address }) => address.addr.family);
  return ipam.sets.flatMap(([range]) => range?.subnet.addr.family ?? []);
}

/** The IPAM that needs no interface; undefined without one, and for any other. Throws NetError `invalid-config`. */
export function parseEarlyIpam(
  config: Json,
  reading: Pick<Reading, 'plugin' | 'command' | 'args' | 'version'>,
): LocalIpam | RemoteIpamConfig | undefined {
  if (isRemoteIpam(config))
    return { kind: 'remote', ...parseRemoteIpam(field(config, 'ipam'), requestedIn(config, reading.args)) };
  const type = ipamType(config, true);
  if (type === undefined || (!isBuiltIn(type) && type !== 'host-local' && type !== 'static')) return undefined;
  return parseLocalIpam(config, reading, type === 'static' ? 'static' : 'host-local');
}

/** Throws NetError `invalid-config` unless the built-in IPAM allocates. */
function assertPooled(config: Json, ipam: IpamConfig | undefined): void {
  if (ipam?.kind !== 'pool') throw withoutPool(config);
}

function parseIpam(config: Json, reading: Reading): IpamConfig | undefined {
  if (reading.plugin === 'isthmus' && isRemoteIpam(config)) return parseEarlyIpam(config, reading);
  const type = ipamType(config, reading.plugin === 'isthmus');
  if (type === undefined) return undefined;
  if (!isBuiltIn(type) && !reading.isOwn(type)) return { kind: 'delegate', type };
  if (type === 'dhcp') return parseDhcpIpam(config, reading.args);
  return parseLocalIpam(config, reading, type === 'static' ? 'static' : 'host-local');
}

function parseDhcpIpam(config: Json, args: string): DhcpConfig {
  return { kind: 'dhcp', ...parseDhcp(field(config, 'ipam'), parseCniArgs(args)) };
}

/** The types of the built-in IPAM that need no plugin in CNI_PATH. */
export function isBuiltIn(type: string): boolean {
  return type === '' || type === 'isthmus';
}
