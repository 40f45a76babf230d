import type { Dns } from '../config/dns.ts';
import { LIMITS } from '../config/limits.ts';
import { type Addr, addrFromBytes, formatAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { firstOf, formatPrefix, type Prefix } from '../model/prefix.ts';
import type { Route } from '../model/route.ts';
import { addresses, classLength, hostFault, isHost } from './addresses.ts';
import { decodeDomain, decodeDomainSearch } from './domain-search.ts';
import { ANY, type Message, malformed, OPTION } from './message.ts';
import { waysOf } from './routes.ts';

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
/** RFC 2132 §5.1, and the most that IPv4 has. */
const [LEAST_MTU, MOST_MTU] = [68, 0xffff];
/** Options that say how long the lease lasts, and whose it is. */
const TERMS = [OPTION.leaseTime, OPTION.renewalTime, OPTION.rebindingTime, OPTION.serverId];
/** No subnet. */
const LONE: Prefix = { addr: ANY, length: 32 };

/**
 * Reads the lease of an OFFER or ACK. Leaves out routers and name servers that are no hosts. Throws NetError `io` for a
 * message that no interface could be configured by.
 */
export function leaseOf({ yiaddr, options }: Message, priority?: number): Lease {
  const address = { addr: yiaddr, length: maskLength(options.get(OPTION.subnetMask), yiaddr) };
  const what = hostFault(yiaddr, address);
  if (what !== undefined) throw malformed(`gives the address ${formatPrefix(address)}: ${what}`);
  const server = serverOf({ options });
  if (server === undefined || !isHost(server, LONE)) throw malformed('lacks the server identifier (option 54)');
  const { gateway, routes } = waysOf(options, address);
  const mtu = number(options.get(OPTION.mtu), 2);
  return {
    address,
    routes: priority === undefined ? routes : routes.map((route) => ({ ...route, priority })),
    dns: dnsOf(options),
    server,
    ...timesOf(options),
    ...given({ gateway }),
    ...(mtu !== undefined && mtu >= LEAST_MTU && mtu <= MOST_MTU ? { mtu } : {}),
  };
}

/** Option 54; undefined if it is missing. */
export function serverOf({ options }: Pick<Message, 'options'>): Addr | undefined {
  return addresses(options.get(OPTION.serverId))[0];
}

/**
 * The ACK of a lease that `reply` extends: an interface keeps the configuration that it got with the address, so that
 * only the server and the times change.
 */
export function extendedAck(ack: Message, reply: Message): Message {
  const options = new Map(ack.options);
  for (const code of TERMS) {
    const value = reply.options.get(code);
    if (value === undefined) options.delete(code);
    else options.set(code, value);
  }
  return { ...reply, options };
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
  const servers = addresses(options.get(OPTION.nameServers)).filter((addr) => isHost(addr, LONE));
  const nameservers = [...new Set(servers.map(formatAddr))].slice(0, LIMITS.dns);
  const domain = decodeDomain(options.get(OPTION.domainName) ?? new Uint8Array(0));
  const search = decodeDomainSearch(options.get(OPTION.domainSearch) ?? new Uint8Array(0));
  return {
    ...(nameservers.length > 0 ? { nameservers } : {}),
    ...given({ domain }),
    ...(search.length > 0 ? { search } : {}),
  };
}

function maskLength(bytes: Uint8Array | undefined, address: Addr): number {
  const mask = bytes === undefined ? undefined : addrFromBytes(bytes);
  if (bytes === undefined) return classLength(address);
  const length = (mask?.value ?? 0n).toString(2).replaceAll('0', '').length;
  const whole = { addr: { family: 4, value: 0xffffffffn }, length } as const;
  if (mask?.family !== 4 || length === 0 || firstOf(whole).value !== mask.value)
    throw malformed('has a malformed subnet mask');
  return length;
}

/** A big-endian number of exactly `size` bytes. */
function number(bytes: Uint8Array | undefined, size: number): number | undefined {
  return bytes?.length === size ? bytes.reduce((value, byte) => value * 256 + byte, 0) : undefined;
}
