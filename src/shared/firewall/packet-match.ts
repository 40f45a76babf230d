import { addrToBytes, type Family, parseAddr } from '../model/addr.ts';
import {
  NFPROTO_IPV4,
  NFPROTO_IPV6,
  NFT_CMP_EQ,
  NFT_CMP_NEQ,
  NFT_CT_STATE,
  NFT_CT_STATUS,
  NFT_LOOKUP_F_INV,
  NFT_META_IIF,
  NFT_META_IIFNAME,
  NFT_META_L4PROTO,
  NFT_META_NFPROTO,
  NFT_META_OIF,
  NFT_META_OIFNAME,
  NFT_META_PROTOCOL,
  NFT_PAYLOAD_NETWORK_HEADER,
  NFT_PAYLOAD_TRANSPORT_HEADER,
  NFT_RANGE_NEQ,
  NFT_REG32_00,
  NFT_SET_ELEM_INTERVAL_END,
} from '../netlink/netfilter.ts';
import type { Expression } from '../netlink/nft-rules.ts';
import type { RawElement } from '../netlink/nft-sets.ts';

/** What is known of a packet; rules about anything else may match it or not. */
export interface Packet {
  readonly family: Family;
  /** Absent: not known, or it has none (from this host, to this host). */
  readonly input?: PacketLink;
  readonly output?: PacketLink;
  readonly source?: string;
  readonly destination?: string;
  /** IPPROTO_*. */
  readonly protocol?: number;
  /** Of the destination. */
  readonly port?: number;
  readonly state: 'new' | 'established';
  /** A published port has given it another destination. Absent: not known. */
  readonly translated?: boolean;
}

export interface PacketLink {
  readonly name: string;
  /** Absent: not known. */
  readonly index?: number;
}

/** Whether a rule, or an element of a set, is for a packet. */
export type Match = 'yes' | 'no' | 'maybe';

const WORDS = 16;
const WORD = 4;
/** IFNAMSIZ: names are loaded with NULs behind them. */
const NAME_BYTES = 16;
/** linux/netfilter/nf_conntrack_common.h, as `ct state` and `ct status` have them. */
const STATE_BITS = { new: 8, established: 2 } as const;
const IPS_DST_NAT = 1 << 5;

/** The registers of one rule: 16 words, which the older numbers address in groups of four. */
export class Registers {
  readonly #bytes = new Uint8Array(WORDS * WORD);
  readonly #known = new Uint8Array(WORDS * WORD);

  /** `value` undefined: as many bytes are not known. */
  load(register: number | undefined, value: Uint8Array | undefined, size = value?.length ?? NAME_BYTES): void {
    const at = placeOf(register);
    this.#known.fill(0, at, at + Math.ceil(size / WORD) * WORD);
    if (value === undefined) return;
    this.#bytes.fill(0, at, at + Math.ceil(size / WORD) * WORD);
    this.#bytes.set(value, at);
    this.#known.fill(1, at, at + Math.ceil(size / WORD) * WORD);
  }

  forget(): void {
    this.#known.fill(0);
  }

  /** Undefined if one of the bytes is not known. */
  read(register: number | undefined, size: number): Uint8Array | undefined {
    const at = placeOf(register);
    if (at + size > this.#bytes.length || this.#known.subarray(at, at + size).includes(0)) return undefined;
    return this.#bytes.slice(at, at + size);
  }
}

function placeOf(register = 1): number {
  return (register >= NFT_REG32_00 ? register - NFT_REG32_00 : (register - 1) * WORD) * WORD;
}

/** What `meta`, `ct` and `payload` load of the packet; undefined for what is not known. */
export function loadedBy({ name, meta, ct, payload }: Expression, packet: Packet): Uint8Array | undefined {
  if (name === 'meta') return metaOf(meta?.key, packet);
  if (name === 'ct') {
    if (ct?.key === NFT_CT_STATE) return word(STATE_BITS[packet.state]);
    const { translated } = packet;
    return ct?.key === NFT_CT_STATUS && translated !== undefined ? word(translated ? IPS_DST_NAT : 0) : undefined;
  }
  const { base, offset = 0, len = 0 } = payload ?? {};
  if (base === NFT_PAYLOAD_NETWORK_HEADER) return addressAt(offset, len, packet);
  const isPort = base === NFT_PAYLOAD_TRANSPORT_HEADER && offset === 2 && len === 2;
  return isPort && packet.port !== undefined ? Uint8Array.of(packet.port >> 8, packet.port & 0xff) : undefined;
}

function metaOf(key: number | undefined, packet: Packet): Uint8Array | undefined {
  switch (key) {
    case NFT_META_IIFNAME:
      return nameBytes(packet.input);
    case NFT_META_OIFNAME:
      return nameBytes(packet.output);
    case NFT_META_IIF:
      return packet.input?.index === undefined ? undefined : word(packet.input.index);
    case NFT_META_OIF:
      return packet.output?.index === undefined ? undefined : word(packet.output.index);
    case NFT_META_NFPROTO:
      return Uint8Array.of(packet.family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
    case NFT_META_PROTOCOL:
      return packet.family === 4 ? Uint8Array.of(0x08, 0x00) : Uint8Array.of(0x86, 0xdd);
    case NFT_META_L4PROTO:
      return packet.protocol === undefined ? undefined : Uint8Array.of(packet.protocol);
    default:
      return undefined;
  }
}

function nameBytes(link: PacketLink | undefined): Uint8Array | undefined {
  if (link === undefined) return undefined;
  const bytes = new Uint8Array(NAME_BYTES);
  bytes.set(Buffer.from(link.name).subarray(0, NAME_BYTES - 1));
  return bytes;
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

/** Offsets of source and destination in the headers of IPv4 and IPv6; a shorter load is a prefix of whole bytes. */
const ADDRESSES = { 4: { source: 12, destination: 16, size: 4 }, 6: { source: 8, destination: 24, size: 16 } } as const;

function addressAt(offset: number, len: number, packet: Packet): Uint8Array | undefined {
  const { source, destination, size } = ADDRESSES[packet.family];
  const protocolAt = packet.family === 4 ? 9 : 6;
  if (offset === protocolAt && len === 1)
    return packet.protocol === undefined ? undefined : Uint8Array.of(packet.protocol);
  const text = offset === source ? packet.source : offset === destination ? packet.destination : undefined;
  const addr = parseAddr(text ?? '');
  return addr === undefined || addr.family !== packet.family || len > size
    ? undefined
    : addrToBytes(addr).subarray(0, len);
}

/** linux/netfilter/nf_tables.h, enum nft_cmp_ops: eq, neq, lt, lte, gt, gte. */
const COMPARISONS: readonly ((order: number) => boolean)[] = [
  (order) => order === 0,
  (order) => order !== 0,
  (order) => order < 0,
  (order) => order <= 0,
  (order) => order > 0,
  (order) => order >= 0,
];

export function compare({ cmp }: Expression, registers: Registers): Match {
  const { op = NFT_CMP_EQ, sreg, data } = cmp ?? {};
  const wanted = data?.value ?? new Uint8Array();
  // iptables writes an interface that ends in + without bytes: every one.
  if (wanted.length === 0) return op === NFT_CMP_NEQ ? 'no' : 'yes';
  const found = registers.read(sreg, wanted.length);
  if (found === undefined) return 'maybe';
  return COMPARISONS[op]?.(Buffer.compare(found, wanted)) === true ? 'yes' : 'no';
}

/** Newer versions of nft write every range so, older ones only what is outside of one. */
export function compareRange({ range }: Expression, registers: Registers): Match {
  const { op, sreg, from, to } = range ?? {};
  const [low, high] = [from?.value, to?.value];
  const found = low === undefined ? undefined : registers.read(sreg, low.length);
  if (found === undefined || low === undefined || high === undefined) return 'maybe';
  const isInside = Buffer.compare(found, low) >= 0 && Buffer.compare(found, high) <= 0;
  return isInside === (op !== NFT_RANGE_NEQ) ? 'yes' : 'no';
}

export function mask({ bitwise }: Expression, registers: Registers): void {
  const { sreg, dreg, len = WORD, mask: kept, xor } = bitwise ?? {};
  const found = registers.read(sreg, len);
  const value = found?.map((byte, i) => (byte & (kept?.value?.[i] ?? 0xff)) ^ (xor?.value?.[i] ?? 0));
  registers.load(dreg, value, len);
}

/** The result of a lookup, and the element that was found. */
export interface Found {
  readonly match: Match;
  readonly element?: RawElement;
}

export function look(
  { lookup }: Expression,
  registers: Registers,
  elements: (set: string) => readonly RawElement[],
): Found {
  const { set = '', sreg, flags = 0 } = lookup ?? {};
  const all = elements(set);
  const size = all.find(({ key }) => key?.value !== undefined)?.key?.value?.length;
  const isInverted = (flags & NFT_LOOKUP_F_INV) !== 0;
  if (size === undefined) return { match: isInverted ? 'yes' : 'no' };
  const value = registers.read(sreg, size);
  if (value === undefined) return { match: 'maybe' };
  const element = elementOf(all, value);
  const match = (element !== undefined) !== isInverted ? 'yes' : 'no';
  return element === undefined ? { match } : { match, element };
}

function elementOf(all: readonly RawElement[], value: Uint8Array): RawElement | undefined {
  const ranged = all.find(
    ({ key, keyEnd }) => keyEnd?.value !== undefined && isWithin(value, key?.value, keyEnd.value),
  );
  if (ranged !== undefined) return ranged;
  const isInterval = all.some(({ flags = 0 }) => (flags & NFT_SET_ELEM_INTERVAL_END) !== 0);
  if (!isInterval) return all.find(({ key }) => key?.value !== undefined && Buffer.compare(key.value, value) === 0);
  // The bounds of intervals in order: the last one that is not above the value decides.
  let last: RawElement | undefined;
  for (const one of all) {
    const key = one.key?.value;
    if (key === undefined || Buffer.compare(key, value) > 0) continue;
    const order = last?.key?.value === undefined ? 1 : Buffer.compare(key, last.key.value);
    if (order > 0 || (order === 0 && ((one.flags ?? 0) & NFT_SET_ELEM_INTERVAL_END) === 0)) last = one;
  }
  return last === undefined || ((last.flags ?? 0) & NFT_SET_ELEM_INTERVAL_END) !== 0 ? undefined : last;
}

/** Each field of a concatenation has a range of its own; fields are whole words. */
function isWithin(value: Uint8Array, low: Uint8Array | undefined, high: Uint8Array): boolean {
  if (low === undefined) return false;
  for (let at = 0; at < value.length; at += WORD) {
    const part = value.subarray(at, at + WORD);
    if (Buffer.compare(part, low.subarray(at, at + WORD)) < 0) return false;
    if (Buffer.compare(part, high.subarray(at, at + WORD)) > 0) return false;
  }
  return true;
}
