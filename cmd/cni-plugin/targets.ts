import { limits } from '../../src/shared/config/bandwidth.ts';
import { backendKey } from '../../src/shared/config/firewall.ts';
import { invalid } from '../../src/shared/config/invalid.ts';
import { type DriverName, type NetworkConfig, parseNetconf } from '../../src/shared/config/netconf.ts';
import type { AddressSource, Core, Dns, LocalSource } from '../../src/shared/core/core.ts';
import type { EndpointRequest } from '../../src/shared/core/requests.ts';
import { bridgeDriver } from '../../src/shared/drivers/bridge/bridge.ts';
import type { Rules } from '../../src/shared/drivers/rules.ts';
import { chosenBackend } from '../../src/shared/firewall/open.ts';
import { parseCniArgs } from './cni-args.ts';
import type { PluginName } from './names.ts';
import { parseDns } from './parse-result.ts';
import { attachmentOf, type Call, networkName } from './request.ts';
import { unsayable } from './result.ts';
import { addressSource, builtIn } from './sources.ts';
import { atLeast } from './versions.ts';

/** What a call is about, once its configuration has been read: one of four things. */
export type Target =
  /** An interface in the sandbox, with its network. */
  | { readonly kind: 'endpoint'; readonly request: EndpointRequest; readonly dns?: Dns }
  /** The loopback interface of the sandbox. */
  | { readonly kind: 'null' }
  /** The interfaces of the host, which is the sandbox. */
  | { readonly kind: 'host' }
  /** Addresses for somebody else's interface (an IPAM plugin). */
  | { readonly kind: 'addresses'; readonly source: LocalSource };

const DRIVER_OF: Readonly<Partial<Record<PluginName, DriverName>>> = { bridge: 'bridge', loopback: 'null' };

/** The target of ADD, CHECK and STATUS. Throws NetError for whatever is wrong with the configuration. */
export function targetOf(call: Call, core: Core): Target {
  networkName(call.config);
  if (call.plugin === 'host-local' || call.plugin === 'static') {
    return { kind: 'addresses', source: builtIn(call, core, call.plugin) };
  }
  const args = parseCniArgs(call.variables.args);
  const driver = DRIVER_OF[call.plugin];
  const mac = args.get('MAC');
  const parsed = parseNetconf({
    config: call.config,
    strict: call.plugin === 'isthmus',
    ...(driver === undefined ? {} : { driver }),
    ...(mac === undefined ? {} : { mac }),
  });
  const { options } = parsed;
  if (options.driver !== 'bridge') return { kind: options.driver };
  const source = addressSource(call, core);
  assertSayable(call, source);
  const rules = rulesOf(call, parsed);
  const request: EndpointRequest = {
    attachment: attachmentOf(call),
    role: 'interface',
    netns: call.variables.netns,
    ownNamespace: call.variables.ownNamespace,
    driver: bridgeDriver(options, networkName(call.config)),
    driverName: options.driver,
    aliases: parsed.aliases,
    ...(rules === undefined ? {} : { rules }),
    ...(limits(parsed.bandwidth) ? { rates: parsed.bandwidth } : {}),
    ...(source === undefined ? {} : { source }),
    ...(parsed.mac === undefined ? {} : { mac: parsed.mac }),
  };
  return { kind: 'endpoint', request, ...(parsed.dns === undefined ? {} : { dns: parseDns(parsed.dns) }) };
}

/** Under the reference's name, bridge masquerades and nothing else; portmap and firewall are chained behind it. */
function rulesOf({ plugin, config }: Call, { firewall, mappings }: NetworkConfig): Rules | undefined {
  const options = plugin === 'isthmus' ? firewall : { ...firewall, policy: 'open' as const };
  const wanted = options.masquerade !== undefined || options.policy !== 'open' || mappings.length > 0;
  if (plugin !== 'isthmus' && !wanted) return undefined;
  const backend = chosenBackend(options.backend);
  if (backend !== 'none') return { backend, options, mappings, admit: plugin === 'isthmus' };
  if (!wanted) return undefined;
  const what = 'ipMasq, portMappings, ingressPolicy and internal need a packet filter';
  throw invalid(...backendKey(config), what, 'Choose auto, or remove them');
}

/** Results before 0.3.0 are nothing but addresses: an endpoint without them is refused before it is made. */
function assertSayable({ variables, version }: Call, source: AddressSource | undefined): void {
  if (variables.command === 'ADD' && source === undefined && !atLeast(version, '0.3.0')) throw unsayable(version);
}
