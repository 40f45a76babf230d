import type { BridgeOptions } from '../../config/bridge.ts';
import type { View } from '../../host/host.ts';
import { digest } from '../../model/attachment.ts';

/** MTU of the network's interfaces: the option's, else the bridge's, else that of the default route. */
export function networkMtu(options: BridgeOptions, view: View): number {
  if (options.mtu !== undefined) return options.mtu;
  const bridge = view.links.get(options.bridge);
  if (bridge !== undefined) return bridge.mtu;
  const uplink = view.links.get(defaultRouteDevice(view) ?? '');
  return uplink?.mtu ?? 1500;
}

/** The interface of the best default route; IPv4 takes precedence over IPv6. */
export function defaultRouteDevice(view: View): string | undefined {
  const main = view.routes.filter((route) => route.dev !== undefined && (route.table ?? 254) === 254);
  const byMetric = (dst: string) =>
    main.filter((route) => route.dst === dst).sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0))[0]?.dev;
  return byMetric('0.0.0.0/0') ?? byMetric('::/0');
}

/**
 * MAC of the host side: `fe` and 40 bits of its name's digest. The first byte is the highest, because a bridge without
 * a MAC of its own takes the lowest of its ports'.
 */
export function hostMac(hostIf: string): string {
  const tail = digest('host-mac', hostIf).slice(0, 10).match(/../g) ?? [];
  return ['fe', ...tail].join(':');
}
