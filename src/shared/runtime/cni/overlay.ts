import type { NetworkSpec } from '../../config/network-spec.ts';
import type { OverlayConfig } from '../../config/overlay.ts';
import type { EndpointConfig } from '../../config/plugin-config.ts';
import type { JoinedNetwork } from '../../core/cluster-networks.ts';
import type { Core } from '../../core/core.ts';
import { explainOverlay } from '../../core/networks/overlay-failure.ts';
import { clusterOf, overlaySource } from '../../core/overlay-source.ts';
import { overlayDriver } from '../../drivers/overlay/overlay.ts';
import { fault } from '../../errors/fault.ts';
import { given } from '../../model/given.ts';
import { contains, type Prefix } from '../../model/prefix.ts';
import type { Route } from '../../model/route.ts';
import { guardedOptions, leaseScope, rulesOf, specOf } from '../spec-of.ts';
import { attachmentOf, type PluginCall } from './request.ts';
import { localSource } from './sources.ts';
import type { EndpointTarget } from './targets.ts';

/** A configuration of driver overlay. */
export type OverlayEndpoint = EndpointConfig & { readonly overlay: OverlayConfig };

export function isOverlay(config: EndpointConfig): config is OverlayEndpoint {
  return config.overlay !== undefined;
}

/**
 * The target of an ADD: joins the network, and has addresses for the endpoint. The caller disposes of `during` once the
 * endpoint is on record, or does not come to be. Throws NetError `unavailable`.
 */
export async function joinOverlay(
  call: PluginCall,
  config: OverlayEndpoint,
  core: Core,
  during: DisposableStack,
): Promise<EndpointTarget> {
  const { ipam, mac } = config;
  if (ipam?.kind !== 'pool') throw new Error('an overlay network without a pool');
  const attachment = attachmentOf(call);
  const { network } = attachment;
  const bridge = guardedOptions(config);
  const internal = config.firewall.policy === 'internal';
  const cluster = clusterOf(core, network);
  const joined = await cluster.join(
    { name: network, config: config.overlay, bridge, sets: ipam.sets, internal },
    during,
  );
  const { source, abandon } = await overlaySource(
    core,
    joined,
    {
      requested: ipam.requested,
      routes: routesOf(ipam.routes, joined),
      dns: ipam.dns ?? {},
      scope: leaseScope(ipam, network),
    },
    { owner: attachment, mac },
  );
  during.defer(abandon);
  const target = describe(call, config, joined);
  const explain = (thrown: unknown): never => {
    throw explainOverlay(core.host, network, joined.options, thrown);
  };
  return {
    ...{ ...target, attached: () => cluster.mirror(network), explain },
    request: { ...target.request, source },
  };
}

/** The target of a CHECK: the network as it is on record. Throws NetError `drift` without one. */
export function overlayOnRecord(call: PluginCall, config: OverlayEndpoint, core: Core): EndpointTarget {
  const attachment = attachmentOf(call);
  const { network } = attachment;
  const { options, ranges = [] } = core.store.networks.get(network)?.spec ?? {};
  if (options?.driver !== 'overlay' || config.ipam?.kind !== 'pool')
    throw fault.drift('CHECK', `network ${network}`, 'has no overlay network on record', 'Run DEL, then ADD');
  const pools = config.ipam.sets.flat().map(({ subnet }) => subnet);
  const target = describe(call, config, { options, pools, sets: ranges });
  return { ...target, request: { ...target.request, source: localSource(config.ipam, attachment, core) } };
}

/** Throws NetError `unavailable` unless an ADD could succeed now. */
export function overlayStatus(call: PluginCall, config: OverlayEndpoint, core: Core): void {
  const { network } = attachmentOf(call);
  clusterOf(core, network).assertReady(network, config.overlay.mode);
}

/** On a routed network, what is on other hosts is reached by the gateway, whether or not there is a default route. */
function routesOf(routes: readonly Route[], { options, pools }: JoinedNetwork): readonly Route[] {
  if (options.mode === 'shared') return routes;
  const isCovered = (pool: Prefix): boolean =>
    routes.some(({ dst }) => dst.length <= pool.length && contains(dst, pool.addr));
  return [...routes, ...pools.filter((pool) => !isCovered(pool)).map((dst) => ({ dst }))];
}

function describe(
  call: PluginCall,
  config: OverlayEndpoint,
  { options, pools, sets }: Pick<JoinedNetwork, 'options' | 'pools'> & { readonly sets: NetworkSpec['ranges'] },
): EndpointTarget {
  const attachment = attachmentOf(call);
  const { aliases, mac, dns } = config;
  const rules = rulesOf(call.plugin, exempted(config, options.vxlan.device, pools));
  // The ranges of a routed network are this host's.
  const own = options.mode === 'per-host' ? { ranges: sets } : {};
  const spec = { ...specOf(attachment.network, config, rules), options, ...own };
  return {
    kind: 'endpoint',
    request: {
      ...{ attachment, role: 'interface', netns: call.variables.netns, ownNamespace: call.variables.ownNamespace },
      ...{ driver: overlayDriver(options, attachment.network), driverName: 'overlay', spec, aliases },
      ...given({ rules, mac }),
    },
    ...given({ dns }),
  };
}

/** Traffic within the network keeps its addresses; what is behind a routed network's device is its own. */
function exempted(config: OverlayEndpoint, device: string, pools: readonly Prefix[]): EndpointConfig {
  const { firewall, overlay } = config;
  const { masquerade } = firewall;
  return {
    ...config,
    firewall: {
      ...firewall,
      ...(masquerade && { masquerade: { ...masquerade, except: [...masquerade.except, ...pools] } }),
      ...(overlay.mode === 'per-host' && { vxlan: device }),
    },
  };
}
