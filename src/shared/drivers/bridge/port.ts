import type { BridgeOptions } from '../../config/bridge.ts';
import type { View } from '../../host/host.ts';
import type { LinkFacts } from '../../model/interface-facts.ts';
import type { EndpointNames } from '../driver.ts';
import { hostMac } from '../mac.ts';
import { networkMtu } from './mtu.ts';
import { portVlans } from './vlan.ts';

/** Facts of one endpoint's veth pair, with its host side as a port of the bridge. */
export function describePort(options: BridgeOptions, view: View, names: EndpointNames): LinkFacts {
  return {
    ...names,
    hostMac: hostMac(names.hostIf),
    mtu: networkMtu(options, view),
    bridge: options.bridge,
    ...(options.hairpin ? { hairpin: true } : {}),
    ...(options.portIsolation ? { isolated: true } : {}),
    ...(options.portIsolation && options.isolatesByFlag ? { byFlag: true } : {}),
    ...(options.macspoofchk ? { guarded: true } : {}),
    ...(options.spoofGuard ? { spoofGuard: true } : {}),
    ...portVlans(options),
  };
}
