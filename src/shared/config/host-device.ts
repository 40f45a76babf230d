import { field, type Json, textField } from '../model/json.ts';
import { readIfName } from './interface-values.ts';
import { invalid } from './invalid.ts';

/** Options of the host-device driver; keys are the reference plugin's. */
export interface HostDeviceOptions {
  readonly driver: 'host-device';
  /** What finds the device on the host. */
  readonly by: DeviceKey;
}

export interface DeviceKey {
  /**
   * `device`: an interface name. `hwaddr`: lower-case, with colons. `kernelpath`: below /sys/devices. `pciBusID`:
   * `0000:3b:00.1`. `deviceID`: a PCI address, or a name in /sys/bus/auxiliary/devices.
   */
  readonly kind: 'device' | 'hwaddr' | 'kernelpath' | 'pciBusID' | 'deviceID';
  readonly value: string;
}

/** A domain has four digits or more: those behind Intel's VMD begin at 10000. */
const PCI_ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i;

/**
 * Parses the keys of driver `host-device` in a configuration of valid shape. The first of device, hwaddr, kernelpath,
 * runtimeConfig.deviceID and pciBusID finds the device. Throws NetError `invalid-config` without any of them, and for a
 * value that finds nothing on any host.
 */
export function parseHostDevice(config: Json): HostDeviceOptions {
  const by =
    readDevice(config) ?? readHwaddr(config) ?? readKernelPath(config) ?? readDeviceId(config) ?? readPci(config);
  if (by !== undefined) return { driver: 'host-device', by };
  const hint = 'Give .device, .hwaddr, .kernelpath or .pciBusID, or let the runtime give .runtimeConfig.deviceID';
  throw invalid('.device', undefined, 'no key says which device to move', hint);
}

function readDevice(config: Json): DeviceKey | undefined {
  const value = readIfName(config, 'device');
  return value === undefined ? undefined : { kind: 'device', value };
}

function readHwaddr(config: Json): DeviceKey | undefined {
  const text = textField(config, 'hwaddr');
  if (text === undefined) return undefined;
  const value = parseHwaddr(text);
  if (value !== undefined) return { kind: 'hwaddr', value };
  throw invalid('.hwaddr', text, 'it is not a hardware address', 'Write six bytes: 0a:58:0a:16:00:07');
}

/** Ethernet has 6 bytes, EUI-64 8, InfiniBand 20: the forms of Go's net.ParseMAC. */
function parseHwaddr(text: string): string | undefined {
  const digits = /^([0-9a-f]{2}([:-][0-9a-f]{2})+|[0-9a-f]{4}(\.[0-9a-f]{4})+)$/i.test(text)
    ? text.toLowerCase().replaceAll(/[:.-]/g, '')
    : '';
  return [12, 16, 40].includes(digits.length) ? digits.replaceAll(/(..)(?!$)/g, '$1:') : undefined;
}

function readKernelPath(config: Json): DeviceKey | undefined {
  const value = textField(config, 'kernelpath');
  if (value === undefined) return undefined;
  const parts = value.split('/').slice(1);
  if (value.startsWith('/sys/devices/') && !parts.includes('..')) return { kind: 'kernelpath', value };
  const hint = 'Give one like /sys/devices/pci0000:00/0000:00:03.0';
  throw invalid('.kernelpath', value, 'it is not a path below /sys/devices', hint);
}

function readPci(config: Json): DeviceKey | undefined {
  const value = textField(config, 'pciBusID');
  if (value === undefined) return undefined;
  if (PCI_ADDRESS.test(value)) return { kind: 'pciBusID', value: value.toLowerCase() };
  throw invalid('.pciBusID', value, 'it is not a PCI address', 'Write it as lspci -D shows it: 0000:3b:00.1');
}

/** An auxiliary device's name, such as `mlx5_core.sf.4`, keeps its case. */
function readDeviceId(config: Json): DeviceKey | undefined {
  const value = field(field(config, 'runtimeConfig'), 'deviceID');
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string' && /^[\w:-][\w.:-]{0,254}$/.test(value)) {
    return { kind: 'deviceID', value: PCI_ADDRESS.test(value) ? value.toLowerCase() : value };
  }
  const hint = 'Give a PCI address, or the name of an auxiliary device: mlx5_core.sf.4';
  throw invalid('.runtimeConfig.deviceID', value, 'it is not the ID of a device', hint);
}
