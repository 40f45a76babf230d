import type { BridgeOptions } from '../../config/bridge.ts';
import type { View } from '../../host/host.ts';
import { digest } from '../../model/attachment.ts';
import type { LinkFacts } from '../../model/endpoint.ts';
import { macOfDigest } from '../../model/mac.ts';
import { EMPTY_PLAN, type Op, type Plan } from '../../model/op.ts';
import { planPort } from '../link.ts';
import { defaultRouteDevice, hostMac, networkMtu } from './mtu.ts';

/** The VLAN that a filtering bridge puts a new port into. */
const DEFAULT_VLAN = 1;

type PortVlans = Pick<LinkFacts, 'vlans' | 'leavesDefaultVlan'>;

/** True if VLANs separate the network's ports, so that the bridge must filter. */
export function usesVlans(options: BridgeOptions): boolean {
  return options.vlan !== undefined || options.trunk.length > 0;
}

/** The device that carries gateway addresses: the bridge, or `<bridge>.<vlan>`, a veth into that VLAN. */
export function gatewayDevice(options: BridgeOptions): string {
  return options.vlan === undefined ? options.bridge : `${options.bridge}.${options.vlan}`;
}

/** Creates the veth pair between the bridge's VLAN and the host, if the gateway needs one and it is missing. */
export function planGatewayDevice(options: BridgeOptions, view: View): Plan {
  const name = gatewayDevice(options);
  if (options.vlan === undefined || view.links.has(name)) return EMPTY_PLAN;
  const mtu = networkMtu(options, view);
  const port = `vlan${digest('gateway', name).slice(0, 11)}`;
  return {
    ops: [
      {
        op: 'link.create',
        ns: 'host',
        name: port,
        link: { kind: 'veth', peer: { ns: 'host', name, mac: macOfDigest(digest('gateway-mac', name)), mtu } },
        mac: hostMac(port),
        mtu,
        master: options.bridge,
      },
      ignoreRouters(name),
      { op: 'link.set', ns: 'host', name: port, set: { up: true } },
      ...planPort({ ...portVlans({ ...options, trunk: [] }), hostIf: port }),
      { op: 'link.set', ns: 'host', name, set: { up: true } },
    ],
    undo: [{ op: 'link.delete', ns: 'host', name: port, kind: 'veth' }],
  };
}

/**
 * VLAN membership of one port: the untagged VLAN, and the tagged ones of a trunk. A trunk without an untagged VLAN
 * keeps VLAN 1 as its native one, as in the reference.
 */
export function portVlans({ vlan, trunk, preserveDefaultVlan }: BridgeOptions): PortVlans {
  const untagged = vlan === undefined ? [] : [{ vid: vlan, pvid: true, untagged: true }];
  const vlans = [...untagged, ...trunk];
  const leaves = vlan !== undefined && !preserveDefaultVlan && vlan !== DEFAULT_VLAN;
  return { ...(vlans.length > 0 ? { vlans } : {}), ...(leaves ? { leavesDefaultVlan: true } : {}) };
}

/** Adds a bridge that we create to the untagged VLAN, as the reference does. A bridge that we found stays unchanged. */
export function joinBridge({ bridge, vlan }: BridgeOptions): Op[] {
  return vlan === undefined ? [] : [{ op: 'vlan.add', ns: 'host', name: bridge, vlan: { vid: vlan, self: true } }];
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
