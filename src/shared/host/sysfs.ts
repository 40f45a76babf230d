import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { DeviceNode } from '../model/device-node.ts';
import { given } from '../model/given.ts';

/** Reads the device at `path`, a directory of sysfs; undefined if the directory does not exist. */
export function readDeviceNode(path: string): DeviceNode | undefined {
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    return undefined;
  }
  // A virtio device is one of its own, on a bus below the PCI device.
  const virtio = entriesOf(real).filter((name) => /^virtio\d+$/.test(name));
  const places = [real, ...virtio.map((name) => join(real, name))];
  return {
    parents: places.map((place) => basename(place)),
    interfaces: places.flatMap((place) =>
      entriesOf(join(place, 'net')).map((name) => ({
        name,
        index: Number(textOf(join(place, 'net', name, 'ifindex'))),
        mac: textOf(join(place, 'net', name, 'address')),
      })),
    ),
    ...given({ driver: driverOf(real) }),
  };
}

function driverOf(path: string): string | undefined {
  try {
    return basename(readlinkSync(join(path, 'driver')));
  } catch {
    return undefined;
  }
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
