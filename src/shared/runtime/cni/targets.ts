import { limits } from '../../config/bandwidth.ts';
import type { Dns } from '../../config/dns.ts';
import type { EndpointConfig } from '../../config/plugin-config.ts';
import { atLeast } from '../../config/versions.ts';
import type { Core, LocalSource } from '../../core/core.ts';
import type { EndpointRequest } from '../../core/requests.ts';
import { bridgeDriver } from '../../drivers/bridge/bridge.ts';
import { given } from '../../model/given.ts';
import { guardedOptions, rulesOf, specOf } from '../spec-of.ts';
import { attachmentOf, type PluginCall } from './request.ts';
import { unsayable } from './result.ts';
import { addressSource, localSource } from './sources.ts';

/** The target of a call: one of four kinds. */
export type Target =
  /** An interface in the sandbox, with its network. */
  | EndpointTarget
  /** The loopback interface of the sandbox. */
  | { readonly kind: 'null' }
  /** The host's own interfaces; the host is the sandbox. */
  | { readonly kind: 'host' }
  /** Addresses for another plugin's interface (an IPAM plugin). */
  | { readonly kind: 'addresses'; readonly source: LocalSource };

export interface EndpointTarget {
  readonly kind: 'endpoint';
  readonly request: EndpointRequest;
  readonly dns?: Dns;
  /** For an ADD that fails: throws an error that says more, or the same. */
  readonly explain?: (thrown: unknown) => never;
  /** For an ADD that succeeds: runs before the answer. */
  readonly attached?: () => Promise<void>;
}

/** Returns the target of ADD, CHECK and STATUS. Throws NetError for what the host or the version cannot do. */
export function targetOf(call: PluginCall, core: Core): Target {
  const { config } = call;
  switch (config.kind) {
    case 'addresses':
      return { kind: 'addresses', source: localSource(config.ipam, attachmentOf(call), core) };
    case 'endpoint':
      return endpointOf(call, config, core);
    case 'host':
    case 'null':
      return { kind: config.kind };
    default:
      throw new Error(`${config.kind} is a plugin of a chain`);
  }
}

function endpointOf(call: PluginCall, config: EndpointConfig, core: Core): EndpointTarget {
  const attachment = attachmentOf(call);
  const { ipam, aliases, bandwidth, mac, dns } = config;
  const options = guardedOptions(config);
  const source = ipam === undefined ? undefined : addressSource(call, ipam, attachment, core);
  assertSayable(call, config);
  const rules = rulesOf(call.plugin, config);
  const request: EndpointRequest = {
    attachment,
    role: 'interface',
    netns: call.variables.netns,
    ownNamespace: call.variables.ownNamespace,
    driver: bridgeDriver(options, attachment.network),
    driverName: options.driver,
    spec: specOf(attachment.network, config, rules),
    aliases,
    ...(limits(bandwidth) ? { rates: bandwidth } : {}),
    ...given({ rules, source, mac }),
  };
  return { kind: 'endpoint', request, ...given({ dns }) };
}

/** Results before 0.3.0 hold only addresses, so refuse an endpoint without any before creating it. */
function assertSayable({ variables, version }: PluginCall, { ipam }: EndpointConfig): void {
  if (variables.command === 'ADD' && ipam === undefined && !atLeast(version, '0.3.0')) throw unsayable(version);
}
