import type { View } from '../../host/host.ts';
import type { Op } from '../../model/op.ts';
import { defaultRouteDevice } from './mtu.ts';

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
