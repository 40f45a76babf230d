import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type Addr, parseAddr, sameAddr } from '../model/addr.ts';
import type { Protocol } from '../model/firewall.ts';
import { AF_INET, AF_INET6, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP } from '../netlink/constants.ts';
import { type BoundSocket, boundSockets } from '../netlink/inet-diag.ts';
import type { Listener, PortQuery } from './host.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

const NUMBERS: Readonly<Record<Protocol, number>> = { tcp: IPPROTO_TCP, udp: IPPROTO_UDP, sctp: IPPROTO_SCTP };
const FAMILIES = { 4: AF_INET, 6: AF_INET6 } as const;

/** Those of the ports that a socket of the namespace takes already, with the process that has it. */
export function readListeners(ns: LinuxNamespace, queries: readonly PortQuery[]): Listener[] {
  if (queries.length === 0) return [];
  const protocols = [...new Set(queries.map(({ protocol }) => protocol))];
  const bound = new Map(protocols.map((protocol) => [protocol, ns.within(() => socketsOf(protocol))]));
  return queries.flatMap((query) => {
    const socket = (bound.get(query.protocol) ?? []).find((candidate) => takes(candidate, query));
    return socket === undefined ? [] : [{ ...query, ...holderOf(socket.inode) }];
  });
}

function socketsOf(protocol: Protocol): BoundSocket[] {
  return ([4, 6] as const).flatMap((family) => boundSockets(FAMILIES[family], NUMBERS[protocol], protocol === 'udp'));
}

/** A wildcard on either side meets every address of its family; `::` also takes what comes over IPv4. */
function takes({ address, port }: BoundSocket, { port: wanted, address: text, family }: PortQuery): boolean {
  if (port !== wanted) return false;
  const asked = text === undefined ? undefined : parseAddr(text);
  const wild = address.value === 0n;
  if (asked !== undefined) return sameAddr(asked, address) || (wild && reaches(address, asked.family));
  return family === undefined || address.family === family || (wild && reaches(address, family));
}

function reaches(wildcard: Addr, family: 4 | 6): boolean {
  return wildcard.family === 6 || wildcard.family === family;
}

/** The process that has a socket open: found by looking at every process, so only asked for where there is a clash. */
function holderOf(inode: number): Pick<Listener, 'process' | 'command'> {
  const wanted = `socket:[${inode}]`;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (!openFiles(pid).includes(wanted)) continue;
    const command = readText(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    return { process: `${readText(`/proc/${pid}/comm`).trim()} (pid ${pid})`, command };
  }
  return { process: 'a process', command: '' };
}

function openFiles(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
