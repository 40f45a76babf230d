import { type Addr, addrFromBytes, addrToBytes } from '../model/addr.ts';
import { macFromBytes, macToBytes } from './message.ts';

/** Ports of the protocol (RFC 2131 §4.1). */
export const [SERVER_PORT, CLIENT_PORT] = [67, 68];

/** linux/if_ether.h, linux/if_arp.h, linux/in.h. */
const [ETH_P_IP, ETH_P_ARP, ETH_BYTES] = [0x0800, 0x0806, 14];
const [ARPHRD_ETHER, ARPOP_REQUEST, ARP_BYTES] = [1, 1, 42];
const [IP_BYTES, UDP_BYTES, IPPROTO_UDP] = [20, 8, 17];
const [TTL, DSCP_CS6] = [64, 0xc0];
/** More fragments, and the offset of a fragment. */
const FRAGMENT = 0x3fff;
const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff';
export const BROADCAST: Addr = { family: 4, value: 0xffffffffn };

/** The frame that broadcasts a message of the client: Ethernet, IPv4 and UDP, with their checksums. */
export function encodeBroadcast(mac: string, from: Addr, payload: Uint8Array): Uint8Array {
  const length = IP_BYTES + UDP_BYTES + payload.length;
  const frame = new Uint8Array(ETH_BYTES + length);
  const view = new DataView(frame.buffer);
  frame.set(macToBytes(BROADCAST_MAC), 0);
  frame.set(macToBytes(mac), 6);
  view.setUint16(12, ETH_P_IP);
  const [ip, udp] = [ETH_BYTES, ETH_BYTES + IP_BYTES];
  frame.set([0x45, DSCP_CS6], ip);
  view.setUint16(ip + 2, length);
  frame.set([TTL, IPPROTO_UDP], ip + 8);
  frame.set(addrToBytes(from), ip + 12);
  frame.set(addrToBytes(BROADCAST), ip + 16);
  view.setUint16(ip + 10, checksum(frame.subarray(ip, udp)));
  view.setUint16(udp, CLIENT_PORT);
  view.setUint16(udp + 2, SERVER_PORT);
  view.setUint16(udp + 4, UDP_BYTES + payload.length);
  frame.set(payload, udp + UDP_BYTES);
  const pseudo = IPPROTO_UDP + UDP_BYTES + payload.length;
  // The sum covers the addresses. A sum of 0 is sent as 0xffff, because 0 means no checksum (RFC 768).
  view.setUint16(udp + 6, checksum(frame.subarray(ip + 12), pseudo) || 0xffff);
  return frame;
}

/**
 * The payload of a frame with a UDP datagram to the client's port; undefined for any other. Ignores the checksum of UDP:
 * the kernel leaves it to the network card, so what comes from the same machine has none.
 */
export function payloadOf(frame: Uint8Array): Uint8Array | undefined {
  if (frame.length < ETH_BYTES + IP_BYTES + UDP_BYTES) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const first = frame[ETH_BYTES] ?? 0;
  const udp = ETH_BYTES + (first & 0x0f) * 4;
  const end = ETH_BYTES + view.getUint16(ETH_BYTES + 2);
  if (view.getUint16(12) !== ETH_P_IP || first >> 4 !== 4 || udp < ETH_BYTES + IP_BYTES) return undefined;
  if (end > frame.length || udp + UDP_BYTES > end || checksum(frame.subarray(ETH_BYTES, udp)) !== 0) return undefined;
  if (frame[ETH_BYTES + 9] !== IPPROTO_UDP || (view.getUint16(ETH_BYTES + 6) & FRAGMENT) !== 0) return undefined;
  const length = view.getUint16(udp + 4);
  if (view.getUint16(udp + 2) !== CLIENT_PORT || length < UDP_BYTES || udp + length > end) return undefined;
  return frame.subarray(udp + UDP_BYTES, udp + length);
}

/** The frame that asks whether another interface has the address (RFC 5227 §2.1.1): it announces nothing. */
export function encodeProbe(mac: string, address: Addr): Uint8Array {
  const frame = new Uint8Array(ARP_BYTES);
  const view = new DataView(frame.buffer);
  frame.set(macToBytes(BROADCAST_MAC), 0);
  frame.set(macToBytes(mac), 6);
  view.setUint16(12, ETH_P_ARP);
  view.setUint16(14, ARPHRD_ETHER);
  view.setUint16(16, ETH_P_IP);
  frame.set([6, 4], 18);
  view.setUint16(20, ARPOP_REQUEST);
  frame.set(macToBytes(mac), 22);
  frame.set(addrToBytes(address), 38);
  return frame;
}

/** The MAC of another interface that has the address, or is about to take it; undefined where the frame tells of none. */
export function rivalIn(frame: Uint8Array, mac: string, address: Addr): string | undefined {
  if (frame.length < ARP_BYTES) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint16(12) !== ETH_P_ARP || view.getUint16(16) !== ETH_P_IP) return undefined;
  const at = (from: number): bigint | undefined => addrFromBytes(frame.subarray(from, from + 4))?.value;
  const sender = macFromBytes(frame.subarray(22, 28));
  const isProbe = at(28) === 0n && at(38) === address.value && view.getUint16(20) === ARPOP_REQUEST;
  return sender !== mac && (at(28) === address.value || isProbe) ? sender : undefined;
}

/** RFC 1071, from `sum` on. */
function checksum(bytes: Uint8Array, sum = 0): number {
  let total = sum;
  for (let i = 0; i < bytes.length; i += 2) total += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}
