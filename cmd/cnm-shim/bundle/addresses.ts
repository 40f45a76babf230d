import { createHmac } from 'node:crypto';
import { type Addr, BITS, formatAddr, parseAddr } from '../../../src/shared/model/addr.ts';

/** First bits of an address that stay, where they only tell what kind it is. */
const KINDS: readonly (readonly [prefix: string, length: number, kept: number])[] = [
  // Of these, nothing is anybody's.
  ['0.0.0.0', 8, 32],
  ['127.0.0.0', 8, 32],
  ['224.0.0.0', 4, 32],
  // Masks, and the broadcast address.
  ['255.0.0.0', 8, 32],
  ['10.0.0.0', 8, 8],
  ['100.64.0.0', 10, 10],
  ['169.254.0.0', 16, 16],
  ['172.16.0.0', 12, 12],
  ['192.168.0.0', 16, 16],
  ['::', 127, 128],
  ['::ffff:0:0', 96, 96],
  ['fe80::', 10, 64],
  ['fc00::', 7, 8],
  // The group of an address has its last 24 bits.
  ['ff02::1:ff00:0', 104, 104],
  ['ff00::', 8, 128],
  ['2000::', 3, 3],
];
const PARSED = KINDS.map(([prefix, length, kept]) => ({ addr: known(prefix), length, kept }));

/**
 * Replaces addresses by others, the same one always by the same one, and two with a common prefix by two with a common
 * prefix as long: subnets stay recognizable. What an address was cannot be computed without the key.
 */
export class AddressMap {
  readonly #key: Uint8Array;
  readonly #flips = new Map<string, boolean>();

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** The other address. A network's own address, whose bits after `length` are zero, stays one. */
  map(addr: Addr, length?: number): Addr {
    const bits = BITS[addr.family];
    const kept = PARSED.find((kind) => isWithin(addr, kind))?.kept ?? 0;
    const end = length !== undefined && hasZeroAfter(addr, length) ? length : bits;
    let value = addr.value;
    for (let bit = kept; bit < end; bit++) {
      const shift = BigInt(bits - bit);
      if (this.#flip(`${addr.family} ${bit} ${(addr.value >> shift).toString(16)}`))
        value ^= 1n << BigInt(bits - bit - 1);
    }
    return { family: addr.family, value };
  }

  /** Keeps what tells multicast and local ones from others. */
  mapMac(mac: string): string {
    const bytes = mac.toLowerCase().split(':');
    const whole = bytes.join('');
    if (/^(?:0+|f+)$/.test(whole) || whole.startsWith('01005e')) return mac;
    const digest = createHmac('sha256', this.#key).update(whole).digest('hex');
    // 33:33:ff and the last 24 bits of an address.
    if (whole.startsWith('3333'))
      return [...bytes.slice(0, 3), ...inPairs(digest).slice(0, bytes.length - 3)].join(':');
    const first = (Number.parseInt(digest.slice(0, 2), 16) & 0xfc) | (Number.parseInt(bytes[0] ?? '0', 16) & 0x03);
    return [first.toString(16).padStart(2, '0'), ...inPairs(digest).slice(1, bytes.length)].join(':');
  }

  #flip(prefix: string): boolean {
    let found = this.#flips.get(prefix);
    if (found === undefined) {
      found = ((createHmac('sha256', this.#key).update(prefix).digest()[0] ?? 0) & 1) === 1;
      this.#flips.set(prefix, found);
    }
    return found;
  }
}

/** Returns the replacement address; undefined if `text` is not an address. */
export function mapText(map: AddressMap, text: string, length?: number): string | undefined {
  const addr = parseAddr(text);
  if (addr === undefined) return undefined;
  const other = map.map(addr, length);
  return other.value === addr.value ? text : formatAddr(other);
}

function isWithin({ family, value }: Addr, { addr, length }: { addr: Addr; length: number }): boolean {
  if (family !== addr.family) return false;
  const shift = BigInt(BITS[family] - length);
  return value >> shift === addr.value >> shift;
}

function hasZeroAfter({ family, value }: Addr, length: number): boolean {
  const rest = BITS[family] - length;
  return rest >= 0 && (value & ((1n << BigInt(rest)) - 1n)) === 0n;
}

function inPairs(hex: string): string[] {
  return hex.match(/../g) ?? [];
}

function known(text: string): Addr {
  const addr = parseAddr(text);
  if (addr === undefined) throw new TypeError(`${text} is no address`);
  return addr;
}
