import type { Protocol } from '../model/firewall.ts';
import type { Op } from '../model/op.ts';
import { address } from '../netlink/address.ts';
import { type Connection, countConnections, findConnections, forgetConnection } from '../netlink/conntrack.ts';
import { AF_INET, AF_INET6, ENOENT, NETLINK_NETFILTER, RTM_GETADDR } from '../netlink/constants.ts';
import { NetlinkSocket } from '../netlink/socket.ts';
import { opError } from './failure.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

type FlushOp = Extract<Op, { op: 'conntrack.flush' }>;

/** linux/in.h, IPPROTO_*. */
export const PROTOCOL_NUMBERS: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/**
 * No connection is tracked any more whose first packet was addressed to that port of that address; without an address,
 * of any address of the host itself. Connections in transit to the same port of others stay.
 * Throws NetError `kernel`.
 */
export function flushConnections(op: FlushOp, ns: LinuxNamespace): void {
  using socket = ns.within(() => new NetlinkSocket(NETLINK_NETFILTER));
  // Looking for one walks through the tables of all namespaces.
  if (countConnections(socket) === 0) return;
  const found = findConnections(socket, {
    family: op.family,
    protocol: PROTOCOL_NUMBERS[op.protocol],
    port: op.port,
    ...(op.address === undefined ? {} : { address: op.address }),
  });
  const doomed = op.address === undefined ? toThisHost(found, op.family, ns) : found;
  for (const { errno, text } of socket.exchange(doomed.map(forgetConnection)))
    if (errno !== 0 && errno !== ENOENT) throw opError(op, errno, text);
}

function toThisHost(found: readonly Connection[], family: 4 | 6, ns: LinuxNamespace): readonly Connection[] {
  if (found.length === 0) return found;
  const payload = address.encode({ header: { family: family === 4 ? AF_INET : AF_INET6 }, attrs: {} });
  const own = new Set<string | undefined>();
  for (const message of ns.route.dump({ type: RTM_GETADDR, payload })) {
    const attrs = address.decode(message.payload, true)?.attrs;
    own.add(attrs?.local ?? attrs?.address);
  }
  return found.filter(({ destination }) => own.has(destination) || destination.startsWith('127.'));
}
