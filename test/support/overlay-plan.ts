import { strict as assert } from 'node:assert';
import { parseNetconf } from '../../src/shared/config/netconf.ts';
import type { OverlayOptions, VxlanOptions } from '../../src/shared/config/overlay.ts';
import type { Driver } from '../../src/shared/drivers/driver.ts';
import { overlayDriver } from '../../src/shared/drivers/overlay/overlay.ts';
import { vxlanMac } from '../../src/shared/drivers/overlay/vxlan.ts';

/** One overlay network, as one host sees it. */
export interface OverlaySite {
  readonly mode: OverlayOptions['mode'];
  /** Of the host: MACs differ by it. Default: `host-a`. */
  readonly host?: string;
  readonly vxlan?: Partial<VxlanOptions>;
  /** Keys of a bridge's configuration. */
  readonly conf?: Readonly<Record<string, unknown>>;
}

/** The driver of the network `web` on bridge `isth0`, with VNI 42 on `vx0`. */
export function overlayOf({ mode, host = 'host-a', vxlan, conf }: OverlaySite): Driver {
  const config = { name: 'web', bridge: 'isth0', spoofGuard: false, ipam: { type: 'host-local' }, ...conf };
  const { options } = parseNetconf({ config, strict: true });
  assert.ok(options.driver === 'bridge');
  const device = { device: 'vx0', id: 42, port: 4789, local: '192.0.2.7', mac: vxlanMac(host, 'web') };
  return overlayDriver(
    { driver: 'overlay', network: 'id-of-web', mode, bridge: options, vxlan: { ...device, ...vxlan } },
    'web',
  );
}
