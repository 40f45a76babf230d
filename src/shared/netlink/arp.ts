import { closeSync } from 'node:fs';
import { addrToBytes, parseAddr } from '../model/addr.ts';
import { AF_PACKET, SOCK_CLOEXEC, SOCK_RAW } from './constants.ts';
import { loadLibrary, socket, systemErrorOfCall } from './sys.ts';

/** linux/if_ether.h. */
const ETH_P_IP = 0x0800;
const ETH_P_ARP = 0x0806;
/** linux/if_arp.h. */
const ARPHRD_ETHER = 1;
const ARPOP_REQUEST = 1;

/**
 * The frame that announces `mac` as the owner of the IPv4 address: a broadcast request of the address for itself, as
 * the kernel sends it with arp_notify (inet_gratuitous_arp in net/ipv4/devinet.c).
 */
export function encodeAnnouncement(mac: string, address: string): Uint8Array {
  const own = Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16));
  const addr = parseAddr(address);
  if (own.length !== 6 || addr?.family !== 4) throw new TypeError(`${mac} ${address} is no pair of ARP's`);
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

let libc: { readonly bind: (fd: number, address: DataView<ArrayBuffer>, bytes: number) => number } | undefined;

/**
 * Opens a descriptor that sends frames through the link, in the thread's namespace, and receives none. Source:
 * packet(7).
 */
export function openFrameSocket(ifindex: number): number {
  // Loading a function compiles it: 0.25 ms.
  libc ??= loadLibrary(null, { bind: { return: 'i32', arguments: ['i32', 'pointer', 'u32'] } });
  const fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  // struct sockaddr_ll; protocol 0 receives nothing.
  const address = new DataView(new ArrayBuffer(20));
  address.setUint16(0, AF_PACKET, true);
  address.setInt32(4, ifindex, true);
  if (libc.bind(fd, address, address.byteLength) === 0) return fd;
  const error = systemErrorOfCall('bind');
  closeSync(fd);
  throw error;
}
