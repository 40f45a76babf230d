import { type Addr, parseAddr, sameAddr } from '../model/addr.ts';
import type { Protocol } from '../model/firewall.ts';
import { AF_INET, AF_INET6, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP } from '../netlink/constants.ts';
import { type BoundSocket, boundSockets } from '../netlink/inet-diag.ts';
import type { Listener, PortQuery } from './host.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import { HELD_MARK } from './port-sockets.ts';

const NUMBERS: Readonly<Record<Protocol, number>> = { tcp: IPPROTO_TCP, udp: IPPROTO_UDP, sctp: IPPROTO_SCTP };
const FAMILIES = { 4: AF_INET, 6: AF_INET6 } as const;

/**
 * Returns the ports that a socket of the namespace already uses: one dump for each protocol and family. Leaves out the
 * sockets with which a daemon of ours holds ports.
 */
export function readListeners(ns: LinuxNamespace, queries: readonly PortQuery[]): Listener[] {
  if (queries.length === 0) return [];
  const protocols = [...new Set(queries.map(({ protocol }) => protocol))];
  const idle = queries.some((query) => query.idle);
  const bound = new Map(protocols.map((protocol) => [protocol, byPort(ns.within(() => socketsOf(protocol, idle)))]));
  return queries.flatMap(({ count, ...query }) => {
    const ports = bound.get(query.protocol) ?? new Map<number, BoundSocket[]>();
    return portsIn(ports, query.port, count).flatMap((port): Listener[] => {
      const socket = ports.get(port)?.find((candidate) => takes(candidate, query));
      return socket === undefined ? [] : [{ ...query, port, inode: socket.inode }];
    });
  });
}

function byPort(sockets: readonly BoundSocket[]): ReadonlyMap<number, BoundSocket[]> {
  const found = new Map<number, BoundSocket[]>();
  for (const socket of sockets) {
    const same = found.get(socket.port);
    if (same === undefined) found.set(socket.port, [socket]);
    else same.push(socket);
  }
  return found;
}

/** The ports of the span that may have a socket. Looks at the fewer of the span's ports and those that have one. */
function portsIn(ports: ReadonlyMap<number, unknown>, first: number, count = 1): number[] {
  if (count <= ports.size) return Array.from({ length: count }, (_, i) => first + i);
  return [...ports.keys()].filter((port) => port >= first && port < first + count);
}

function socketsOf(protocol: Protocol, idle: boolean): BoundSocket[] {
  return ([4, 6] as const).flatMap((family) =>
    boundSockets({
      ...{ family: FAMILIES[family], protocol: NUMBERS[protocol], datagram: protocol === 'udp' },
      ...{ idle, except: HELD_MARK },
    }),
  );
}

/** A wildcard on either side overlaps every address of its family; `::` also accepts IPv4. */
function takes({ address }: BoundSocket, { address: text, family }: PortQuery): boolean {
  const asked = text === undefined ? undefined : parseAddr(text);
  const wild = address.value === 0n;
  if (asked !== undefined) return sameAddr(asked, address) || (wild && reaches(address, asked.family));
  return family === undefined || address.family === family || (wild && reaches(address, family));
}

function reaches(wildcard: Addr, family: 4 | 6): boolean {
  return wildcard.family === 6 || wildcard.family === family;
}
