import type { View } from '../../host/host.ts';
import { defaultRouteDevice } from './mtu.ts';

/** Route protocol of routes learnt from router advertisements: RTPROT_RA, linux/rtnetlink.h. */
const RTPROT_RA = 9;

/** Kinds of links that pods are behind. */
const PODS = ['bridge', 'veth', 'ifb'];

/**
 * Keys of the interfaces that listen to routers, or would once a router speaks: those with a route that a router told
 * of, that of the default route, and each that is up and stands by itself. Not other veths and bridges: behind one there
 * are pods more often than a router, and pods shall not tell the host its routes.
 */
export function acceptRaKeys(view: View): string[] {
  const learnt = view.routes.filter((route) => route.protocol === RTPROT_RA).flatMap((route) => route.dev ?? []);
  const alone = [...view.links.values()].filter(
    ({ up, loopback, master, kind }) => up && !loopback && master === undefined && !PODS.includes(kind ?? ''),
  );
  const devices = new Set([...learnt, defaultRouteDevice(view) ?? [], ...alone.map(({ name }) => name)].flat());
  return [...devices].map((device) => `net/ipv6/conf/${device}/accept_ra`);
}
