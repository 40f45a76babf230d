import { PROTOCOL_NUMBERS } from '../host/conntrack.ts';
import type { Element, PortChain } from '../host/firewall-elements.ts';
import type { Field } from '../host/firewall-fields.ts';
import { addrFromBytes, formatAddr } from '../model/addr.ts';
import type { Protocol } from '../model/firewall.ts';
import { NFTNL_UDATA_RULE_COMMENT } from '../netlink/netfilter.ts';
import { readRules } from '../netlink/nft-rules.ts';
import { listElements, type RawElement } from '../netlink/nft-sets.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { IFNAME_BYTES, TABLE_ID, VERDICT_WORDS } from './nft-elements.ts';

const SUFFIXES = ['4', '6', '_any4', '_any6'] as const;

/** Returns all elements and chains of ports that lead to one of the addresses or are open at it. */
export function leadingTo(
  socket: NetlinkSocket,
  addresses: readonly string[],
): { readonly elements: readonly Element[]; readonly chains: readonly PortChain[] } {
  const elements: Element[] = [];
  const chains: PortChain[] = [];
  for (const suffix of SUFFIXES) {
    const keys = new Set<string>();
    for (const set of [`port${suffix}`, `span${suffix}`, `condition${suffix}`]) {
      for (const raw of listElements(socket, { ...TABLE_ID, set })) {
        const target = targetText(socket, set, raw);
        if (target === undefined || !addresses.includes(addressOf(target))) continue;
        const element = decodePort(set, raw);
        if (element === undefined) continue;
        elements.push(element);
        keys.add(keyText(element));
        if (element.data !== undefined && 'chain' in element.data) chains.push({ name: element.data.chain, rule: '' });
      }
    }
    if (keys.size === 0) continue;
    for (const set of [`label${suffix}`, `span_label${suffix}`, `answer${suffix}`]) {
      for (const raw of listElements(socket, { ...TABLE_ID, set })) {
        const element = decodePort(set, raw);
        if (element !== undefined && keys.has(keyText(element))) elements.push(element);
      }
    }
  }
  return { elements: [...elements, ...openAt(socket, addresses)], chains };
}

/** The sets of ports that are open at an endpoint's own address, with the number of interfaces in their keys. */
const OPEN_SETS = [
  ['routed', 1],
  ['trusted', 2],
] as const;

/** Returns the ports that are open at one of the addresses. */
function openAt(socket: NetlinkSocket, addresses: readonly string[]): Element[] {
  return ([4, 6] as const).flatMap((family) =>
    OPEN_SETS.flatMap(([what, names]) => {
      const set = `${what}${family}`;
      return listElements(socket, { ...TABLE_ID, set }).flatMap(({ key }) => {
        const place = openPlace(key?.value ?? new Uint8Array(), names, family === 4 ? 4 : 16);
        return place?.some(({ type, value }) => type === 'addr' && addresses.includes(value))
          ? [{ set, key: place }]
          : [];
      });
    }),
  );
}

/** Decodes interface names, an address of `size` bytes, protocol and port; undefined for malformed bytes. */
function openPlace(bytes: Uint8Array, names: number, size: number): Field[] | undefined {
  const at = names * IFNAME_BYTES;
  const address = addrFromBytes(bytes.subarray(at, at + size));
  const protocol = protocolOf(bytes[at + size]);
  if (address === undefined || protocol === undefined) return undefined;
  const nameAt = (i: number): string =>
    Buffer.from(bytes.subarray(i * IFNAME_BYTES, (i + 1) * IFNAME_BYTES))
      .toString()
      .replace(/\0+$/, '');
  return [
    ...Array.from({ length: names }, (_, i) => ({ type: 'ifname', value: nameAt(i) }) as const),
    { type: 'addr', value: formatAddr(address) },
    { type: 'proto', value: protocol },
    { type: 'port', value: portAt(bytes, at + size + 4) },
  ];
}

/** Returns a port's target: `10.1.0.2:80`; for a port with conditions, the address noted on its rule. */
export function targetText(socket: NetlinkSocket, set: string, raw: RawElement | undefined): string | undefined {
  const chain = raw?.data?.verdict?.chain;
  if (chain !== undefined && set.startsWith('condition')) {
    return readRules(socket, { ...TABLE_ID, chain })
      .map(({ userdata }) => commentOf(userdata))
      .find((comment) => comment !== undefined);
  }
  const value = raw?.data?.value;
  if (value === undefined) return undefined;
  if (set.startsWith('span')) return addressText(value);
  if (!set.startsWith('port')) return undefined;
  const [address, port] = targetFields(value);
  if (address === undefined || port === undefined) return undefined;
  return address.value.includes(':') ? `[${address.value}]:${port.value}` : `${address.value}:${port.value}`;
}

function addressOf(target: string): string {
  const bracketed = /^\[(.*)\]/.exec(target)?.[1];
  if (bracketed !== undefined) return bracketed;
  const dotted = /^([\d.]+)(:\d+)?$/.exec(target)?.[1];
  return dotted ?? target;
}

/** Decodes an element of a port's map; undefined for malformed bytes. */
function decodePort(set: string, { key, keyEnd, data }: RawElement): Element | undefined {
  const bytes = key?.value;
  if (bytes === undefined) return undefined;
  const size = set.includes('_any') ? 0 : set.endsWith('4') ? 4 : 16;
  const address = size === 0 ? undefined : addrFromBytes(bytes.subarray(0, size));
  const protocol = protocolOf(bytes[size]);
  if ((size > 0 && address === undefined) || protocol === undefined) return undefined;
  const fields: Field[] = [
    ...(address === undefined ? [] : [{ type: 'addr', value: formatAddr(address) } as const]),
    { type: 'proto', value: protocol },
    keyEnd?.value === undefined
      ? { type: 'port', value: portAt(bytes, size + 4) }
      : { type: 'ports', value: `${portAt(bytes, size + 4)}-${portAt(keyEnd.value, size + 4)}` },
  ];
  if (data?.value !== undefined && set.startsWith('span')) {
    const value = addressText(data.value);
    return value === undefined ? undefined : { set, key: fields, data: [{ type: 'addr', value }] };
  }
  if (data?.value !== undefined) return { set, key: fields, data: targetFields(data.value) };
  const word = VERDICT_WORDS.get(data?.verdict?.code ?? -1);
  if (word === undefined) return undefined;
  const chain = data?.verdict?.chain;
  if (word !== 'jump' && word !== 'goto') return { set, key: fields, data: { verdict: word } };
  return chain === undefined ? undefined : { set, key: fields, data: { verdict: word, chain } };
}

function addressText(bytes: Uint8Array): string | undefined {
  const address = addrFromBytes(bytes);
  return address === undefined ? undefined : formatAddr(address);
}

function targetFields(
  bytes: Uint8Array,
): [{ readonly type: 'addr'; readonly value: string }, { readonly type: 'port'; readonly value: number }] | [] {
  const size = bytes.length - 4;
  const address = addrFromBytes(bytes.subarray(0, size));
  if (address === undefined) return [];
  return [
    { type: 'addr', value: formatAddr(address) },
    { type: 'port', value: portAt(bytes, size) },
  ];
}

function portAt(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

function protocolOf(number: number | undefined): Protocol | undefined {
  return (Object.keys(PROTOCOL_NUMBERS) as Protocol[]).find((name) => PROTOCOL_NUMBERS[name] === number);
}

function keyText({ key }: Element): string {
  return key.map(({ value }) => value).join(' ');
}

/** libnftnl/udata.h: type, length, value; a comment is NUL-terminated. */
function commentOf(userdata: Uint8Array): string | undefined {
  for (let at = 0; at + 2 <= userdata.length; ) {
    const length = userdata[at + 1] ?? 0;
    if (userdata[at] === NFTNL_UDATA_RULE_COMMENT)
      return Buffer.from(userdata.subarray(at + 2, at + 1 + length)).toString();
    at += 2 + length;
  }
  return undefined;
}
