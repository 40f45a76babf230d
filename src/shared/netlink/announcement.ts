import { type Addr, addrToBytes, parseAddr } from '../model/addr.ts';
import { AF_INET6, AF_PACKET, SOCK_CLOEXEC, SOCK_RAW } from './constants.ts';
import { bindTo, opened } from './opened.ts';
import { connect, setsockopt, socket } from './sys.ts';

/** linux/if_ether.h. */
const ETH_P_IP = 0x0800;
const ETH_P_ARP = 0x0806;
/** linux/if_arp.h. */
const ARPHRD_ETHER = 1;
const ARPOP_REQUEST = 1;
/** linux/in.h, linux/in6.h. */
const IPPROTO_IPV6 = 41;
const IPPROTO_ICMPV6 = 58;
const IPV6_MULTICAST_HOPS = 18;
/** ff02::1 */
const ALL_NODES: Addr = { family: 6, value: (0xff02n << 112n) | 1n };
/** A neighbour discards an advertisement with a lower hop limit (RFC 4861 §7.1.2). */
const HOP_LIMIT = 255;
/** RFC 4861 §4.4: type 136, the override flag, option 2. */
const NEIGHBOUR_ADVERTISEMENT = 136;
const OVERRIDE = 0x20000000;
const TARGET_LINK_ADDRESS = 2;

/** A descriptor, and the message to write to it. */
export interface Announcement {
  readonly fd: number;
  readonly message: Uint8Array;
}

/**
 * Opens a descriptor that announces `mac` as the owner of the address to the link's neighbours, and receives nothing
 * of use. Works in the thread's namespace. IPv4: as the kernel does it with `arp_notify` (inet_gratuitous_arp in
 * net/ipv4/devinet.c). IPv6: as with `ndisc_notify` (ndisc_send_unsol_na in net/ipv6/ndisc.c); the address must be
 * usable already. Throws NetError `kernel`.
 */
export function openAnnouncement(ifindex: number, mac: string, address: string): Announcement {
  const addr = parseAddr(address);
  if (addr === undefined) throw new TypeError(`${address} is no address`);
  const message = encodeAnnouncement(mac, addr);
  return { fd: addr.family === 4 ? openFrameSocket(ifindex) : openNeighbourSocket(ifindex, addr), message };
}

/** IPv4: a frame with a broadcast request of the address for itself. IPv6: an ICMPv6 message without its checksum. */
export function encodeAnnouncement(mac: string, addr: Addr): Uint8Array {
  const own = Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16));
  if (own.length !== 6) throw new TypeError(`${mac} is no Ethernet address`);
  return addr.family === 4 ? gratuitousArp(own, addr) : unsolicitedAdvertisement(own, addr);
}

function gratuitousArp(own: Uint8Array, addr: Addr): Uint8Array {
  const ip = addrToBytes(addr);
  const frame = new Uint8Array(42);
  const view = new DataView(frame.buffer);
  frame.fill(0xff, 0, 6);
  frame.set(own, 6);
  view.setUint16(12, ETH_P_ARP);
  view.setUint16(14, ARPHRD_ETHER);
  view.setUint16(16, ETH_P_IP);
  frame[18] = own.length;
  frame[19] = ip.length;
  view.setUint16(20, ARPOP_REQUEST);
  frame.set(own, 22);
  frame.set(ip, 28);
  frame.set(ip, 38);
  return frame;
}

function unsolicitedAdvertisement(own: Uint8Array, addr: Addr): Uint8Array {
  const message = new Uint8Array(32);
  message[0] = NEIGHBOUR_ADVERTISEMENT;
  new DataView(message.buffer).setUint32(4, OVERRIDE);
  message.set(addrToBytes(addr), 8);
  message[24] = TARGET_LINK_ADDRESS;
  message[25] = 1;
  message.set(own, 26);
  return message;
}

/** Sends frames through the link, and receives none. Source: packet(7). */
function openFrameSocket(ifindex: number): number {
  // struct sockaddr_ll; protocol 0 receives nothing.
  const address = new DataView(new ArrayBuffer(20));
  address.setUint16(0, AF_PACKET, true);
  address.setInt32(4, ifindex, true);
  return opened(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), (fd) => bindTo(fd, address));
}

/** Sends ICMPv6 messages from the address to all nodes of the link; the kernel adds the checksum. Source: ipv6(7). */
function openNeighbourSocket(ifindex: number, from: Addr): number {
  return opened(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6), (fd) => {
    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, new Uint8Array(Uint32Array.of(HOP_LIMIT).buffer));
    bindTo(fd, sockaddrIn6(from, 0));
    const to = sockaddrIn6(ALL_NODES, ifindex);
    connect(fd, new Uint8Array(to.buffer));
  });
}

/** struct sockaddr_in6 with port 0. */
function sockaddrIn6(addr: Addr, scope: number): DataView<ArrayBuffer> {
  const address = new DataView(new ArrayBuffer(28));
  address.setUint16(0, AF_INET6, true);
  new Uint8Array(address.buffer).set(addrToBytes(addr), 8);
  address.setUint32(24, scope, true);
  return address;
}
