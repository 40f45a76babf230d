import { type BridgeOptions, wantsSpoofGuard } from '../config/bridge.ts';
import { field, type Json, textField } from '../config/fields.ts';
import { backendKey } from '../config/firewall.ts';
import { invalid } from '../config/invalid.ts';
import { dataDirOf } from '../config/ipam.ts';
import { readRoutes } from '../config/ipam-routes.ts';
import type { NetworkConfig } from '../config/netconf.ts';
import type { NetworkSpec, RangeText } from '../config/network-spec.ts';
import type { Rules } from '../drivers/rules.ts';
import { chosenBackend, guardsBridges } from '../firewall/open.ts';
import { formatAddr, parseAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { formatPrefix, parsePrefix } from '../model/prefix.ts';
import type { PluginName } from './cni/names.ts';
import { networkName } from './cni/request.ts';

/** A configuration with parsed IPAM and driver. */
export interface SpecInput {
  readonly config: Json;
  readonly options: BridgeOptions;
  /** `pool`: the built-in IPAM leases the addresses. Otherwise the type of the external IPAM, or undefined. */
  readonly ipam: 'pool' | { readonly type: string } | undefined;
  readonly rules: Rules | undefined;
}

/** Returns the NetworkSpec of a CNI configuration: the same for a call and for the file that it came from. */
export function specOf({ config, options, ipam, rules }: SpecInput): NetworkSpec {
  const keys = field(config, 'ipam');
  const isPool = ipam === 'pool';
  const allocator = isPool ? undefined : ipam?.type;
  return {
    options,
    ranges: isPool ? rangesOf(config, keys) : [],
    ...(isPool ? { scope: `${dataDirOf(keys)}/${networkName(config)}` } : {}),
    ...given({ allocator }),
    routes: isPool ? readRoutes(field(keys, 'routes'), '.ipam.routes') : [],
    ...(rules === undefined ? {} : { rules: { backend: rules.backend, options: rules.options, admit: rules.admit } }),
  };
}

/** The options without the guard that is on by default, on a host whose kernel has none. */
export function guardedOptions(config: Json, options: BridgeOptions): BridgeOptions {
  if (!options.spoofGuard || wantsSpoofGuard(config) === true || guardsBridges()) return options;
  const { spoofGuard: _, ...rest } = options;
  return rest;
}

/** Under its reference name, bridge only masquerades; portmap and firewall follow it in the chain. */
export function rulesOf(
  plugin: PluginName,
  config: Json,
  { firewall, mappings, options: driver }: NetworkConfig,
): Rules | undefined {
  const options = plugin === 'isthmus' ? firewall : { ...firewall, policy: 'open' as const };
  const wanted = options.masquerade !== undefined || options.policy !== 'open' || mappings.length > 0;
  const apart = driver.driver === 'bridge' && driver.portIsolation;
  if (plugin !== 'isthmus' && !wanted && !apart) return undefined;
  const backend = chosenBackend(options.backend);
  if (backend !== 'none') return { backend, options, mappings, admit: plugin === 'isthmus' };
  if (!wanted) return undefined;
  const what = 'ipMasq, portMappings, ingressPolicy and internal need a packet filter';
  throw invalid(...backendKey(config), what, 'Choose auto, or remove them');
}

/** In the pool's order: the runtime's sets, the single range, then `ranges`. */
function rangesOf(config: Json, ipam: unknown): RangeText[][] {
  const single = textField(ipam, 'subnet') === undefined ? [] : [[ipam]];
  const sets = [
    ...listOf(field(field(config, 'runtimeConfig'), 'ipRanges')),
    ...single,
    ...listOf(field(ipam, 'ranges')),
  ];
  return sets.map((set) => listOf(set).map(rangeText));
}

function rangeText(range: unknown): RangeText {
  const [start, end, gateway] = ['rangeStart', 'rangeEnd', 'gateway'].map((key) => addressOf(textField(range, key)));
  const subnet = parsePrefix(textField(range, 'subnet') ?? '');
  return {
    subnet: subnet === undefined ? '' : formatPrefix(subnet),
    ...given({ rangeStart: start, rangeEnd: end, gateway }),
  };
}

function addressOf(text: string | undefined): string | undefined {
  const addr = parseAddr(text ?? '');
  return addr === undefined ? undefined : formatAddr(addr);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
