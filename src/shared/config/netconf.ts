import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { given } from '../model/given.ts';
import { field, isObject, type Json, textField, textOf } from '../model/json.ts';
import { isUnicastMac, parseMac } from '../model/mac.ts';
import { BANDWIDTH_KEYS, type Bandwidth, parseBandwidth } from './bandwidth.ts';
import { type BridgeOptions, parseBridge } from './bridge.ts';
import { type Dns, readDns } from './dns.ts';
import { backendKey, type FirewallOptions, parseFirewall } from './firewall.ts';
import { invalid, show } from './invalid.ts';
import { OVERLAY_ONLY, type OverlayConfig, parseOverlay } from './overlay.ts';
import { type PortMapping, parsePortMappings } from './port-mappings.ts';
import { assertShape, respell } from './shape.ts';
import { netconf } from './validators.generated.js';

export type DriverName = 'bridge' | 'host' | 'null' | 'overlay';

/** Options of one driver, by its name. */
export type DriverOptions =
  | BridgeOptions
  | { readonly driver: 'overlay'; readonly bridge: BridgeOptions; readonly overlay: OverlayConfig }
  | { readonly driver: 'host' }
  | { readonly driver: 'null' };

/** The parsed and validated configuration, except for IPAM. */
export interface NetworkConfig {
  readonly options: DriverOptions;
  /** From runtimeConfig.mac, args.cni.mac, CNI_ARGS MAC, in this order. */
  readonly mac?: string;
  /** Overrides the DNS of IPAM. */
  readonly dns?: Dns;
  readonly firewall: FirewallOptions;
  /** The key that names the firewall's backend, for errors. */
  readonly backendPath: string;
  /** Host ports to publish (runtimeConfig.portMappings); the drop-in bridge leaves them to portmap. */
  readonly mappings: readonly PortMapping[];
  /** Limits of the pod's traffic; the drop-in bridge leaves them to bandwidth. */
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

const BRIDGE_ONLY = [
  'bridge',
  'isGateway',
  'isDefaultGateway',
  'forceAddress',
  'mtu',
  'hairpinMode',
  'promiscMode',
  'vlan',
  'vlanTrunk',
  'preserveDefaultVlan',
  'macspoofchk',
  'spoofGuard',
  'enabledad',
  'ipv6',
  'disableContainerInterface',
  'portIsolation',
  'ipam',
  'ipMasq',
  'ipMasqBackend',
  'nonMasqueradeCIDRs',
  'outboundAddr4',
  'outboundAddr6',
  'ingressPolicy',
  'internal',
  'trustedHostInterfaces',
  'exhaustedStatus',
  'icc',
  'firewall',
  'snat',
  'masqAll',
  'proxy6to4',
  'markMasqBit',
  'externalSetMarkChain',
  'conditionsV4',
  'conditionsV6',
  'backend',
  ...BANDWIDTH_KEYS,
];

/**
 * Parses the network that a configuration describes. Throws NetError `invalid-config` naming path, value and rule;
 * `unsupported-field` for options that the backend cannot implement.
 */
export function parseNetconf(input: NetconfInput): NetworkConfig {
  const config = input.strict ? input.config : respell(input.config, [...BRIDGE_ONLY, 'dns', 'args']);
  assertShape(netconf, config, '', input.strict);
  const options = parseDriver(config, input);
  const firewall = parseFirewall(config);
  const mappings = input.strict ? parsePortMappings(field(field(config, 'runtimeConfig'), 'portMappings')) : [];
  assertPublishable(config, options, mappings);
  const mac = requestedMac(config, input.mac);
  const dns = requestedDns(config);
  return {
    options,
    firewall,
    backendPath: backendKey(config)[0],
    mappings,
    bandwidth: input.strict ? parseBandwidth(config) : {},
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
  const name = field(config, 'driver');
  return name === 'host' || name === 'null' || name === 'overlay' ? name : 'bridge';
}

function parseDriver(config: Json, input: NetconfInput): DriverOptions {
  const driver = input.driver ?? driverName(config);
  const others = driver === 'overlay' ? [] : driver === 'bridge' ? OVERLAY_ONLY : [...BRIDGE_ONLY, ...OVERLAY_ONLY];
  const foreign = others.find((key) => field(config, key) !== undefined);
  if (foreign !== undefined && input.strict) {
    throw invalid(`.${foreign}`, field(config, foreign), `means nothing to driver "${driver}"`, 'Remove it');
  }
  if (driver === 'bridge') return parseBridge(config, input.strict);
  if (driver !== 'overlay') return { driver };
  const overlay = parseOverlay(config);
  // Every host has the gateway: the same of a bridged network, that of its own range of a routed one.
  return { driver, bridge: parseBridge({ ...config, isGateway: true }, input.strict), overlay };
}

/** A published port leads to an address, and a network without IPAM has none. */
function assertPublishable(config: Json, options: DriverOptions, mappings: readonly PortMapping[]): void {
  const isBridged = options.driver === 'bridge' || options.driver === 'overlay';
  if (mappings.length === 0 || (isBridged && field(config, 'ipam') !== undefined)) return;
  const given = field(field(config, 'runtimeConfig'), 'portMappings');
  throw invalid('.runtimeConfig.portMappings', given, 'the network gives no address to lead to', 'Give .ipam');
}

function requestedMac(config: Json, fromArgs: string | undefined): string | undefined {
  const runtime = field(field(config, 'runtimeConfig'), 'mac');
  const args = field(field(field(config, 'args'), 'cni'), 'mac');
  const [path, value] =
    runtime !== undefined && runtime !== ''
      ? ['.runtimeConfig.mac', runtime]
      : args !== undefined && args !== ''
        ? ['.args.cni.mac', args]
        : ['CNI_ARGS MAC', fromArgs];
  if (value === undefined || value === '') return undefined;
  const mac = typeof value === 'string' ? parseMac(value) : undefined;
  if (mac === undefined) throw wrongMac(path, value, 'is no MAC address', 'Write six bytes: 0a:58:0a:16:00:07');
  if (isUnicastMac(mac)) return mac;
  throw wrongMac(path, value, 'is a group address or zero, which no interface can have', 'Make its first byte even');
}

/** CNI has a separate error code for values from the environment. */
function wrongMac(path: string, value: unknown, what: string, hint: string): NetError {
  if (!path.startsWith('CNI_ARGS')) return invalid(path, value, what, hint);
  return fault.badEnvironment('environment', `${path}=${show(value)}`, what, hint);
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
