import type { BridgeOptions } from '../../config/bridge.ts';
import type { View } from '../../host/host.ts';
import { defaultRouteDevice } from '../forwarding.ts';

/** MTU of the network's interfaces: the option's, else the bridge's, else that of the default route. */
export function networkMtu(options: BridgeOptions, view: View): number {
  if (options.mtu !== undefined) return options.mtu;
  const bridge = view.links.get(options.bridge);
  if (bridge !== undefined) return bridge.mtu;
  const uplink = view.links.get(defaultRouteDevice(view) ?? '');
  return uplink?.mtu ?? 1500;
}
