import type { DeviceKey, HostDeviceOptions } from '../../config/host-device.ts';
import { fault } from '../../errors/fault.ts';
import type { View, ViewQuery } from '../../host/host.ts';
import { formatMovedAlias, parseAlias, parseDeviceAlias, parseMovedAlias } from '../../model/alias.ts';
import type { DeviceNode } from '../../model/device-node.ts';
import { given } from '../../model/given.ts';
import type { LoneLink, MovedLink } from '../../model/interface-facts.ts';
import type { LinkState } from '../../model/link.ts';
import { parseMac } from '../../model/mac.ts';
import type { LoneDriver } from '../driver.ts';
import { describeLone } from './inside.ts';
import { describeDevice } from './moved.ts';

/** Drivers that give a device to a program instead of to the kernel (DPDK). */
const USERSPACE: readonly (string | undefined)[] = ['vfio-pci', 'uio_pci_generic', 'igb_uio'];

/**
 * Driver `host-device`: the endpoint has a device of the host for as long as it lives. Its options are those of the
 * reference host-device plugin. `node` is what sysfs tells, where the options name a place there.
 */
export function hostDeviceDriver({ by }: HostDeviceOptions, node?: DeviceNode): LoneDriver {
  const isPci = by.kind === 'pciBusID' || by.kind === 'deviceID';
  const isUserspace = isPci && USERSPACE.includes(node?.driver);
  return {
    parentNs: 'host',
    announces: true,
    takes: (link) => isSame(link, by, node),
    complete: (addressing) => addressing,
    query: (seen, looks) => (isUserspace ? undefined : deviceQuery(by, node, seen, looks)),
    describeLink: (view, { ifName, attachment, alias }) => {
      if (isUserspace) return { ifName, link: { kind: 'userspace', device: by.value }, alias };
      const device = chosenOf(by, node, view);
      const { name: dev, kind: type, permMac, parentDev } = device;
      // An alias of ours is left from an attachment without a record.
      const before = parseMovedAlias(device.alias) === undefined ? device.alias : undefined;
      const link: MovedLink = {
        ...{ kind: 'moved', dev, ...given({ type, permMac, parentDev }) },
        before: { ...describeDevice(device, view), ...given({ alias: before }) },
      };
      return { ifName, link, ...given({ mac: parseMac(device.mac) }), alias: formatMovedAlias(dev, attachment) };
    },
    describeInside: describeLone,
  };
}

function deviceQuery(
  by: DeviceKey,
  node: DeviceNode | undefined,
  seen: View | undefined,
  looks: number,
): ViewQuery | undefined {
  if (looks === 0 || seen === undefined) return { links: by.kind === 'device' ? [by.value] : 'all' };
  return looks === 1 ? { addresses: [chosenOf(by, node, seen).name], routes: true } : undefined;
}

/** Throws NetError `invalid-config` or `conflict` unless the options find exactly one device that can be given away. */
function chosenOf(by: DeviceKey, node: DeviceNode | undefined, { links }: View): LinkState {
  const subject = `.${by.kind === 'deviceID' ? 'runtimeConfig.deviceID' : by.kind}=${JSON.stringify(by.value)}`;
  const [device, ...others] = candidatesOf(by, node, [...links.values()]);
  if (device === undefined) throw fault.invalidConfig('config', subject, missingWhat(by, node), missingHint(by));
  if (others.length > 0) {
    const names = [device, ...others].map(({ name }) => name).sort();
    const hint = `Name one of them with .device instead`;
    throw fault.invalidConfig('config', subject, `finds ${names.length} interfaces: ${names.join(', ')}`, hint);
  }
  const { name, loopback, alias } = device;
  if (loopback)
    throw fault.invalidConfig('config', subject, `${name} is loopback, which no container can take`, IP_LINK);
  if (parseAlias(alias) !== undefined || parseDeviceAlias(alias) !== undefined) {
    const hint = 'Choose a device that is neither a bridge of a network nor the side of a container';
    throw fault.conflict('ADD', `link ${name}`, `belongs to Isthmus itself (${alias})`, hint);
  }
  return device;
}

function candidatesOf(by: DeviceKey, node: DeviceNode | undefined, links: readonly LinkState[]): LinkState[] {
  if (by.kind === 'device') return links.filter(({ name }) => name === by.value);
  if (by.kind !== 'hwaddr') return links.filter((link) => isBehind(link, node));
  const found = links.filter(({ mac }) => mac === by.value);
  // A bridge, a bond or a VLAN has the MAC of its device.
  const hardware = found.filter(({ kind }) => kind === undefined);
  return found.length > 1 && hardware.length === 1 ? hardware : found;
}

/** sysfs shows the interfaces of the namespace that it was mounted in: those of another are not the same link. */
function isBehind({ parentDev, name, index, mac }: LinkState, node: DeviceNode | undefined): boolean {
  if (node === undefined) return false;
  if (parentDev !== undefined && node.parents.includes(parentDev)) return true;
  return node.interfaces.some((one) => one.name === name && one.index === index && one.mac === mac);
}

function isSame(link: LoneLink, by: DeviceKey, node: DeviceNode | undefined): boolean {
  if (link.kind === 'userspace') return by.kind !== 'device' && link.device === by.value;
  if (link.kind !== 'moved') return false;
  const { dev, parentDev, before } = link;
  if (by.kind === 'device') return dev === by.value;
  if (by.kind === 'hwaddr') return before.mac === by.value;
  return parentDev !== undefined && (node?.parents.includes(parentDev) ?? false);
}

const IP_LINK = 'Choose another interface: ip link';

function missingWhat({ kind }: DeviceKey, node: DeviceNode | undefined): string {
  if (kind === 'device') return 'there is no such interface on this host';
  if (kind === 'hwaddr') return 'no interface of this host has this address';
  if (node === undefined) return 'there is no such device on this host';
  return `the device has no interface in the host's namespace${node.driver === undefined ? '' : ` (its driver is ${node.driver})`}`;
}

function missingHint({ kind }: DeviceKey): string {
  if (kind === 'device' || kind === 'hwaddr') return IP_LINK;
  return kind === 'kernelpath'
    ? 'Look for it: readlink -f /sys/class/net/*/device'
    : 'Look for it: lspci -D, ip -d link';
}
