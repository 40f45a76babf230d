import { fault } from '../errors/fault.ts';
import { PROTOCOL_NUMBERS } from '../host/conntrack.ts';
import { addrToBytes, type Family } from '../model/addr.ts';
import { firstOf, lastOf, parsePrefix } from '../model/prefix.ts';
import {
  NF_ACCEPT,
  NFT_CMP_EQ,
  NFT_JUMP,
  NFT_META_IIFNAME,
  NFT_META_L4PROTO,
  NFT_META_OIFNAME,
  NFT_PAYLOAD_NETWORK_HEADER,
  NFT_REG_1,
  NFT_REG_VERDICT,
  NFT_RETURN,
  NFTNL_UDATA_RULE_COMMENT,
} from '../netlink/netfilter.ts';
import type { Expression } from '../netlink/nft-rules.ts';
import { IPPROTO_ESP } from '../netlink/xfrm-structs.ts';
import type { OwnRule } from './admission.ts';

/** Type, length, value: nft prints it as `comment "…"`, iptables as `-m comment --comment "…"`. */
export function noteBytes(note: string): Uint8Array {
  const text = Buffer.from(`${note}\0`);
  return Uint8Array.from([NFTNL_UDATA_RULE_COMMENT, text.length, ...text]);
}

/** The rule as iptables writes it, so that `iptables -S` can print it. */
export function expressionsOf(
  { input, output, source, known, untracked, esp, target }: OwnRule,
  family: Family,
): Expression[] {
  return [
    ...(input === undefined ? [] : device(NFT_META_IIFNAME, input)),
    ...(output === undefined ? [] : device(NFT_META_OIFNAME, output)),
    ...(source === undefined ? [] : from(source, family)),
    ...(known === undefined ? [] : [conntrack(known)]),
    ...(untracked === undefined ? [] : [...udpTo(untracked), conntrack('untracked')]),
    ...(esp ? protocol(IPPROTO_ESP) : []),
    { name: 'counter', counter: EMPTY_COUNTER },
    verdict(target),
  ];
}

/** The comparison covers the name and its NUL, and nothing else. */
function device(key: number, name: string): Expression[] {
  return [{ name: 'meta', meta: { dreg: NFT_REG_1, key } }, equals(Buffer.from(`${name}\0`))];
}

/** Offset and size of the source address in the header of IPv4 and of IPv6. */
const SOURCE = { 4: { offset: 12, len: 4 }, 6: { offset: 8, len: 16 } } as const;

function from(text: string, family: Family): Expression[] {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw fault.internal('admit', text, 'it is not a prefix');
  const { offset, len } = SOURCE[family];
  const load = { dreg: NFT_REG_1, base: NFT_PAYLOAD_NETWORK_HEADER, offset, len };
  const value = addrToBytes(firstOf(prefix));
  const mask = value.map((byte, i) => ~(byte ^ (addrToBytes(lastOf(prefix))[i] ?? 0)) & 0xff);
  const keep = { sreg: NFT_REG_1, dreg: NFT_REG_1, len, mask: { value: mask }, xor: { value: new Uint8Array(len) } };
  return [{ name: 'payload', payload: load }, { name: 'bitwise', bitwise: keep }, equals(value)];
}

/** linux/netfilter/xt_tcpudp.h, struct xt_udp: lowest and highest source port, the same of the destination, flags; padded to 16. */
function udpTo(port: number): Expression[] {
  const info = Buffer.from(Uint16Array.of(0, 0xffff, port, port, 0, 0, 0, 0).buffer);
  return [...protocol(PROTOCOL_NUMBERS.udp), { name: 'match', match: { name: 'udp', rev: 0, info } }];
}

function protocol(number: number): Expression[] {
  return [{ name: 'meta', meta: { dreg: NFT_REG_1, key: NFT_META_L4PROTO } }, equals(Uint8Array.of(number))];
}

function equals(value: Uint8Array): Expression {
  return { name: 'cmp', cmp: { sreg: NFT_REG_1, op: NFT_CMP_EQ, data: { value } } };
}

/** linux/netfilter/xt_conntrack.h, struct xt_conntrack_mtinfo3, padded to 8 bytes; its revision is 3. */
const CONNTRACK_BYTES = 168;
const MATCH_FLAGS = 146;
const STATE_MASK = 150;
const XT_CONNTRACK_STATE = 1;
const STATES = { known: 0x02 | 0x04, translated: 0x02 | 0x04 | 0x80, untracked: 0x100 } as const;

/** `-m conntrack --ctstate RELATED,ESTABLISHED`, with DNAT for `translated`; or UNTRACKED. */
function conntrack(state: keyof typeof STATES): Expression {
  const info = Buffer.alloc(CONNTRACK_BYTES);
  info.writeUInt16LE(XT_CONNTRACK_STATE, MATCH_FLAGS);
  info.writeUInt16LE(STATES[state], STATE_MASK);
  return { name: 'match', match: { name: 'conntrack', rev: 3, info } };
}

function verdict(target: string): Expression {
  const codes: Readonly<Record<string, number>> = { ACCEPT: NF_ACCEPT, RETURN: NFT_RETURN };
  const code = codes[target];
  const data = { verdict: code === undefined ? { code: NFT_JUMP, chain: target } : { code } };
  return { name: 'immediate', immediate: { dreg: NFT_REG_VERDICT, data } };
}

/** Without attributes, the counter starts at zero bytes and packets. */
const EMPTY_COUNTER = new Uint8Array(0);
