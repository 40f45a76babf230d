import { attr, body, nested } from './attrs.ts';
import { type Codec, ip, u16At, u32 } from './codec.ts';

/** linux/rtnetlink.h, struct rtmsg. */
const RTMSG = {
  family: 'u8',
  dstLength: 'u8',
  srcLength: 'u8',
  tos: 'u8',
  table: 'u8',
  protocol: 'u8',
  scope: 'u8',
  type: 'u8',
  flags: 'u32',
} as const;

/** linux/rtnetlink.h, RTAX_*. */
const METRICS = { mtu: attr(2, u32), advmss: attr(8, u32) };

/** linux/rtnetlink.h, struct rtnexthop without its length. */
const NEXT_HOP = body({ flags: 'u8', hops: 'u8', index: 's32' }, { gateway: attr(5, ip) });

/** RTA_MULTIPATH: structures with their own length, one after the other, each followed by attributes. */
const nextHops: Codec<readonly NonNullable<ReturnType<typeof NEXT_HOP.decode>>[]> = {
  decode: (bytes, brief) => {
    const hops = [];
    for (let offset = 0; offset < bytes.length; ) {
      const length = u16At(bytes, offset);
      const hop = NEXT_HOP.decode(bytes.subarray(offset + 2, offset + length), brief);
      if (length < 8 || length % 4 !== 0 || offset + length > bytes.length || hop === undefined) return undefined;
      hops.push(hop);
      offset += length;
    }
    return hops;
  },
  encode: (hops) =>
    Buffer.concat(
      hops.map((hop) => {
        const rest = NEXT_HOP.encode(hop);
        return Buffer.concat([Uint8Array.of((rest.length + 2) & 0xff, (rest.length + 2) >> 8), rest]);
      }),
    ),
};

/** linux/rtnetlink.h, RTA_*. */
const ROUTE_ATTRS = {
  dst: attr(1, ip),
  src: attr(2, ip),
  iif: attr(3, u32),
  oif: attr(4, u32),
  gateway: attr(5, ip),
  priority: attr(6, u32),
  prefsrc: attr(7, ip),
  metrics: attr(8, nested(METRICS)),
  nextHops: attr(9, nextHops),
  table: attr(15, u32),
};

/** RTM_NEWROUTE, RTM_GETROUTE, RTM_DELROUTE. */
export const route = body(RTMSG, ROUTE_ATTRS);

export type RouteMessage = NonNullable<ReturnType<typeof route.decode>>;
