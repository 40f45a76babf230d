import type { OverlayOptions } from '../../config/overlay.ts';
import type { View, ViewQuery } from '../../host/host.ts';
import { given } from '../../model/given.ts';
import { joinPlans } from '../../model/op.ts';
import { bridgeDriver } from '../bridge/bridge.ts';
import type { Addressing, Driver } from '../driver.ts';
import { networkMtu, underlayName } from './mtu.ts';
import { inet6Key, planVxlan } from './vxlan.ts';

/**
 * Driver `overlay`: endpoints as driver `bridge` has them, and a VXLAN device that leads to those of other hosts. It is
 * a port of the bridge in mode `shared`, and has routes in mode `per-host`. Plans no entry of another host: these come
 * from core/remote.
 */
export function overlayDriver(options: OverlayOptions, network: string): Driver {
  const { hostAddresses } = options;
  const { device, local } = options.vxlan;
  const bridge = { ...options.bridge, ...given({ hostAddresses }) };
  const plain = bridgeDriver(bridge, network);
  // A bridge over several hosts sends nothing of its own, since every host might get it.
  const within = (view: View): Driver =>
    bridgeDriver({ ...bridge, mtu: networkMtu(options, view), isQuiet: true }, network);
  return {
    ...plain,
    devices: [...plain.devices, device],
    query: (seen, addressing) => {
      if (seen === undefined) return withUnderlay(options, plain.query(undefined, addressing));
      const underlay = underlayName(local, seen);
      const isUnknown = underlay !== undefined && !seen.links.has(underlay);
      return isUnknown ? { links: [underlay] } : within(seen).query(seen, addressing);
    },
    planNetwork: (view: View, addressing: Addressing) =>
      joinPlans(within(view).planNetwork(view, addressing), planVxlan(options, network, view, addressing)),
    describeLink: (view, names) => within(view).describeLink(view, names),
  };
}

/** With all addresses: only they name the device of the underlay. */
function withUnderlay({ bridge, vxlan }: OverlayOptions, { links = [], sysctls = [] }: ViewQuery = {}): ViewQuery {
  return {
    links: links === 'all' ? links : [...links, vxlan.device],
    addresses: 'all',
    sysctls: [...sysctls, inet6Key(bridge.bridge)],
  };
}
