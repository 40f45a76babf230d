import type { HostAccess } from '../../config/host-access.ts';
import type { HostAccessOptions } from '../../config/read-host-access.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { View, ViewQuery } from '../../host/host.ts';
import { formatDeviceAlias, parseDeviceAlias } from '../../model/alias.ts';
import { digest } from '../../model/attachment.ts';
import { given } from '../../model/given.ts';
import type { LinkKind, LinkState, RouteState } from '../../model/link.ts';
import { macOfDigest } from '../../model/mac.ts';
import type { Op, Plan } from '../../model/op.ts';
import { contains, type Prefix, parsePrefix } from '../../model/prefix.ts';
import type { NetworkDriver } from '../driver.ts';
import { mtuOver, parentOf } from './parent.ts';

type ShimOptions = HostAccessOptions & { readonly hostAccess: HostAccess };

/** RT_TABLE_MAIN, RTPROT_KERNEL, linux/rtnetlink.h. */
const [MAIN, BY_KERNEL] = [254, 2];

/**
 * The network of interfaces on a parent, where the host has access to it: the kernel keeps a parent and what stands on
 * it apart, so the host gets an interface on the parent too (the shim), with an address of its own and routes to where
 * the network gives addresses.
 */
export function shimDriver(options: ShimOptions, network: string): NetworkDriver {
  const name = shimName(network);
  return {
    devices: [name],
    separatesPorts: false,
    complete: (addressing) => addressing,
    query: (seen) => (seen === undefined ? shimQuery(options, name) : undefined),
    planNetwork: (view) => planShim(options, network, view),
    networkGuards: () => [],
  };
}

/** Name of the shim: `shim` and 11 hex digits. */
export function shimName(network: string): string {
  return `shim${digest('shim', network).slice(0, 11)}`;
}

function shimQuery({ master, hostAccess }: ShimOptions, name: string): ViewQuery {
  const devices = master === undefined ? 'all' : [name, master];
  return {
    links: devices,
    addresses: devices,
    routes: true,
    sysctls: settingsOf(name, hostAccess).map(([key]) => key),
  };
}

function planShim(options: ShimOptions, network: string, view: View): Plan {
  const name = shimName(network);
  const found = view.links.get(name);
  const parent = parentOf(options, view);
  assertApart(options.hostAccess, parent, name, view);
  if (found !== undefined) assertSame(options, found, parent);
  const mac = options.driver === 'macvlan' ? macOfDigest(digest('shim', network, parent.mac)) : undefined;
  const ops: Op[] = [];
  if (found === undefined) {
    const alias = formatDeviceAlias(options.driver, network);
    const mtu = mtuOver(options, parent);
    ops.push({ op: 'link.create', ns: 'host', name, link: linkOf(options, parent), ...given({ mac }), mtu, alias });
  }
  for (const [key, value] of settingsOf(name, options.hostAccess)) {
    const is = view.sysctls.get(key);
    const isSet = found !== undefined && (is === undefined || is === value);
    if (!isSet) ops.push({ op: 'sysctl.set', ns: 'host', key, value, optional: true });
  }
  ops.push(...planAddresses(options.hostAccess, name, view));
  if (found?.up !== true) ops.push({ op: 'link.set', ns: 'host', name, set: { up: true } });
  const { addresses } = options.hostAccess;
  if (found === undefined && mac !== undefined) ops.push({ op: 'announce', ns: 'host', dev: name, mac, addresses });
  ops.push(...planRoutes(options.hostAccess, name, found, view));
  // Also of a shim that is there: a lost record has it again.
  return { ops, undo: [{ op: 'link.delete', ns: 'host', name, kind: options.driver }] };
}

function linkOf(options: ShimOptions, { name: dev }: LinkState): LinkKind {
  if (options.driver === 'macvlan') return { kind: 'macvlan', dev, devNs: 'host', mode: 'bridge' };
  return { kind: 'ipvlan', dev, devNs: 'host', mode: options.mode, flag: options.flag };
}

/**
 * Settings of the shim: it answers ARP only to those that the host reaches through it, since the parent receives the
 * requests of all others too; it learns no addresses and no default route from routers of the LAN; it has no IPv6
 * without an address of that family.
 */
function settingsOf(name: string, { addresses }: HostAccess): readonly (readonly [key: string, value: string])[] {
  return [
    [`net/ipv4/conf/${name}/arp_filter`, '1'],
    [`net/ipv4/conf/${name}/arp_notify`, '1'],
    [`net/ipv6/conf/${name}/accept_ra`, '0'],
    [`net/ipv6/conf/${name}/disable_ipv6`, addresses.some(isV6) ? '0' : '1'],
  ];
}

/** Deletes addresses that the shim had by an earlier configuration. */
function planAddresses({ addresses }: HostAccess, dev: string, view: View): Op[] {
  const wanted = addresses.map((text) => `${text}/${isV6(text) ? 128 : 32}`);
  const present = view.addresses.filter((one) => one.dev === dev && one.permanent && one.scope !== 'link');
  const old = present.filter(({ address }) => !wanted.includes(address));
  const missing = wanted.filter((text) => !present.some(({ address }) => address === text));
  return [
    ...old.map(({ address }): Op => ({ op: 'addr.delete', ns: 'host', dev, address })),
    ...missing.map((address): Op => {
      return { op: 'addr.add', ns: 'host', dev, address, ...(isV6(address) ? { noDad: true } : {}) };
    }),
  ];
}

function planRoutes({ routes }: HostAccess, dev: string, found: LinkState | undefined, view: View): Op[] {
  // The kernel drops the IPv4 routes of a link that goes down.
  const present = view.routes.filter((route) => route.dev === dev && isMain(route) && route.protocol !== BY_KERNEL);
  const isThere = (dst: string): boolean => present.some((route) => route.dst === dst);
  const old = found === undefined ? [] : present.filter(({ dst }) => !routes.includes(dst));
  return [
    ...old.map(({ dst }): Op => ({ op: 'route.delete', ns: 'host', route: { dst, dev } })),
    ...routes.flatMap((dst): Op[] => {
      return isThere(dst) ? [] : [{ op: 'route.add', ns: 'host', route: { dst, dev }, exclusive: true }];
    }),
  ];
}

/** Throws NetError `conflict` if the routes would take the place of others: the host may lose its way to the LAN. */
function assertApart({ routes }: HostAccess, parent: LinkState, shim: string, view: View): void {
  for (const dst of routes) {
    const prefix = parsePrefix(dst);
    const own = view.addresses.find(({ dev, address }) => dev === parent.name && isIn(prefix, address));
    if (own !== undefined) {
      const what = `has ${own.address}, which is inside ${dst}, where the network gives addresses`;
      throw taken(parent.name, what);
    }
    const other = view.routes.find((route) => route.dst === dst && route.dev !== shim && isMain(route));
    if (other?.dev !== undefined) throw taken(other.dev, `has a route to ${dst}, where the network gives addresses`);
  }
}

function isIn(prefix: Prefix | undefined, text: string): boolean {
  const address = parsePrefix(text);
  return prefix !== undefined && address !== undefined && contains(prefix, address.addr);
}

function taken(dev: string, what: string): NetError {
  const hint = 'Give the network a part of the subnet that only its containers use (in CNI: rangeStart, rangeEnd)';
  return fault.conflict('host access', `link ${dev}`, what, hint);
}

/** Throws NetError `conflict` if another link has the shim's name, or the shim stands on another parent. */
function assertSame({ driver }: ShimOptions, found: LinkState, parent: LinkState): void {
  const isOurs = parseDeviceAlias(found.alias) !== undefined && found.kind === driver;
  // The kernel takes the parent of a macvlan instead of that macvlan.
  const isOnParent = found.linkIndex === parent.index || found.linkIndex === parent.linkIndex;
  if (isOurs && isOnParent) return;
  const what = isOurs ? `is not on ${parent.name}, as this call demands` : 'exists and is not the shim of the network';
  const hint = isOurs ? 'Remove the containers of the network first, or name its parent' : 'Remove this interface';
  throw fault.conflict('host access', `link ${found.name}`, what, hint);
}

function isMain({ table = MAIN }: RouteState): boolean {
  return table === MAIN;
}

function isV6(text: string): boolean {
  return text.includes(':');
}
