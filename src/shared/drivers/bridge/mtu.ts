import type { BridgeOptions } from '../../config/bridge.ts';
import type { View } from '../../host/host.ts';

/** MTU that the network's interfaces get: as given, else the bridge's own, else the default route's. */
export function networkMtu(options: BridgeOptions, view: View): number {
  if (options.mtu !== undefined) return options.mtu;
  const bridge = view.links.get(options.bridge);
  if (bridge !== undefined) return bridge.mtu;
  const uplink = view.links.get(defaultRouteDevice(view) ?? '');
  return uplink?.mtu ?? 1500;
}

/** The interface of the best default route, IPv4's before IPv6's. */
export function defaultRouteDevice(view: View): string | undefined {
  const main = view.routes.filter((route) => route.dev !== undefined && (route.table ?? 254) === 254);
  const byMetric = (dst: string) =>
    main.filter((route) => route.dst === dst).sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0))[0]?.dev;
  return byMetric('0.0.0.0/0') ?? byMetric('::/0');
}
