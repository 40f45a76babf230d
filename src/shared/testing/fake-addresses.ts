import { badOp, opError } from '../host/failure.ts';
import { BITS, parseAddr } from '../model/addr.ts';
import type { RouteState } from '../model/link.ts';
import type { Op } from '../model/op.ts';
import { contains, formatPrefix, networkOf, type Prefix, parsePrefix } from '../model/prefix.ts';
import {
  EADDRNOTAVAIL,
  EEXIST,
  EHOSTUNREACH,
  EINVAL,
  ENETDOWN,
  ENETUNREACH,
  ESRCH,
  RT_TABLE_MAIN,
} from '../netlink/constants.ts';
import { linkOf } from './fake-links.ts';
import { type FakeNetns, newAddress, scopeOf } from './fake-netns.ts';

type OpOf<N extends Op['op']> = Extract<Op, { op: N }>;

/** RTPROT_KERNEL, RTPROT_BOOT. */
const KERNEL = 2;
const BOOT = 3;
/** IP6_RT_PRIO_ADDRCONF and IP6_RT_PRIO_USER of net/ip6_route.h: IPv6 routes always have a metric. */
const CONNECTED_METRIC_V6 = 256;
const METRIC_V6 = 1024;

type AddressOp = OpOf<'addr.add' | 'addr.delete'>;
type RouteOp = OpOf<'route.add' | 'route.delete'>;

export function changeFakeAddress(op: AddressOp, ns: FakeNetns): void {
  if (op.op === 'addr.add') addAddress(op, ns);
  else deleteAddress(op, ns);
}

/** Refuses a route whose gateway is unreachable, like fib_check_nh of net/ipv4/fib_semantics.c. */
export function changeFakeRoute(op: RouteOp, ns: FakeNetns): void {
  if (op.op === 'route.add') addRoute(op, ns);
  else deleteRoute(op, ns);
}

function addAddress(op: AddressOp, ns: FakeNetns): void {
  const prefix = prefixOf(op, op.address);
  linkOf(op, ns, op.dev);
  const v6 = prefix.addr.family === 6;
  const same = (text: string): boolean =>
    text === op.address || (v6 && text.split('/')[0] === op.address.split('/')[0]);
  if (ns.addresses.some(({ dev, address }) => dev === op.dev && same(address))) throw opError(op, EEXIST);
  ns.addresses.push(newAddress(op.dev, op.address, op));
}

function deleteAddress(op: AddressOp, ns: FakeNetns): void {
  linkOf(op, ns, op.dev);
  const kept = ns.addresses.filter(({ dev, address }) => dev !== op.dev || address !== op.address);
  if (kept.length === ns.addresses.length) throw opError(op, EADDRNOTAVAIL);
  ns.addresses = kept;
  const [own] = op.address.split('/');
  ns.routes = ns.routes.filter(({ source }) => source !== own);
}

function addRoute(op: RouteOp, ns: FakeNetns): void {
  const { route } = op;
  const { addr } = prefixOf(op, route.dst);
  const device = route.dev === undefined ? undefined : linkOf(op, ns, route.dev);
  if (formatPrefix(networkOf(prefixOf(op, route.dst))) !== route.dst) throw opError(op, EINVAL);
  if (device !== undefined && !device.state.up) throw opError(op, ENETDOWN);
  const dev = device?.state.name ?? (route.gateway === undefined ? undefined : wayTo(ns, route.gateway));
  if (route.gateway !== undefined && !route.onlink) {
    const way = wayTo(ns, route.gateway, device?.state.name);
    if (way === undefined) throw opError(op, addr.family === 4 ? ENETUNREACH : EHOSTUNREACH);
  }
  if (dev === undefined) throw opError(op, addr.family === 4 ? EINVAL : ENETUNREACH);
  if (route.source !== undefined && !ns.addresses.some(({ address }) => address.split('/')[0] === route.source)) {
    throw opError(op, EINVAL);
  }
  const made: RouteState = {
    ...route,
    dev,
    table: route.table ?? RT_TABLE_MAIN,
    scope: addr.family === 6 ? 'global' : (route.scope ?? scopeOf(route)),
    protocol: BOOT,
    ...(addr.family === 6 ? { priority: route.priority ?? METRIC_V6 } : {}),
  };
  const isThere = op.exclusive ? sameKey : sameWay;
  if (allRoutes(ns).some((other) => isThere(other, made))) throw opError(op, EEXIST);
  ns.routes.push(made);
}

function deleteRoute(op: RouteOp, ns: FakeNetns): void {
  const { dst, gateway, dev, priority, table = RT_TABLE_MAIN } = op.route;
  if (dev !== undefined) linkOf(op, ns, dev);
  const index = ns.routes.findIndex(
    (route) =>
      route.dst === dst &&
      route.table === table &&
      (gateway === undefined || route.gateway === gateway) &&
      (dev === undefined || route.dev === dev) &&
      (priority === undefined || route.priority === priority),
  );
  if (index >= 0) ns.routes.splice(index, 1);
  else deleteConnected(op, ns);
}

/** The kernel does not make its route to a subnet again while the link stays up. */
function deleteConnected(op: RouteOp, ns: FakeNetns): void {
  const { dst, gateway, dev } = op.route;
  const isOf = ({ dev: own, address, noPrefixRoute }: FakeNetns['addresses'][number]): boolean => {
    const prefix = parsePrefix(address);
    return prefix !== undefined && !noPrefixRoute && own === dev && formatPrefix(networkOf(prefix)) === dst;
  };
  const isThere = gateway === undefined && connectedRoutes(ns).some((route) => route.dst === dst && route.dev === dev);
  if (!isThere) throw opError(op, ESRCH);
  ns.addresses = ns.addresses.map((one) => (isOf(one) ? { ...one, noPrefixRoute: true } : one));
}

/** Splits the routes into the kernel's routes to the subnets of links that are up, and the others. */
export function allRoutes(ns: FakeNetns): RouteState[] {
  return [...connectedRoutes(ns), ...ns.routes];
}

function connectedRoutes(ns: FakeNetns): RouteState[] {
  return ns.addresses.flatMap(({ dev, address, noPrefixRoute }): RouteState[] => {
    const prefix = parsePrefix(address);
    if (prefix === undefined || noPrefixRoute || !ns.links.get(dev)?.state.up || dev === 'lo') return [];
    if (prefix.length === BITS[prefix.addr.family] && prefix.addr.family === 4) return [];
    const table = ns.links.get(dev)?.state.vrfTable ?? RT_TABLE_MAIN;
    const common = { dst: formatPrefix(networkOf(prefix)), dev, table, protocol: KERNEL };
    return prefix.addr.family === 4
      ? [{ ...common, scope: 'link', source: address.split('/')[0] ?? '' }]
      : [{ ...common, scope: 'global', priority: CONNECTED_METRIC_V6 }];
  });
}

/** Returns the device that reaches an address without a gateway, or undefined. */
function wayTo(ns: FakeNetns, gateway: string, dev?: string): string | undefined {
  const addr = parseAddr(gateway);
  if (addr === undefined) return undefined;
  const ways = allRoutes(ns).filter((route) => {
    const prefix = parsePrefix(route.dst);
    const direct = route.gateway === undefined && (dev === undefined || route.dev === dev);
    return direct && prefix !== undefined && contains(prefix, addr);
  });
  const length = (route: RouteState): number => parsePrefix(route.dst)?.length ?? 0;
  return ways.sort((a, b) => length(b) - length(a))[0]?.dev;
}

function sameKey(a: RouteState, b: RouteState): boolean {
  return a.dst === b.dst && a.table === b.table && (a.priority ?? 0) === (b.priority ?? 0);
}

function sameWay(a: RouteState, b: RouteState): boolean {
  return sameKey(a, b) && a.dev === b.dev && a.gateway === b.gateway;
}

function prefixOf(op: Op, text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw badOp(op, `${JSON.stringify(text)} is not an address with a prefix length`);
  return prefix;
}
