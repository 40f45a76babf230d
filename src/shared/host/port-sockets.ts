import { closeSync, existsSync } from 'node:fs';
import { NetError } from '../errors/net-error.ts';
import { addrToBytes, type Family, parseAddr } from '../model/addr.ts';
import type { Protocol } from '../model/firewall.ts';
import {
  AF_INET,
  AF_INET6,
  EADDRINUSE,
  EAFNOSUPPORT,
  EMFILE,
  ENFILE,
  IP_FREEBIND,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV6_FREEBIND,
  IPV6_V6ONLY,
  SO_BINDTOIFINDEX,
  SO_MARK,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../netlink/constants.ts';
import { bind, duplicate, setsockopt, socket } from '../netlink/sys.ts';

/** One port of the host. */
export interface PortPlace {
  readonly protocol: Protocol;
  /** Absent: every address of `family`. */
  readonly address?: string;
  /** Absent: both families. */
  readonly family?: Family;
  readonly port: number;
}

/**
 * Why a port cannot be held: a socket of another program has it; this process has too many files open; the kernel
 * refuses it.
 */
export type Unheld = 'taken' | 'limit' | 'refused';

/** Sockets that hold ports of the host: bound, so that no other program can bind the port, and never listening. */
export interface PortSockets {
  /** Binds a socket and returns its descriptor. The host need not have the address. */
  bind(place: PortPlace): number | Unheld;
  close(descriptor: number): void;
}

/** Marks the sockets that hold ports ("isth"). They send nothing, so no rule for marked packets meets it. */
export const HELD_MARK = 0x69737468;
/**
 * An interface that does not exist. A UDP socket bound to it gets no packet, so the kernel answers as if there were no
 * socket. It still keeps others from binding the port, unless they bind to an interface too.
 */
const NOWHERE = 0x69737468;

const NUMBERS: Readonly<Record<Protocol, number>> = { tcp: IPPROTO_TCP, udp: IPPROTO_UDP, sctp: IPPROTO_SCTP };
/** Exists if the module is loaded. Creating a socket would load it. */
const SCTP = '/proc/net/sctp';
const ON = integer(1);
const OFF = integer(0);

/**
 * Holds ports in the network namespace of the calling thread. Its descriptors begin at `lowest`, since libnftables can
 * use none above 1023.
 */
export const linuxPortSockets = (lowest: number): PortSockets => ({
  bind: (place) => {
    if (place.protocol === 'sctp' && !existsSync(SCTP)) return 'refused';
    try {
      const first = place.family === 4 ? AF_INET : AF_INET6;
      const descriptor = openSocket(place, first);
      if (descriptor !== undefined) return moved(bound(descriptor, place, first), lowest);
      const instead = place.family === undefined ? openSocket(place, AF_INET) : undefined;
      return instead === undefined ? 'refused' : moved(bound(instead, place, AF_INET), lowest);
    } catch (thrown) {
      const errno = thrown instanceof NetError ? thrown.errno : undefined;
      return errno === EMFILE || errno === ENFILE ? 'limit' : 'refused';
    }
  },
  close: closeSync,
});

function moved(descriptor: number | Unheld, lowest: number): number | Unheld {
  if (typeof descriptor !== 'number') return descriptor;
  try {
    return duplicate(descriptor, lowest);
  } finally {
    closeSync(descriptor);
  }
}

/** Undefined if the kernel lacks the family. */
function openSocket({ protocol }: PortPlace, family: number): number | undefined {
  const type = protocol === 'udp' ? SOCK_DGRAM : SOCK_STREAM;
  try {
    return socket(family, type | SOCK_CLOEXEC, NUMBERS[protocol]);
  } catch (thrown) {
    if (thrown instanceof NetError && thrown.errno === EAFNOSUPPORT) return undefined;
    throw thrown;
  }
}

function bound(descriptor: number, place: PortPlace, family: number): number | Unheld {
  let held = false;
  try {
    if (family === AF_INET6) {
      setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, place.family === undefined ? OFF : ON);
    }
    if (place.address !== undefined) {
      if (family === AF_INET6) setsockopt(descriptor, IPPROTO_IPV6, IPV6_FREEBIND, ON);
      else setsockopt(descriptor, IPPROTO_IP, IP_FREEBIND, ON);
    }
    const address = socketAddress(place, family);
    let errno = bind(descriptor, address);
    if (errno === EADDRINUSE && place.protocol === 'tcp') errno = bindBesideClosed(descriptor, address);
    if (errno !== 0) return errno === EADDRINUSE ? 'taken' : 'refused';
    setsockopt(descriptor, SOL_SOCKET, SO_MARK, integer(HELD_MARK));
    if (place.protocol === 'udp') setsockopt(descriptor, SOL_SOCKET, SO_BINDTOIFINDEX, integer(NOWHERE));
    held = true;
    return descriptor;
  } finally {
    if (!held) closeSync(descriptor);
  }
}

/**
 * With SO_REUSEADDR, connections of a server that has ended do not count (TIME_WAIT). Without it afterwards, no server
 * can listen on the port, since listen(2) checks both sockets again.
 */
function bindBesideClosed(descriptor: number, address: Uint8Array): number {
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, ON);
  const errno = bind(descriptor, address);
  if (errno === 0) setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, OFF);
  return errno;
}

/** struct sockaddr_in: family, port, address. struct sockaddr_in6: family, port, flow, address, scope. */
function socketAddress({ address, port }: PortPlace, family: number): Uint8Array {
  const bytes = new Uint8Array(family === AF_INET ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, family, true);
  view.setUint16(2, port);
  const addr = address === undefined ? undefined : parseAddr(address);
  if (addr !== undefined) bytes.set(addrToBytes(addr), family === AF_INET ? 4 : 8);
  return bytes;
}

function integer(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}
