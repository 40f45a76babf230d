import type { NetError } from '../errors/net-error.ts';
import { digest } from '../model/attachment.ts';
import { field, type Json, textField } from '../model/json.ts';
import type { BridgeOptions } from './bridge.ts';
import { readChoice } from './interface-values.ts';
import { invalid } from './invalid.ts';

/**
 * Options of the overlay driver. `shared`: one bridged network over all hosts. `per-host`: each host has a range of its
 * own, and routes to those of the others.
 */
export interface OverlayOptions {
  readonly driver: 'overlay';
  /** Id in the cluster. */
  readonly network: string;
  readonly mode: 'shared' | 'per-host';
  /** Of the bridge on this host and its ports; `mtu` is that of the network's interfaces. */
  readonly bridge: BridgeOptions;
  readonly vxlan: VxlanOptions;
  /** Mode `per-host`: the subnets of all hosts, `10.100.0.0/16`. The network's own ranges are this host's. */
  readonly pools?: readonly string[];
  /** Mode `shared`: addresses of this host itself, on the bridge: `10.100.0.7/16`. */
  readonly hostAddresses?: readonly string[];
  /** Hosts send each other its frames in ESP. Default: false. */
  readonly encrypted?: boolean;
}

/** What a configuration says of an overlay network. The cluster and the host give the rest of OverlayOptions. */
export interface OverlayConfig {
  readonly mode: OverlayOptions['mode'];
  /** Name of the VXLAN device. */
  readonly device: string;
  /** Default: one that no other network of the cluster has. */
  readonly vni?: number;
  /** Broadcast and multicast frames go to every host that has endpoints. */
  readonly flood: boolean;
  /** Each host has an address of its own on the network, by which it reaches the endpoints of others. */
  readonly hostAddress: boolean;
  readonly encrypted: boolean;
}

export interface VxlanOptions {
  /** Name of the device; created if missing. */
  readonly device: string;
  /** VNI. */
  readonly id: number;
  /** UDP port, the same on all hosts. */
  readonly port: number;
  /** Underlay address of this host. */
  readonly local: string;
  /** Of the device; the other hosts know it. */
  readonly mac: string;
}

/** Keys that only driver `overlay` has. */
export const OVERLAY_ONLY = ['mode', 'vni', 'flood', 'hostAddress', 'encrypted'];

/** Keys of driver `bridge` that an overlay network cannot have. */
const NOT_OVERLAY = ['vlan', 'vlanTrunk', 'promiscMode', 'disableContainerInterface', 'forceAddress', 'isGateway'];

/** NetError `invalid-config`: an address of an overlay is the cluster's, so only the built-in IPAM can give it. */
export function withoutPool(config: Json): NetError {
  const what = 'the hosts of an overlay network share its addresses, which only the built-in IPAM can give';
  return invalid('.ipam', field(config, 'ipam'), what, 'Write { "subnet": "10.100.0.0/16" }');
}

/**
 * Parses the keys of driver `overlay` in a configuration of valid shape. Throws NetError `invalid-config` for keys that
 * contradict each other.
 */
export function parseOverlay(config: Json): OverlayConfig {
  const foreign = NOT_OVERLAY.find((key) => field(config, key) !== undefined);
  if (foreign !== undefined)
    throw invalid(`.${foreign}`, field(config, foreign), 'means nothing to driver "overlay"', 'Remove it');
  if (field(config, 'ipam') === undefined) throw withoutPool(config);
  const mode = readChoice(config, 'mode', ['per-host', 'shared']);
  const flag = (key: string): boolean => field(config, key) === true;
  const bridged = ['flood', 'hostAddress'].find(flag);
  if (mode === 'per-host' && bridged !== undefined) {
    const what = 'a routed network (mode "per-host") has neither floods nor addresses of hosts';
    throw invalid(`.${bridged}`, true, what, 'Remove it, or write "mode": "shared"');
  }
  const vni = field(config, 'vni');
  return {
    mode,
    device: vxlanName(textField(config, 'name') ?? ''),
    ...(typeof vni === 'number' && { vni }),
    flood: flag('flood'),
    hostAddress: flag('hostAddress'),
    encrypted: flag('encrypted'),
  };
}

/**
 * UDP port of encrypted networks: the one behind that of the others. What leaves the host is ESP, which has no port; inside
 * of the host, the port tells what has to be encrypted, and what must not arrive in clear text.
 */
export function encryptedPort(port: number): number {
  return port < 0xffff ? port + 1 : port - 1;
}

/** Name of the VXLAN device of a network. */
export function vxlanName(network: string): string {
  return `vx-${digest('vxlan', network).slice(0, 12)}`;
}
