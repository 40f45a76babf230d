import type { View, ViewQuery } from '../host/host.ts';
import type { Family } from '../model/addr.ts';
import type { Op } from '../model/op.ts';

export const FORWARD = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' } as const;
/**
 * A key that every kernel has. Read together with keys that a device without IPv6 lacks, it shows that they were
 * queried.
 */
export const ASKED = 'net/ipv4/conf/all/forwarding';

/** The next query for `planForwarding`, given the view so far; undefined once the view is complete. */
export function forwardingQuery(families: readonly Family[], seen: View | undefined): ViewQuery | undefined {
  if (seen === undefined) return families.length === 0 ? undefined : { sysctls: families.map((one) => FORWARD[one]) };
  if (!opensForwarding6(families, seen)) return undefined;
  if (!seen.links.has('lo')) return { links: 'all', routes: true };
  return seen.sysctls.has(ASKED) ? undefined : { sysctls: [ASKED, ...acceptRaKeys(seen)] };
}

/** Turns forwarding on for the families, where it is off. It stays on. */
export function planForwarding(families: readonly Family[], view: View): Op[] {
  const ops: Op[] = [];
  if (opensForwarding6(families, view)) {
    // A forwarding host ignores router advertisements and drops the routes it learnt, unless accept_ra is 2.
    const learning = acceptRaKeys(view).filter((key) => view.sysctls.get(key) === '1');
    ops.push(...learning.map((key) => hostSysctl(key, '2')));
  }
  for (const family of [4, 6] as const) {
    const needed = families.includes(family);
    if (needed && view.sysctls.get(FORWARD[family]) !== '1') ops.push(hostSysctl(FORWARD[family], '1'));
  }
  return ops;
}

export function opensForwarding6(families: readonly Family[], view: View): boolean {
  return families.includes(6) && view.sysctls.get(FORWARD[6]) !== '1';
}

function hostSysctl(key: string, value: string): Op {
  return { op: 'sysctl.set', ns: 'host', key, value };
}

/** The interface of the best default route; IPv4 takes precedence over IPv6. */
export function defaultRouteDevice(view: View): string | undefined {
  const main = view.routes.filter((route) => route.dev !== undefined && (route.table ?? 254) === 254);
  const byMetric = (dst: string) =>
    main.filter((route) => route.dst === dst).sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0))[0]?.dev;
  return byMetric('0.0.0.0/0') ?? byMetric('::/0');
}

/** RTPROT_RA, linux/rtnetlink.h: protocol of routes learnt from router advertisements. */
export const RTPROT_RA = 9;

/** Kinds of links that lead to pods. */
const PODS = ['bridge', 'veth', 'ifb'];

/**
 * accept_ra keys of the interfaces that listen, or should listen, to routers: those with a route from a router, that of
 * the default route, and each other one that is up and is not a port. Excludes other veths and bridges: pods are behind
 * one more often than a router, and pods must not set the host's routes.
 */
export function acceptRaKeys(view: View): string[] {
  const learnt = view.routes.filter((route) => route.protocol === RTPROT_RA).flatMap((route) => route.dev ?? []);
  const alone = [...view.links.values()].filter(
    ({ up, loopback, master, kind }) => up && !loopback && master === undefined && !PODS.includes(kind ?? ''),
  );
  const devices = new Set([...learnt, defaultRouteDevice(view) ?? [], ...alone.map(({ name }) => name)].flat());
  return [...devices].map(acceptRaKey);
}

/** Ignores router advertisements, so that no pod can give the host a route. */
export function ignoreRouters(device: string): Op {
  return { op: 'sysctl.set', ns: 'host', key: acceptRaKey(device), value: '0', optional: true };
}

export function acceptRaKey(device: string): string {
  return `net/ipv6/conf/${device}/accept_ra`;
}
