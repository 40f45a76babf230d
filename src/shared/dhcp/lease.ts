import type { Dns } from '../config/dns.ts';
import { unassignable } from '../config/ipam-values.ts';
import { type Addr, addrFromBytes, formatAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { contains, defaultRoute, firstOf, formatPrefix, networkOf, type Prefix, samePrefix } from '../model/prefix.ts';
import type { Route } from '../model/route.ts';
import { decodeDomain, decodeDomainSearch } from './domain-search.ts';
import { type Message, malformed, OPTION } from './message.ts';

/** What a server gives, in the terms of a CNI result. */
export interface Lease {
  readonly address: Prefix;
  readonly gateway?: Addr;
  readonly routes: readonly Route[];
  readonly dns: Dns;
  /** Bytes. */
  readonly mtu?: number;
  readonly server: Addr;
  /** Seconds from the request; Infinity for a lease without end. */
  readonly seconds: number;
  /** T1: from when the client asks its server to extend the lease. */
  readonly renewAfter: number;
  /** T2: from when it asks any server. */
  readonly rebindAfter: number;
}

const FOREVER = 0xffffffff;
/** RT_SCOPE_LINK, linux/rtnetlink.h. */
const LINK_SCOPE = 253;
/** RFC 2132 §5.1, and the most that IPv4 has. */
const [LEAST_MTU, MOST_MTU] = [68, 0xffff];

/**
 * Reads the lease of an OFFER or ACK. Option 121 replaces 33 and 3 as sources of routes (RFC 3442). Throws NetError `io`
 * for a message that no interface could be configured by.
 */
export function leaseOf(message: Message, priority?: number): Lease {
  const { yiaddr, options } = message;
  const what = unassignable({ addr: yiaddr, length: 32 });
  if (what !== undefined) throw malformed(`gives the address ${formatAddr(yiaddr)}: ${what}`);
  const [server] = addresses(options.get(OPTION.serverId));
  if (server === undefined) throw malformed('lacks the server identifier (option 54)');
  const [gateway] = addresses(options.get(OPTION.routers)).filter(({ value }) => value !== 0n);
  const address = { addr: yiaddr, length: maskLength(options.get(OPTION.subnetMask), yiaddr) };
  const classless = options.get(OPTION.classlessRoutes);
  const ways = classless === undefined ? [] : classlessRoutes(classless);
  const all = ways.length > 0 ? ways : [...staticRoutes(options.get(OPTION.staticRoutes)), ...via(gateway, address)];
  const routes = distinct(all, address);
  const first = gateway ?? ways.find(({ dst }) => dst.length === 0)?.gateway;
  const mtu = number(options.get(OPTION.mtu), 2);
  return {
    address,
    routes: priority === undefined ? routes : routes.map((route) => ({ ...route, priority })),
    dns: dnsOf(options),
    server,
    ...timesOf(options),
    ...given({ gateway: first }),
    ...(mtu !== undefined && mtu >= LEAST_MTU && mtu <= MOST_MTU ? { mtu } : {}),
  };
}

/** Without what the kernel would refuse: a second route to a destination, and one to the subnet, which it adds itself. */
function distinct(routes: readonly Route[], address: Prefix): Route[] {
  const found = new Map<string, Route>();
  for (const route of routes) {
    const isSubnet = route.gateway === undefined && samePrefix(route.dst, networkOf(address));
    const key = formatPrefix(route.dst);
    if (!isSubnet && !found.has(key)) found.set(key, route);
  }
  return [...found.values()];
}

/** The default route. A gateway outside the subnet is on the link. */
function via(gateway: Addr | undefined, address: Prefix): Route[] {
  if (gateway === undefined) return [];
  const route = { dst: defaultRoute(4), gateway };
  return contains(address, gateway) ? [route] : [{ dst: { addr: gateway, length: 32 }, scope: LINK_SCOPE }, route];
}

function timesOf(options: Message['options']): Pick<Lease, 'seconds' | 'renewAfter' | 'rebindAfter'> {
  const given = number(options.get(OPTION.leaseTime), 4);
  if (given === undefined || given === 0) throw malformed('lacks the lease time (option 51)');
  const seconds = given === FOREVER ? Number.POSITIVE_INFINITY : given;
  const t2 = number(options.get(OPTION.rebindingTime), 4) ?? 0;
  const rebindAfter = t2 > 0 && t2 < seconds ? t2 : seconds * 0.875;
  const t1 = number(options.get(OPTION.renewalTime), 4) ?? 0;
  const renewAfter = t1 > 0 && t1 < rebindAfter ? t1 : Math.min(seconds / 2, rebindAfter);
  return seconds === Number.POSITIVE_INFINITY
    ? { seconds, renewAfter: seconds, rebindAfter: seconds }
    : { seconds, renewAfter, rebindAfter };
}

function dnsOf(options: Message['options']): Dns {
  const nameservers = addresses(options.get(OPTION.nameServers)).map(formatAddr);
  const domain = decodeDomain(options.get(OPTION.domainName) ?? new Uint8Array(0));
  const search = decodeDomainSearch(options.get(OPTION.domainSearch) ?? new Uint8Array(0));
  return {
    ...(nameservers.length > 0 ? { nameservers } : {}),
    ...given({ domain }),
    ...(search.length > 0 ? { search } : {}),
  };
}

/** Option 121: prefix length, its significant bytes, router; again and again. */
function classlessRoutes(bytes: Uint8Array): Route[] {
  const routes: Route[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] ?? 0;
    const significant = Math.ceil(length / 8);
    const end = at + 1 + significant + 4;
    if (length > 32 || end > bytes.length) throw malformed('has a malformed option 121');
    const dst = Uint8Array.of(...bytes.subarray(at + 1, at + 1 + significant), ...new Uint8Array(4 - significant));
    routes.push(routeTo({ addr: ipv4(dst), length }, ipv4(bytes.subarray(end - 4, end))));
    at = end;
  }
  return routes;
}

/** Option 33: pairs of destination and router. The destination's class says what it is. */
function staticRoutes(bytes: Uint8Array | undefined): Route[] {
  const all = addresses(bytes);
  return all.flatMap((addr, i) => {
    const router = i % 2 === 0 ? all[i + 1] : undefined;
    return router === undefined || addr.value === 0n ? [] : [routeTo({ addr, length: classLength(addr) }, router)];
  });
}

/** Router 0.0.0.0: the destination is on the link. */
function routeTo(dst: Prefix, router: Addr): Route {
  const network = networkOf(dst);
  return router.value === 0n ? { dst: network, scope: LINK_SCOPE } : { dst: network, gateway: router };
}

function maskLength(bytes: Uint8Array | undefined, address: Addr): number {
  const mask = bytes === undefined ? undefined : addrFromBytes(bytes);
  if (bytes === undefined) return classLength(address);
  const length = (mask?.value ?? 0n).toString(2).replaceAll('0', '').length;
  const whole = { addr: { family: 4, value: 0xffffffffn }, length } as const;
  if (mask?.family !== 4 || firstOf(whole).value !== mask.value) throw malformed('has a malformed subnet mask');
  return length;
}

function classLength({ value }: Addr): number {
  const first = Number(value >> 24n);
  return first < 128 ? 8 : first < 192 ? 16 : 24;
}

function addresses(bytes: Uint8Array = new Uint8Array(0)): Addr[] {
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => ipv4(bytes.subarray(i * 4, i * 4 + 4)));
}

function ipv4(bytes: Uint8Array): Addr {
  const addr = addrFromBytes(bytes);
  if (addr?.family !== 4) throw malformed('has a malformed address');
  return addr;
}

/** A big-endian number of exactly `size` bytes. */
function number(bytes: Uint8Array | undefined, size: number): number | undefined {
  return bytes?.length === size ? bytes.reduce((value, byte) => value * 256 + byte, 0) : undefined;
}
