import { type Addr, BITS, type Family, formatAddr } from '../../model/addr.ts';
import type { AddressFacts, HostSideFacts, InsideFacts } from '../../model/interface-facts.ts';
import type { RouteSpec } from '../../model/link.ts';
import { linkLocalOf } from '../../model/mac.ts';
import { formatPrefix, networkOf } from '../../model/prefix.ts';
import type { Addressing } from '../driver.ts';

/**
 * The addresses that the host side has for the pod: the gateways of its addresses; for a family without any, those that
 * its routes name.
 */
export function gatewaysOf({ addresses, routes }: Addressing): Addr[] {
  const own = addresses.flatMap(({ gateway }) => gateway ?? []);
  const named = routes.flatMap(({ gateway }) => gateway ?? []);
  const lacks = (family: Family): boolean =>
    addresses.some(({ address }) => address.addr.family === family) && own.every((addr) => addr.family !== family);
  return unique([...own, ...named.filter(({ family }) => lacks(family))], formatAddr);
}

export function familiesOf(addressing: Addressing): Family[] {
  return unique(
    gatewaysOf(addressing).map(({ family }) => family),
    String,
  );
}

/**
 * The host has each gateway, and a way to each address of the pod. For IPv6 it also has a link-local address, which is
 * the source of its neighbour solicitations for forwarded packets (ndisc_send_ns in net/ipv6/ndisc.c).
 */
export function describeHost(addressing: Addressing, hostMac: string): HostSideFacts {
  const { addresses } = addressing;
  const hasV6 = addresses.some(({ address }) => address.addr.family === 6);
  const linkLocal = hasV6 ? [`${linkLocalOf(hostMac)}/64`] : [];
  return {
    addresses: [...linkLocal, ...gatewaysOf(addressing).map(alone)],
    routes: unique(
      addresses.map(({ address }) => alone(address.addr)),
      String,
    ).map((dst): RouteSpec => ({ dst, scope: 'host' })),
  };
}

/**
 * As the reference leaves the pod: nothing but its gateway is on the link, the rest of its subnet is behind it. Gateways
 * outside are on the link too, whatever the addresses say.
 */
export function isolated(inside: InsideFacts, addressing: Addressing): InsideFacts {
  const own = new Set(
    addressing.addresses.flatMap(({ gateway }) => (gateway === undefined ? [] : [formatAddr(gateway)])),
  );
  const ways = addressing.addresses.flatMap(({ address, gateway }): RouteSpec[] => {
    if (gateway === undefined) return [];
    const source = formatAddr(address.addr);
    const link: RouteSpec = { dst: alone(gateway), source, scope: 'link' };
    if (address.length === BITS[address.addr.family]) return [link];
    return [link, { dst: formatPrefix(networkOf(address)), gateway: formatAddr(gateway), source }];
  });
  const known = unique(ways, ({ dst }) => dst);
  const others = inside.routes.filter(({ dst, table }) => table !== undefined || known.every((way) => way.dst !== dst));
  return {
    ...inside,
    addresses: inside.addresses.map((facts): AddressFacts => {
      return facts.gateway === undefined ? facts : { ...facts, noPrefixRoute: true };
    }),
    routes: [
      ...known,
      ...others.map((route) =>
        route.gateway === undefined || own.has(route.gateway) ? route : { ...route, onlink: true },
      ),
    ],
  };
}

function alone(addr: Addr): string {
  return `${formatAddr(addr)}/${BITS[addr.family]}`;
}

function unique<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const found = new Map<string, T>();
  for (const item of items) if (!found.has(keyOf(item))) found.set(keyOf(item), item);
  return [...found.values()];
}
