import { type Addr, BITS, type Family } from '../model/addr.ts';

/**
 * An address as text that sorts like compareAddr: the digit of its family, and its value in hex, of fixed width in each
 * family. `10.0.0.2` is `40a000002`.
 */
export function addressKey(addr: Addr): string {
  return addr.family + addr.value.toString(16).padStart(BITS[addr.family] / 4, '0');
}

/** The inverse of addressKey. */
export function addressOfKey(key: string): Addr {
  const family: Family = key.startsWith('4') ? 4 : 6;
  return { family, value: BigInt(`0x${key.slice(1)}`) };
}

/** The next address, or the previous one with -1; undefined beyond the family's ends. */
export function neighbour(addr: Addr, step: 1n | -1n): Addr | undefined {
  const value = addr.value + step;
  return value < 0n || value >> BigInt(BITS[addr.family]) !== 0n ? undefined : { family: addr.family, value };
}
