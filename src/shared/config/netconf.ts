import { given } from '../model/given.ts';
import { field, isObject, type Json, textField, textOf } from '../model/json.ts';
import { type Bandwidth, limits, parseBandwidth } from './bandwidth.ts';
import { type BridgeOptions, parseBridge } from './bridge.ts';
import { type Dns, readDns } from './dns.ts';
import { asDropIn, type DriverName, foreignKeys, isInterfaceDriver, knownDriver } from './driver-keys.ts';
import { backendKey, type FirewallOptions, parseFirewall } from './firewall.ts';
import { type InterfaceOptions, parseInterfaceOptions } from './inside.ts';
import { invalid } from './invalid.ts';
import { type OverlayConfig, parseOverlay } from './overlay.ts';
import { type PortMapping, parsePortMappings } from './port-mappings.ts';
import { requestedMac } from './requested-mac.ts';
import { assertShape } from './shape.ts';
import { netconf } from './validators.generated.js';

export type { DriverName } from './driver-keys.ts';

/** Options of one driver, by its name. */
export type DriverOptions =
  | BridgeOptions
  | { readonly driver: 'overlay'; readonly bridge: BridgeOptions; readonly overlay: OverlayConfig }
  | InterfaceOptions
  | { readonly driver: 'host' }
  | { readonly driver: 'null' };

/** The parsed and validated configuration, except for IPAM. */
export interface NetworkConfig {
  readonly options: DriverOptions;
  /** From runtimeConfig.mac, args.cni.mac, CNI_ARGS MAC, and the key `mac` of macvlan and tap, in this order. */
  readonly mac?: string;
  /** Overrides the DNS of IPAM. */
  readonly dns?: Dns;
  readonly firewall: FirewallOptions;
  /** The key that names the firewall's backend, for errors. */
  readonly backendPath: string;
  /** Host ports to publish (runtimeConfig.portMappings); the drop-in names leave them to portmap. */
  readonly mappings: readonly PortMapping[];
  /** Limits of the pod's traffic; the drop-in names leave them to bandwidth. */
  readonly bandwidth: Bandwidth;
  /** Names on this network (runtimeConfig.aliases). */
  readonly aliases: readonly string[];
}

export interface NetconfInput {
  readonly config: Json;
  /** True under the plugin's own name: refuses unknown keys. Drop-in names accept them, as the reference does. */
  readonly strict: boolean;
  /** Refuses options of one driver if another driver is configured. */
  readonly driver?: DriverName;
  /** MAC of CNI_ARGS. */
  readonly mac?: string;
}

/**
 * Parses the network that a configuration describes. Throws NetError `invalid-config` naming path, value and rule;
 * `unsupported-field` for options that the backend cannot implement.
 */
export function parseNetconf(input: NetconfInput): NetworkConfig {
  const { strict } = input;
  const driver = input.driver ?? driverName(input.config);
  const config = strict ? input.config : asDropIn(input.config, driver);
  assertShape(netconf, config, '', strict);
  const options = parseDriver(config, driver, strict);
  const firewall = parseFirewall(config);
  const mappings = strict ? parsePortMappings(field(field(config, 'runtimeConfig'), 'portMappings')) : [];
  assertPublishable(config, driver, mappings);
  const bandwidth = strict ? parseBandwidth(config) : {};
  assertLimitable(config, driver, bandwidth);
  const mac = requestedMac({ config, driver, strict, fromArgs: input.mac });
  const dns = requestedDns(config);
  return {
    options,
    firewall,
    backendPath: backendKey(config)[0],
    mappings,
    bandwidth,
    ...given({ mac, dns }),
    aliases: requestedAliases(config),
  };
}

/** Returns the IPAM plugin of a configuration: empty for the built-in one, undefined without IPAM. Never throws. */
export function ipamType(config: Json, strict: boolean): string | undefined {
  const ipam = field(config, 'ipam');
  if (!isObject(ipam)) return undefined;
  const type = textField(ipam, 'type');
  if (type !== undefined) return type;
  return strict && Object.keys(ipam).length > 0 ? '' : undefined;
}

/** Returns the driver of a configuration; never throws. */
export function driverName(config: Json): DriverName {
  return knownDriver(field(config, 'driver')) ?? 'bridge';
}

function parseDriver(config: Json, driver: DriverName, strict: boolean): DriverOptions {
  const foreign = strict ? foreignKeys(driver).find((key) => field(config, key) !== undefined) : undefined;
  if (foreign !== undefined) {
    throw invalid(`.${foreign}`, field(config, foreign), `means nothing to driver "${driver}"`, 'Remove it');
  }
  if (driver === 'bridge') return parseBridge(config, strict);
  if (isInterfaceDriver(driver)) return parseInterfaceOptions(driver, config);
  if (driver !== 'overlay') return { driver };
  const overlay = parseOverlay(config);
  // Every host has the gateway: the same of a bridged network, that of its own range of a routed one.
  return { driver, bridge: parseBridge({ ...config, isGateway: true }, strict), overlay };
}

/** True if we know the interface's side on the host. */
function hasHostSide(driver: DriverName): boolean {
  return driver === 'ptp' || !isInterfaceDriver(driver);
}

/** A published port leads to an address, and a network without IPAM has none. */
function assertPublishable(config: Json, driver: DriverName, mappings: readonly PortMapping[]): void {
  if (mappings.length === 0) return;
  const given = field(field(config, 'runtimeConfig'), 'portMappings');
  // The plugin is told of the ports. It may give the address, and the host may have a way to it.
  if (driver === 'remote') return;
  if (!hasHostSide(driver)) {
    const what = `the host is not on the way to an interface of driver "${driver}"`;
    throw invalid('.runtimeConfig.portMappings', given, what, 'Remove the capability portMappings');
  }
  if (driver !== 'host' && driver !== 'null' && field(config, 'ipam') !== undefined) return;
  throw invalid('.runtimeConfig.portMappings', given, 'the network gives no address to lead to', 'Give .ipam');
}

/** The kernel limits the traffic of a pod at the host's side of its interface. */
function assertLimitable(config: Json, driver: DriverName, bandwidth: Bandwidth): void {
  if (hasHostSide(driver) || !limits(bandwidth)) return;
  const given = field(field(config, 'runtimeConfig'), 'bandwidth');
  const what = `an interface of driver "${driver}" has no side on the host, where limits are`;
  throw invalid('.runtimeConfig.bandwidth', given, what, 'Remove the capability bandwidth');
}

/** `dns` of the configuration; the runtime's `dns` capability overrides it if it has servers. */
function requestedDns(config: Json): Dns | undefined {
  const runtime = field(field(config, 'runtimeConfig'), 'dns');
  const servers = field(runtime, 'servers');
  if (Array.isArray(servers) && servers.length > 0) {
    return readDns({ nameservers: servers, search: field(runtime, 'searches'), options: field(runtime, 'options') });
  }
  const dns = field(config, 'dns');
  return isObject(dns) && Object.keys(dns).length > 0 ? readDns(dns) : undefined;
}

/** `runtimeConfig.aliases` maps networks to names; returns those of this network. */
function requestedAliases(config: Json): string[] {
  const aliases = field(field(config, 'runtimeConfig'), 'aliases');
  if (aliases === undefined) return [];
  const names = isObject(aliases) ? (aliases[textOf(config.name)] ?? []) : undefined;
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return [...names];
  throw invalid('.runtimeConfig.aliases', aliases, 'does not map networks to lists of names', 'Write { "net": ["a"] }');
}
