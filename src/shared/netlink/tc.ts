import { attr, body, nested } from './attrs.ts';
import { be32, type Codec, decodeStruct, encodeStruct, string, u32 } from './codec.ts';

/** linux/rtnetlink.h, struct tcmsg. In a filter's `info`: priority in the upper half, protocol (network order) below. */
const TCMSG = {
  family: 'u8',
  _pad1: 'u8',
  _pad2: 'u16',
  index: 's32',
  handle: 'u32',
  parent: 'u32',
  info: 'u32',
} as const;

/** linux/pkt_sched.h, struct tc_tbf_qopt with its two struct tc_ratespec. Rates in bytes a second, times in ticks. */
const TBF_PARMS = {
  cellLog: 'u8',
  linkLayer: 'u8',
  overhead: 'u16',
  cellAlign: 'u16',
  mpu: 'u16',
  rate: 'u32',
  peakCellLog: 'u8',
  peakLinkLayer: 'u8',
  peakOverhead: 'u16',
  peakCellAlign: 'u16',
  peakMpu: 'u16',
  peakRate: 'u32',
  limit: 'u32',
  buffer: 'u32',
  mtu: 'u32',
} as const;

/** A 64-bit number in host order; values above 2^53 are rounded, so only smaller ones encode to the same bytes. */
const u64: Codec<number> = {
  decode: (bytes) => {
    if (bytes.length !== 8) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
    const value = Number(view.getBigUint64(0, true));
    return Number.isSafeInteger(value) ? value : undefined;
  },
  encode: (value) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
    return bytes;
  },
};

/** linux/pkt_sched.h, TCA_TBF_*. `rate64` is present if `parms.rate` cannot hold the rate: from 4 GiB/s. */
const TBF = { parms: attr(1, body(TBF_PARMS, {})), rate64: attr(4, u64), burst: attr(6, u32) };

/** linux/tc_act/tc_mirred.h, struct tc_mirred. */
const MIRRED_PARMS = {
  index: 'u32',
  capabilities: 'u32',
  action: 's32',
  references: 's32',
  bindings: 's32',
  direction: 's32',
  to: 'u32',
} as const;

/** linux/tc_act/tc_mirred.h, TCA_MIRRED_*. */
const MIRRED = { parms: attr(2, body(MIRRED_PARMS, {})) };

/** linux/pkt_cls.h, TCA_ACT_*. */
const ACTION = {
  kind: attr(1, string),
  mirred: { ...attr(2, nested(MIRRED)), when: ['kind', 'mirred'] },
} as const;

/** linux/pkt_cls.h, struct tc_u32_sel with struct tc_u32_key: the fields for a selector of 32-bit words. */
export interface Selector {
  readonly flags: number;
  /** Masks and values in host order of packet fields in network order. */
  readonly keys: readonly { readonly mask: number; readonly value: number; readonly offset: number }[];
}

const SELECTOR_HEADER = { flags: 'u8', _shift: 'u8', keys: 'u8', _pad: 'u8', _offsets: 'u32', _more: 'u32' } as const;
const SELECTOR_SIZE = 16;
const KEY = { mask: 'u32', value: 'u32', offset: 's32', _offsetMask: 's32' } as const;
const KEY_SIZE = 16;

const selector: Codec<Selector> = {
  decode: (bytes) => {
    const header = decodeStruct(SELECTOR_HEADER, bytes);
    if (header === undefined || bytes.length !== SELECTOR_SIZE + header.keys * KEY_SIZE) return undefined;
    const keys = [];
    for (let at = SELECTOR_SIZE; at < bytes.length; at += KEY_SIZE) {
      const key = decodeStruct(KEY, bytes.subarray(at));
      if (key === undefined) return undefined;
      keys.push({ ...key, mask: swapped(key.mask), value: swapped(key.value) });
    }
    const value = { flags: header.flags, keys };
    // We support no shifts and variable offsets; a selector that has them stays raw bytes.
    return Buffer.compare(selector.encode(value), bytes) === 0 ? value : undefined;
  },
  encode: ({ flags, keys }) =>
    Buffer.concat([
      encodeStruct(SELECTOR_HEADER, { flags, keys: keys.length }),
      new Uint8Array(SELECTOR_SIZE - 12),
      ...keys.map(({ mask, value, offset }) =>
        encodeStruct(KEY, { mask: swapped(mask), value: swapped(value), offset }),
      ),
    ]),
};

/** linux/pkt_cls.h, TCA_U32_*; actions are numbered from one in the order of execution. */
const U32 = { selector: attr(5, selector), actions: attr(7, nested({ first: attr(1, nested(ACTION)) })) };

/** linux/rtnetlink.h, TCA_*, of a queueing discipline. */
const QDISC_ATTRS = {
  kind: attr(1, string),
  tbf: { ...attr(2, nested(TBF)), when: ['kind', 'tbf'] },
  dumpInvisible: attr(10, {
    decode: (bytes) => (bytes.length === 0 ? true : undefined),
    encode: () => new Uint8Array(),
  }),
} as const;

/** linux/rtnetlink.h, TCA_*, of a filter. */
const FILTER_ATTRS = {
  kind: attr(1, string),
  u32: { ...attr(2, nested(U32)), when: ['kind', 'u32'] },
  chain: attr(11, u32),
} as const;

/** RTM_NEWQDISC, RTM_GETQDISC, RTM_DELQDISC. */
export const qdisc = body(TCMSG, QDISC_ATTRS);

/** RTM_NEWTFILTER, RTM_GETTFILTER, RTM_DELTFILTER. */
export const filter = body(TCMSG, FILTER_ATTRS);

export type QdiscMessage = NonNullable<ReturnType<typeof qdisc.decode>>;
export type FilterMessage = NonNullable<ReturnType<typeof filter.decode>>;

/** `info` of a filter. */
export function filterInfo(priority: number, protocol: number): number {
  return ((priority << 16) | ((protocol & 0xff) << 8) | (protocol >> 8)) >>> 0;
}

function swapped(value: number): number {
  return u32.decode(be32.encode(value)) ?? 0;
}
