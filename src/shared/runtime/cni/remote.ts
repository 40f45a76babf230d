import type { Dns } from '../../config/dns.ts';
import type { InterfaceConfig } from '../../config/plugin-config.ts';
import type { PortMapping } from '../../config/port-mappings.ts';
import type { RemoteOptions } from '../../config/remote.ts';
import { NetworkController } from '../../core/controller.ts';
import type { Core } from '../../core/core.ts';
import { checkChained, deleteChained } from '../../core/endpoints/chained.ts';
import { assertSameNetwork } from '../../core/networks/compare-specs.ts';
import { isHeld } from '../../core/networks/record.ts';
import { networkOfDriver } from '../../core/plugins/spec.ts';
import type { EndpointReport, Expectation, PluggedEndpointRequest, RemovalRequest } from '../../core/requests.ts';
import type { Rules } from '../../drivers/rules.ts';
import type { NetError } from '../../errors/net-error.ts';
import { parseAddr } from '../../model/addr.ts';
import { given } from '../../model/given.ts';
import type { RemotePort } from '../../remote/options.ts';
import { remoteSpecOf, rulesOf } from '../spec-of.ts';
import { deviceTowards } from './chain.ts';
import { portsRole, publishPorts } from './portmap.ts';
import { attachmentOf, type PluginCall, type RemovalCall, stampedBy } from './request.ts';
import { localSource } from './sources.ts';

/** An interface in the sandbox that a Docker plugin makes. */
export interface RemoteTarget {
  readonly kind: 'remote';
  readonly request: PluggedEndpointRequest;
  /** Ports of the host, for the packet filter. Absent without any. */
  readonly rules?: Rules;
  readonly dns?: Dns;
}

/** A configuration of driver `remote`. */
export type RemoteConfig = Omit<InterfaceConfig, 'options'> & { readonly options: RemoteOptions };

/** Throws NetError `conflict` for a network that somebody keeps and that is another one. */
export function remoteOf(call: PluginCall, config: RemoteConfig, core: Core): RemoteTarget {
  const attachment = attachmentOf(call);
  const { netns, ownNamespace } = call.variables;
  const { options, mac, aliases, mappings, dns } = config;
  const ipam = earlyIpam(config);
  const known = core.store.networks.get(attachment.network);
  if (known !== undefined && isHeld(known)) assertSameNetwork('ADD', known, remoteSpecOf(options, ipam));
  const request: PluggedEndpointRequest = {
    ...{ attachment, role: 'interface', netns, ownNamespace, aliases },
    plugged: networkOfDriver(attachment.network, options, ipam),
    requested: ipam?.kind === 'remote' ? ipam.requested : [],
    ports: mappings.flatMap(remotePorts),
    ...given({
      mac,
      source: ipam === undefined || ipam.kind === 'remote' ? undefined : localSource(ipam, attachment, core),
    }),
  };
  const own = mappings.length === 0 ? undefined : rulesOf(call.plugin, config);
  // Who else reaches the network is the plugin's affair.
  const rules = own && { ...own, admit: false, options: { ...own.options, policy: 'open' as const } };
  return { kind: 'remote', request, ...given({ rules, dns }) };
}

/** The parser has refused all others. */
function earlyIpam({ ipam }: RemoteConfig) {
  return ipam?.kind === 'dhcp' || ipam?.kind === 'delegate' ? undefined : ipam;
}

/** Creates the endpoint, and publishes its ports where the host has a route to it. */
export async function addRemote(
  call: PluginCall,
  core: Core,
  { request, rules }: RemoteTarget,
): Promise<EndpointReport> {
  const report = await new NetworkController(core).createPlugged(request);
  if (rules === undefined) return report;
  const addressing = { addresses: report.addresses, routes: [] };
  const device = deviceTowards(core, { interfaces: [], ips: [], routes: [], dns: {} }, addressing);
  if (device === undefined) {
    core.log.warn('ports.unreachable', {
      container: request.attachment.containerId,
      network: request.attachment.network,
    });
    return report;
  }
  try {
    await publishPorts(call, core, rules, device, addressing);
    return report;
  } catch (thrown) {
    await new NetworkController(core).deleteEndpoint({ ...request, orphans: 'own' });
    throw thrown;
  }
}

/** Deletes the published ports. Accepts absence; returns all failures. */
export async function unpublish(call: PluginCall | RemovalCall, core: Core): Promise<NetError[]> {
  const part = { attachment: attachmentOf(call), role: portsRole, ...given({ when: stampedBy(call) }) } as const;
  if (core.store.endpoints.get(part.attachment, portsRole) === undefined) return [];
  return await deleteChained(core, part, call.variables.netns);
}

/** What the plugins know the network of a DEL by; undefined for another driver, and for an unusable configuration. */
export function pluggedByConfig({ config: { name, remote } }: RemovalCall): RemovalRequest['plugged'] {
  return remote === undefined ? undefined : networkOfDriver(name, remote.options, remote.ipam);
}

export async function checkRemote(
  { variables }: PluginCall,
  core: Core,
  { request }: RemoteTarget,
  expected: Expectation,
): Promise<void> {
  const { attachment } = request;
  await new NetworkController(core).checkPlugged(request, expected);
  if (core.store.endpoints.get(attachment, portsRole) !== undefined)
    await checkChained(core, { attachment, role: portsRole }, variables.netns);
}

function remotePorts({ protocol, containerPort, hostPort, hostIp, count = 1 }: PortMapping): RemotePort[] {
  const address = hostIp === undefined ? undefined : parseAddr(hostIp);
  return Array.from({ length: count }, (_, i) => ({
    ...{ protocol, containerPort: containerPort + i, hostPort: hostPort + i },
    ...given({ hostIp: address }),
  }));
}
