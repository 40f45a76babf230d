import { limits } from '../../config/bandwidth.ts';
import { type DriverName, parseNetconf } from '../../config/netconf.ts';
import type { AddressSource, Core, Dns, LocalSource } from '../../core/core.ts';
import type { EndpointRequest } from '../../core/requests.ts';
import { bridgeDriver } from '../../drivers/bridge/bridge.ts';
import { given } from '../../model/given.ts';
import { guardedOptions, rulesOf, type SpecInput, specOf } from '../spec-of.ts';
import { parseCniArgs } from './cni-args.ts';
import type { PluginName } from './names.ts';
import { parseDns } from './parse-result.ts';
import { attachmentOf, type Call, networkName } from './request.ts';
import { unsayable } from './result.ts';
import { addressSource, builtIn } from './sources.ts';
import { atLeast } from './versions.ts';

/** The target of a call after parsing its configuration: one of four kinds. */
export type Target =
  /** An interface in the sandbox, with its network. */
  | { readonly kind: 'endpoint'; readonly request: EndpointRequest; readonly dns?: Dns }
  /** The loopback interface of the sandbox. */
  | { readonly kind: 'null' }
  /** The host's own interfaces; the host is the sandbox. */
  | { readonly kind: 'host' }
  /** Addresses for another plugin's interface (an IPAM plugin). */
  | { readonly kind: 'addresses'; readonly source: LocalSource };

const DRIVER_OF: Readonly<Partial<Record<PluginName, DriverName>>> = { bridge: 'bridge', loopback: 'null' };

/** Returns the target of ADD, CHECK and STATUS. Throws NetError for an invalid configuration. */
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
    ...given({ driver, mac }),
  });
  if (parsed.options.driver !== 'bridge') return { kind: parsed.options.driver };
  const options = guardedOptions(call.config, parsed.options);
  const source = addressSource(call, core);
  assertSayable(call, source);
  const rules = rulesOf(call.plugin, call.config, parsed);
  const spec = specOf({ config: call.config, options, ipam: ipamOf(source), rules });
  const request: EndpointRequest = {
    attachment: attachmentOf(call),
    role: 'interface',
    netns: call.variables.netns,
    ownNamespace: call.variables.ownNamespace,
    driver: bridgeDriver(options, networkName(call.config)),
    driverName: options.driver,
    spec,
    aliases: parsed.aliases,
    ...given({ rules }),
    ...(limits(parsed.bandwidth) ? { rates: parsed.bandwidth } : {}),
    ...given({ source, mac: parsed.mac }),
  };
  return { kind: 'endpoint', request, ...(parsed.dns === undefined ? {} : { dns: parseDns(parsed.dns) }) };
}

/** The assigner of addresses, as in a NetworkSpec. */
function ipamOf(source: AddressSource | undefined): SpecInput['ipam'] {
  if (source === undefined) return undefined;
  if (source.kind === 'delegate') return { type: source.type };
  return source.scope === undefined ? { type: 'static' } : 'pool';
}

/** Results before 0.3.0 hold only addresses, so refuse an endpoint without any before creating it. */
function assertSayable({ variables, version }: Call, source: AddressSource | undefined): void {
  if (variables.command === 'ADD' && source === undefined && !atLeast(version, '0.3.0')) throw unsayable(version);
}
