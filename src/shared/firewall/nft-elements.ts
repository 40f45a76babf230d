import { PROTOCOL_NUMBERS } from '../host/conntrack.ts';
import { type Element, type Footprint, footprint, type Verdict } from '../host/firewall-elements.ts';
import type { Field } from '../host/firewall-fields.ts';
import { type Addr, addrToBytes, BITS, parseAddr } from '../model/addr.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import { isOverlayEntry } from '../model/overlay-entries.ts';
import { firstOf, lastOf, parsePrefix } from '../model/prefix.ts';
import {
  NF_ACCEPT,
  NF_DROP,
  NFPROTO_INET,
  NFT_GOTO,
  NFT_JUMP,
  NFT_RETURN,
  NFT_SET_ELEM_INTERVAL_END,
  NFTNL_UDATA_SET_ELEM_COMMENT,
} from '../netlink/netfilter.ts';
import { addElementsRequests, deleteChainRequests, deleteElementsRequests } from '../netlink/nft-batch.ts';
import type { RawElement, SetId } from '../netlink/nft-sets.ts';
import type { Request } from '../netlink/socket.ts';

export const TABLE_ID = { family: NFPROTO_INET, table: 'isthmus' } as const;

/** linux/if.h, IFNAMSIZ. */
export const IFNAME_BYTES = 16;

const VERDICTS: Readonly<Record<Verdict['verdict'], number>> = {
  accept: NF_ACCEPT,
  drop: NF_DROP,
  return: NFT_RETURN,
  jump: NFT_JUMP,
  goto: NFT_GOTO,
};

export const VERDICT_WORDS: ReadonlyMap<number, Verdict['verdict']> = new Map(
  (Object.keys(VERDICTS) as Verdict['verdict'][]).map((word) => [VERDICTS[word], word]),
);

export function setId({ set }: Element): SetId {
  return { ...TABLE_ID, set };
}

/** An annotation of user space, as type, length, text and a zero byte; `nft` prints it as the element's comment. */
export function encodeComment(text: string): Uint8Array {
  const bytes = Buffer.from(`${text}\0`);
  return Buffer.concat([Uint8Array.of(NFTNL_UDATA_SET_ELEM_COMMENT, bytes.length), bytes]);
}

/** Caches encoded elements: a removal first queries and then deletes the same elements. */
const encoded = new WeakMap<Element, readonly RawElement[]>();

/**
 * Encodes an element for the kernel. A lone prefix becomes the start of an interval and its end, the first address
 * after it. A prefix or span of ports among several fields becomes one element with two keys, the lowest and the highest.
 */
export function encodeElement(element: Element): readonly RawElement[] {
  const known = encoded.get(element);
  if (known !== undefined) return known;
  const raw = rawElements(element);
  encoded.set(element, raw);
  return raw;
}

function rawElements({ key, data, comment }: Element): RawElement[] {
  const low = keyBytes(key);
  const led = {
    ...(data === undefined ? {} : { data: dataOf(data) }),
    ...(comment === undefined ? {} : { userdata: encodeComment(comment) }),
  };
  const [only] = key;
  if (isInterval({ key }) && only?.type === 'prefix') {
    const end = endOf(only.value);
    const start: RawElement = { key: { value: low }, ...led };
    return end === undefined ? [start] : [start, { flags: NFT_SET_ELEM_INTERVAL_END, key: { value: end } }];
  }
  if (!key.some(({ type }) => type === 'prefix' || type === 'ports')) return [{ key: { value: low }, ...led }];
  return [{ key: { value: low }, keyEnd: { value: join(key.map((field) => fieldBytes(field, 'high'))) }, ...led }];
}

/** The lowest key. Only among several fields is a port padded. */
function keyBytes(key: readonly Field[]): Uint8Array {
  const [only] = key;
  const bytes = join(key.map((field) => fieldBytes(field, 'low')));
  return key.length === 1 && only?.type === 'port' ? bytes.subarray(0, 2) : bytes;
}

/** Returns true for a lone prefix: two elements to the kernel. */
export function isInterval({ key }: Pick<Element, 'key'>): boolean {
  return key.length === 1 && key[0]?.type === 'prefix';
}

/** Returns true if the kernel's element has the same keys and the same target. */
export function sameElement(wanted: RawElement, found: RawElement | undefined): boolean {
  return (
    found !== undefined &&
    same(wanted.key?.value, found.key?.value) &&
    same(wanted.keyEnd?.value, found.keyEnd?.value) &&
    same(wanted.data?.value, found.data?.value) &&
    wanted.data?.verdict?.code === found.data?.verdict?.code &&
    wanted.data?.verdict?.chain === found.data?.verdict?.chain
  );
}

/** Returns equal strings for equal elements. */
export function textOf(elements: readonly RawElement[]): string {
  const one = ({ flags = 0, key, keyEnd, data }: RawElement): string => {
    const hex = [key, keyEnd, data].map((part) => Buffer.from(part?.value ?? []).toString('hex'));
    return [flags, ...hex, data?.verdict?.code, data?.verdict?.chain].join(' ');
  };
  return elements.map(one).join();
}

function dataOf(data: readonly Field[] | Verdict): NonNullable<RawElement['data']> {
  if (!('verdict' in data)) return { value: join(data.map((field) => fieldBytes(field, 'low'))) };
  const code = VERDICTS[data.verdict];
  return { verdict: 'chain' in data ? { code, chain: data.chain } : { code } };
}

/** The bytes of a field, padded to four. */
function fieldBytes(field: Field, edge: 'low' | 'high'): Uint8Array {
  switch (field.type) {
    case 'addr':
      return addrBytes(parseAddr(field.value));
    case 'prefix': {
      const prefix = parsePrefix(field.value);
      return addrBytes(prefix && (edge === 'low' ? firstOf(prefix) : lastOf(prefix)));
    }
    case 'ifname':
      return padded(Buffer.from(field.value), IFNAME_BYTES);
    case 'bytes':
      return Buffer.from(field.value.slice(2), 'hex');
    case 'mac':
      return padded(Buffer.from(field.value.replaceAll(':', ''), 'hex'), 8);
    case 'proto':
      return padded(Uint8Array.of(PROTOCOL_NUMBERS[field.value]), 4);
    case 'port':
      return portBytes(field.value);
    case 'ports': {
      const [first = 0, last = 0] = field.value.split('-').map(Number);
      return portBytes(edge === 'low' ? first : last);
    }
  }
}

function portBytes(port: number): Uint8Array {
  return padded(Uint8Array.of(port >> 8, port & 0xff), 4);
}

/** Returns the first address after the prefix; undefined if the prefix reaches the end of the address space. */
function endOf(text: string): Uint8Array | undefined {
  const prefix = parsePrefix(text);
  if (prefix === undefined) return undefined;
  const { family, value } = lastOf(prefix);
  const next = value + 1n;
  return next >> BigInt(BITS[family]) === 0n ? addrBytes({ family, value: next }) : undefined;
}

/** The model has already validated every address. */
function addrBytes(addr: Addr | undefined): Uint8Array {
  return addr === undefined ? new Uint8Array() : addrToBytes(addr);
}

function padded(bytes: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  out.set(bytes);
  return out;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

/** The messages that add the elements to their sets; with `allNew`, none of them may exist. */
export function addRequests(elements: readonly Element[], allNew = false): Request[] {
  return bySet(elements).flatMap((list) => addElementsRequests(setId(list[0]), list.flatMap(encodeElement), allNew));
}

/** The messages that delete the elements, and then the chains of ports. */
export function removeRequests(elements: readonly Element[], chains: readonly string[]): Request[] {
  return [
    ...bySet(elements).flatMap((list) => deleteElementsRequests(setId(list[0]), list.flatMap(encodeElement))),
    ...chains.flatMap((chain) => deleteChainRequests(TABLE_ID, chain)),
  ];
}

function bySet(elements: readonly Element[]): (readonly [Element, ...Element[]])[] {
  const sets = new Map<string, [Element, ...Element[]]>();
  for (const element of elements) {
    const list = sets.get(element.set);
    if (list === undefined) sets.set(element.set, [element]);
    else list.push(element);
  }
  return [...sets.values()];
}

/** The footprint of the entries that `add` accepts: a record of a refused ADD may name entries that never existed. */
export function footprintThere(entries: readonly FirewallEntry[]): Footprint {
  try {
    return footprint(entries);
  } catch {
    return footprint(entries.filter(canBeThere));
  }
}

function canBeThere(entry: FirewallEntry): boolean {
  try {
    footprint([entry]);
    return true;
  } catch {
    return false;
  }
}

/** True for an entry with elements in table `inet isthmus`. */
export function isOfTable(entry: FirewallEntry): boolean {
  return entry.kind !== 'admit' && !isOverlayEntry(entry);
}

export function hasPrefix({ key }: Element): boolean {
  return key.some(({ type }) => type === 'prefix');
}
