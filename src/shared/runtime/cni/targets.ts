import { limits } from '../../config/bandwidth.ts';
import type { Dns } from '../../config/dns.ts';
import { invalid } from '../../config/invalid.ts';
import type { EndpointConfig, InterfaceConfig } from '../../config/plugin-config.ts';
import type { PtpOptions } from '../../config/ptp.ts';
import type { RemoteOptions } from '../../config/remote.ts';
import { atLeast } from '../../config/versions.ts';
import type { AddressSource, Core } from '../../core/core.ts';
import { networkDriverOf } from '../../core/networks/record.ts';
import type { EndpointRequest, HostPart, LoneRequest } from '../../core/requests.ts';
import { bridgeDriver } from '../../drivers/bridge/bridge.ts';
import { loneDriver } from '../../drivers/lone/drivers.ts';
import { ptpDriver } from '../../drivers/ptp/ptp.ts';
import { given } from '../../model/given.ts';
import { guardedOptions, rulesOf, specOf } from '../spec-of.ts';
import { deviceNodeOf } from './device-node.ts';
import { type RemoteTarget, remoteOf } from './remote.ts';
import { attachmentOf, type PluginCall } from './request.ts';
import { unsayable } from './result.ts';
import { addressSource } from './sources.ts';

/** The target of a call. */
export type Target =
  /** An interface in the sandbox, with its network. */
  | EndpointTarget
  /** An interface in the sandbox without a side on the host. */
  | LoneTarget
  /** The same, made by a Docker plugin. */
  | RemoteTarget
  /** The loopback interface of the sandbox. */
  | { readonly kind: 'null' }
  /** The host's own interfaces; the host is the sandbox. */
  | { readonly kind: 'host' }
  /** Addresses for another plugin's interface (an IPAM plugin). */
  | { readonly kind: 'addresses'; readonly source: AddressSource };

export interface EndpointTarget {
  readonly kind: 'endpoint';
  readonly request: EndpointRequest;
  readonly dns?: Dns;
  /** For an ADD that fails: throws an error that says more, or the same. */
  readonly explain?: (thrown: unknown) => never;
  /** For an ADD that succeeds: runs before the answer. */
  readonly attached?: () => Promise<void>;
}

type LoneConfig = Omit<InterfaceConfig, 'options'> & {
  readonly options: Exclude<InterfaceConfig['options'], PtpOptions | RemoteOptions>;
};

export interface LoneTarget {
  readonly kind: 'lone';
  readonly request: LoneRequest;
  readonly dns?: Dns;
}

/** Returns the target of ADD, CHECK and STATUS. Throws NetError for what the host or the version cannot do. */
export function targetOf(call: PluginCall, core: Core): Target {
  const { config } = call;
  switch (config.kind) {
    case 'addresses':
      return { kind: 'addresses', source: addressSource(call, config.ipam, attachmentOf(call), core) };
    case 'endpoint':
      return endpointOf(call, config, core);
    case 'interface': {
      const { options } = config;
      if (options.driver === 'ptp') return ptpOf(call, { ...config, options }, core);
      if (options.driver === 'remote') return remoteOf(call, { ...config, options }, core);
      return loneOf(call, { ...config, options }, core);
    }
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

/** A configuration of driver ptp. */
export interface PtpConfig
  extends Pick<
    EndpointConfig,
    'ipam' | 'aliases' | 'mac' | 'dns' | 'firewall' | 'backendPath' | 'mappings' | 'bandwidth'
  > {
  readonly options: PtpOptions;
}

/** The target of a call of driver ptp. Throws NetError `invalid-config` for a policy that only a bridge can have. */
export function ptpOf(call: PluginCall, config: PtpConfig, core: Core): EndpointTarget {
  const attachment = attachmentOf(call);
  const { options, ipam, aliases, bandwidth, mac, dns, firewall } = config;
  const isOwn = call.plugin === 'isthmus';
  assertSayable(call, config);
  if (isOwn && firewall.policy === 'internal') {
    const hint = 'Use driver "bridge", or leave ipMasq and the default route out';
    throw invalid('.internal', true, 'without a bridge, its containers could not even reach each other', hint);
  }
  const source = ipam === undefined ? undefined : addressSource(call, ipam, attachment, core);
  const rules = rulesOf(call.plugin, config);
  const request: EndpointRequest = {
    attachment,
    role: 'interface',
    netns: call.variables.netns,
    ownNamespace: call.variables.ownNamespace,
    driver: ptpDriver(options, isOwn ? undefined : 'reference'),
    driverName: options.driver,
    spec: specOf(attachment.network, config, rules),
    aliases,
    ...(limits(bandwidth) ? { rates: bandwidth } : {}),
    ...given({ rules, source, mac }),
  };
  return { kind: 'endpoint', request, ...given({ dns }) };
}

function loneOf(call: PluginCall, config: LoneConfig, core: Core): LoneTarget {
  const attachment = attachmentOf(call);
  const { ipam, aliases, mac, dns } = config;
  assertSayable(call, config);
  const source = ipam === undefined ? undefined : addressSource(call, ipam, attachment, core);
  const { netns, ownNamespace } = call.variables;
  const { options } = config;
  const node = options.driver === 'host-device' ? deviceNodeOf(options.by) : undefined;
  const driver = loneDriver(withMaster(options, call), node);
  const request = { attachment, role: 'interface', netns, ownNamespace, driver, aliases } as const;
  const onHost = hostPartOf(attachment.network, config);
  return { kind: 'lone', request: { ...request, ...given({ source, mac, onHost }) }, ...given({ dns }) };
}

function hostPartOf(network: string, { options, ipam }: LoneConfig): HostPart | undefined {
  if (options.driver !== 'macvlan' && options.driver !== 'ipvlan') return undefined;
  const driver = networkDriverOf(options, network);
  const { driver: driverName } = options;
  return driver && { driver, driverName, spec: specOf(network, { options, ...given({ ipam }) }, undefined) };
}

/** ipvlan without `master` behind another plugin of a list: the parent is the only interface of that plugin's result. */
function withMaster(options: LoneConfig['options'], { variables, config }: PluginCall): LoneConfig['options'] {
  const { previous } = config;
  if (options.driver !== 'ipvlan' || options.master !== undefined || previous === undefined) return options;
  if (variables.command !== 'ADD') return options;
  const [first, ...others] = previous.interfaces;
  if (first !== undefined && others.length === 0) return { ...options, master: first.name };
  const what = `is missing, and the plugin before has ${previous.interfaces.length} interfaces instead of one`;
  throw invalid('.master', undefined, what, 'Name the parent interface');
}

/** Results before 0.3.0 hold only addresses, so refuse an endpoint without any before creating it. */
function assertSayable({ variables, version }: PluginCall, { ipam }: Pick<EndpointConfig, 'ipam'>): void {
  if (variables.command === 'ADD' && ipam === undefined && !atLeast(version, '0.3.0')) throw unsayable(version);
}
