import { LIMITS } from '../config/limits.ts';
import { type Addr, formatAddr } from '../model/addr.ts';
import { contains, defaultRoute, formatPrefix, networkOf, type Prefix, samePrefix } from '../model/prefix.ts';
import type { Route } from '../model/route.ts';
import { addresses, classLength, ipv4, isHost } from './addresses.ts';
import { type Message, malformed, OPTION } from './message.ts';

/** RT_SCOPE_LINK, linux/rtnetlink.h. */
const LINK_SCOPE = 253;

export interface Ways {
  /** Of the default route, for a result. */
  readonly gateway?: Addr;
  /** In an order that the kernel takes. */
  readonly routes: readonly Route[];
}

/**
 * Reads the routes that an interface with the address gets. Option 121 replaces 33 and 3 as sources of routes (RFC 3442).
 * Leaves out those by a router that is no host. Throws NetError `io` for a malformed option 121.
 */
export function waysOf(options: Message['options'], address: Prefix): Ways {
  const gateway = addresses(options.get(OPTION.routers)).find((addr) => isHost(addr, address));
  const classless = classlessRoutes(options.get(OPTION.classlessRoutes) ?? new Uint8Array(0));
  const fixed = staticRoutes(options.get(OPTION.staticRoutes));
  const usual = gateway === undefined ? [] : [{ dst: defaultRoute(4), gateway }];
  const all = classless.length > 0 ? classless : [...fixed, ...usual];
  const first = gateway ?? classless.find(({ dst }) => dst.length === 0)?.gateway;
  const usable = all.filter((route) => route.gateway === undefined || isHost(route.gateway, address));
  const routes = reachable(distinct(usable, address), address);
  return { routes, ...(first === undefined ? {} : { gateway: first }) };
}

/** Without what the kernel would refuse: a second route to a destination, and one to the subnet, which it adds itself. */
function distinct(routes: readonly Route[], address: Prefix): Route[] {
  const found = new Map<string, Route>();
  for (const route of routes) {
    const isSubnet = route.gateway === undefined && samePrefix(route.dst, networkOf(address));
    const key = formatPrefix(route.dst);
    if (!isSubnet && !found.has(key) && found.size < LIMITS.routes) found.set(key, route);
  }
  return [...found.values()];
}

/** Those on the link come first. A gateway outside the subnet is on the link, too, as in networks with a mask of 32 bits. */
function reachable(routes: readonly Route[], address: Prefix): Route[] {
  const onLink = routes.filter(({ gateway }) => gateway === undefined);
  const near = [address, ...onLink.map(({ dst }) => dst)];
  const far = new Map<string, Route>();
  for (const { gateway } of routes) {
    if (gateway === undefined || near.some((prefix) => contains(prefix, gateway))) continue;
    far.set(formatAddr(gateway), { dst: { addr: gateway, length: 32 }, scope: LINK_SCOPE });
  }
  const others = routes.filter(({ gateway, dst }) => {
    return gateway !== undefined && !(dst.length === 32 && far.has(formatAddr(dst.addr)));
  });
  return [...onLink, ...far.values(), ...others];
}

/** Option 121: prefix length, its significant bytes, router; again and again. */
function classlessRoutes(bytes: Uint8Array): Route[] {
  const routes: Route[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] ?? 0;
    const significant = Math.ceil(length / 8);
    const end = at + 1 + significant + 4;
    if (length > 32 || end > bytes.length) throw malformed('has a malformed option 121');
    const dst = Uint8Array.of(...bytes.subarray(at + 1, at + 1 + significant), ...new Uint8Array(4 - significant));
    routes.push(routeTo({ addr: ipv4(dst), length }, ipv4(bytes.subarray(end - 4, end))));
    at = end;
  }
  return routes;
}

/** Option 33: pairs of destination and router. The destination's class says what it is. */
function staticRoutes(bytes: Uint8Array | undefined): Route[] {
  const all = addresses(bytes);
  return all.flatMap((addr, i) => {
    const router = i % 2 === 0 ? all[i + 1] : undefined;
    return router === undefined || addr.value === 0n ? [] : [routeTo({ addr, length: classLength(addr) }, router)];
  });
}

/** Router 0.0.0.0: the destination is on the link. */
function routeTo(dst: Prefix, router: Addr): Route {
  const network = networkOf(dst);
  return router.value === 0n ? { dst: network, scope: LINK_SCOPE } : { dst: network, gateway: router };
}
