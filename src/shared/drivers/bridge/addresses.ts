import type { BridgeOptions } from '../../config/bridge.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { View } from '../../host/host.ts';
import { BITS } from '../../model/addr.ts';
import { digest } from '../../model/attachment.ts';
import { linkLocalOf, macOfDigest } from '../../model/mac.ts';
import type { Op, Plan } from '../../model/op.ts';
import { formatPrefix, overlaps, type Prefix, parsePrefix } from '../../model/prefix.ts';
import type { Addressing } from '../driver.ts';
import { hasGateway } from './gateways.ts';
import { gatewayDevice } from './vlan.ts';

/** The endpoints' gateways, each with the prefix length of its subnet. */
export function gatewaysOf(options: BridgeOptions, addressing: Addressing): Prefix[] {
  return addressing.addresses.flatMap(({ address: { length }, gateway: addr }) =>
    addr === undefined || !hasGateway(options, addr.family) ? [] : [{ addr, length }],
  );
}

/**
 * The gateways that are addresses of the host, its own addresses, and the link-local address that a quiet bridge needs
 * for IPv6: neighbour solicitations for forwarded packets come from it (ndisc_send_ns in net/ipv6/ndisc.c).
 */
export function carriedBy(options: BridgeOptions, addressing: Addressing): Prefix[] {
  const own = hostAddressesOf(options);
  // With addresses of its own, the host must not choose a gateway's as the source: every host has that.
  const lengthOf = ({ addr: { family }, length }: Prefix): number => (own.length > 0 ? BITS[family] : length);
  const gateways = gatewaysOf(options, addressing)
    .filter(({ addr }) => options.inhibit4 !== true || addr.family === 6)
    .map((gateway) => ({ ...gateway, length: lengthOf(gateway) }));
  const linkLocal = options.isQuiet && parsePrefix(`${linkLocalOf(macOf(options.bridge))}/64`);
  const all = [...gateways, ...own];
  return linkLocal && all.some(({ addr }) => addr.family === 6) ? [...all, linkLocal] : all;
}

/** The host's own, besides the gateways. */
export function hostAddressesOf({ hostAddresses = [] }: BridgeOptions): Prefix[] {
  return hostAddresses.flatMap((text) => parsePrefix(text) ?? []);
}

/** MAC of a bridge that we create: the same on every host. */
export function macOf(bridge: string): string {
  return macOfDigest(digest('bridge', bridge));
}

/** Gives the device of the gateways what it lacks of `gateways`. */
export function planAddresses(options: BridgeOptions, view: View, gateways: readonly Prefix[]): Plan {
  const dev = gatewayDevice(options);
  const ops: Op[] = [];
  const undo: Op[] = [];
  const present = new Set(view.addresses.filter((state) => state.dev === dev).map((state) => state.address));
  const wanted = new Set(gateways.map(formatPrefix));
  const hasOwn = hostAddressesOf(options).length > 0;
  for (const gateway of gateways) {
    const address = formatPrefix(gateway);
    if (present.has(address)) continue;
    for (const other of [...present].filter((text) => !wanted.has(text) && conflicts(text, gateway))) {
      if (!options.forceAddress) throw addressConflict(dev, other, address);
      present.delete(other);
      ops.push({ op: 'addr.delete', ns: 'host', dev, address: other });
      undo.unshift({ op: 'addr.add', ns: 'host', dev, address: other });
    }
    const noDad = gateway.addr.family === 6;
    if (noDad) {
      ops.push({ op: 'sysctl.set', ns: 'host', key: `net/ipv6/conf/${dev}/disable_ipv6`, value: '0', optional: true });
    }
    present.add(address);
    const deprecated = hasOwn && gateway.length === BITS[6] ? { deprecated: true } : {};
    ops.push({ op: 'addr.add', ns: 'host', dev, address, ...(noDad ? { noDad, ...deprecated } : {}) });
    undo.unshift({ op: 'addr.delete', ns: 'host', dev, address });
  }
  return { ops, undo };
}

/** Like the reference: any other IPv4 address conflicts, an IPv6 one only if the subnets overlap. */
function conflicts(present: string, gateway: Prefix): boolean {
  const other = parsePrefix(present);
  if (other === undefined || other.addr.family !== gateway.addr.family) return false;
  return gateway.addr.family === 4 || overlaps(other, gateway);
}

function addressConflict(dev: string, present: string, wanted: string): NetError {
  return fault.conflict(
    'bridge',
    `link ${dev}`,
    `already has an IP address different from ${wanted}: ${present}`,
    'Name another bridge, or use the subnet that is there (in CNI: .bridge, .forceAddress)',
  );
}
