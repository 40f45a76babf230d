import type { BridgeOptions } from '../../config/bridge.ts';
import type { Family } from '../../model/addr.ts';
import { defaultRoute, firstHost, samePrefix } from '../../model/prefix.ts';
import type { Route } from '../../model/route.ts';
import type { Addressing, Assigned } from '../driver.ts';

/** True if endpoints leave the network through a gateway of this family. */
export function hasGateway({ isGateway, gatewayFamilies }: BridgeOptions, family: Family): boolean {
  return isGateway && gatewayFamilies?.includes(family) !== false;
}

/** Adds gateways that IPAM omitted (`isGateway`) and missing default routes (`isDefaultGateway`). */
export function completeAddressing(options: BridgeOptions, addressing: Addressing): Addressing {
  if (!options.isGateway) return addressing;
  const addresses = addressing.addresses.map((assigned): Assigned => {
    if (!hasGateway(options, assigned.address.addr.family)) return assigned;
    return { ...assigned, gateway: assigned.gateway ?? firstHost(assigned.address) };
  });
  return options.isDefaultGateway
    ? { addresses, routes: [...addressing.routes, ...defaultRoutes({ addresses, routes: addressing.routes })] }
    : { addresses, routes: addressing.routes };
}

/** One default route for each family that has a gateway and no default route. */
function defaultRoutes({ addresses, routes }: Addressing): Route[] {
  return ([4, 6] as const).flatMap((family: Family) => {
    const gateway = addresses.find(({ address }) => address.addr.family === family)?.gateway;
    const dst = defaultRoute(family);
    return gateway === undefined || routes.some((route) => samePrefix(route.dst, dst)) ? [] : [{ dst, gateway }];
  });
}
