import { type Addr, formatAddr, parseAddr } from '../model/addr.ts';
import type { RouteScope, RouteSpec } from '../model/link.ts';
import { inFloodList, type Op } from '../model/op.ts';
import { contains, lastOf, type Prefix, parsePrefix } from '../model/prefix.ts';
import { address, neighbour } from '../netlink/address.ts';
import {
  AF_BRIDGE,
  AF_INET,
  AF_INET6,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NTF_MASTER,
  NTF_SELF,
  NUD_NOARP,
  NUD_PERMANENT,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_SITE,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_COMPAT,
  RT_TABLE_MAIN,
  RTM_DELADDR,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_NEWADDR,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
  RTN_UNICAST,
  RTNH_F_ONLINK,
  RTPROT_BOOT,
} from '../netlink/constants.ts';
import { route } from '../netlink/route.ts';
import type { Request } from '../netlink/socket.ts';
import { badOp } from './failure.ts';
import type { Resolver } from './link-requests.ts';

type OpOf<N extends Op['op']> = Extract<Op, { op: N }>;

const CREATE = NLM_F_CREATE | NLM_F_EXCL;
const REPLACE = NLM_F_CREATE | NLM_F_REPLACE;
/** net/addrconf.h: forever. */
const INFINITY_LIFE_TIME = 0xffffffff;
const LOOPBACK: Prefix = { addr: { family: 4, value: 127n << 24n }, length: 8 };

/** RT_SCOPE_* by the names that `ip route` uses. */
export const SCOPES = {
  global: RT_SCOPE_UNIVERSE,
  site: RT_SCOPE_SITE,
  link: RT_SCOPE_LINK,
  host: RT_SCOPE_HOST,
  nowhere: RT_SCOPE_NOWHERE,
} as const satisfies Record<Exclude<RouteScope, number>, number>;

/** An IPv4 address gets its subnet's broadcast address, like `brd +`. */
export function changeAddress(op: OpOf<'addr.add' | 'addr.delete'>, resolver: Resolver): Request {
  const prefix = prefixOf(op, op.address);
  const { addr, length } = prefix;
  const add = op.op === 'addr.add';
  const text = formatAddr(addr);
  const payload = address.encode({
    header: {
      family: familyOf(addr),
      length,
      scope: contains(LOOPBACK, addr) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
      index: resolver.index(op.dev),
    },
    attrs: {
      local: text,
      address: text,
      broadcast: add && addr.family === 4 && length < 31 ? formatAddr(lastOf(prefix)) : undefined,
      flags: (op.noDad ? IFA_F_NODAD : 0) | (op.noPrefixRoute ? IFA_F_NOPREFIXROUTE : 0) || undefined,
      lifetimes: add && op.deprecated ? { preferred: 0, valid: INFINITY_LIFE_TIME, created: 0, updated: 0 } : undefined,
    },
  });
  return add ? { type: RTM_NEWADDR, flags: CREATE, payload } : { type: RTM_DELADDR, payload };
}

export function changeRoute(op: OpOf<'route.add' | 'route.delete'>, resolver: Resolver): Request {
  const spec = op.route;
  const { addr, length } = prefixOf(op, spec.dst);
  const { table = RT_TABLE_MAIN } = spec;
  const add = op.op === 'route.add';
  const metrics =
    spec.mtu === undefined && spec.advmss === undefined ? undefined : { mtu: spec.mtu, advmss: spec.advmss };
  const payload = route.encode({
    header: {
      family: familyOf(addr),
      dstLength: length,
      table: table > 255 ? RT_TABLE_COMPAT : table,
      protocol: add ? RTPROT_BOOT : 0,
      scope: scopeNumber(spec, add),
      type: RTN_UNICAST,
      flags: spec.onlink ? RTNH_F_ONLINK : 0,
    },
    attrs: {
      dst: length === 0 ? undefined : formatAddr(addr),
      oif: spec.dev === undefined ? undefined : resolver.index(spec.dev),
      gateway: spec.gateway,
      priority: spec.priority,
      prefsrc: spec.source,
      metrics: add ? metrics : undefined,
      table,
    },
  });
  if (!add) return { type: RTM_DELROUTE, payload };
  // As a rule no NLM_F_EXCL: a second network may add its own default route. The kernel still refuses an identical route.
  return { type: RTM_NEWROUTE, flags: op.exclusive ? CREATE : NLM_F_CREATE, payload };
}

export function changeNeighbour(op: OpOf<'neigh.add' | 'neigh.replace' | 'neigh.delete'>, resolver: Resolver): Request {
  const addr = addressOf(op, op.address);
  const payload = neighbour.encode({
    header: { family: familyOf(addr), index: resolver.index(op.dev), state: NUD_PERMANENT },
    attrs: { dst: formatAddr(addr), mac: op.mac },
  });
  if (op.op === 'neigh.delete') return { type: RTM_DELNEIGH, payload };
  return { type: RTM_NEWNEIGH, flags: op.op === 'neigh.add' ? CREATE : REPLACE, payload };
}

type ForwardingOp = OpOf<'fdb.add' | 'fdb.replace' | 'fdb.delete'>;

/** An entry of a bridge port is `static`, since `permanent` marks the port's own address. */
export function changeForwarding(op: ForwardingOp, resolver: Resolver): Request {
  const self = op.flags === 'self';
  const isDeletion = op.op === 'fdb.delete';
  const payload = neighbour.encode({
    header: {
      family: AF_BRIDGE,
      index: resolver.index(op.dev),
      state: self ? NUD_PERMANENT : NUD_NOARP,
      flags: self ? NTF_SELF : NTF_MASTER,
    },
    attrs: { mac: op.mac, dst: isDeletion && !inFloodList(op) ? undefined : op.dst },
  });
  if (isDeletion) return { type: RTM_DELNEIGH, payload };
  if (op.op === 'fdb.replace') return { type: RTM_NEWNEIGH, flags: REPLACE, payload };
  return { type: RTM_NEWNEIGH, flags: inFloodList(op) ? NLM_F_CREATE | NLM_F_APPEND : CREATE, payload };
}

/** In a deletion, `nowhere` matches any scope; RTM_DELROUTE with scope 0 would match only global routes. */
function scopeNumber({ scope, gateway }: RouteSpec, add: boolean): number {
  if (typeof scope === 'number') return scope;
  if (scope !== undefined) return SCOPES[scope];
  if (!add) return RT_SCOPE_NOWHERE;
  return gateway === undefined ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

function familyOf(addr: Addr): number {
  return addr.family === 4 ? AF_INET : AF_INET6;
}

function prefixOf(op: Op, text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw badOp(op, `${JSON.stringify(text)} is not an address with a prefix length`);
  return prefix;
}

function addressOf(op: Op, text: string): Addr {
  const addr = parseAddr(text);
  if (addr === undefined) throw badOp(op, `${JSON.stringify(text)} is not an IP address`);
  return addr;
}
