import { given } from '../model/given.ts';
import { attr, body, nested, type Values } from './attrs.ts';
import { be16, be32, ip, u8, u16, u32 } from './codec.ts';
import { AF_INET, AF_INET6, AF_UNSPEC } from './constants.ts';
import {
  CTA_FILTER,
  CTA_FILTER_F_IP_DST,
  CTA_FILTER_F_PROTO_DST_PORT,
  CTA_FILTER_F_PROTO_NUM,
  CTA_FILTER_ORIG_FLAGS,
  CTA_FILTER_REPLY_FLAGS,
  CTA_ID,
  CTA_IP_V4_DST,
  CTA_IP_V4_SRC,
  CTA_IP_V6_DST,
  CTA_IP_V6_SRC,
  CTA_PROTO_DST_PORT,
  CTA_PROTO_NUM,
  CTA_PROTO_SRC_PORT,
  CTA_STATS_GLOBAL_ENTRIES,
  CTA_TUPLE_IP,
  CTA_TUPLE_ORIG,
  CTA_TUPLE_PROTO,
  CTA_ZONE,
  IPCTNL_MSG_CT_DELETE,
  IPCTNL_MSG_CT_GET,
  IPCTNL_MSG_CT_GET_STATS,
  NFNL_SUBSYS_CTNETLINK,
} from './netfilter.ts';
import type { NetlinkSocket, Request } from './socket.ts';

/** linux/netfilter/nfnetlink.h, struct nfgenmsg. */
const NFGENMSG = { family: 'u8', version: 'u8', subsystemHigh: 'u8', subsystemLow: 'u8' } as const;

const IP = {
  source4: attr(CTA_IP_V4_SRC, ip),
  destination4: attr(CTA_IP_V4_DST, ip),
  source6: attr(CTA_IP_V6_SRC, ip),
  destination6: attr(CTA_IP_V6_DST, ip),
};
const PROTO = {
  number: attr(CTA_PROTO_NUM, u8),
  sourcePort: attr(CTA_PROTO_SRC_PORT, be16),
  destinationPort: attr(CTA_PROTO_DST_PORT, be16),
};
const TUPLE = {
  ip: { ...attr(CTA_TUPLE_IP, nested(IP)), flagged: true },
  proto: { ...attr(CTA_TUPLE_PROTO, nested(PROTO)), flagged: true },
} as const;
/** The kernel reads the flags in host order. */
const FILTER = { original: attr(CTA_FILTER_ORIG_FLAGS, u32), reply: attr(CTA_FILTER_REPLY_FLAGS, u32) };

const ATTRS = {
  original: { ...attr(CTA_TUPLE_ORIG, nested(TUPLE)), flagged: true },
  id: attr(CTA_ID, be32),
  zone: attr(CTA_ZONE, u16),
  filter: { ...attr(CTA_FILTER, nested(FILTER)), flagged: true },
} as const;

/** A connection that the kernel tracks. Source: linux/netfilter/nfnetlink_conntrack.h. */
export const conntrack = body(NFGENMSG, ATTRS);
const stats = body(NFGENMSG, { entries: attr(CTA_STATS_GLOBAL_ENTRIES, be32) });

/** The destination of a connection's first packet. */
export interface Destination {
  readonly family: 4 | 6;
  /** IPPROTO_*. */
  readonly protocol: number;
  /** Absent: any. */
  readonly port?: number;
  /** Absent: any. */
  readonly address?: string;
}

export interface Connection {
  readonly destination: string;
  readonly port: number;
  readonly family: number;
  readonly attrs: Values<typeof ATTRS>;
}

/** Returns the number of connections that the socket's namespace tracks; 0 if the kernel has no tracking. */
export function countConnections(socket: NetlinkSocket): number {
  const payload = stats.encode({ header: { family: AF_UNSPEC }, attrs: {} });
  const [reply] = socket.exchange([{ type: ctType(IPCTNL_MSG_CT_GET_STATS), payload }]);
  const [message] = reply?.messages ?? [];
  return (message && stats.decode(message.payload, true)?.attrs.entries) ?? 0;
}

/** Returns the connections whose first packet was addressed to `wanted`, regardless of translation. */
export function findConnections(socket: NetlinkSocket, wanted: Destination): Connection[] {
  const { family, protocol, port, address } = wanted;
  // Kernels compare IPv6 addresses wrongly here (ctnetlink_filter_match_tuple, seen on 6.18).
  const byAddress = address !== undefined && family === 4;
  const flags =
    CTA_FILTER_F_PROTO_NUM |
    (port === undefined ? 0 : CTA_FILTER_F_PROTO_DST_PORT) |
    (byAddress ? CTA_FILTER_F_IP_DST : 0);
  const where = byAddress ? { ip: { destination4: address } } : {};
  const to = port === undefined ? {} : { destinationPort: port };
  const payload = conntrack.encode({
    header: { family: family === 4 ? AF_INET : AF_INET6 },
    attrs: {
      original: { ...where, proto: { number: protocol, ...to } },
      filter: { original: flags, reply: 0 },
    },
  });
  const found: Connection[] = [];
  // Kernels before 5.8 ignore the filter and list all connections.
  for (const message of socket.dump({ type: ctType(IPCTNL_MSG_CT_GET), payload })) {
    const { header, attrs } = conntrack.decode(message.payload, true) ?? {};
    const { ip: addresses, proto } = attrs?.original ?? {};
    const destination = family === 4 ? addresses?.destination4 : addresses?.destination6;
    const toPort = proto?.destinationPort;
    if (header === undefined || attrs === undefined || destination === undefined || toPort === undefined) continue;
    if (proto?.number !== protocol || (port !== undefined && toPort !== port)) continue;
    if (address === undefined || address === destination)
      found.push({ destination, port: toPort, family: header.family, attrs });
  }
  return found;
}

/** The message that deletes this very connection, and not a later one with the same addresses. */
export function deleteConnection({ family, attrs: { original, id, zone } }: Connection): Request {
  const attrs = { original, id, ...given({ zone }) };
  return { type: ctType(IPCTNL_MSG_CT_DELETE), payload: conntrack.encode({ header: { family }, attrs }) };
}

function ctType(message: number): number {
  return (NFNL_SUBSYS_CTNETLINK << 8) | message;
}
