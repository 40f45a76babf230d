import { closeSync } from 'node:fs';
import { NetError } from '../errors/net-error.ts';
import { u16At } from './codec.ts';
import { AF_INET, AF_INET6, EAGAIN, EINVAL, SOCK_CLOEXEC, SOCK_RAW } from './constants.ts';
import {
  IP6T_F_GOTO,
  IPPROTO_RAW,
  IPT_F_GOTO,
  IPT_SO_GET_ENTRIES,
  IPT_SO_GET_INFO,
  SOL_IP,
  SOL_IPV6,
} from './netfilter.ts';
import { getsockopt, socket } from './sys.ts';

/** One rule of iptables-legacy. */
export interface XtRule {
  /** Offset of the rule in the table; jumps refer to such offsets. */
  readonly offset: number;
  /** Exact names of its devices; absent if it does not match on devices, or matches them in another way. */
  readonly input?: string;
  readonly output?: string;
  /** True if it matches on any device but `output`. */
  readonly inverted: boolean;
  /** True if it matches on more than `input`, `output` and `matches`. */
  readonly conditional: boolean;
  readonly matches: readonly { readonly name: string; readonly data: Uint8Array }[];
  /** True for a jump that does not come back (`-g`). */
  readonly leavesChain: boolean;
  /** Name of the target; empty for a verdict. */
  readonly target: string;
  /** For an empty target: -1 - NF_*, XT_RETURN, or the offset of the next rule. */
  readonly verdict: number;
  /** For the target ERROR: the name of the chain that begins after it. */
  readonly label: string;
}

export interface XtTable {
  readonly rules: readonly XtRule[];
  /** Offsets, by hook (NF_INET_*), of a chain's first rule and of its last, which is its policy. */
  readonly first: readonly number[];
  readonly last: readonly number[];
}

/** Offsets in struct ipt_entry and struct ip6t_entry, on machines of 64 bits. */
interface Layout {
  readonly domain: number;
  readonly level: number;
  /** Bytes of addresses and their masks, before the names of the devices. */
  readonly addresses: number;
  readonly protocol: number;
  readonly flags: number;
  readonly inverted: number;
  readonly targetOffset: number;
  readonly nextOffset: number;
  readonly size: number;
  /** The only flag that matches nothing in a packet. */
  readonly goto: number;
}

const V4: Layout = {
  ...{ domain: AF_INET, level: SOL_IP, addresses: 16, protocol: 80, flags: 82, inverted: 83 },
  ...{ targetOffset: 88, nextOffset: 90, size: 112, goto: IPT_F_GOTO },
};
const V6: Layout = {
  ...{ domain: AF_INET6, level: SOL_IPV6, addresses: 64, protocol: 128, flags: 131, inverted: 132 },
  ...{ targetOffset: 140, nextOffset: 142, size: 168, goto: IP6T_F_GOTO },
};

const IFNAMSIZ = 16;
/** The same in ip6_tables.h. */
const IPT_INV_VIA_OUT = 0x02;
const HOOKS = 5;
/** struct ipt_getinfo, and where in it the hooks and the size are. */
const INFO = { size: 84, first: 36, last: 56, bytes: 80 } as const;
/** struct ipt_get_entries: the name, the size of what follows, and padding. */
const ENTRIES = { size: 40, bytes: 32 } as const;
/** struct xt_entry_match and xt_entry_target: their own size, a name, a revision. */
const EXTENSION = { size: 32, name: 2, nameSize: 29 } as const;
const MAX_ATTEMPTS = 8;

/**
 * Reads a table of iptables-legacy in the calling thread's namespace. The table must exist: the query would create it.
 * Source: linux/netfilter_ipv4/ip_tables.h. Throws NetError `kernel`.
 */
export function readXtTable(family: 4 | 6, table: string): XtTable {
  const layout = family === 4 ? V4 : V6;
  const fd = socket(layout.domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  try {
    for (let attempt = 1; ; attempt++) {
      const info = view(getsockopt(fd, layout.level, IPT_SO_GET_INFO, INFO.size, Buffer.from(table)));
      const bytes = info.getUint32(INFO.bytes, true);
      const question = Buffer.alloc(ENTRIES.size);
      question.write(table);
      question.writeUInt32LE(bytes, ENTRIES.bytes);
      try {
        const answer = getsockopt(fd, layout.level, IPT_SO_GET_ENTRIES, ENTRIES.size + bytes, question);
        return {
          rules: decodeRules(answer.subarray(ENTRIES.size), layout),
          first: hooks(info, INFO.first),
          last: hooks(info, INFO.last),
        };
      } catch (error) {
        // Meanwhile the size of the table has changed.
        const changed = error instanceof NetError && (error.errno === EAGAIN || error.errno === EINVAL);
        if (!changed || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  } finally {
    closeSync(fd);
  }
}

function hooks(info: DataView, at: number): number[] {
  return Array.from({ length: HOOKS }, (_, hook) => info.getUint32(at + 4 * hook, true));
}

function decodeRules(bytes: Uint8Array, layout: Layout): XtRule[] {
  const rules: XtRule[] = [];
  const data = view(bytes);
  for (let offset = 0; offset + layout.size <= bytes.length; ) {
    const next = data.getUint16(offset + layout.nextOffset, true);
    if (next < layout.size) break;
    rules.push(decodeRule(bytes.subarray(offset, offset + next), layout, offset));
    offset += next;
  }
  return rules;
}

function decodeRule(bytes: Uint8Array, layout: Layout, offset: number): XtRule {
  const data = view(bytes);
  const names = layout.addresses;
  const input = deviceAt(bytes, names, names + 2 * IFNAMSIZ);
  const output = deviceAt(bytes, names + IFNAMSIZ, names + 3 * IFNAMSIZ);
  const target = data.getUint16(layout.targetOffset, true);
  const name = textAt(bytes, target + EXTENSION.name, target + EXTENSION.name + EXTENSION.nameSize);
  return {
    offset,
    ...(input ? { input } : {}),
    ...(output ? { output } : {}),
    leavesChain: ((bytes[layout.flags] ?? 0) & layout.goto) !== 0,
    inverted: ((bytes[layout.inverted] ?? 0) & IPT_INV_VIA_OUT) !== 0,
    conditional:
      input === undefined ||
      output === undefined ||
      bytes.subarray(0, layout.addresses).some((byte) => byte !== 0) ||
      data.getUint16(layout.protocol, true) !== 0 ||
      ((bytes[layout.flags] ?? 0) & ~layout.goto) !== 0 ||
      bytes[layout.inverted] !== 0,
    matches: decodeMatches(bytes.subarray(layout.size, target)),
    target: name,
    verdict: name === '' ? data.getInt32(target + EXTENSION.size, true) : 0,
    label: name === 'ERROR' ? textAt(bytes, target + EXTENSION.size, bytes.length) : '',
  };
}

function decodeMatches(bytes: Uint8Array): XtRule['matches'] {
  const matches: { name: string; data: Uint8Array }[] = [];
  for (let at = 0; at + EXTENSION.size <= bytes.length; ) {
    const size = u16At(bytes, at);
    if (size < EXTENSION.size) break;
    const name = textAt(bytes, at + EXTENSION.name, at + EXTENSION.name + EXTENSION.nameSize);
    matches.push({ name, data: bytes.subarray(at + EXTENSION.size, at + size) });
    at += size;
  }
  return matches;
}

/** Returns the name at `at`, as far as the mask covers it; empty for any device, undefined for a prefix match. */
function deviceAt(bytes: Uint8Array, at: number, maskAt: number): string | undefined {
  const mask = bytes.subarray(maskAt, maskAt + IFNAMSIZ);
  const length = mask.indexOf(0);
  if (length === 0) return '';
  const name = bytes.subarray(at, at + (length < 0 ? IFNAMSIZ : length));
  return name.at(-1) === 0 ? textAt(name, 0, name.length) : undefined;
}

/** Reads a string that ends with a NUL, or at `end`. */
function textAt(bytes: Uint8Array, start: number, end: number): string {
  const whole = bytes.subarray(start, end);
  const nul = whole.indexOf(0);
  return Buffer.from(nul < 0 ? whole : whole.subarray(0, nul)).toString();
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
