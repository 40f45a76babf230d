import type { View } from '../../host/host.ts';
import { given } from '../../model/given.ts';
import type { DeviceAddress, DeviceState, LoneLinkFacts, MovedLink } from '../../model/interface-facts.ts';
import type { LinkState, NsRef, RouteSpec, RouteState } from '../../model/link.ts';
import { linkLocalOf, parseMac } from '../../model/mac.ts';
import type { LinkChanges, Op, Plan } from '../../model/op.ts';
import { formatPrefix, networkOf, parsePrefix } from '../../model/prefix.ts';

/** RTPROT_REDIRECT, RTPROT_KERNEL and RTPROT_RA, linux/rtnetlink.h: routes that the kernel makes itself. */
const MADE_BY_ITSELF: readonly number[] = [1, 2, 9];
const BY_KERNEL = 2;
/** IP6_RT_PRIO_ADDRCONF, net/ip6_route.h: the metric of the kernel's own routes to subnets. */
const CONNECTED_METRIC_V6 = 256;

/** What DEL restores of a device that is now on the host. `view` has its addresses, and the routes. */
export function describeDevice({ name, mac, mtu, up, master }: LinkState, view: View): DeviceState {
  const routes = view.routes.filter(({ dev }) => dev === name);
  const own = view.addresses.filter(({ dev, permanent, address }) => {
    return dev === name && permanent && !isLinkLocalOf(mac, address);
  });
  return {
    ...{ mac, mtu, up },
    ...given({ master }),
    addresses: own.map(({ address }): DeviceAddress => {
      return up && !hasPrefixRoute(address, routes) ? { address, noPrefixRoute: true } : { address };
    }),
    routes: routes.filter(({ protocol }) => !MADE_BY_ITSELF.includes(protocol)).map(specOf),
  };
}

/** Marks the device first, so that it is found wherever it is, and moves it. */
export function planMove({ dev }: MovedLink, ifName: string, alias: string): Plan {
  return {
    ops: [
      { op: 'link.set', ns: 'host', name: dev, set: { alias } },
      { op: 'link.move', ns: 'host', name: dev, to: 'sandbox', toName: ifName },
    ],
    undo: [{ op: 'link.move', ns: 'sandbox', name: ifName, to: 'host', toName: dev }],
  };
}

/** A device, and where it is. */
export interface Whereabouts {
  readonly ns: NsRef;
  readonly link: LinkState;
}

/**
 * Where the device is now: in the sandbox under any name, or on the host, where a namespace that ended left it. `inside`
 * and `outside` have all links. Undefined if it is in neither.
 */
export function findDevice(
  { ifName, alias, link: device }: LoneLinkFacts & { readonly link: MovedLink },
  inside: View,
  outside: View,
): Whereabouts | undefined {
  const places = [['sandbox', inside] as const, ['host', outside] as const];
  const find = (is: (link: LinkState) => boolean): Whereabouts | undefined => {
    for (const [ns, { links }] of places) for (const link of links.values()) if (is(link)) return { ns, link };
    return undefined;
  };
  const { permMac, parentDev, dev, type, before } = device;
  const isHardware = (link: LinkState): boolean => link.permMac === permMac && link.parentDev === parentDev;
  const isLike = (link: LinkState | undefined): link is LinkState => link?.kind === type && link?.mac === before.mac;
  const marked = find((link) => link.alias === alias) ?? (permMac === undefined ? undefined : find(isHardware));
  if (marked !== undefined) return marked;
  const untouched = outside.links.get(dev);
  if (isLike(untouched)) return { ns: 'host', link: untouched };
  // Its alias was changed in the sandbox, and maybe its name.
  const alike = [...inside.links.values()].filter(isLike);
  const link = alike.find(({ name }) => name === ifName) ?? (alike.length === 1 ? alike[0] : undefined);
  return link && { ns: 'sandbox', link };
}

/** The steps that give a device back, in order. Only `move` has to succeed: the host may have changed since. */
export interface Return {
  readonly move: readonly Op[];
  readonly restore: readonly Op[];
  /** Takes our mark off. Last: until then, a device that is partly restored is found again. */
  readonly unmark: readonly Op[];
  /** Its name on the host: its own, unless another link has that one now. */
  readonly name: string;
}

/**
 * Gives the device back under its name and restores what it had. `outside` has the host's links; addresses and routes if
 * the device is there.
 */
export function planReturn({ dev, before }: MovedLink, { ns, link }: Whereabouts, outside: View): Return {
  const name = homeName(dev, { ns, link }, outside);
  const isThere = ns === 'host';
  const isHome = isThere && link.name === name;
  const isUp = isThere && link.up;
  const { master } = before;
  const now = isThere ? describeDevice(link, outside) : undefined;
  const set: LinkChanges = given({
    mac: link.mac === before.mac ? undefined : before.mac,
    mtu: link.mtu === before.mtu ? undefined : before.mtu,
    master: isThere && link.master === master ? undefined : master,
  });
  const lacksAddress = ({ address }: DeviceAddress): boolean =>
    now?.addresses.every((one) => one.address !== address) ?? true;
  const lacksRoute = (route: RouteSpec): boolean => now?.routes.every((one) => !isSameRoute(one, route)) ?? true;
  const each = Object.entries(set).map(
    ([key, value]): Op => ({ op: 'link.set', ns: 'host', name, set: { [key]: value } }),
  );
  const wanted = before.alias ?? '';
  return {
    name,
    move: isHome ? [] : [...(isUp ? [up(link.name, false)] : []), moveHome(link.name, ns, name)],
    restore: [
      ...each,
      ...before.addresses.filter(lacksAddress).map((one) => addressOp(one, name)),
      ...(before.up && !(isHome && isUp) ? [up(name, true)] : []),
      // A gateway has to be on the link before a route can lead there.
      ...[...before.routes]
        .sort((a, b) => Number(a.gateway !== undefined) - Number(b.gateway !== undefined))
        .filter(lacksRoute)
        .map((route): Op => ({ op: 'route.add', ns: 'host', route: { ...route, dev: name } })),
    ],
    unmark: (link.alias ?? '') === wanted ? [] : [{ op: 'link.set', ns: 'host', name, set: { alias: wanted } }],
  };
}

/** The name that a device gets on the host: `dev`, unless another link has that one; then its present one, or a new one. */
export function homeName(dev: string, { ns, link }: Whereabouts, { links }: View): string {
  if (ns === 'host') return links.has(dev) ? link.name : dev;
  if (!links.has(dev)) return dev;
  let name = link.name;
  for (let n = 0; links.has(name); n++) name = `dev${n}`;
  return name;
}

export function moveHome(name: string, ns: NsRef, toName: string): Op {
  return { op: 'link.move', ns, name, to: 'host', toName };
}

function up(name: string, isUp: boolean): Op {
  return { op: 'link.set', ns: 'host', name, set: { up: isUp } };
}

/** It has passed duplicate address detection before, and a route with it as source needs it at once. */
function addressOp({ address, noPrefixRoute }: DeviceAddress, dev: string): Op {
  const noDad = address.includes(':') ? true : undefined;
  return { op: 'addr.add', ns: 'host', dev, address, ...given({ noDad, noPrefixRoute }) };
}

function isLinkLocalOf(mac: string, address: string): boolean {
  return parseMac(mac) !== undefined && address === `${linkLocalOf(mac)}/64`;
}

/** True if the kernel has made a route to the address's subnet, or would make none. */
function hasPrefixRoute(text: string, routes: readonly RouteState[]): boolean {
  const prefix = parsePrefix(text);
  if (prefix === undefined) return true;
  const is4 = prefix.addr.family === 4;
  if (is4 && prefix.length === 32) return true;
  const dst = formatPrefix(networkOf(prefix));
  return routes.some(
    ({ dst: to, protocol, priority = 0 }) =>
      to === dst && protocol === BY_KERNEL && priority === (is4 ? 0 : CONNECTED_METRIC_V6),
  );
}

function specOf({ protocol: _, dev: __, ...route }: RouteState): RouteSpec {
  return route;
}

function isSameRoute(a: RouteSpec, b: RouteSpec): boolean {
  const keys = ['dst', 'gateway', 'table', 'priority', 'source'] as const;
  return keys.every((key) => a[key] === b[key]);
}
