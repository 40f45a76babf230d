import type { BridgeOptions } from '../../config/bridge.ts';
import { fault } from '../../errors/fault.ts';
import type { View, ViewQuery } from '../../host/host.ts';
import { type Family, formatAddr } from '../../model/addr.ts';
import { formatDeviceAlias, parseDeviceAlias } from '../../model/alias.ts';
import type { BridgeEntry } from '../../model/firewall.ts';
import type { LinkState } from '../../model/link.ts';
import type { Op, Plan } from '../../model/op.ts';
import type { Addressing } from '../driver.ts';
import {
  ASKED,
  acceptRaKey,
  acceptRaKeys,
  defaultRouteDevice,
  FORWARD,
  ignoreRouters,
  opensForwarding6,
  planForwarding,
  RTPROT_RA,
} from '../forwarding.ts';
import { carriedBy, gatewaysOf, hostAddressesOf, macOf, planAddresses } from './addresses.ts';
import { networkMtu } from './mtu.ts';
import { gatewayDevice, joinBridge, planGatewayDevice, usesVlans } from './vlan.ts';

/** The next query on the host: first the bridge, then, if something must be created, what that depends on. */
export function networkQuery(
  options: BridgeOptions,
  seen: View | undefined,
  addressing: Addressing,
): ViewQuery | undefined {
  const device = gatewayDevice(options);
  if (seen === undefined) {
    const families = familiesOf(options, addressing);
    return {
      links: [...new Set([options.bridge, device])],
      addresses: carriedBy(options, addressing).length > 0 ? [device] : [],
      sysctls: [...families.map((family) => FORWARD[family]), acceptRaKey(options.bridge)],
    };
  }
  const needsMtu = options.mtu === undefined && !seen.links.has(options.bridge);
  const needsUplinks = opensForwarding6(familiesOf(options, addressing), seen);
  if (!needsMtu && !needsUplinks && !mayListen(options, seen, addressing)) return undefined;
  if (!seen.links.has('lo')) return { links: needsUplinks ? 'all' : ['lo'], routes: true };
  const missingLink = needsMtu ? defaultRouteDevice(seen) : undefined;
  const links = missingLink !== undefined && !seen.links.has(missingLink) ? [missingLink] : [];
  const sysctls = needsUplinks && !seen.sysctls.has(ASKED) ? [ASKED, ...acceptRaKeys(seen)] : [];
  return links.length + sysctls.length > 0 ? { links, sysctls } : undefined;
}

/** Creates the bridge, its gateway addresses and forwarding, as far as they are missing. */
export function planNetwork(options: BridgeOptions, network: string, view: View, addressing: Addressing): Plan {
  const ops: Op[] = [];
  const undo: Op[] = [];
  const found = view.links.get(options.bridge);
  if (found === undefined) {
    ops.push(...createBridge(options, network, view));
    undo.unshift({ op: 'link.delete', ns: 'host', name: options.bridge, kind: 'bridge' });
  } else {
    checkBridge(options, found);
    const isOurs = parseDeviceAlias(found.alias) !== undefined;
    const mustIgnore = isOurs
      ? listens(view, found.name)
      : mayListen(options, view, addressing) && !learns(view, found);
    if (mustIgnore) ops.push(ignoreRouters(found.name));
    if (!found.up) ops.push(setLink(options.bridge, { up: true }));
    if (options.promisc && !found.promisc) {
      ops.push(setLink(options.bridge, { promisc: true }));
      undo.unshift(setLink(options.bridge, { promisc: false }));
    }
  }
  const gateways = carriedBy(options, addressing);
  if (gateways.length > 0) {
    const device = planGatewayDevice(options, view);
    ops.push(...device.ops);
    undo.unshift(...device.undo);
    const addresses = planAddresses(options, view, gateways);
    ops.push(...addresses.ops);
    // As the reference does: fixed from now on, see createBridge.
    const isForeign = found !== undefined && parseDeviceAlias(found.alias) === undefined;
    if (isForeign && found.name === gatewayDevice(options) && addresses.ops.length > 0)
      ops.push(setLink(found.name, { mac: found.mac }));
    if (found !== undefined) undo.unshift(...addresses.undo);
  }
  ops.push(...planForwarding(familiesOf(options, addressing), view));
  return { ops, undo };
}

/** With guarded ports, no port may bear the addresses of the gateways and of the host. */
export function networkGuards(options: BridgeOptions, addressing: Addressing): BridgeEntry[] {
  if (!options.spoofGuard && !options.macspoofchk) return [];
  const carried = [...gatewaysOf(options, addressing), ...hostAddressesOf(options)];
  const gateways = options.spoofGuard ? carried.map(({ addr }) => formatAddr(addr)) : [];
  return [{ kind: 'gateways', device: options.bridge, addresses: [...new Set(gateways)] }];
}

function createBridge(options: BridgeOptions, network: string, view: View): Op[] {
  const name = options.bridge;
  const link = usesVlans(options) ? ({ kind: 'bridge', vlanFiltering: true } as const) : ({ kind: 'bridge' } as const);
  return [
    // A fixed MAC: a bridge without one takes the lowest of its ports', which changes as they come and go.
    {
      op: 'link.create',
      ns: 'host',
      name,
      link,
      mac: macOf(name),
      mtu: networkMtu(options, view),
      // Set in the same step as the bridge is created: the alias marks it as ours.
      alias: formatDeviceAlias('bridge', network),
    },
    ignoreRouters(name),
    ...(options.isQuiet ? [setLink(name, { addrGenMode: 'none' })] : []),
    ...joinBridge(options),
    setLink(name, { up: true, ...(options.promisc ? { promisc: true } : {}) }),
  ];
}

/** True if we put a gateway on a bridge that we found, and it listens to routers: as a rule, only because all do. */
function mayListen(options: BridgeOptions, view: View, addressing: Addressing): boolean {
  const found = view.links.get(options.bridge);
  const isFound = found !== undefined && parseDeviceAlias(found.alias) === undefined;
  return isFound && gatewaysOf(options, addressing).length > 0 && listens(view, options.bridge);
}

function listens({ sysctls }: View, bridge: string): boolean {
  return sysctls.get(acceptRaKey(bridge)) === '1';
}

/** True if a router behind the bridge has given the host a route: the bridge is an uplink too. */
function learns({ routes }: View, { name }: LinkState): boolean {
  return routes.some(({ dev, protocol }) => dev === name && protocol === RTPROT_RA);
}

function checkBridge(options: BridgeOptions, found: LinkState): void {
  if (found.kind !== 'bridge') {
    throw fault.conflict(
      'bridge',
      `link ${found.name}`,
      `exists and is ${found.kind === undefined ? 'not a bridge' : `of kind ${found.kind}`}`,
      'Name another bridge (in CNI: .bridge), or remove this interface',
    );
  }
  if (usesVlans(options) && found.bridge?.vlanFiltering === false) {
    throw fault.conflict(
      'bridge',
      `link ${found.name}`,
      'exists without VLAN filtering, which .vlan and .vlanTrunk need',
      `Switch it on: ip link set dev ${found.name} type bridge vlan_filtering 1`,
    );
  }
}

function setLink(name: string, set: Extract<Op, { op: 'link.set' }>['set']): Op {
  return { op: 'link.set', ns: 'host', name, set };
}

/** The families that leave the network through a gateway. */
function familiesOf(options: BridgeOptions, addressing: Addressing): Family[] {
  return [...new Set(gatewaysOf(options, addressing).map(({ addr }) => addr.family))];
}
