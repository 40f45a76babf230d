import type { DeviceKey } from '../../config/host-device.ts';
import { readDeviceNode } from '../../host/sysfs.ts';
import type { DeviceNode } from '../../model/device-node.ts';

/** The device that a key of driver `host-device` names by its place in sysfs; undefined for other keys, or if it is gone. */
export function deviceNodeOf({ kind, value }: DeviceKey): DeviceNode | undefined {
  switch (kind) {
    case 'kernelpath':
      return readDeviceNode(value);
    case 'pciBusID':
      return readDeviceNode(pciPath(value));
    case 'deviceID':
      return readDeviceNode(pciPath(value)) ?? readDeviceNode(`/sys/bus/auxiliary/devices/${value}`);
    default:
      return undefined;
  }
}

function pciPath(address: string): string {
  return `/sys/bus/pci/devices/${address}`;
}
