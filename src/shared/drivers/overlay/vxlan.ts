import type { OverlayOptions, VxlanOptions } from '../../config/overlay.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { View } from '../../host/host.ts';
import { BITS } from '../../model/addr.ts';
import { formatDeviceAlias, parseDeviceAlias } from '../../model/alias.ts';
import { digest } from '../../model/attachment.ts';
import type { LinkState, PortState } from '../../model/link.ts';
import { macOfDigest } from '../../model/mac.ts';
import type { LinkChanges, Op, Plan } from '../../model/op.ts';
import { firstOf, formatPrefix } from '../../model/prefix.ts';
import type { Addressing } from '../driver.ts';
import { ignoreRouters } from '../forwarding.ts';
import { networkMtu, underlayName } from './mtu.ts';

/**
 * The bridge must not learn from the device, so that a missing entry shows at once, and answers for the neighbours
 * behind it.
 */
const PORT = { learning: false, neighSuppress: true } as const satisfies Partial<PortState>;

/** MAC of a host's VXLAN device: depends on the host and the network only, so that it survives a reboot. */
export function vxlanMac(host: string, network: string): string {
  return macOfDigest(digest('vxlan', host, network));
}

/** Creates the VXLAN device, or changes what a device of ours can change while it is up. */
export function planVxlan(options: OverlayOptions, network: string, view: View, addressing: Addressing): Plan {
  const { device: name, local } = options.vxlan;
  if (underlayName(local, view) === undefined) throw strayAddress(name, local);
  const found = view.links.get(name);
  const addresses = addressesOf(options, addressing);
  if (found === undefined) {
    return {
      ops: [
        ...openInet6(options, view, addressing),
        ...createVxlan(options, network, view),
        ...addresses.flatMap((address) => addAddress(name, address)),
      ],
      undo: [{ op: 'link.delete', ns: 'host', name, kind: 'vxlan' }],
    };
  }
  checkVxlan(options.vxlan, network, found);
  const present = new Set(view.addresses.flatMap(({ dev, address }) => (dev === name ? [address] : [])));
  const missing = addresses.filter((address) => !present.has(address));
  const mended = [...openInet6(options, view, addressing), ...mendVxlan(options, found)];
  return { ops: [...mended, ...missing.flatMap((address) => addAddress(name, address))], undo: [] };
}

function createVxlan(options: OverlayOptions, network: string, view: View): Op[] {
  const { device: name, id, port, local, mac } = options.vxlan;
  const isPort = options.mode === 'shared';
  return [
    {
      op: 'link.create',
      ns: 'host',
      name,
      link: { kind: 'vxlan', id, port, local, learning: false },
      // In the same message: systemd-udevd gives a link without a MAC another one.
      mac,
      mtu: networkMtu(options, view),
      ...(isPort && { master: options.bridge.bridge }),
      alias: formatDeviceAlias('overlay', network),
    },
    ignoreRouters(name),
    setLink(name, { addrGenMode: 'none' }),
    ...(isPort ? [setPort(name)] : []),
    setLink(name, { up: true }),
  ];
}

function mendVxlan({ mode, bridge, vxlan }: OverlayOptions, found: LinkState): Op[] {
  const { name, vxlan: state, port } = found;
  const master = mode === 'shared' ? bridge.bridge : undefined;
  const joins = master !== undefined && found.master !== master;
  const changed = {
    ...(state?.local !== vxlan.local && { local: vxlan.local }),
    ...(state?.learning && { learning: false }),
  };
  const set: LinkChanges = {
    ...(Object.keys(changed).length > 0 && { vxlan: changed }),
    ...(found.mac !== vxlan.mac && { mac: vxlan.mac }),
    ...(joins && { master }),
    ...(!found.up && { up: true }),
  };
  const isUnlike = joins || port?.learning !== PORT.learning || port.neighSuppress !== PORT.neighSuppress;
  return [
    ...(Object.keys(set).length > 0 ? [setLink(name, set)] : []),
    ...(master !== undefined && isUnlike ? [setPort(name)] : []),
  ];
}

/** Throws NetError `conflict` for a device that is not this network's, or that would have to be made again. */
function checkVxlan({ id, port, local }: VxlanOptions, network: string, found: LinkState): void {
  const { name, vxlan } = found;
  const owner = parseDeviceAlias(found.alias);
  if (owner?.driver !== 'overlay' || owner.network !== network) {
    const hint = 'Remove this interface, or name another device';
    throw fault.conflict('overlay', `link ${name}`, 'exists and does not belong to this network', hint);
  }
  const isOther = vxlan?.local?.includes(':') !== local.includes(':');
  if (vxlan?.id === id && vxlan.port === port && !isOther) return;
  const what = `exists with VNI ${vxlan?.id}, port ${vxlan?.port} and ${vxlan?.local}, which cannot become ${id}, ${port} and ${local}`;
  throw fault.conflict(
    'overlay',
    `link ${name}`,
    what,
    'Remove the endpoints of the network on this host, then the link',
  );
}

/** The kernel accepts a `local` that no interface has, and then nothing arrives. */
function strayAddress(name: string, local: string): NetError {
  const hint = 'Give the underlay address of this host';
  return fault.conflict('overlay', `link ${name}`, `no interface of this host has the address ${local}`, hint);
}

/** In mode `per-host`, the network address of each range: the gateway of the other hosts' routes to it. */
function addressesOf({ mode }: OverlayOptions, { addresses }: Addressing): string[] {
  if (mode === 'shared') return [];
  const ranges = addresses.map(({ address }) => ({ addr: firstOf(address), length: BITS[address.addr.family] }));
  return [...new Set(ranges.map(formatPrefix))];
}

function addAddress(dev: string, address: string): Op[] {
  if (!address.includes(':')) return [{ op: 'addr.add', ns: 'host', dev, address }];
  return [switchOnInet6(dev), { op: 'addr.add', ns: 'host', dev, address, noDad: true }];
}

/** A key of the bridge, which planVxlan has to see. */
export function inet6Key(device: string): string {
  return `net/ipv6/conf/${device}/disable_ipv6`;
}

/** In mode `shared`, the bridge needs neighbours of IPv6, with or without an address of its own. */
function openInet6({ mode, bridge: { bridge } }: OverlayOptions, view: View, { addresses }: Addressing): Op[] {
  const isNeeded = mode === 'shared' && addresses.some(({ address }) => address.addr.family === 6);
  const isOn = view.links.has(bridge) && view.sysctls.get(inet6Key(bridge)) !== '1';
  return isNeeded && !isOn ? [switchOnInet6(bridge)] : [];
}

function switchOnInet6(device: string): Op {
  return { op: 'sysctl.set', ns: 'host', key: inet6Key(device), value: '0', optional: true };
}

function setPort(name: string): Op {
  return { op: 'port.set', ns: 'host', name, set: PORT };
}

function setLink(name: string, set: LinkChanges): Op {
  return { op: 'link.set', ns: 'host', name, set };
}
