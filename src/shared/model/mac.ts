import { type Addr, addrToBytes, formatAddr } from './addr.ts';
import { digest } from './attachment.ts';

/** Parses a MAC address and returns it lower-case and colon-separated: `0a:58:0a:16:00:07`. */
export function parseMac(text: string): string | undefined {
  if (/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return text.toLowerCase().replaceAll('-', ':');
  if (/^[0-9a-f]{4}(\.[0-9a-f]{4}){2}$/i.test(text)) {
    return text
      .toLowerCase()
      .replaceAll('.', '')
      .replace(/(..)(?!$)/g, '$1:');
  }
  return undefined;
}

/** True for an address that a network interface may carry: not zero and not a group address. */
export function isUnicastMac(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0 && mac !== '00:00:00:00:00:00';
}

/**
 * A locally administered MAC that depends only on the network and an IP address: neighbour caches stay right if the
 * address moves to another container. IPv4: `0a:58` and the four bytes of the address. IPv6: a digest, because
 * addresses of two networks on one bridge may end alike, and the same MAC would give both the same fe80:: address.
 */
export function macOfAddr(addr: Addr, network: string): string {
  if (addr.family === 6) return macOfDigest(digest('mac', network, formatAddr(addr)));
  return ['0a:58', ...Array.from(addrToBytes(addr), (byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

/** A locally administered MAC from six bytes of a digest, written as hex. */
export function macOfDigest(hex: string): string {
  const bytes = (hex.match(/../g) ?? []).slice(0, 6).map((byte) => Number.parseInt(byte, 16));
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** The IPv6 link-local address that the kernel derives from the MAC: modified EUI-64 (RFC 4291, appendix A). */
export function linkLocalOf(mac: string): string {
  const bytes = mac.split(':').map((byte) => BigInt(`0x${byte}`));
  const [first = 0n, ...rest] = bytes;
  const eui = [first ^ 2n, ...rest.slice(0, 2), 0xffn, 0xfen, ...rest.slice(2)];
  return formatAddr({ family: 6, value: (0xfe80n << 112n) | eui.reduce((value, byte) => (value << 8n) | byte) });
}
