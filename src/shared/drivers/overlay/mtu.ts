import type { OverlayOptions } from '../../config/overlay.ts';
import type { View } from '../../host/host.ts';
import type { LinkState } from '../../model/link.ts';
import { roomOf } from '../../model/overlay-room.ts';

const USUAL = 1500;

/** MTU of the network's interfaces: the option's, else the bridge's, else what the underlay device leaves. */
export function networkMtu({ bridge, encrypted = false, vxlan: { local } }: OverlayOptions, view: View): number {
  const found = view.links.get(bridge.bridge);
  const underlay = underlayOf(local, view)?.mtu ?? USUAL;
  return bridge.mtu ?? found?.mtu ?? roomOf(underlay, local.includes(':') ? 6 : 4, encrypted);
}

/** The device with this host's underlay address, once the view has it. */
export function underlayOf(local: string, view: View): LinkState | undefined {
  return view.links.get(underlayName(local, view) ?? '');
}

export function underlayName(local: string, { addresses }: View): string | undefined {
  return addresses.find(({ address }) => address.split('/')[0] === local)?.dev;
}
