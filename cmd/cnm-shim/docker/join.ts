import type { NetworkSpec } from '../../../src/shared/config/network-spec.ts';
import { parentedOf } from '../../../src/shared/config/parented.ts';
import type { Core } from '../../../src/shared/core/core.ts';
import { placeOffered } from '../../../src/shared/core/endpoints/placed-offers.ts';
import { type Family, formatAddr } from '../../../src/shared/model/addr.ts';
import type { Attachment } from '../../../src/shared/model/attachment.ts';
import { dockerFactsOf } from '../../../src/shared/model/endpoint.ts';
import { given } from '../../../src/shared/model/given.ts';
import { defaultRoute, formatPrefix, samePrefix } from '../../../src/shared/model/prefix.ts';
import type { DockerNetworkRow } from '../../../src/shared/store/store.ts';
import { endpointRow, placeOf } from './docker-endpoint.ts';
import { MAX_PREFIX } from './options.ts';
import { isRouted } from './parent-options.ts';
import { firstGateway } from './shared-network.ts';
import type { JoinRequest } from './wire/messages.ts';

/** libnetwork's RouteType: through a gateway, or on the link. */
const [NEXT_HOP, CONNECTED] = [0, 1];

/** Tells dockerd what to do with the interface in the container. Changes nothing of it, so dockerd may ask again. */
export async function join(core: Core, request: JoinRequest): Promise<object> {
  const { network, spec, attachment } = placeOf(core, request);
  const { addresses = [], ifName } = dockerFactsOf(endpointRow(core.store, attachment));
  const inside = nameInside(ifName, network.ifPrefix);
  if (network.list !== undefined)
    return await joinAnswer(core, network, attachment, { inside, sandboxKey: request.sandboxKey });
  // Otherwise dockerd adds an interface on its own bridge (docker_gwbridge) as a way out.
  if (network.driver === 'null') return { DisableGatewayService: true };
  const parented = parentedOf(spec.options);
  if (parented !== undefined) await placeOffered(core, attachment, request.sandboxKey ?? '');
  const families = new Set(addresses.map((text): Family => (text.includes(':') ? 6 : 4)));
  const gateway4 = families.has(4) ? network.gateway4 : undefined;
  const gateway6 = families.has(6) ? network.gateway6 : undefined;
  return {
    InterfaceName: { SrcName: attachment.ifName, ...inside },
    ...given({ Gateway: gateway4, GatewayIPv6: gateway6 }),
    StaticRoutes: [
      ...poolRoutes(spec, families),
      ...(parented && isRouted(parented) && !network.internal ? wayOut(families) : []),
      ...(network.internal ? [] : staticRoutes(spec, families)),
    ],
    // dockerd does not count an IPv6 gateway alone either.
    ...(gateway4 === undefined || parented !== undefined ? { DisableGatewayService: true } : {}),
  };
}

/** The parent is the way to everywhere. */
function wayOut(families: ReadonlySet<Family>): object[] {
  return [...families].map((family) => ({ Destination: formatPrefix(defaultRoute(family)), RouteType: CONNECTED }));
}

/** The interface that the plugins of a list made. dockerd adds no way out of its own (docker_gwbridge). */
async function joinAnswer(
  core: Core,
  network: DockerNetworkRow,
  attachment: Attachment,
  { inside, sandboxKey }: { readonly inside: object; readonly sandboxKey: string | undefined },
): Promise<object> {
  const { joinListed } = await import('./lists/list-join.ts');
  const { carried } = await joinListed(core, attachment, sandboxKey);
  const { addresses = [], gateway4, gateway6, routes = [] } = carried ?? {};
  // Without an IPAM of its own, the list leaves addresses and gateway to Docker.
  const isBare = addresses.length === 0;
  const Gateway = gateway4 ?? (isBare ? network.gateway4 : undefined);
  const GatewayIPv6 = gateway6 ?? (isBare ? network.gateway6 : undefined);
  return {
    InterfaceName: { SrcName: attachment.ifName, ...inside },
    ...given({ Gateway, GatewayIPv6 }),
    StaticRoutes: routes.map(({ dst, gateway }) =>
      gateway === undefined
        ? { Destination: dst, RouteType: CONNECTED }
        : { Destination: dst, RouteType: NEXT_HOP, NextHop: gateway },
    ),
    DisableGatewayService: true,
  };
}

/**
 * The name that the user gives, and its prefix for dockerd before 29.8, which ignores the name and numbers the interfaces
 * of a prefix from 0.
 */
function nameInside(ifName: string | undefined, ifPrefix: string): object {
  if (ifName === undefined) return { DstPrefix: ifPrefix };
  return { DstPrefix: ifName.replace(/\d+$/, '').slice(0, MAX_PREFIX) || ifPrefix, DstName: ifName };
}

/**
 * What is on other hosts is reached by the gateway of this host's range, whether or not the container's default route
 * is this network's.
 */
function poolRoutes(spec: NetworkSpec, families: ReadonlySet<Family>): object[] {
  const pools = spec.options.driver === 'overlay' ? (spec.options.pools ?? []) : [];
  return pools.flatMap((pool) => {
    const family = pool.includes(':') ? 6 : 4;
    const via = families.has(family) ? firstGateway(spec, family) : undefined;
    return via === undefined ? [] : [{ Destination: pool, RouteType: NEXT_HOP, NextHop: formatAddr(via) }];
  });
}

/** The non-default routes of the Network's CNI configuration, for the endpoint's families. */
function staticRoutes(spec: NetworkSpec, families: ReadonlySet<Family>): object[] {
  return spec.routes.flatMap(({ dst, gateway, scope }) => {
    const { family } = dst.addr;
    if (!families.has(family) || samePrefix(dst, defaultRoute(family))) return [];
    const via = gateway ?? (scope === 'link' ? undefined : firstGateway(spec, family));
    return via === undefined
      ? [{ Destination: formatPrefix(dst), RouteType: CONNECTED }]
      : [{ Destination: formatPrefix(dst), RouteType: NEXT_HOP, NextHop: formatAddr(via) }];
  });
}
