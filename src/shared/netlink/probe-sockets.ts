import { closeSync } from 'node:fs';
import { NetError } from '../errors/net-error.ts';
import { type Addr, addrToBytes, type Family } from '../model/addr.ts';
import {
  AF_INET,
  AF_INET6,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOCK_STREAM,
  SOL_SOCKET,
} from './constants.ts';
import { opened } from './opened.ts';
import { connect, getsockopt, recv, send, setsockopt, socket } from './sys.ts';

/** What became of a probe so far; `waiting`: nothing yet. */
export type ProbeState = 'waiting' | 'answered' | 'refused' | { readonly errno: number };

/** One probe that was sent, from the thread's namespace at that time. */
export interface Probe extends Disposable {
  state(): ProbeState;
}

/** linux/in.h, linux/in6.h, linux/tcp.h, linux/icmp.h, linux/icmpv6.h */
const [IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP] = [1, 58, 0, 41, 6];
const [IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_PROBE] = [10, 23, 3];
const [SO_ERROR, TCP_INFO] = [4, 11];
const [TCP_ESTABLISHED, TCP_SYN_SENT] = [1, 2];
const [EINPROGRESS, ECONNREFUSED] = [115, 111];
const ECHO = { 4: { request: 8, reply: 0 }, 6: { request: 128, reply: 129 } } as const;
const HEADER = { 4: 20, 6: 40 } as const;
const ECHO_BYTES = 8;

/**
 * Sends an ICMP echo request, in a packet of `size` bytes that no router may cut; by default a small one. An answer is a
 * reply to it.
 */
export function sendEcho(to: Addr, size?: number): Probe {
  const { family } = to;
  const protocol = family === 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
  const id = Math.floor(Math.random() * 0xffff);
  const message = echo(family, id, Math.max((size ?? 0) - HEADER[family], ECHO_BYTES + 24));
  return probe(SOCK_RAW, protocol, to, 0, {
    prepare: (fd) => {
      const [level, option] = family === 4 ? [IPPROTO_IP, IP_MTU_DISCOVER] : [IPPROTO_IPV6, IPV6_MTU_DISCOVER];
      if (size !== undefined) setsockopt(fd, level, option, int(PMTUDISC_PROBE));
    },
    sent: (fd) => void send(fd, message, 0),
    isAnswer: (bytes) => {
      const at = family === 4 ? ((bytes[0] ?? 0) & 0xf) * 4 : 0;
      return bytes[at] === ECHO[family].reply && (bytes[at + 4] ?? 0) * 256 + (bytes[at + 5] ?? 0) === id;
    },
  });
}

/** Sends an empty datagram. A port that nobody listens on refuses it; one that answers nothing leaves it waiting. */
export function sendDatagram(to: Addr, port: number): Probe {
  return probe(SOCK_DGRAM, 0, to, port, { sent: (fd) => void send(fd, new Uint8Array(), 0), isAnswer: () => true });
}

/** Opens a TCP connection, and closes it when it is disposed of. */
export function openConnection(to: Addr, port: number): Probe {
  return probe(SOCK_STREAM, 0, to, port, { isAnswer: () => true, isStream: true });
}

interface Kind {
  readonly prepare?: (fd: number) => void;
  readonly sent?: (fd: number) => void;
  readonly isAnswer: (bytes: Uint8Array) => boolean;
  readonly isStream?: true;
}

function probe(type: number, protocol: number, to: Addr, port: number, kind: Kind): Probe {
  const domain = to.family === 4 ? AF_INET : AF_INET6;
  let failed: ProbeState | undefined;
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof NetError) || error.errno === undefined) throw error;
      if (error.errno !== EINPROGRESS) failed = failure(error.errno);
    }
  };
  const fd = opened(socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol), (made) => {
    kind.prepare?.(made);
    attempt(() => connect(made, sockaddr(to, port)));
    if (failed === undefined) attempt(() => kind.sent?.(made));
  });
  return {
    state: () => failed ?? (kind.isStream ? streamState(fd) : datagramState(fd, kind.isAnswer)),
    [Symbol.dispose]: () => closeSync(fd),
  };
}

function failure(errno: number): ProbeState {
  return errno === ECONNREFUSED ? 'refused' : { errno };
}

function streamState(fd: number): ProbeState {
  const errno = new DataView(getsockopt(fd, SOL_SOCKET, SO_ERROR, 4).buffer).getInt32(0, true);
  if (errno !== 0) return failure(errno);
  const [state] = getsockopt(fd, IPPROTO_TCP, TCP_INFO, 8);
  return state === TCP_ESTABLISHED ? 'answered' : state === TCP_SYN_SENT ? 'waiting' : 'answered';
}

const buffer = new Uint8Array(65_536);

function datagramState(fd: number, isAnswer: (bytes: Uint8Array) => boolean): ProbeState {
  try {
    for (;;) {
      const length = recv(fd, buffer, 0);
      if (length === undefined) return 'waiting';
      if (isAnswer(buffer.subarray(0, length))) return 'answered';
    }
  } catch (error) {
    if (error instanceof NetError && error.errno !== undefined) return failure(error.errno);
    throw error;
  }
}

/** The kernel adds the checksum of ICMPv6 (RFC 3542 §3.1), and that of ICMP is ours. */
function echo(family: Family, id: number, length: number): Uint8Array {
  const message = new Uint8Array(length);
  const view = new DataView(message.buffer);
  view.setUint8(0, ECHO[family].request);
  view.setUint16(4, id);
  view.setUint16(6, 1);
  if (family === 4) view.setUint16(2, checksum(message));
  return message;
}

/** RFC 1071. */
export function checksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) for (let i = 0; i < part.length; i += 2) sum += ((part[i] ?? 0) << 8) + (part[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** struct sockaddr_in, struct sockaddr_in6. */
function sockaddr(addr: Addr, port: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(addr.family === 4 ? 16 : 28));
  view.setUint16(0, addr.family === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  const bytes = new Uint8Array(view.buffer);
  bytes.set(addrToBytes(addr), addr.family === 4 ? 4 : 8);
  return bytes;
}

function int(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}
