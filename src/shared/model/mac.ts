import { type Addr, addrToBytes } from './addr.ts';

/** Lower-case, colon-separated: `0a:58:0a:16:00:07`. */
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
 * A locally administered address made of the last four bytes of an IP address, so that an address that moves to
 * another container keeps its neighbours' caches right: `0a:58` for IPv4, `0a:5a` for IPv6.
 */
export function macOfAddr(addr: Addr): string {
  const tail = Array.from(addrToBytes(addr).slice(-4), (byte) => byte.toString(16).padStart(2, '0'));
  return [addr.family === 4 ? '0a:58' : '0a:5a', ...tail].join(':');
}

/** A locally administered address from six bytes of a digest, written as hex. */
export function macOfDigest(hex: string): string {
  const bytes = (hex.match(/../g) ?? []).slice(0, 6).map((byte) => Number.parseInt(byte, 16));
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
