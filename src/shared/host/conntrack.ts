import type { NetError } from '../errors/net-error.ts';
import type { Family } from '../model/addr.ts';
import type { Protocol } from '../model/firewall.ts';
import { given } from '../model/given.ts';
import type { Op } from '../model/op.ts';
import { address } from '../netlink/address.ts';
import { countConnections, type Destination, deleteConnection, findConnections } from '../netlink/conntrack.ts';
import { AF_INET, AF_INET6, ENOENT, NETLINK_NETFILTER, RTM_GETADDR } from '../netlink/constants.ts';
import { NetlinkSocket } from '../netlink/socket.ts';
import { opError } from './failure.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

export type FlushOp = Extract<Op, { op: 'conntrack.flush' }>;

/** linux/in.h, IPPROTO_*. */
export const PROTOCOL_NUMBERS: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/**
 * Deletes the tracked connections whose first packet was addressed to one of these ports at these addresses; without
 * an address, at any address of the host itself. Keeps connections in transit to the same port of other hosts. Walks
 * the kernel's table once for each family and protocol, regardless of the number of ports. Returns the failures.
 */
export function flushConnections(ops: readonly FlushOp[], ns: LinuxNamespace): NetError[] {
  using socket = ns.within(() => new NetlinkSocket(NETLINK_NETFILTER));
  // A search walks the tables of all namespaces.
  if (countConnections(socket) === 0) return [];
  return Map.groupBy(ops, ({ family, protocol }) => `${family} ${protocol}`)
    .values()
    .flatMap((group) => flushGroup(socket, group, ns))
    .toArray();
}

/** Expects ops of one family and one protocol. */
function flushGroup(socket: NetlinkSocket, ops: readonly FlushOp[], ns: LinuxNamespace): NetError[] {
  const [first] = ops;
  if (first === undefined) return [];
  const { family } = first;
  const protocol = PROTOCOL_NUMBERS[first.protocol];
  const isOne = ops.length === 1 && first.count === undefined;
  const found = findConnections(socket, { family, protocol, ...(isOne ? whereOf(first) : {}) });
  const flushes = flushesOf(ops);
  const candidates = found.filter(({ port }) => flushes(port).length > 0);
  const anywhere = candidates.length > 0 && ops.some(({ address }) => address === undefined);
  const own = anywhere ? ownAddresses(family, ns) : new Set();
  const doomed = candidates.flatMap((connection) => {
    const { destination, port } = connection;
    const isOwn = own.has(destination) || destination.startsWith('127.');
    const op = flushes(port).find(({ address }) => (address === undefined ? isOwn : address === destination));
    return op === undefined ? [] : [{ op, connection }];
  });
  const replies = socket.exchange(doomed.map(({ connection }) => deleteConnection(connection)));
  return doomed.flatMap(({ op }, i) => {
    const { errno = 0, text = '' } = replies[i] ?? {};
    return errno === 0 || errno === ENOENT ? [] : [opError(op, errno, text)];
  });
}

/** Returns the ops that a connection to a port may be of. */
function flushesOf(ops: readonly FlushOp[]): (port: number) => readonly FlushOp[] {
  const byPort = Map.groupBy(ops, ({ port }) => port);
  const spans = ops.filter(({ count }) => count !== undefined);
  return (wanted) => [
    ...(byPort.get(wanted) ?? []),
    ...spans.filter(({ port, count = 1 }) => port < wanted && wanted < port + count),
  ];
}

function whereOf({ port, address }: FlushOp): Pick<Destination, 'port' | 'address'> {
  return { port, ...given({ address }) };
}

function ownAddresses(family: Family, ns: LinuxNamespace): ReadonlySet<unknown> {
  const payload = address.encode({ header: { family: family === 4 ? AF_INET : AF_INET6 }, attrs: {} });
  return new Set(
    ns.route.dump({ type: RTM_GETADDR, payload }).map((message) => {
      const attrs = address.decode(message.payload, true)?.attrs;
      return attrs?.local ?? attrs?.address;
    }),
  );
}
