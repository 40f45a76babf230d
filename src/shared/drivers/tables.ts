import type { View, ViewQuery } from '../host/host.ts';
import type { RouteSpec, RouteState } from '../model/link.ts';
import type { Op } from '../model/op.ts';

/** What sbr and vrf share: routes of an interface in the sandbox that are in other tables than main. */

/** RT_TABLE_MAIN, RT_TABLE_DEFAULT and RT_TABLE_LOCAL, linux/rtnetlink.h. */
export const MAIN = 254;
const RESERVED: readonly number[] = [253, 254, 255];
/** RTPROT_REDIRECT and RTPROT_RA: the kernel keeps these itself. */
const LEARNED: readonly number[] = [1, 9];
/** Link-local and multicast addresses of IPv6. */
const LOCAL_V6 = /^f(e[89ab]|f)/i;

/** The query for a view of all tables in use. */
export const TABLES_QUERY: ViewQuery = { links: 'all', routes: true, rules: true };

/** Tables that a rule, a route, a VRF or `used` has. */
export function takenTables({ links, routes, rules }: View, used: readonly number[] = []): Set<number> {
  const ofVrfs = [...links.values()].flatMap(({ vrf }) => (vrf === undefined ? [] : [vrf.table]));
  const ofRules = rules.map(({ table }) => table);
  return new Set([...RESERVED, ...used, ...ofVrfs, ...ofRules, ...routes.map(({ table = MAIN }) => table)]);
}

/** The first free table from `first` on. It is taken from then on. */
export function takeTable(taken: Set<number>, first: number): number {
  let table = first;
  while (taken.has(table)) table += 1;
  taken.add(table);
  return table;
}

/** The routes by `dev` in the main table, on-link ones first, but for those that the kernel keeps by itself. */
export function mainRoutes({ routes }: View, dev: string): RouteState[] {
  return onLinkFirst(
    routes.filter((route) => {
      const { protocol, table = MAIN, dst } = route;
      return route.dev === dev && table === MAIN && !LEARNED.includes(protocol) && !LOCAL_V6.test(dst);
    }),
  );
}

/** A gateway has to be on the link before a route can lead there. */
export function onLinkFirst<R extends RouteSpec>(routes: readonly R[]): R[] {
  return [...routes].sort((a, b) => Number(a.gateway !== undefined) - Number(b.gateway !== undefined));
}

export function withoutProtocol({ protocol: _, ...route }: RouteState): RouteSpec {
  return route;
}

export function addRoute(route: RouteSpec): Op {
  return { op: 'route.add', ns: 'sandbox', route };
}

export function deleteRoute({ dst, gateway, dev, priority, table }: RouteSpec): Op {
  const keys = { gateway, dev, priority, table };
  const route = Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined));
  return { op: 'route.delete', ns: 'sandbox', route: { dst, ...route } };
}

/** Ops that put routes back which the main table lacks, if their link is up. */
export function restoreRoutes(wanted: readonly RouteSpec[], { links, routes }: View): Op[] {
  const keys = ['dst', 'gateway', 'dev', 'priority'] as const;
  const isThere = (route: RouteSpec): boolean =>
    routes.some((one) => (one.table ?? MAIN) === MAIN && keys.every((key) => (one[key] ?? 0) === (route[key] ?? 0)));
  const isUp = ({ dev = '' }: RouteSpec): boolean => links.get(dev)?.up === true;
  return onLinkFirst(wanted.filter((route) => isUp(route) && !isThere(route))).map(addRoute);
}
