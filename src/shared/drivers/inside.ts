import type { View, ViewQuery } from '../host/host.ts';
import { formatAddr } from '../model/addr.ts';
import type { InsideFacts, LinkFacts } from '../model/endpoint.ts';
import { given } from '../model/given.ts';
import type { Op, Plan } from '../model/op.ts';
import { formatPrefix } from '../model/prefix.ts';
import { formatRoute, type Route } from '../model/route.ts';
import type { Addressing } from './driver.ts';

export interface InsideOptions {
  /** False leaves the interface down. */
  readonly up: boolean;
  /** True keeps IPv6 duplicate address detection, which takes one to two seconds. */
  readonly detectDuplicates: boolean;
}

const LO_WITHOUT_V6 = 'net/ipv6/conf/lo/disable_ipv6';

/** Addresses and routes in the sandbox, for any driver. */
export function describeInside(addressing: Addressing, options: InsideOptions): InsideFacts {
  return {
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

/** Adds addresses and routes to the interface in the sandbox and sets it up. `sandbox` is the view of `insideQuery`. */
export function planInside(
  sandbox: View,
  { ifName, mac }: Pick<LinkFacts, 'ifName' | 'mac'>,
  facts: InsideFacts,
): Plan {
  const ops: Op[] = [];
  const undo: Op[] = [];
  const addresses = facts.addresses.map(({ address }) => address);
  const own4 = addresses.filter((text) => !isV6(text)).map(withoutLength);
  if (own4.length > 0) {
    const announces = { dev: ifName, mac, addresses: own4 };
    const notify = sysctl(`net/ipv4/conf/${ifName}/arp_notify`, '1');
    ops.push(facts.up ? { ...notify, announces } : notify);
  }
  if (addresses.some(isV6)) {
    if (sandbox.sysctls.get(LO_WITHOUT_V6) === '1') {
      ops.push(sysctl(LO_WITHOUT_V6, '0'));
      undo.push(sysctl(LO_WITHOUT_V6, '1'));
    }
    ops.push(sysctl(`net/ipv6/conf/${ifName}/disable_ipv6`, '0'));
    ops.push(sysctl(`net/ipv6/conf/${ifName}/keep_addr_on_down`, '1'));
  }
  if (!facts.detectDuplicates) ops.push(sysctl(`net/ipv6/conf/${ifName}/accept_dad`, '0'));
  for (const address of addresses) {
    const noDad = isV6(address) && !facts.detectDuplicates;
    ops.push({ op: 'addr.add', ns: 'sandbox', dev: ifName, address, ...(noDad ? { noDad } : {}) });
  }
  if (facts.up) ops.push({ op: 'link.set', ns: 'sandbox', name: ifName, set: { up: true } });
  for (const route of facts.routes) ops.push({ op: 'route.add', ns: 'sandbox', route: { ...route, dev: ifName } });
  return { ops, undo };
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

function withoutLength(address: string): string {
  return address.slice(0, address.lastIndexOf('/'));
}
