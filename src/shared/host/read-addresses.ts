import { NetError } from '../errors/net-error.ts';
import { given } from '../model/given.ts';
import type { AddressState, RouteScope, RouteState } from '../model/link.ts';
import { address } from '../netlink/address.ts';
import {
  AF_INET,
  AF_INET6,
  ENODEV,
  IFA_F_DADFAILED,
  IFA_F_PERMANENT,
  IFA_F_TENTATIVE,
  RT_TABLE_LOCAL,
  RTM_F_CLONED,
  RTM_GETADDR,
  RTM_GETROUTE,
  RTN_UNICAST,
  RTNH_F_ONLINK,
} from '../netlink/constants.ts';
import type { Message } from '../netlink/message.ts';
import { type RouteMessage, route } from '../netlink/route.ts';
import { SCOPES } from './address-requests.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import type { LinkReader } from './read-links.ts';

const FAMILIES = [AF_INET, AF_INET6] as const;

/** Reads addresses of the named devices that exist, IPv4 first; `all` reads those of every device. */
export function readAddresses(
  ns: LinuxNamespace,
  links: LinkReader,
  devices: 'all' | readonly string[],
): AddressState[] {
  const indexes = devices === 'all' ? [0] : [...links.named(devices).values()].map(({ index }) => index);
  return indexes.flatMap((index) => addressesOf(ns, links, index));
}

/** Reads unicast routes of every table except `local`; a multipath route yields one route for each next hop. */
export function readRoutes(ns: LinuxNamespace, links: LinkReader): RouteState[] {
  return FAMILIES.flatMap((family) =>
    ns.route
      .dump({ type: RTM_GETROUTE, payload: route.encode({ header: { family }, attrs: {} }) })
      .flatMap(({ payload }) => {
        const message = route.decode(payload, true);
        return message?.header.family === family && isWanted(message) ? routesOf(message, links) : [];
      }),
  );
}

/** Returns the name of a scope, or its number. */
export function scopeWord(scope: number): RouteScope {
  for (const [word, number] of Object.entries(SCOPES)) if (number === scope) return word as RouteScope;
  return scope;
}

function addressesOf(ns: LinuxNamespace, links: LinkReader, index: number): AddressState[] {
  return dumpAddresses(ns, index).flatMap(({ payload }) => {
    const message = address.decode(payload, true);
    if (!FAMILIES.some((family) => message?.header.family === family) || message === undefined) return [];
    const { header, attrs } = message;
    const own = attrs.local ?? attrs.address;
    if (own === undefined) return [];
    const flags = attrs.flags ?? header.flags;
    return {
      dev: links.nameOf(header.index),
      address: `${own}/${header.length}`,
      scope: scopeWord(header.scope),
      permanent: (flags & IFA_F_PERMANENT) !== 0,
      dadFailed: (flags & IFA_F_DADFAILED) !== 0,
      tentative: (flags & IFA_F_TENTATIVE) !== 0,
    };
  });
}

/** Of all families, in the order of their numbers. */
function dumpAddresses(ns: LinuxNamespace, index: number): Message[] {
  try {
    return ns.route.dump({ type: RTM_GETADDR, payload: address.encode({ header: { index }, attrs: {} }) });
  } catch (error) {
    if (error instanceof NetError && error.errno === ENODEV) return [];
    throw error;
  }
}

function isWanted({ header, attrs }: RouteMessage): boolean {
  const table = attrs.table ?? header.table;
  return header.type === RTN_UNICAST && table !== RT_TABLE_LOCAL && (header.flags & RTM_F_CLONED) === 0;
}

function routesOf({ header, attrs }: RouteMessage, links: LinkReader): RouteState[] {
  const any = header.family === AF_INET ? '0.0.0.0' : '::';
  const hops = attrs.nextHops?.map((hop) => ({ ...hop.header, gateway: hop.attrs.gateway }));
  return (hops ?? [{ index: attrs.oif, gateway: attrs.gateway, flags: header.flags }]).map(
    ({ index, gateway, flags }) => ({
      dst: `${attrs.dst ?? any}/${header.dstLength}`,
      table: attrs.table ?? header.table,
      scope: scopeWord(header.scope),
      protocol: header.protocol,
      ...given({ gateway }),
      ...(index === undefined ? {} : { dev: links.nameOf(index) }),
      ...given({ source: attrs.prefsrc }),
      ...(attrs.metrics?.mtu === undefined ? {} : { mtu: attrs.metrics.mtu }),
      ...(attrs.metrics?.advmss === undefined ? {} : { advmss: attrs.metrics.advmss }),
      ...given({ priority: attrs.priority }),
      ...(flags & RTNH_F_ONLINK ? { onlink: true } : {}),
    }),
  );
}
