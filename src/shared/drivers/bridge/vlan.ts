import type { BridgeOptions } from '../../config/bridge.ts';
import type { View } from '../../host/host.ts';
import { digest } from '../../model/attachment.ts';
import type { LinkFacts } from '../../model/interface-facts.ts';
import { macOfDigest } from '../../model/mac.ts';
import { EMPTY_PLAN, type Op, type Plan } from '../../model/op.ts';
import { ignoreRouters } from '../forwarding.ts';
import { planPort } from '../link.ts';
import { hostMac } from '../mac.ts';
import { networkMtu } from './mtu.ts';

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
