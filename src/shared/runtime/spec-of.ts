import type { BridgeOptions } from '../config/bridge.ts';
import { invalid } from '../config/invalid.ts';
import type { NetworkSpec } from '../config/network-spec.ts';
import type { EndpointConfig, IpamConfig, PluginName } from '../config/plugin-config.ts';
import type { RemoteOptions } from '../config/remote.ts';
import type { Rules } from '../drivers/rules.ts';
import { chosenBackend, guardsBridges } from '../firewall/open.ts';
import { given } from '../model/given.ts';

/** Returns the NetworkSpec of a CNI configuration: the same for a call and for the file that it came from. */
export function specOf(
  network: string,
  { options, ipam }: Pick<EndpointConfig, 'ipam'> & Pick<NetworkSpec, 'options'>,
  rules: Rules | undefined,
): NetworkSpec {
  return {
    options,
    ...addressesOf(network, ipam),
    ...(rules === undefined ? {} : { rules: { backend: rules.backend, options: rules.options, admit: rules.admit } }),
  };
}

/** Returns the NetworkSpec of a configuration of driver `remote`. */
export function remoteSpecOf(options: RemoteOptions, ipam: IpamConfig | undefined): NetworkSpec {
  if (ipam?.kind !== 'remote') return specOf('', { options, ...given({ ipam }) }, undefined);
  const { plugin, options: texts, pools } = ipam;
  return { options: { ...options, ipam: { plugin, options: texts, pools } }, ranges: [], routes: [] };
}

function addressesOf(
  network: string,
  ipam: IpamConfig | undefined,
): Pick<NetworkSpec, 'ranges' | 'scope' | 'allocator' | 'routes'> {
  if (ipam?.kind === 'pool') {
    return { ranges: ipam.ranges, scope: leaseScope(ipam, network), routes: ipam.routes };
  }
  const allocator =
    ipam?.kind === 'delegate' ? ipam.type : ipam?.kind === 'remote' ? `plugin ${ipam.plugin}` : ipam?.kind;
  return { ranges: [], ...given({ allocator }), routes: [] };
}

/** Where the built-in IPAM stores the leases of a network. */
export function leaseScope({ dataDir }: { readonly dataDir: string }, network: string): string {
  return `${dataDir}/${network}`;
}

/** The options as a kernel without nf_tables can have them: without the guard that is on by default. */
export function guardedOptions({ options, requiresGuard }: EndpointConfig): BridgeOptions {
  const { spoofGuard, ...rest } = options;
  if ((!spoofGuard && !options.portIsolation) || guardsBridges()) return options;
  const isolation = options.portIsolation ? ({ isolatesByFlag: true } as const) : {};
  return { ...(spoofGuard && requiresGuard ? options : rest), ...isolation };
}

/** What the rules of an endpoint follow from. */
type Filtered = Pick<EndpointConfig, 'firewall' | 'mappings' | 'backendPath'> & Pick<NetworkSpec, 'options'>;

/** Under their reference names, bridge and ptp only masquerade; portmap and firewall follow them in the chain. */
export function rulesOf(
  plugin: PluginName,
  { firewall, mappings, backendPath, options: driver }: Filtered,
): Rules | undefined {
  const options = plugin === 'isthmus' ? firewall : { ...firewall, policy: 'open' as const };
  const wanted = options.masquerade !== undefined || options.policy !== 'open' || mappings.length > 0;
  const apart = driver.driver === 'bridge' && driver.portIsolation;
  if (plugin !== 'isthmus' && !wanted && !apart) return undefined;
  const backend = chosenBackend(options.backend);
  if (backend !== 'none') return { backend, options, mappings, admit: plugin === 'isthmus' };
  if (!wanted) return undefined;
  const what = 'ipMasq, portMappings, ingressPolicy and internal need a packet filter';
  throw invalid(backendPath, backend, what, 'Choose auto, or remove them');
}
