import type { InsideOptions } from '../../config/inside.ts';
import type { DeviceNode } from '../../model/device-node.ts';
import type { LoneDriver } from '../driver.ts';
import { dummyDriver } from './dummy.ts';
import { hostDeviceDriver } from './host-device.ts';
import { ipvlanDriver } from './ipvlan.ts';
import { macvlanDriver } from './macvlan.ts';
import { tapDriver } from './tap.ts';
import { vlanDriver } from './vlan.ts';

/** `node`: the device of the host that the options of host-device name by its place in sysfs. */
export function loneDriver(options: InsideOptions, node?: DeviceNode): LoneDriver {
  switch (options.driver) {
    case 'macvlan':
      return macvlanDriver(options);
    case 'ipvlan':
      return ipvlanDriver(options);
    case 'vlan':
      return vlanDriver(options);
    case 'tap':
      return tapDriver(options);
    case 'dummy':
      return dummyDriver();
    case 'host-device':
      return hostDeviceDriver(options, node);
  }
}
