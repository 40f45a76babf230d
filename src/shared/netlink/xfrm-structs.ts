import { type Addr, addrFromBytes, addrToBytes, type Family, formatAddr, parseAddr } from '../model/addr.ts';
import { unencodable } from './codec.ts';
import { AF_INET, AF_INET6, IPPROTO_UDP } from './constants.ts';

/*
 * Structures of linux/xfrm.h, at fixed offsets: most of their fields are in network order, or of eight bytes.
 */

/** linux/in.h. */
export const IPPROTO_ESP = 50;

export const SELECTOR = 56;
export const ID = 24;
const ALL_PORTS = 0xffff;
const HOST = { 4: 32, 6: 128 } as const;

/** UDP datagrams from `src` to a port of `dst`; an absent address is any. */
export interface Selector {
  readonly family: Family;
  readonly src?: string;
  readonly dst?: string;
  readonly port: number;
}

/** struct xfrm_selector. */
export function putSelector(out: Buffer, at: number, { family, src, dst, port }: Selector): void {
  if (dst !== undefined) out.set(bytesOf(dst), at);
  if (src !== undefined) out.set(bytesOf(src), at + 16);
  out.writeUInt16BE(port, at + 32);
  out.writeUInt16LE(ALL_PORTS, at + 34);
  out.writeUInt16LE(numberOf(family), at + 40);
  out[at + 42] = dst === undefined ? 0 : HOST[family];
  out[at + 43] = src === undefined ? 0 : HOST[family];
  out[at + 44] = IPPROTO_UDP;
}

/** Undefined for a selector of another form. */
export function selectorAt(bytes: Buffer, at: number): Selector | undefined {
  const family = familyOf(bytes.readUInt16LE(at + 40));
  if (family === undefined || bytes[at + 44] !== IPPROTO_UDP) return undefined;
  const [dstLength = 0, srcLength = 0] = bytes.subarray(at + 42, at + 44);
  const isWhole = [dstLength, srcLength].every((length) => length === 0 || length === HOST[family]);
  const isPlain = bytes.readUInt16LE(at + 38) === 0 && bytes.readInt32LE(at + 48) === 0;
  if (!isWhole || !isPlain || bytes.readUInt16LE(at + 34) !== ALL_PORTS) return undefined;
  return {
    family,
    ...(srcLength > 0 && { src: addressAt(bytes, at + 16, family) }),
    ...(dstLength > 0 && { dst: addressAt(bytes, at, family) }),
    port: bytes.readUInt16BE(at + 32),
  };
}

/** struct xfrm_id of ESP. */
export function putId(out: Buffer, at: number, dst: string, spi: number): void {
  out.set(bytesOf(dst), at);
  out.writeUInt32BE(spi, at + 16);
  out[at + 20] = IPPROTO_ESP;
}

/** struct xfrm_lifetime_cfg without limits, save `seconds` after which it ends. XFRM_INF is no limit; of a time, 0 is. */
export function putLifetime(out: Buffer, at: number, seconds = 0): void {
  out.fill(0xff, at, at + 32);
  out.writeBigUInt64LE(BigInt(seconds), at + 40);
}

/** Of IPv4, the first four bytes of an xfrm_address_t. */
export function addressAt(bytes: Uint8Array, at: number, family: Family): string {
  const addr = addrFromBytes(bytes.subarray(at, at + (family === 4 ? 4 : 16)));
  return addr === undefined ? '' : formatAddr(addr);
}

export function bytesOf(text: string): Uint8Array {
  return addrToBytes(addrOf(text));
}

export function addrOf(text: string): Addr {
  const addr = parseAddr(text);
  if (addr === undefined) throw unencodable(text, 'an IP address');
  return addr;
}

export function numberOf(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}

export function familyOf(number: number): Family | undefined {
  if (number === AF_INET) return 4;
  return number === AF_INET6 ? 6 : undefined;
}
