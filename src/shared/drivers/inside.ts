import type { BridgeOptions } from '../config/bridge.ts';
import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import type { View, ViewQuery } from '../host/host.ts';
import { formatAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import type { InsideFacts, LinkFacts } from '../model/interface-facts.ts';
import { linkLocalOf } from '../model/mac.ts';
import type { Op, Plan } from '../model/op.ts';
import { formatPrefix } from '../model/prefix.ts';
import { formatRoute, type Route } from '../model/route.ts';
import type { Addressing } from './driver.ts';

export interface InsideOptions {
  /** False leaves the interface down. */
  readonly up: boolean;
  /** True keeps IPv6 duplicate address detection, which takes one to two seconds. */
  readonly detectDuplicates: boolean;
  readonly ipv6?: BridgeOptions['ipv6'];
  /** True if the built-in IPAM gives the addresses. */
  readonly isOwnIpam: boolean;
}

const LO_WITHOUT_V6 = 'net/ipv6/conf/lo/disable_ipv6';

/**
 * Addresses and routes in the sandbox, for any driver. Throws NetError `invalid-config` for an IPv6 address on an
 * interface that is to have none.
 */
export function describeInside(
  addressing: Addressing,
  { ipv6: wanted, isOwnIpam, ...options }: InsideOptions,
): InsideFacts {
  const address6 = addressing.addresses.find(({ address }) => address.addr.family === 6)?.address;
  if (wanted === 'off' && address6 !== undefined) throw unwanted(formatPrefix(address6));
  const usual = !isOwnIpam || addressing.addresses.length === 0 ? 'reference' : address6 === undefined ? 'off' : 'on';
  const ipv6 = wanted ?? usual;
  return {
    ...(ipv6 === 'reference' ? {} : { ipv6 }),
    addresses: addressing.addresses.map(({ address, gateway }) => ({
      address: formatPrefix(address),
      ...(gateway === undefined ? {} : { gateway: formatAddr(gateway) }),
    })),
    routes: addressing.routes.map((route) => formatRoute(routeVia(route, addressing))),
    ...options,
  };
}

/** The query for `planInside`. */
export function insideQuery({ addresses }: InsideFacts): ViewQuery {
  return addresses.some(({ address }) => isV6(address)) ? { sysctls: [LO_WITHOUT_V6] } : {};
}

/**
 * Adds addresses and routes to the interface in the sandbox and sets it up. `sandbox` is the view of `insideQuery`.
 * Tells the neighbours about the addresses in `announced`.
 */
export function planInside(
  sandbox: View,
  { ifName, mac }: Pick<LinkFacts, 'ifName' | 'mac'>,
  facts: InsideFacts,
  announced: readonly string[] = [],
): Plan {
  const ops: Op[] = [];
  const undo: Op[] = [];
  const addresses = facts.addresses.map(({ address }) => address);
  const inet6 = planInet6(sandbox, { ifName, mac }, facts);
  ops.push(...inet6.before);
  undo.push(...inet6.undo);
  for (const { address, noPrefixRoute } of facts.addresses) {
    const noDad = isV6(address) && !facts.detectDuplicates;
    const flags = { ...(noDad ? { noDad } : {}), ...given({ noPrefixRoute }) };
    ops.push({ op: 'addr.add', ns: 'sandbox', dev: ifName, address, ...flags });
  }
  if (facts.up) ops.push({ op: 'link.set', ns: 'sandbox', name: ifName, set: { up: true } });
  ops.push(...inet6.after);
  // Only now: the kernel announces the addresses when the link goes up the next time.
  if (!addresses.every(isV6)) ops.push(sysctl(`net/ipv4/conf/${ifName}/arp_notify`, '1'));
  if (facts.up && announced.length > 0)
    ops.push({ op: 'announce', ns: 'sandbox', dev: ifName, mac, addresses: announced });
  for (const route of facts.routes) ops.push({ op: 'route.add', ns: 'sandbox', route: { ...route, dev: ifName } });
  return { ops, undo };
}

interface Inet6Plan {
  /** Before the addresses. */
  readonly before: readonly Op[];
  /** After the link is up. */
  readonly after: readonly Op[];
  readonly undo: readonly Op[];
}

/**
 * The interface's IPv6 settings. Interfaces of ours accept no router advertisement, since they have no router but the
 * gateway that we know, and solicit none. They get their link-local address from us, usable at once: with `accept_dad` 0
 * the kernel would report more multicast groups, each copied to every bridge port.
 */
function planInet6(
  sandbox: View,
  { ifName, mac }: Pick<LinkFacts, 'ifName' | 'mac'>,
  { addresses, ipv6, up, detectDuplicates }: InsideFacts,
): Inet6Plan {
  const key = (name: string, value: string): Op => sysctl(`net/ipv6/conf/${ifName}/${name}`, value);
  const initial = (name: string, value: string): Op => ({
    ...sysctl(`net/ipv6/conf/${ifName}/${name}`, value),
    isInitial,
  });
  if (ipv6 === 'off') return { before: [initial('disable_ipv6', '1')], after: [], undo: [] };
  const has6 = addresses.some(({ address }) => isV6(address));
  const quiet = ipv6 === 'on' ? [initial('accept_ra', '0')] : [];
  if (!has6) return { before: ipv6 === 'on' ? [key('disable_ipv6', '0'), ...quiet] : [], after: [], undo: [] };
  const isLoOff = sandbox.sysctls.get(LO_WITHOUT_V6) === '1';
  const before = [
    ...(isLoOff ? [sysctl(LO_WITHOUT_V6, '0')] : []),
    key('disable_ipv6', '0'),
    key('keep_addr_on_down', '1'),
    ...quiet,
    ...(ipv6 !== 'on' && !detectDuplicates ? [key('accept_dad', '0')] : []),
    ...(detectDuplicates ? [initial('ndisc_notify', '1')] : []),
  ];
  const undo = isLoOff ? [sysctl(LO_WITHOUT_V6, '1')] : [];
  if (ipv6 !== 'on' || detectDuplicates || !up) return { before, after: [], undo };
  const mode = (addrGenMode: 'none' | 'eui64'): Op => ({
    op: 'link.set',
    ns: 'sandbox',
    name: ifName,
    set: { addrGenMode },
  });
  const address = `${linkLocalOf(mac)}/64`;
  const linkLocal: Op = { op: 'addr.add', ns: 'sandbox', dev: ifName, address, noDad: true };
  // The kernel makes the address again when the link was down.
  return { before: [...before, mode('none'), linkLocal], after: [mode('eui64')], undo };
}

const isInitial = true;

function unwanted(address: string): NetError {
  const what = `its IPAM gives the IPv6 address ${address}`;
  return fault.invalidConfig('config', '.ipv6="off"', what, 'Remove .ipv6, or the IPv6 range of .ipam');
}

/** RT_SCOPE_LINK, linux/rtnetlink.h: a route of this or a narrower scope has no gateway. */
const LINK_SCOPE = 253;

/**
 * Adds a gateway to a route without one: that of the first address of its family. Without such an address, the route
 * stays on-link.
 */
function routeVia(route: Route, { addresses }: Addressing): Route {
  const { family } = route.dst.addr;
  const onLink = typeof route.scope === 'number' && route.scope >= LINK_SCOPE;
  const usual = onLink ? undefined : addresses.find(({ address }) => address.addr.family === family)?.gateway;
  const gateway = route.gateway ?? usual;
  return { ...route, ...given({ gateway }) };
}

function sysctl(key: string, value: string): Extract<Op, { op: 'sysctl.set' }> {
  return { op: 'sysctl.set', ns: 'sandbox', key, value, optional: true };
}

function isV6(text: string): boolean {
  return text.includes(':');
}
