import type { Addr } from '../model/addr.ts';
import { formatAddr } from '../model/addr.ts';
import { AF_INET, AF_INET6, RTM_GETROUTE } from '../netlink/constants.ts';
import { linkName } from '../netlink/link.ts';
import { route } from '../netlink/route.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

/** The way that a namespace would send a packet. */
export interface ChosenRoute {
  /** RTN_*: 1 unicast, 2 local, 3 broadcast, 5 multicast, 6 blackhole, 7 unreachable, 8 prohibit. */
  readonly type: number;
  readonly dev?: string;
  readonly gateway?: string;
  /** The address that a socket of the namespace would send from. */
  readonly source?: string;
  readonly table: number;
}

/** A packet that arrives, instead of one that the namespace sends itself. */
export interface Arrival {
  readonly input: number;
  readonly source: Addr;
}

/**
 * Asks the kernel for the route to an address. Returns the errno if it has none: ENETUNREACH, or for a packet that
 * arrives also EXDEV, where reverse path filtering drops it.
 */
export function lookUpRoute(ns: LinuxNamespace, to: Addr, arrival?: Arrival): ChosenRoute | { readonly errno: number } {
  const family = to.family === 4 ? AF_INET : AF_INET6;
  const bits = to.family === 4 ? 32 : 128;
  const from =
    arrival === undefined
      ? { header: {}, attrs: {} }
      : { header: { srcLength: bits }, attrs: { src: formatAddr(arrival.source), iif: arrival.input } };
  const payload = route.encode({
    header: { family, dstLength: bits, ...from.header },
    attrs: { dst: formatAddr(to), ...from.attrs },
  });
  const [reply] = ns.route.exchange([{ type: RTM_GETROUTE, payload, reply: true, ack: false }]);
  const [message] = reply?.messages ?? [];
  const found = message && route.decode(message.payload, true);
  if (found === undefined || reply === undefined) return { errno: reply?.errno ?? 0 };
  const { header, attrs } = found;
  const dev = attrs.oif === undefined ? undefined : linkName(ns.route.fd, attrs.oif);
  return {
    type: header.type,
    table: attrs.table ?? header.table,
    ...(dev === undefined ? {} : { dev }),
    ...(attrs.gateway === undefined ? {} : { gateway: attrs.gateway }),
    ...(attrs.prefsrc === undefined ? {} : { source: attrs.prefsrc }),
  };
}
